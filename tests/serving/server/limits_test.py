# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Too large, too many, too slow: refused at once, and nothing is kept."""

import json
import socket
import time

import numpy as np
import pytest

from auto_deeplab.serving import client
from tests.serving.server import processes

BODY = json.dumps({'instances': [[[[1, 2, 3]]]]}).encode()
PREDICT = '/v1/models/tiny:predict'
SECONDS = 3


@pytest.fixture(scope='module')
def server(model_dir, tmp_path_factory):
  notes = tmp_path_factory.mktemp('limits') / 'opened'
  with processes.serving(
    model_dir,
    notes,
    *('--concurrency=1', '--queue_length=1', '--max_request_bytes=20000000'),
    f'--timeout_seconds={SECONDS}',
  ) as running:
    yield running


def wait_for(condition, seconds=20):
  end = time.monotonic() + seconds
  while not condition():
    assert time.monotonic() < end
    time.sleep(0.05)


def test_a_body_too_large_is_refused_by_its_head(server):
  connection = server.begin(10**9)
  answer = processes.read_all(connection)
  assert answer.startswith(b'HTTP/1.1 413 ')
  assert answer.endswith(
    b'{"error":"the request has 1000000000 bytes; the limit is 20000000."}'
  )
  assert server.pending() == 0


@pytest.mark.parametrize('scheme', ['http', 'kserve+http', 'grpc'])
def test_a_picture_too_large_is_no_end_to_the_client(server, scheme):
  port = server.grpc_port if scheme == 'grpc' else server.port
  model = client.connect(f'{scheme}://localhost:{port}/tiny')
  shape = [2600, 2600, 3]  # Some 20 MB, as a PNG of noise.
  noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
  with pytest.raises(ValueError, match=r'^the server refuses a picture: '):
    model.predict(noise)
  assert model.predict(noise[:9, :7]).labels.shape == (9, 7)


def test_a_body_without_a_length_is_cut_off(server):
  with socket.create_connection(('localhost', server.port)) as connection:
    connection.sendall(
      b'POST /v1/models/tiny:predict HTTP/1.1\r\nHost: localhost\r\n'
      b'Transfer-Encoding: chunked\r\n\r\n'
    )
    chunk = b'%x\r\n%s\r\n' % (10**6, b' ' * 10**6)
    sent = 0
    with pytest.raises(OSError):
      for _ in range(1000):
        connection.sendall(chunk)
        sent += 1
  # What the system's buffers hold goes on top of the limit of 20.
  assert 19 <= sent < 40
  wait_for(lambda: server.pending() == 0)


def test_beyond_the_queue_all_are_refused_at_once(server):
  held = [server.begin(len(BODY)) for _ in range(2)]
  wait_for(lambda: server.pending() == 2)
  began = time.monotonic()
  status, content = server.request('POST', PREDICT, BODY)
  assert time.monotonic() - began < 1
  assert (status, content) == (
    429,
    {
      'error': '2 requests are being answered or wait; try again later.',
    },
  )
  # Those that came first are answered.
  for connection in held:
    connection.sendall(BODY)
    assert processes.read_all(connection).startswith(b'HTTP/1.1 200 ')
  assert server.request('POST', PREDICT, BODY)[0] == 200


def test_a_cut_connection_gives_its_place_back(server):
  for connection in [server.begin(len(BODY)) for _ in range(2)]:
    connection.sendall(BODY[:5])
    connection.close()
  wait_for(lambda: server.pending() == 0)


def test_who_sends_too_slowly_is_cut_off(server):
  with server.begin(len(BODY)) as connection:
    began = time.monotonic()
    assert processes.read_all(connection) == b''
    assert time.monotonic() - began > SECONDS / 2
  assert server.pending() == 0


def test_who_reads_too_slowly_is_cut_off(server):
  # 400 x 400 probabilities: more than the system's buffers hold.
  body = json.dumps(
    {
      'signature_name': 'probabilities',
      'instances': [[[[1, 2, 3]] * 400] * 400],
    }
  ).encode()
  with server.begin(len(body)) as connection:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
    connection.sendall(body)
    wait_for(lambda: server.pending() == 1)
    wait_for(lambda: server.pending() == 0)
    assert len(processes.read_all(connection)) < 10**7


def test_a_body_that_nobody_asked_for_is_forgotten(server):
  status, content = server.request('GET', '/healthz', b'x' * 10**7)
  assert (status, content) == (200, {'ready': True})


# The last one: it ends the server.
def test_a_server_that_ends_answers_first(server):
  connection = server.begin(len(BODY))
  wait_for(lambda: server.pending() == 1)
  kept = server.connect()
  kept.request('GET', '/healthz')
  assert kept.getresponse().read() == b'{"ready":true}'
  server.terminate()
  assert server.process.stdout.readline().startswith('Draining: ')
  kept.request('POST', PREDICT, BODY)
  refusal = kept.getresponse()
  assert refusal.status == 503
  assert json.loads(refusal.read()) == {'error': 'the server is about to end.'}
  with pytest.raises(ConnectionRefusedError):
    socket.create_connection(('localhost', server.port))
  assert server.process.poll() is None
  connection.sendall(BODY)
  assert processes.read_all(connection).startswith(b'HTTP/1.1 200 ')
  assert server.process.wait(processes.SECONDS) == 0
