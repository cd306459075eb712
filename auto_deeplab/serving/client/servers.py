# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all servers have in common: addresses, errors, and trying again."""

from collections.abc import Callable, Mapping, Sequence
import dataclasses
import random
import re
import time
from typing import Protocol, TypeVar
from urllib import parse

import numpy as np

# What TensorFlow Serving calls a model where nobody says otherwise.
DEFAULT_MODEL = 'default'
SCHEMES = ('http', 'https', 'grpc', 'grpcs', 'kserve+http', 'kserve+https')
# What may be otherwise a moment later: HTTP's status, or gRPC's code.
_PASSING = {'429', '503', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED'}
_PLAIN = re.compile('[!-~]*')  # As HTTP sends it: ASCII without spaces.
_TOO_LARGE = 'larger than max'  # RESOURCE_EXHAUSTED too, and never otherwise.
_T = TypeVar('_T')


class ServerError(OSError):
  """A server gave no answer.

  Attributes:
    code: HTTP's status as text, or gRPC's code.
    is_passing: whether it may answer when it is asked again.
    is_too_large: whether it takes no request of so many bytes.
  """

  def __init__(self, server: str, code: str, said: str):
    super().__init__(f'{server}: {code}: {said}')
    self.code = code
    self.is_too_large = code == '413' or _TOO_LARGE in said
    self.is_passing = code in _PASSING and not self.is_too_large


@dataclasses.dataclass(frozen=True)
class Address:
  """Where a model is served.

  Attributes:
    scheme: one of `SCHEMES`.
    place: host and port.
    model: its name.
    version: None for the newest.
  """

  scheme: str
  place: str
  model: str
  version: str | None

  def __str__(self) -> str:
    path = '/'.join(filter(None, [self.place, self.model, self.version]))
    return f'{self.scheme}://{path}'


def parse_address(url: str) -> Address:
  """Returns what an address says.

  Args:
    url: SCHEME://HOST:PORT[/MODEL[/VERSION]].

  Raises:
    ValueError: it is of another form.
  """
  parts = _split(url)
  path = parts.path.strip('/') if parts else ''
  for prefix in ('v1/models/', 'v2/models/'):
    path = path.removeprefix(prefix)
  names = path.replace('/versions/', '/').split('/')
  is_version = names[1:] == [] or names[1].isdecimal()
  is_plain = _PLAIN.fullmatch(path)
  if not (parts and is_plain and is_version and len(names) < 3):
    raise ValueError(
      f'the server {url!r} must be SCHEME://HOST:PORT[/MODEL[/VERSION]], where '
      f'SCHEME is one of {", ".join(SCHEMES)}.'
    )
  version = names[1] if len(names) == 2 else None
  return Address(parts.scheme, parts.netloc, names[0] or DEFAULT_MODEL, version)


def _split(url: str) -> parse.SplitResult | None:
  """Returns the parts of an address, None if it has none or too many."""
  try:
    parts = parse.urlsplit(url)
    _ = parts.port  # Looked at only now.
  except ValueError:  # A port that is no number, brackets that do not close.
    return None
  has_more = parts.query or parts.fragment or '@' in parts.netloc
  is_known = parts.scheme in SCHEMES and parts.hostname
  return parts if is_known and not has_more else None


class Transport(Protocol):
  """How a server is asked."""

  def call(
    self,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
  ) -> dict[str, np.ndarray]:
    """Calls a signature once.

    Args:
      signature: of the model.
      inputs: uint8, or objects that are bytes.
      outputs: those that are wanted.

    Returns:
      These.

    Raises:
      ServerError: there was no answer.
    """

  def takes_files(self) -> bool:
    """Returns whether the model has the signature of files."""


@dataclasses.dataclass(frozen=True)
class Patience:
  """How long a server is waited for.

  Attributes:
    seconds: for an answer, each time.
    attempts: times that it is asked.
    pause_seconds: before it is asked a second time; each further pause is twice
      as long as the one before. All are shortened at random by up to half, so
      that many clients do not come back at once.
  """

  seconds: float = 60.0
  attempts: int = 5
  pause_seconds: float = 0.5

  def try_again(
    self,
    call: Callable[[], _T],
    sleep: Callable[[float], None] = time.sleep,
  ) -> _T:
    """Returns what a call returns, once the server has time.

    Raises:
      ServerError: it refuses for good, or until the last attempt.
    """
    for attempt in range(1, self.attempts):
      try:
        return call()
      except ServerError as e:
        if not e.is_passing:
          raise
      sleep(self.pause_seconds * 2 ** (attempt - 1) * random.uniform(0.5, 1))
    return call()
