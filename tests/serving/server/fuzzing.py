# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Thousands of wrong requests, which follow from a seed.

python -m tests.serving.server.fuzzing PORT COUNT [SEED]
"""

import base64
import collections
import contextlib
import json
import random
import socket
import sys
from typing import Any

from tests.serving.server import processes

# Of what is refused; 429 and 503 come of other limits.
EXPECTED = {200, 400, 403, 404, 405, 413, 415}
_PATHS = (
  '/v1/models/tiny:predict',
  '/v1/models/tiny/versions/1:predict',
  '/v2/models/tiny/infer',
)
_PLACES = (
  *('/', '//', '/v1/models/../../etc/passwd:predict', '/%2e%2e/%2e%2e/etc'),
  *('/v1/models/%00:predict', '/v1/models/tiny/versions/-1:predict', '/%ff'),
  *('/v1/models/tiny:classify', '/v2/models/tiny/versions/x/infer', '*'),
  *('/v1/models/C:\\:predict', '/v1/models//etc/passwd', '/?a=/etc/passwd'),
)
_VALUES: tuple[Any, ...] = (
  *(None, True, -1, 256, 1.5, 1e308, 10**40, '', 'é\ud800', '/etc/passwd'),
  *([], [[]], {}, {'b64': 'AAAA'}, {'b64': 1}, [[[[1, 2, 3]]]], [1, [2]]),
  *({'image_bytes': '/etc/passwd'}, {'images': [[[[1, 2, 3]]]]}, [None]),
)


def _value(random_: random.Random, png: bytes):
  if random_.random() < 0.5:
    data = bytearray(png)
    for _ in range(random_.choice((0, 1, 3, 30))):
      data[random_.randrange(len(data))] = random_.randrange(256)
    data = data[: random_.choice((len(data), random_.randrange(len(data))))]
    return {'b64': base64.b64encode(data).decode()}
  if random_.random() < 0.2:
    shape = [random_.randrange(4) for _ in range(random_.randrange(6))]
    value: Any = random_.randrange(256)
    for side in shape:
      value = [value] * side
    return value
  return random_.choice(_VALUES)


def _content(random_: random.Random, png: bytes) -> dict:
  signatures = ('segment',) * 5 + (
    'serving_default',
    'probabilities',
    '../x',
    3,
  )
  content: dict[str, Any] = {'signature_name': random_.choice(signatures)}
  value = _value(random_, png)
  if random_.random() < 0.8:
    value = [value] * random_.choice((1, 1, 1, 2, 5))
  content[random_.choice(('instances',) * 6 + ('inputs', 'x'))] = value
  if random_.random() < 0.2:
    content['inputs'] = [
      {
        'name': random_.choice(('images', 'image_bytes', 'x', None)),
        'shape': random_.choice(
          ([1], [1, 1, 1, 3], [-1], [2**40], None, ['a'])
        ),
        'datatype': random_.choice(('UINT8', 'BYTES', 'FP32', None, 7)),
        'parameters': random_.choice(({}, None, {'binary_data_size': 9})),
        'data': value,
      }
    ]
  return content


def request(random_: random.Random, png: bytes) -> tuple[bytes, bool]:
  """Returns one request, mostly wrong, and whether an answer is due."""
  body = bytearray(json.dumps(_content(random_, png)).encode())
  if random_.random() < 0.2:
    for _ in range(random_.randrange(1, 9)):
      body[random_.randrange(len(body))] = random_.randrange(256)
  elif random_.random() < 0.1:
    body[:] = random_.choice(
      (b'[' * 9999, b'{"a":' * 9999, b'', b'\0', b'"' * 99)
    )
  path = random_.choice(_PATHS if random_.random() < 0.9 else _PLACES)
  method = random_.choice(('POST',) * 18 + ('GET', 'PUT'))
  size: Any = len(body)
  if random_.random() < 0.05:
    size = random_.choice((-1, 'x', 10**12, '9' * 99, size + 5, size - 5))
  is_whole = size != len(body) + 5
  more = random_.choice(
    ('',) * 12
    + ('Transfer-Encoding: chunked\r\n', 'Content-Length: 3\r\n')
    + ('Inference-Header-Content-Length: 9\r\n', f'A: {"a" * 20_000}\r\n')
    + ('Content-Encoding: gzip\r\n', '\0: \0\r\n')
  )
  head = (
    f'{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
    f'Content-Length: {size}\r\n{more}\r\n'
  )
  data = head.encode() + body
  if random_.random() < 0.05:
    return data[: random_.randrange(len(data))], False
  return data, is_whole


def request_of_file(png: bytes) -> bytes:
  """Returns a request that is right."""
  instance = {'b64': base64.b64encode(png).decode()}
  content = {'signature_name': 'segment', 'instances': [instance]}
  body = json.dumps(content).encode()
  return (
    b'POST /v1/models/tiny:predict HTTP/1.1\r\nHost: localhost\r\n'
    b'Connection: close\r\nContent-Length: %d\r\n\r\n%s' % (len(body), body)
  )


def send(port: int, data: bytes, is_whole: bool = True) -> int | None:
  """Returns the status of the answer, None if none came or was waited for."""
  with (
    contextlib.suppress(ConnectionError),
    socket.create_connection(('localhost', port), 60) as connection,
  ):
    connection.sendall(data)
    answer = processes.read_all(connection) if is_whole else b''
    return int(answer.split(b' ', 2)[1]) if answer else None
  return None


def run(
  port: int, count: int, seed: int, png: bytes
) -> collections.Counter[int | None]:
  """Returns how often each status came back."""
  random_ = random.Random(seed)
  statuses: collections.Counter[int | None] = collections.Counter()
  for _ in range(count):
    data, is_whole = request(random_, png)
    status = send(port, data, is_whole)
    assert status is None or status in EXPECTED, (status, data)
    statuses[status] += 1
  return statuses


if __name__ == '__main__':
  import io

  from PIL import Image

  buffer = io.BytesIO()
  Image.new('RGB', (33, 24), (9, 99, 199)).save(buffer, 'PNG')
  port, count, *seed = map(int, sys.argv[1:])
  print(run(port, count, sum(seed), buffer.getvalue()))
