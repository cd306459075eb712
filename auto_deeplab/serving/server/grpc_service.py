# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's own gRPC services, by their official protos."""

from collections.abc import AsyncIterator, Callable
import contextlib
import time
from typing import TypeVar

from google.protobuf import message
import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import (
  get_model_metadata_pb2,
  get_model_status_pb2,
  model_pb2,
  model_service_pb2_grpc,
  predict_pb2,
  prediction_service_pb2_grpc,
)

from auto_deeplab.serving import client
from auto_deeplab.serving.server import (
  arrays,
  errors,
  models,
)
from auto_deeplab.serving.server import (
  house as house_lib,
)

_PROTOCOL = 'grpc'
_SIGNATURES = 'signature_def'
# Whoever sends too slowly holds a place as long; others connect anew unseen.
_MAX_CONNECTION_SECONDS = 300
_T = TypeVar('_T')


async def start(
  house: house_lib.House, host: str, port: int
) -> tuple[grpc.aio.Server, int]:
  """Starts a server, and returns it and its port.

  Args:
    house: that it shares with HTTP.
    host: where it listens.
    port: of it; 0 takes one that is free.

  Raises:
    OSError: the port is taken.
  """
  config = house.config
  server = grpc.aio.server(
    interceptors=[_DamageTold()],
    # Beyond these nothing is read, and RESOURCE_EXHAUSTED is told.
    maximum_concurrent_rpcs=config.concurrency + config.queue_length,
    options=[
      ('grpc.max_receive_message_length', config.max_request_bytes),
      ('grpc.max_connection_age_ms', _MAX_CONNECTION_SECONDS * 1000),
      ('grpc.max_connection_age_grace_ms', int(config.timeout_seconds * 1000)),
      # Or two servers would share a port.
      ('grpc.so_reuseport', 0),
    ],
  )
  prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
    _PredictionService(house), server
  )
  model_service_pb2_grpc.add_ModelServiceServicer_to_server(
    _ModelService(house), server
  )
  try:
    found = server.add_insecure_port(f'{host}:{port}')
  except RuntimeError as e:
    raise OSError(f'gRPC cannot listen at {host}:{port}: {e}') from e
  await server.start()
  return server, found


class _DamageTold(grpc.aio.ServerInterceptor):
  """Tells whoever sends what is no request; gRPC would say INTERNAL."""

  async def intercept_service(self, continuation, handler_call_details):
    handler = await continuation(handler_call_details)
    if handler is None:  # There is no such method.
      return None

    def parse(data: bytes):
      try:
        return handler.request_deserializer(data)
      except message.DecodeError as e:
        return e

    async def answer(request, context):
      if isinstance(request, message.DecodeError):
        await context.abort(
          grpc.StatusCode.INVALID_ARGUMENT,
          f'the request of {handler_call_details.method} is damaged: {request}',
        )
      return await handler.unary_unary(request, context)

    return grpc.unary_unary_rpc_method_handler(
      answer, parse, handler.response_serializer
    )


class _Service:
  """What both services do with a request."""

  def __init__(self, house: house_lib.House):
    self._house = house

  async def _answer(
    self,
    context: grpc.aio.ServicerContext,
    compute: Callable[[], _T],
    is_large: bool = False,
  ) -> _T:
    """Returns what a function returns, in another thread if it is large."""
    async with self._counted() as code:
      try:
        if not is_large:
          return compute()
        self._house.gate.enter()
        try:
          return await self._house.gate.compute(compute)
        finally:
          self._house.gate.leave()
      except errors.ServingError as e:
        code[0] = e.code.name
        await context.abort(grpc.StatusCode[e.code.name], e.message)
    raise AssertionError('abort() has raised.')

  @contextlib.asynccontextmanager
  async def _counted(self) -> AsyncIterator[list[str]]:
    began = time.monotonic()
    code = [grpc.StatusCode.OK.name]
    try:
      yield code
    finally:
      seconds = time.monotonic() - began
      self._house.metrics.observe(_PROTOCOL, code[0], seconds)

  def _require(self, spec: model_pb2.ModelSpec) -> None:
    if spec.version_label:
      raise errors.ServingError(
        errors.Code.NOT_FOUND,
        f'there is no version labelled {spec.version_label!r}: this server has '
        'no labels.',
      )
    version = spec.version.value if spec.HasField('version') else None
    self._house.model.require(spec.name, version)

  def _spec(self, signature: str = '') -> model_pb2.ModelSpec:
    place = self._house.model.place
    spec = model_pb2.ModelSpec(name=place.name, signature_name=signature)
    spec.version.value = place.version
    return spec


