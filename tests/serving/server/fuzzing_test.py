# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Hundreds of wrong requests end in an error that tells why, and no other."""

import pathlib
import sys

import grpc
import pytest

from tests.serving.server import fuzzing, grpc_fuzzing


def opened(server) -> list[str]:
  return pathlib.Path(server.notes).read_text().splitlines()


def foreign(paths: list[str]) -> list[str]:
  # Python reads its own modules when it first needs them.
  own = (sys.prefix, sys.base_prefix, '/proc/self/statm')
  return [path for path in paths if not path.startswith(own)]


def test_the_server_outlives_wrong_requests_by_grpc(server, png):
  before = opened(server)
  codes = grpc_fuzzing.run(server.grpc_port, count=400, seed=1, png=png)
  assert codes[grpc.StatusCode.INVALID_ARGUMENT] > 100
  assert codes[grpc.StatusCode.OK] > 5
  assert server.process.poll() is None
  assert server.pending() == 0
  assert foreign(opened(server)[len(before) :]) == []


def test_what_is_no_request_is_told_so(server):
  with grpc.insecure_channel(f'localhost:{server.grpc_port}') as channel:
    for method in ('Predict', 'GetModelMetadata'):
      call = channel.unary_unary(grpc_fuzzing.SERVICE + method)
      with pytest.raises(grpc.RpcError) as caught:
        call(b'\xff\xff', timeout=60)
      assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
      assert caught.value.details().startswith(
        f'the request of {grpc_fuzzing.SERVICE}{method} is damaged: '
      )


def test_the_server_outlives_wrong_requests_and_opens_nothing(server, png):
  good = fuzzing.request_of_file(png)
  assert fuzzing.send(server.port, good) == 200
  before = opened(server)
  statuses = fuzzing.run(server.port, count=400, seed=1, png=png)
  assert statuses[400] > 100
  assert statuses[200] > 10
  assert fuzzing.send(server.port, good) == 200
  assert server.process.poll() is None
  assert server.pending() == 0
  assert foreign(opened(server)[len(before) :]) == []
