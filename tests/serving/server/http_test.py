# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The server answers as the model does, and as TensorFlow Serving would."""

import base64
from concurrent import futures
import io
import re
from unittest import mock

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf
from tornado import httpserver

from auto_deeplab.serving.server import run

PREDICT = '/v1/models/tiny:predict'


@pytest.fixture(scope='module')
def model(model_dir):
  return tf.saved_model.load(str(model_dir))


def base64_of(data):
  return {'b64': base64.b64encode(data).decode()}


def test_rows_of_pixels_give_rows_of_labels(server, model, picture):
  images = np.stack([picture, picture[::-1]])
  status, content = server.request(
    'POST', PREDICT, {'instances': images.tolist()}
  )
  expected = model.signatures['serving_default'](images=images)['labels']
  assert status == 200
  assert list(content) == ['predictions']
  np.testing.assert_array_equal(content['predictions'], expected)


@pytest.mark.parametrize(
  'path', [PREDICT, '/v1/models/tiny/versions/1:predict']
)
def test_columns_of_pixels_give_columns(server, model, picture, path):
  status, content = server.request(
    'POST',
    path,
    {
      'signature_name': 'probabilities',
      'inputs': {'images': [picture.tolist()]},
    },
  )
  outputs = model.signatures['probabilities'](images=picture[np.newaxis])
  assert status == 200
  np.testing.assert_array_equal(
    np.float32(content['outputs']), outputs['probabilities']
  )


@pytest.mark.parametrize('is_named', [True, False])
def test_a_file_gives_its_labels_as_a_picture(server, png, is_named, model):
  instance = {'image_bytes': base64_of(png)} if is_named else base64_of(png)
  status, content = server.request(
    'POST', PREDICT, {'signature_name': 'segment', 'instances': [instance]}
  )
  assert status == 200
  (row,) = content['predictions']
  outputs = model.signatures['segment'](image_bytes=tf.constant([png]))
  assert row['error'] == ''
  assert row['class_names'] == ['sky', 'road', 'car', 'tree']
  assert row['class_pixels'] == outputs['class_pixels'][0].numpy().tolist()
  label_png = base64.b64decode(row['label_png_bytes']['b64'])
  assert label_png == outputs['label_png_bytes'][0].numpy()
  assert Image.open(io.BytesIO(label_png)).size == (33, 24)


def test_the_model_is_told_of(server):
  status, content = server.request('GET', '/v1/models/tiny')
  (version,) = content['model_version_status']
  assert (status, version['version'], version['state']) == (
    200,
    '1',
    'AVAILABLE',
  )
  assert server.request('GET', '/v1/models/tiny/versions/1') == (200, content)
  status, content = server.request('GET', '/v1/models/tiny/metadata')
  assert status == 200
  assert content['model_spec']['name'] == 'tiny'
  signature = content['metadata']['signature_def']['signature_def']['segment']
  assert signature['inputs']['image_bytes']['dtype'] == 'DT_STRING'
  assert signature['outputs']['class_pixels']['tensor_shape'] == {
    'dim': [{'size': '-1'}, {'size': '4'}]
  }


@pytest.mark.parametrize(
  'body, message',
  [
    (b'{', r'the request is not JSON: .*'),
    (b'[' * 200_000, r'the request is not JSON: .*'),
    (b'[]', r'the request must be an object of JSON\.'),
    ({}, r'the request must have either `instances` or `inputs`\.'),
    (
      {'instances': [0], 'inputs': [0]},
      r'the request must have either `instances` or `inputs`\.',
    ),
    ({'instances': []}, r'`instances` must be a list that is not empty\.'),
    ({'instances': 'a'}, r'`instances` must be a list that is not empty\.'),
    (
      {'signature_name': 3, 'instances': [0]},
      r'`signature_name` must be a string\.',
    ),
    (
      {'signature_name': '../secret', 'instances': [0]},
      r"there is no signature '\.\./secret'; there are probabilities, .*",
    ),
    (
      {'instances': [{'picture': 0}]},
      r"the inputs are \['picture'\]; the signature takes \['images'\]\.",
    ),
    (
      {'instances': [[[1, 2, 3]]]},
      r'`images` must be uint8 \[batch, height, width, 3\], .* shape is '
      r'\[1 1 3\]',
    ),
    (
      {'instances': [[[[1, 2, 3]]]] * 5},
      r"the batch of 'images' \(5\) is too large; the limit is 4\.",
    ),
    (
      {'signature_name': 'segment', 'instances': [{'b64': '?'}]},
      r"the input 'image_bytes' is not base64: .*",
    ),
  ],
)
def test_a_request_that_is_wrong_is_told_why(server, body, message):
  status, content = server.request('POST', PREDICT, body)
  assert (status, list(content)) == (400, ['error'])
  assert re.fullmatch(message, content['error'])


