# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The server speaks TensorFlow Serving's gRPC, by its official protos."""

import asyncio
import json
import time
from unittest import mock

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  get_model_status_pb2,
  model_service_pb2_grpc,
  predict_pb2,
  prediction_service_pb2_grpc,
)

from auto_deeplab import configs
from auto_deeplab.serving.server import errors, grpc_service
from auto_deeplab.serving.server import house as house_lib
from tests.serving.server import processes

INVALID = grpc.StatusCode.INVALID_ARGUMENT


@pytest.fixture(scope='module')
def model(model_dir):
  return tf.saved_model.load(str(model_dir))


@pytest.fixture(scope='module')
def channel(server):
  with grpc.insecure_channel(f'localhost:{server.grpc_port}') as channel:
    yield channel


@pytest.fixture(scope='module')
def stub(channel):
  return prediction_service_pb2_grpc.PredictionServiceStub(channel)


def request(name='tiny', version=None, signature='', outputs=(), **inputs):
  message = predict_pb2.PredictRequest(output_filter=outputs)
  message.model_spec.name = name
  message.model_spec.signature_name = signature
  if version is not None:
    message.model_spec.version.value = version
  for key, value in inputs.items():
    message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
  return message


def test_pixels_give_labels(stub, model, picture):
  image = picture[np.newaxis]
  response = stub.Predict(request(images=image), timeout=processes.SECONDS)
  expected = model.signatures['serving_default'](images=image)['labels']
  assert list(response.outputs) == ['labels']
  np.testing.assert_array_equal(
    tf.make_ndarray(response.outputs['labels']), expected
  )
  assert response.model_spec.name == 'tiny'
  assert response.model_spec.version.value == 1
  assert response.model_spec.signature_name == 'serving_default'


def test_files_give_what_was_asked_for(stub, model, png):
  response = stub.Predict(
    request(
      version=1,
      signature='segment',
      outputs=['label_png_bytes', 'error'],
      image_bytes=[png, b'none'],
    ),
    timeout=processes.SECONDS,
  )
  expected = model.signatures['segment'](
    image_bytes=tf.constant([png, b'none'])
  )
  assert set(response.outputs) == {'label_png_bytes', 'error'}
  for name, value in response.outputs.items():
    assert tf.make_ndarray(value).tolist() == expected[name].numpy().tolist()


def test_the_model_is_told_of(stub, channel, model):
  message = get_model_metadata_pb2.GetModelMetadataRequest(
    metadata_field=['signature_def']
  )
  message.model_spec.name = 'tiny'
  response = stub.GetModelMetadata(message)
  signatures = get_model_metadata_pb2.SignatureDefMap()
  assert response.metadata['signature_def'].Unpack(signatures)
  assert set(signatures.signature_def) == set(model.signatures)
  status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(
    get_model_status_pb2.GetModelStatusRequest(model_spec=message.model_spec)
  )
  (version,) = status.model_version_status
  assert (version.version, version.state) == (1, version.AVAILABLE)
  message.metadata_field[:] = ['files']
  with pytest.raises(grpc.RpcError) as caught:
    stub.GetModelMetadata(message)
  assert caught.value.code() == INVALID
  assert caught.value.details() == (
    "`metadata_field` must be ['signature_def']; it is ['files']."
  )


def labelled():
  message = request(images=np.zeros([1, 1, 1, 3], np.uint8))
  message.model_spec.version_label = 'stable'
  return message


