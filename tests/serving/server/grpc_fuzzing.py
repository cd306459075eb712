# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Thousands of wrong requests by gRPC, which follow from a seed.

python -m tests.serving.server.grpc_fuzzing PORT COUNT [SEED]
"""

import collections
import contextlib
import random
import socket
import sys

import grpc
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import predict_pb2

SERVICE = '/tensorflow.serving.PredictionService/'
# Whoever sends is told what was wrong, and none of these is the server's fault.
EXPECTED = {
  grpc.StatusCode.OK,
  grpc.StatusCode.INVALID_ARGUMENT,
  grpc.StatusCode.NOT_FOUND,
  grpc.StatusCode.UNIMPLEMENTED,
}
_SECONDS = 60
_METHODS = ('Predict',) * 18 + ('GetModelMetadata', '../Predict')
_NAMES = ('tiny',) * 8 + ('', '../../etc/passwd', 'tiny/1', '\0', 'é' * 999)
_SIGNATURES = ('segment',) * 6 + (
  *('', 'serving_default', 'probabilities', '../x', 'features'),
  'segment_with_confidence',
)
_INPUTS = ('image_bytes',) * 6 + ('images', 'images', 'x', '', '/etc/passwd')
_SIDES = (0, 1, 2, 3, 3, -1, 2**31, 2**62, 7)
_STARTS = (
  b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0\0\xff\xff\1',
  b'GET / HTTP/1.1\r\n\r\n',
  b'\x16\x03\x01\x02\x00',
)


def _fill(tensor, random_: random.Random, png: bytes) -> None:
  if random_.random() < 0.5:
    data = bytearray(png)
    for _ in range(random_.choice((0, 1, 3, 30))):
      data[random_.randrange(len(data))] = random_.randrange(256)
    tensor.dtype = types_pb2.DT_STRING
    count = random_.choice((1, 1, 1, 2, 5))
    tensor.string_val.extend([bytes(data)] * count)
    tensor.tensor_shape.dim.add(size=count)
    return
  tensor.dtype = random_.choice(
    (4, 4, 4, 7, *random_.sample(types_pb2.DataType.values(), 3))
  )
  for _ in range(random_.randrange(6)):
    tensor.tensor_shape.dim.add(size=random_.choice(_SIDES))
  tensor.tensor_shape.unknown_rank = random_.random() < 0.1
  kind = random_.randrange(5)
  if kind == 0:
    tensor.tensor_content = random_.randbytes(random_.choice((0, 1, 3, 27, 99)))
  elif kind == 1:
    tensor.int_val.extend([random_.choice((0, 255, 256, -1))] * 3)
  elif kind == 2:
    tensor.float_val.extend([1.5] * 3)
  elif kind == 3:
    tensor.string_val.extend([b'/etc/passwd', b''])


def request(random_: random.Random, png: bytes) -> bytes:
  """Returns one request, mostly wrong."""
  message = predict_pb2.PredictRequest()
  message.model_spec.name = random_.choice(_NAMES)
  message.model_spec.signature_name = random_.choice(_SIGNATURES)
  if random_.random() < 0.2:
    message.model_spec.version.value = random_.choice((1, 1, -1, 7, 2**62))
  elif random_.random() < 0.1:
    message.model_spec.version_label = random_.choice(('stable', '../x'))
  for _ in range(random_.choice((1, 1, 1, 1, 0, 2))):
    _fill(message.inputs[random_.choice(_INPUTS)], random_, png)
  if random_.random() < 0.1:
    message.output_filter.append(random_.choice(('error', 'labels', 'x')))
  data = bytearray(message.SerializeToString())
  if random_.random() < 0.2:
    for _ in range(random_.randrange(1, 9)):
      data[random_.randrange(len(data))] = random_.randrange(256)
  elif random_.random() < 0.05:
    data = data[: random_.randrange(len(data))]
  return bytes(data)


def cut(port: int, random_: random.Random) -> None:
  """Begins a connection, and closes it in the midst."""
  with (
    contextlib.suppress(ConnectionError),
    socket.create_connection(('localhost', port), _SECONDS) as connection,
  ):
    connection.sendall(random_.choice(_STARTS) + random_.randbytes(9))


def run(
  port: int, count: int, seed: int, png: bytes
) -> collections.Counter[grpc.StatusCode]:
  """Returns how often each code came back."""
  random_ = random.Random(seed)
  codes: collections.Counter[grpc.StatusCode] = collections.Counter()
  with grpc.insecure_channel(f'localhost:{port}') as channel:
    for _ in range(count):
      if random_.random() < 0.05:
        cut(port, random_)
      data = request(random_, png)
      call = channel.unary_unary(SERVICE + random_.choice(_METHODS))
      try:
        call(data, timeout=_SECONDS)
        code, said = grpc.StatusCode.OK, 'fine'
      except grpc.RpcError as e:
        code, said = e.code(), e.details()
      assert code in EXPECTED, (code, said, data)
      assert said, (code, data)
      codes[code] += 1
  return codes


if __name__ == '__main__':
  import io

  from PIL import Image

  buffer = io.BytesIO()
  Image.new('RGB', (33, 24), (9, 99, 199)).save(buffer, 'PNG')
  port, count, *seed = map(int, sys.argv[1:])
  print(run(port, count, sum(seed), buffer.getvalue()))