@pytest.mark.parametrize(
  'path, message',
  [
    ('/v1/models/other', "there is no model 'other'; served is version 1 of "),
    (
      '/v1/models/..%2F..%2Fetc',
      "there is no model '../../etc'; served is version 1 of 'tiny'.",
    ),
    (
      '/v1/models/tiny/versions/2',
      "there is no version 2 of the model 'tiny'; served is version 1 of ",
    ),
    ('/v1/models/tiny/versions/one', "the version 'one' is no number."),
    (f'/v1/models/tiny/versions/{"9" * 9999}', 'there is no version 9'),
    ('/v1/models/tiny/../../secret', 'Malformed request: GET '),
    ('/etc/passwd', 'Malformed request: GET /etc/passwd'),
  ],
)
def test_what_is_not_served_is_not_found(server, path, message):
  status, content = server.request('GET', path)
  assert status == 404
  assert content['error'].startswith(message)


def test_another_page_of_a_browser_is_refused(server):
  status, content = server.request(
    'POST', PREDICT, {}, {'Origin': 'http://elsewhere'}
  )
  assert (status, content) == (
    403,
    {'error': "Origin 'http://elsewhere' not allowed"},
  )


def test_other_methods_are_refused(server):
  assert server.request('DELETE', PREDICT)[0] == 405
  assert server.request('GET', PREDICT)[0] == 405


def test_the_head_of_what_can_be_got_is_told(server):
  assert server.request('HEAD', '/healthz') == (200, b'')
  assert server.request('HEAD', '/healthy')[0] == 404
  assert server.request('HEAD', PREDICT)[0] == 405


def test_a_signature_without_a_name_is_the_default(server, picture):
  body = {'signature_name': '', 'instances': [picture.tolist()]}
  assert server.request('POST', PREDICT, body) == server.request(
    'POST', PREDICT, {'instances': [picture.tolist()]}
  )


def test_a_port_that_is_taken_is_named(server):
  address = run.Address('localhost', server.port, 0)
  message = rf'^HTTP cannot listen at localhost:{server.port}: Address already '
  with pytest.raises(OSError, match=message):
    run.listen(mock.create_autospec(httpserver.HTTPServer), address)


def test_many_at_once_get_each_its_own(server, model, picture):
  images = [picture[i:, i:] for i in range(12)]

  def labels(image):
    return server.request('POST', PREDICT, {'instances': [image.tolist()]})

  with futures.ThreadPoolExecutor(6) as threads:
    answers = list(threads.map(labels, images))
  for image, (status, content) in zip(images, answers, strict=True):
    outputs = model.signatures['serving_default'](images=image[np.newaxis])
    assert status == 200
    np.testing.assert_array_equal(content['predictions'], outputs['labels'])


def test_requests_are_counted(server):
  server.request('POST', PREDICT, {})
  assert server.request('GET', '/healthz') == (200, {'ready': True})
  status, text = server.request('GET', '/metrics')
  assert status == 200
  counts = re.findall(
    rb'^auto_deeplab_requests_total\{protocol="rest",status="400"\} (\d+)$',
    text,
    re.MULTILINE,
  )
  assert int(counts[0]) > 0
  for line in text.splitlines():
    assert re.fullmatch(
      rb'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [\d.]+', line
    )
