# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The client finds with each protocol what the model says."""

import functools
import http.server
import json
import subprocess
import sys
import threading

import numpy as np
from PIL import Image
import pytest
from tensorflow_serving.apis import predict_pb2

from auto_deeplab.serving import client
from auto_deeplab.serving.client import grpc_server, http_servers, servers
from tests import import_graph
from tests.serving.server import processes

SCHEMES = ('http', 'grpc', 'kserve+http')
ONCE = client.Patience(seconds=processes.SECONDS, attempts=1)


def url(server: processes.Server, scheme: str, path: str = '/tiny') -> str:
  port = server.grpc_port if scheme == 'grpc' else server.port
  return f'{scheme}://localhost:{port}{path}'


@pytest.fixture(scope='module')
def local(model_dir):
  return client.SavedModelClient(model_dir)


@pytest.mark.parametrize('scheme', SCHEMES)
@pytest.mark.parametrize('path', ['/tiny', '/tiny/1', ''])
def test_answers_are_those_of_the_model(server, local, picture, scheme, path):
  model = client.connect(url(server, scheme, path), patience=ONCE)
  assert model.class_names == local.class_names
  assert model.colors == local.colors
  expected = local.predict(picture, probabilities=True)
  found = model.predict(picture)
  np.testing.assert_array_equal(found.labels, expected.labels)
  assert found.probabilities is None
  found = model.predict(picture, probabilities=True)
  np.testing.assert_array_equal(found.labels, expected.labels)
  assert found.probabilities is not None
  np.testing.assert_allclose(
    found.probabilities, expected.probabilities, atol=1e-6
  )


@pytest.mark.parametrize('scheme', SCHEMES)
def test_unlike_sizes_go_in_few_requests(
  server, local, picture, scheme, monkeypatch
):
  model = client.connect(url(server, scheme), patience=ONCE, batch_size=3)
  asked = []
  call = model._transport.call

  def note(*arguments):
    asked.append(arguments)
    return call(*arguments)

  monkeypatch.setattr(model._transport, 'call', note)
  images = [picture[: n + 1, n:] for n in range(7)]
  found = model.predict_batch(images)
  for image, prediction in zip(images, found, strict=True):
    expected = local.predict(image).labels
    np.testing.assert_array_equal(prediction.labels, expected)
  assert [len(inputs['image_bytes']) for _, inputs, _ in asked] == [3, 3, 1]


@pytest.mark.parametrize('scheme', SCHEMES)
def test_what_the_server_says_is_told(server, scheme):
  address = url(server, scheme, '/none')
  with pytest.raises(client.ServerError) as caught:
    client.connect(address, patience=ONCE)
  assert str(caught.value).startswith(f'{address}: ')
  assert "there is no model 'none'; served is version 1" in str(caught.value)
  assert caught.value.code in ('404', 'NOT_FOUND')


@pytest.mark.parametrize('scheme', SCHEMES)
def test_a_picture_that_is_refused_is_no_failure_of_the_server(server, scheme):
  model = client.connect(url(server, scheme), patience=ONCE)
  model.max_pixels *= 4
  with pytest.raises(ValueError, match='refuses a picture: 1x600000 pixels'):
    model.predict(np.zeros([1, 600_000, 3], np.uint8))


@pytest.mark.parametrize('scheme', SCHEMES)
def test_pixels_alone_give_labels_of_other_colours(
  server, local, picture, scheme, monkeypatch
):
  """As from servers of files without `segment`."""
  for transport in (
    http_servers.TensorFlowRest,
    http_servers.KServe,
    grpc_server.TensorFlowGrpc,
  ):
    monkeypatch.setattr(transport, 'takes_files', lambda self: False)
  model = client.connect(url(server, scheme), patience=ONCE)
  np.testing.assert_array_equal(
    model.predict(picture).labels, local.predict(picture).labels
  )
  assert model.class_names == ()
  assert model.colors[:4] == (
    (0, 0, 0),
    (128, 0, 0),
    (0, 128, 0),
    (128, 128, 0),
  )
  assert len(set(model.colors)) == 256


def test_grpc_needs_no_tensorflow(server):
  code = (
    f'import sys; sys.path.insert(0, {str(import_graph.ROOT)!r} + '
    '"/auto_deeplab/serving")\n'
    'import client\n'
    f'model = client.connect({url(server, "grpc")!r})\n'
    'print(model.class_names)\n'
    'print([m for m in sys.modules if m.startswith(("tensorflow", "auto"))])\n'
  )
  output = subprocess.check_output([sys.executable, '-c', code], text=True)
  assert output.splitlines() == ["('sky', 'road', 'car', 'tree')", '[]']


def test_predict_writes_what_a_server_says(server, local, picture, tmp_path):
  (tmp_path / 'in').mkdir()
  Image.fromarray(picture).save(tmp_path / 'in' / 'a.png')
  command = [
    *(sys.executable, 'tools/predict.py', f'--input={tmp_path / "in"}'),
    f'--output_dir={tmp_path / "out"}',
  ]
  run = functools.partial(
    subprocess.run, cwd=import_graph.ROOT, capture_output=True, text=True
  )
  done = run([*command, f'--server={url(server, "grpc")}'])
  assert done.returncode == 0, done.stderr
  with Image.open(tmp_path / 'out' / 'a.png') as labels:
    np.testing.assert_array_equal(
      np.asarray(labels), local.predict(picture).labels
    )
  done = run(command)
  assert done.returncode == 1
  assert done.stderr == (
    'predict: either --model_dir or --server must be given.\n'
  )


