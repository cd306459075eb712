# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The page for a browser: a picture is dropped, its classes are shown."""

import base64
import hashlib
import html
import importlib.resources
import re
import string

from auto_deeplab.serving.server import models

_SCRIPT = re.compile(r'<script>(.*?)</script>', re.DOTALL)


def render(place: models.Place) -> tuple[str, str]:
  """Returns the page, and a policy for it.

  Args:
    place: the model that it asks.

  Returns:
    HTML that fetches nothing, and the Content-Security-Policy by which its own
    script alone runs, and asks this server alone.
  """
  files = importlib.resources.files(__package__)
  text = (files / 'page.html').read_text(encoding='utf-8')
  page = string.Template(text).substitute(
    name=html.escape(place.name), version=place.version
  )
  (script,) = _SCRIPT.findall(page)
  digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
  policy = '; '.join(
    [
      "default-src 'none'",
      f"script-src 'sha256-{digest}'",
      "style-src 'unsafe-inline'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ]
  )
  return page, policy
