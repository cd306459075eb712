# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The server speaks KServe's version 2, in JSON and with bytes behind it."""

import base64
import contextlib
import json
import struct

import numpy as np
import pytest
import tensorflow as tf

INFER = '/v2/models/tiny/infer'
HEADER = 'Inference-Header-Content-Length'


@pytest.fixture(scope='module')
def model(model_dir):
  return tf.saved_model.load(str(model_dir))


def tensor(name, shape, datatype, **more):
  return {'name': name, 'shape': shape, 'datatype': datatype, **more}


def send_bytes(server, head, rest):
  """Returns the JSON of an answer, and the bytes behind it."""
  head = json.dumps(head).encode()
  connection = server.connect()
  with contextlib.closing(connection):
    connection.request('POST', INFER, head + rest, {HEADER: str(len(head))})
    response = connection.getresponse()
    content = response.read()
    assert response.status == 200, content
    size = int(response.getheader(HEADER))
    return json.loads(content[:size]), content[size:]


@pytest.mark.parametrize('is_flat', [True, False])
def test_pixels_give_labels(server, model, picture, is_flat):
  image = picture[np.newaxis]
  data = (image.ravel() if is_flat else image).tolist()
  inputs = [tensor('images', image.shape, 'UINT8', data=data)]
  status, content = server.request('POST', INFER, {'id': 'a', 'inputs': inputs})
  labels = model.signatures['serving_default'](images=image)['labels']
  assert status == 200
  assert content == {
    'model_name': 'tiny',
    'model_version': '1',
    'id': 'a',
    'outputs': [
      tensor(
        'labels', [1, 24, 33], 'UINT8', data=labels.numpy().ravel().tolist()
      )
    ],
  }


def test_a_file_in_base64_gives_its_labels_in_base64(server, model, png):
  inputs = [
    tensor(
      'image_bytes',
      [1],
      'BYTES',
      parameters={'content_type': 'base64'},
      data=[base64.b64encode(png).decode()],
    )
  ]
  outputs = [{'name': 'label_png_bytes'}, {'name': 'class_names'}]
  status, content = server.request(
    'POST', INFER, {'inputs': inputs, 'outputs': outputs}
  )
  assert status == 200
  labels, names = content['outputs']
  expected = model.signatures['segment'](image_bytes=tf.constant([png]))
  assert labels['parameters'] == {'content_type': 'base64'}
  assert [base64.b64decode(data) for data in labels['data']] == list(
    expected['label_png_bytes'].numpy()
  )
  assert names == tensor(
    'class_names', [1, 4], 'BYTES', data=['sky', 'road', 'car', 'tree']
  )


def test_pixels_as_bytes_give_probabilities_as_bytes(server, model, picture):
  image = picture[np.newaxis]
  data = image.tobytes()
  size = {'binary_data_size': len(data)}
  head, rest = send_bytes(
    server,
    {
      'parameters': {
        'signature_name': 'probabilities',
        'binary_data_output': True,
      },
      'inputs': [tensor('images', image.shape, 'UINT8', parameters=size)],
    },
    data,
  )
  (output,) = head['outputs']
  assert output['datatype'] == 'FP32'
  found = np.frombuffer(rest, np.float32).reshape(output['shape'])
  expected = model.signatures['probabilities'](images=image)
  np.testing.assert_array_equal(found, expected['probabilities'])


def test_files_as_bytes_give_pictures_as_bytes(server, model, png):
  data = b''.join(struct.pack('<I', len(d)) + d for d in (png, b'none'))
  size = {'binary_data_size': len(data)}
  head, rest = send_bytes(
    server,
    {
      'inputs': [tensor('image_bytes', [2], 'BYTES', parameters=size)],
      'outputs': [
        {'name': 'label_png_bytes', 'parameters': {'binary_data': True}},
        {'name': 'error'},
      ],
    },
    data,
  )
  labels, error = head['outputs']
  assert error['data'] == ['', 'neither a JPEG nor a PNG.']
  assert labels['parameters'] == {'binary_data_size': len(rest)}
  (length,) = struct.unpack_from('<I', rest)
  expected = model.signatures['segment'](image_bytes=tf.constant([png]))
  assert rest[4 : 4 + length] == expected['label_png_bytes'][0].numpy()
  assert rest[4 + length :] == struct.pack('<I', 0)