def test_messages_are_those_of_tensorflow_serving():
  transport = grpc_server.TensorFlowGrpc(
    servers.parse_address('grpc://localhost:1/m/7'), 1
  )
  sent = []
  answer = predict_pb2.PredictResponse()
  for name, field, values in (
    ('a', 'int_val', [1, 2, 3]),
    ('b', 'float_val', [0.5]),
    ('c', 'int64_val', [2**40] * 3),
  ):
    tensor = answer.outputs[name]
    tensor.dtype = {'a': 4, 'b': 1, 'c': 9}[name]
    tensor.tensor_shape.dim.add(size=3)
    getattr(tensor, field).extend(values)

  def predict(request, timeout):
    sent.append(request)
    return transport._messages.Response.FromString(answer.SerializeToString())

  transport._predict = predict
  image = np.arange(6, dtype=np.uint8).reshape(2, 3)
  found = transport.call('segment', {'images': image}, ['a', 'b', 'c'])
  assert found['a'].tolist() == [1, 2, 3]
  assert found['b'].tolist() == [0.5] * 3
  assert found['c'].tolist() == [2**40] * 3
  request = predict_pb2.PredictRequest.FromString(sent[0].SerializeToString())
  assert request.model_spec.name == 'm'
  assert request.model_spec.version.value == 7
  assert request.model_spec.signature_name == 'segment'
  assert list(request.output_filter) == ['a', 'b', 'c']
  images = request.inputs['images']
  assert (images.dtype, images.tensor_content) == (4, image.tobytes())
  assert [dim.size for dim in images.tensor_shape.dim] == [2, 3]


class Busy(http.server.HTTPServer):
  """Answers with a code so often, and then with nonsense."""

  asked, times, code = 0, 2, 503


class _Handler(http.server.BaseHTTPRequestHandler):
  server: Busy

  def do_POST(self):
    self.rfile.read(int(self.headers['Content-Length']))
    self.server.asked += 1
    is_busy = self.server.asked <= self.server.times
    body = json.dumps({'error': 'come again'}).encode()
    self.send_response(self.server.code if is_busy else 200)
    self.send_header('Content-Length', str(len(body)))
    self.end_headers()
    self.wfile.write(body)

  def log_message(self, *_):
    pass


@pytest.fixture
def busy():
  with Busy(('localhost', 0), _Handler) as server:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()


def test_a_busy_server_is_asked_again_and_a_strange_one_not(busy):
  address = f'http://localhost:{busy.server_port}/m'
  patience = client.Patience(attempts=4, pause_seconds=0.01)
  with pytest.raises(client.ServerError, match=r'INTERNAL: an answer that can'):
    client.connect(address, patience=patience)
  assert busy.asked == 3
  busy.asked, busy.times = 0, 9
  with pytest.raises(client.ServerError, match=f'{address}: 503: come again'):
    client.connect(address, patience=patience)
  assert busy.asked == 4
  busy.asked, busy.code = 0, 500
  with pytest.raises(client.ServerError, match='500: come again'):
    client.connect(address, patience=patience)
  assert busy.asked == 1


def test_pauses_grow_and_what_never_fits_is_not_sent_again():
  pauses: list[float] = []
  said = 'try later'

  def refuse():
    raise client.ServerError('s', 'RESOURCE_EXHAUSTED', said)

  patience = client.Patience(attempts=4, pause_seconds=1)
  with pytest.raises(client.ServerError):
    patience.try_again(refuse, pauses.append)
  assert len(pauses) == 3
  for number, pause in enumerate(pauses):
    assert 2**number / 2 <= pause <= 2**number
  said = 'Received message larger than max (9 vs. 4)'
  with pytest.raises(client.ServerError, match='larger than max'):
    patience.try_again(refuse, pauses.append)
  assert len(pauses) == 3


@pytest.mark.parametrize('scheme', SCHEMES)
def test_where_nobody_listens_the_server_is_named(scheme):
  with pytest.raises(client.ServerError) as caught:
    client.connect(f'{scheme}://localhost:9', patience=ONCE)
  assert str(caught.value).startswith(f'{scheme}://localhost:9/default: ')
  assert caught.value.code == 'UNAVAILABLE'


def test_what_answers_otherwise_than_by_http_is_told(server):
  address = f'http://localhost:{server.grpc_port}'
  with pytest.raises(client.ServerError) as caught:
    client.connect(address, patience=ONCE)
  assert str(caught.value).startswith(
    f'{address}/default: UNAVAILABLE: no HTTP, BadStatusLine('
  )
  assert str(caught.value).isprintable()


@pytest.mark.parametrize(
  'text',
  [
    *('localhost:8500', 'ftp://a', 'grpc://', 'http://a/b/c', 'http://a/b/1/2'),
    *('http://a/b?c', 'grpc://a/b/latest', 'http://a:b/c', 'http://a:99999'),
    *('http://me:secret@a/b', 'http://[::1/b', 'http://a/b c', 'http://a/\xe9'),
  ],
)
def test_an_address_of_another_form_is_refused(text):
  with pytest.raises(ValueError, match=r'must be SCHEME://HOST:PORT\[/MODEL'):
    servers.parse_address(text)


@pytest.mark.parametrize('path', ['/m/3', '/v1/models/m/versions/3'])
def test_addresses_of_servers_themselves_are_taken(path):
  address = servers.parse_address(f'http://a:1{path}')
  assert (address.model, address.version) == ('m', '3')
  assert str(address) == 'http://a:1/m/3'


def test_a_missing_package_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'grpc', None)
  with pytest.raises(ValueError, match='needs grpc: pip install grpcio'):
    client.connect('grpc://localhost:1')
