# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hundreds of wrong requests end in an error that tells why, and no other."""

import pathlib
import sys

from tests.serving.server import fuzzing


def test_the_server_outlives_wrong_requests_and_opens_nothing(server, png):
  good = fuzzing.request_of_file(png)
  assert fuzzing.send(server.port, good) == 200
  opened = pathlib.Path(server.notes).read_text().splitlines()
  statuses = fuzzing.run(server.port, count=400, seed=1, png=png)
  assert statuses[400] > 100
  assert statuses[200] > 10
  assert fuzzing.send(server.port, good) == 200
  assert server.process.poll() is None
  assert server.pending() == 0
  since = pathlib.Path(server.notes).read_text().splitlines()[len(opened) :]
  # Python reads its own modules when it first needs them.
  own = (sys.prefix, sys.base_prefix, '/proc/self/statm')
  assert [path for path in since if not path.startswith(own)] == []