class _PredictionService(
  _Service, prediction_service_pb2_grpc.PredictionServiceServicer
):
  """Predicts; classification and regression are of other models."""

  async def Predict(self, request, context):
    """Calls a signature."""
    return await self._answer(
      context, lambda: self._predict(request), is_large=True
    )

  async def GetModelMetadata(self, request, context):
    """Tells of the signatures."""
    return await self._answer(context, lambda: self._metadata(request))

  def _predict(
    self, request: predict_pb2.PredictRequest
  ) -> predict_pb2.PredictResponse:
    model = self._house.model
    self._require(request.model_spec)
    signature = request.model_spec.signature_name or client.LABELS_SIGNATURE
    model.inputs(signature)  # Or there is none to tell the outputs of.
    inputs = {
      name: to_array(name, value) for name, value in request.inputs.items()
    }
    models.require_batch(inputs, self._house.config.max_batch_size)
    wanted = list(request.output_filter)
    unknown = set(wanted) - set(model.signatures[signature].outputs)
    if unknown:
      raise errors.invalid(
        f'there are no outputs {sorted(unknown)}; there are '
        f'{sorted(model.signatures[signature].outputs)}.'
      )
    outputs = model.predict(signature, inputs)
    response = predict_pb2.PredictResponse(model_spec=self._spec(signature))
    for name in wanted or outputs:
      response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
    return response

  def _metadata(
    self, request: get_model_metadata_pb2.GetModelMetadataRequest
  ) -> get_model_metadata_pb2.GetModelMetadataResponse:
    self._require(request.model_spec)
    if list(request.metadata_field) != [_SIGNATURES]:
      raise errors.invalid(
        f'`metadata_field` must be {[_SIGNATURES]}; it is '
        f'{list(request.metadata_field)}.'
      )
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in self._house.model.signatures.items():
      signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse(
      model_spec=self._spec()
    )
    response.metadata[_SIGNATURES].Pack(signatures)
    return response


class _ModelService(_Service, model_service_pb2_grpc.ModelServiceServicer):
  """Tells which version there is."""

  async def GetModelStatus(self, request, context):
    """Tells its state."""
    return await self._answer(context, lambda: self._status(request))

  def _status(
    self, request: get_model_status_pb2.GetModelStatusRequest
  ) -> get_model_status_pb2.GetModelStatusResponse:
    self._require(request.model_spec)
    status = get_model_status_pb2.ModelVersionStatus
    found = status(
      version=self._house.model.place.version,
      state=status.UNLOADING
      if self._house.gate.is_closed
      else status.AVAILABLE,
    )
    found.status.error_code = error_codes_pb2.OK
    return get_model_status_pb2.GetModelStatusResponse(
      model_version_status=[found]
    )


def to_array(name: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
  """Returns the array of a tensor that a stranger sent.

  Not by `tf.make_ndarray`, which fills values up to whatever shape is told,
  were it terabytes.

  Raises:
    ServingError: it is no tensor of uint8 or of strings, or its values are not
      as many as its shape says.
  """
  if proto.dtype == types_pb2.DT_STRING:
    values = list(proto.string_val)
    array = arrays.of_strings(values, [len(values)])
  elif proto.dtype == types_pb2.DT_UINT8:
    array = (
      np.frombuffer(proto.tensor_content, np.uint8)
      if proto.tensor_content
      else arrays.of_numbers(name, list(proto.int_val))
    )
  else:
    raise errors.invalid(f'the input {name!r} must be DT_UINT8 or DT_STRING.')
  if proto.tensor_shape.unknown_rank:
    raise errors.invalid(f'the input {name!r} must have a shape.')
  return arrays.shaped(
    name, array, [dim.size for dim in proto.tensor_shape.dim]
  )