@pytest.mark.parametrize(
  'message, code, details',
  [
    (
      request(),
      INVALID,
      "the inputs are none; the signature 'serving_default'",
    ),
    (
      request('../etc'),
      grpc.StatusCode.NOT_FOUND,
      "there is no model '../etc'; served is version 1 of 'tiny'.",
    ),
    (
      request(version=7),
      grpc.StatusCode.NOT_FOUND,
      "there is no version 7 of the model 'tiny'; served is version 1 of ",
    ),
    (
      labelled(),
      grpc.StatusCode.NOT_FOUND,
      "there is no version labelled 'stable': this server has no labels.",
    ),
    (request(signature='x'), INVALID, "there is no signature 'x'; there are "),
    (
      request(outputs=['x'], images=np.zeros([1, 1, 1, 3], np.uint8)),
      INVALID,
      "there are no outputs ['x']; there are ['labels'].",
    ),
    (
      request(images=np.zeros([1, 1, 3], np.uint8)),
      INVALID,
      '`images` must be uint8 [batch, height, width, 3], RGB',
    ),
    (
      request(images=np.zeros([1, 1, 1, 3], np.float32)),
      INVALID,
      "the input 'images' must be DT_UINT8 or DT_STRING.",
    ),
    (
      request(images=[b'a']),
      INVALID,
      "the input 'images' is string; it must be uint8.",
    ),
    (
      request(images=np.zeros([5, 1, 1, 3], np.uint8)),
      INVALID,
      "the batch of 'images' (5) is too large; the limit is 4.",
    ),
    (
      request(images=np.zeros([1, 800, 800, 3], np.uint8)),
      grpc.StatusCode.RESOURCE_EXHAUSTED,
      'CLIENT: Received message larger than max (1920',
    ),
  ],
)
def test_a_request_that_is_wrong_is_told_why(stub, message, code, details):
  with pytest.raises(grpc.RpcError) as caught:
    stub.Predict(message, timeout=processes.SECONDS)
  assert caught.value.code() == code
  told = caught.value.details()
  assert told.replace('SERVER', 'CLIENT').startswith(details)


@pytest.mark.parametrize(
  'sides, values',
  [([2**40], [7]), ([2**62, 4], []), ([-1], [7]), ([0, 2**62], [])],
)
def test_a_tensor_of_few_values_is_not_filled_up(sides, values):
  proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_UINT8, int_val=values)
  for side in sides:
    proto.tensor_shape.dim.add(size=side)
  with pytest.raises(
    errors.ServingError, match=r"^the shape of 'x' \(.*\) is not that of its "
  ):
    grpc_service.to_array('x', proto)


def test_a_tensor_without_a_shape_is_refused():
  proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING)
  proto.tensor_shape.unknown_rank = True
  with pytest.raises(
    errors.ServingError, match=r"^the input 'x' must have a shape\.$"
  ):
    grpc_service.to_array('x', proto)


@pytest.mark.parametrize('value', [-1, 256])
def test_a_number_that_is_no_byte_is_refused(value):
  proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_UINT8, int_val=[value])
  proto.tensor_shape.dim.add(size=1)
  with pytest.raises(
    errors.ServingError, match=r"^the input 'x' must be whole numbers in 0"
  ):
    grpc_service.to_array('x', proto)


def test_a_port_that_is_taken_is_named(server):
  async def start():
    config = configs.ServerConfig()
    house = mock.create_autospec(house_lib.House, instance=True, config=config)
    await grpc_service.start(house, 'localhost', server.grpc_port)

  with pytest.raises(OSError, match=r'^gRPC cannot listen at localhost:\d+: '):
    asyncio.run(start())


def test_beyond_the_queue_all_are_refused_at_once(model_dir, tmp_path):
  body = json.dumps({'instances': [[[[1, 2, 3]]]]}).encode()
  flags = ('--concurrency=1', '--queue_length=0')
  with (
    processes.serving(model_dir, tmp_path / 'opened', *flags) as server,
    grpc.insecure_channel(f'localhost:{server.grpc_port}') as channel,
  ):
    stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
    message = request(images=np.zeros([1, 1, 1, 3], np.uint8))
    stub.Predict(message, wait_for_ready=True, timeout=processes.SECONDS)
    held = server.begin(len(body))
    while not server.pending():
      time.sleep(0.05)
    with pytest.raises(grpc.RpcError) as caught:
      stub.Predict(message, timeout=processes.SECONDS)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # And the end waits for what is held.
    server.terminate()
    held.sendall(body)
    assert processes.read_all(held).startswith(b'HTTP/1.1 200 ')
    assert server.process.wait(processes.SECONDS) == 0