def test_server_and_model_are_told_of(server):
  for path in ('health/ready', 'models/tiny/ready'):
    assert server.request('GET', f'/v2/{path}') == (200, {'ready': True})
  assert server.request('GET', '/v2/health/live') == (200, {'live': True})
  status, content = server.request('GET', '/v2')
  assert (status, content['extensions']) == (200, ['binary_tensor_data'])
  status, content = server.request('GET', '/v2/models/tiny/versions/1')
  assert status == 200
  assert content['inputs'] == [
    tensor('image_bytes', [-1], 'BYTES'),
    tensor('images', [-1, -1, -1, 3], 'UINT8'),
  ]
  assert tensor('class_pixels', [-1, 4], 'INT64') in content['outputs']
  for path in ('', '/ready', '/versions/2'):
    path = f'/v2/models/{"tiny" if path[:2] == "/v" else "other"}{path}'
    assert server.request('GET', path)[0] == 404


IMAGES = tensor('images', [1, 1, 1, 3], 'UINT8', data=[1, 2, 3])


@pytest.mark.parametrize(
  'content, message',
  [
    ({}, '`inputs` must be a list of objects with a `name`.'),
    ({'inputs': [{}]}, '`inputs` must be a list of objects with a `name`.'),
    (
      {'inputs': [IMAGES], 'parameters': 3},
      '`parameters` must be an object.',
    ),
    (
      {'inputs': [IMAGES], 'parameters': {'signature_name': 3}},
      '`signature_name` must be a string.',
    ),
    (
      {'inputs': [IMAGES, IMAGES]},
      "the input 'images' is not taken, or comes twice; the signature takes "
      "['images'].",
    ),
    (
      {'inputs': []},
      "the inputs are none; the signature 'serving_default' takes 'images'.",
    ),
    (
      {'inputs': [{**IMAGES, 'datatype': 'FP32'}]},
      "the datatype of 'images' ('FP32') must be 'UINT8'.",
    ),
    (
      {'inputs': [{**IMAGES, 'shape': [1, -1, 1, 3]}]},
      "the shape of 'images' ([1, -1, 1, 3]) is not that of its 3 values.",
    ),
    (
      {'inputs': [{**IMAGES, 'shape': [1, 2, 1, 3]}]},
      "the shape of 'images' ([1, 2, 1, 3]) is not that of its 3 values.",
    ),
    (
      {'inputs': [{**IMAGES, 'parameters': {'binary_data_size': 3}}]},
      "the `binary_data_size` of 'images' (3) must be a number of at most 0, "
      'the bytes that are left.',
    ),
    (
      {'inputs': [IMAGES], 'outputs': [{'name': 'x'}]},
      "there is no output 'x'; there are ['labels'].",
    ),
  ],
)
def test_a_request_that_is_wrong_is_told_why(server, content, message):
  assert server.request('POST', INFER, content) == (400, {'error': message})


@pytest.mark.parametrize('length', ['-1', '9' * 99, 'x', '3'])
def test_a_length_of_the_json_that_is_none_is_refused(server, length):
  status, content = server.request('POST', INFER, b'{}', {HEADER: length})
  assert status == 400
  assert content['error'] == (
    f'the header {HEADER} ({length!r}) must be a number of at most 2, the '
    'bytes of the request.'
  )


@pytest.mark.parametrize('rest', [b'\x03\0\0\0ab', b'\xff' * 6, b'\0\0\0'])
def test_strings_that_are_cut_are_refused(server, rest):
  size = {'binary_data_size': len(rest)}
  inputs = [tensor('image_bytes', [1], 'BYTES', parameters=size)]
  head = json.dumps({'inputs': inputs}).encode()
  status, content = server.request(
    'POST', INFER, head + rest, {HEADER: str(len(head))}
  )
  assert status == 400
  assert content['error'] == (
    "the bytes of 'image_bytes' must be a length of 4 bytes, little-endian, "
    'before each string.'
  )


def test_a_body_that_is_packed_is_refused(server):
  status, content = server.request(
    'POST', INFER, b'', {'Content-Encoding': 'gzip'}
  )
  assert (status, content) == (
    415,
    {'error': "the Content-Encoding 'gzip' is not taken."},
  )
