# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Serving's gRPC, asked without TensorFlow.

The package of its own messages imports TensorFlow. The few that are needed are
described here instead, by the numbers of their official fields.
"""

from collections.abc import Mapping, Sequence
import functools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np

from . import servers

_METHOD = '/tensorflow.serving.PredictionService/Predict'
# TensorFlow's numbers of dtypes, and the fields that values of them may be in.
_DTYPES = {
  1: ('<f4', 'float_val'),
  3: ('<i4', 'int_val'),
  4: ('uint8', 'int_val'),
  7: ('O', 'string_val'),
  9: ('<i8', 'int64_val'),
}
_UINT8, _STRING = 4, 7
# Name, number and type of each field; a message's name makes it one of those,
# and '*' a list. A map travels as a list of pairs.
_MESSAGES: dict[str, Sequence[tuple[str, int, str]]] = {
  'Dim': [('size', 1, 'int64')],
  'Shape': [('dim', 2, '*Dim'), ('unknown_rank', 3, 'bool')],
  'Tensor': [
    ('dtype', 1, 'int32'),
    ('tensor_shape', 2, 'Shape'),
    ('tensor_content', 4, 'bytes'),
    ('float_val', 5, '*float'),
    ('int_val', 7, '*int32'),
    ('string_val', 8, '*bytes'),
    ('int64_val', 10, '*int64'),
  ],
  'Number': [('value', 1, 'int64')],
  'Model': [
    ('name', 1, 'string'),
    ('version', 2, 'Number'),
    ('signature_name', 3, 'string'),
  ],
  'Named': [('key', 1, 'string'), ('value', 2, 'Tensor')],
  'Request': [
    ('model_spec', 1, 'Model'),
    ('inputs', 2, '*Named'),
    ('output_filter', 3, '*string'),
  ],
  'Response': [('outputs', 1, '*Named')],
}


class TensorFlowGrpc:
  """TensorFlow Serving's PredictionService."""

  def __init__(self, address: servers.Address, seconds: float):
    """Opens a channel, which connects when it is first used.

    Raises:
      ValueError: grpcio or protobuf is not installed.
    """
    try:
      import grpc

      self._messages = _messages()
    except ImportError as e:
      raise ValueError(
        f'{address} needs {e.name}: pip install grpcio protobuf.'
      ) from e
    self._error = grpc.RpcError
    self._address = address
    self._seconds = seconds
    # gRPC's own limit, 4 MiB, is a picture of 1182 x 1182 pixels.
    options = [
      ('grpc.max_receive_message_length', -1),
      ('grpc.max_send_message_length', -1),
    ]
    if address.scheme == 'grpcs':
      self._channel = grpc.secure_channel(
        address.place, grpc.ssl_channel_credentials(), options
      )
    else:
      self._channel = grpc.insecure_channel(address.place, options)
    self._predict = self._channel.unary_unary(
      _METHOD,
      self._messages.Request.SerializeToString,
      self._messages.Response.FromString,
    )

  def takes_files(self) -> bool:
    return True

  def call(
    self,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
  ) -> dict[str, np.ndarray]:
    request = self._messages.Request(output_filter=outputs)
    request.model_spec.name = self._address.model
    request.model_spec.signature_name = signature
    if self._address.version:
      request.model_spec.version.value = int(self._address.version)
    for name, value in inputs.items():
      _fill(request.inputs.add(key=name).value, value)
    try:
      response = self._predict(request, timeout=self._seconds)
    except self._error as e:
      raise servers.ServerError(
        str(self._address), e.code().name, e.details()
      ) from e
    try:
      found = {pair.key: _array(pair.value) for pair in response.outputs}
      return {name: found[name] for name in outputs}
    except (ValueError, KeyError) as e:
      raise servers.ServerError(
        str(self._address), 'INTERNAL', f'an answer that cannot be read ({e!r})'
      ) from e


def _fill(tensor: Any, value: np.ndarray) -> None:
  for side in value.shape:
    tensor.tensor_shape.dim.add(size=side)
  if value.dtype == object:
    tensor.dtype = _STRING
    tensor.string_val.extend(value.ravel().tolist())
  else:
    tensor.dtype = _UINT8
    tensor.tensor_content = value.tobytes()


def _array(tensor: Any) -> np.ndarray:
  dtype, field = _DTYPES[tensor.dtype]
  shape = [dim.size for dim in tensor.tensor_shape.dim]
  if tensor.tensor_content:
    return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
  values = np.empty(len(getattr(tensor, field)), dtype)
  values[:] = getattr(tensor, field)
  if values.size == 1:  # Of equal values TensorFlow may send the first alone.
    values = np.repeat(values, math.prod(shape))
  return values.reshape(shape)


@functools.cache
def _messages() -> SimpleNamespace:
  """Returns a class for each of `_MESSAGES`."""
  from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

  kinds = descriptor_pb2.FieldDescriptorProto
  package = 'auto_deeplab_client'
  file = descriptor_pb2.FileDescriptorProto(
    name=f'{package}.proto', package=package, syntax='proto3'
  )
  for name, fields in _MESSAGES.items():
    message = file.message_type.add(name=name)
    for field_name, number, kind in fields:
      field = message.field.add(name=field_name, number=number)
      field.label = (
        kinds.LABEL_REPEATED if kind[0] == '*' else kinds.LABEL_OPTIONAL
      )
      kind = kind.lstrip('*')
      if kind in _MESSAGES:
        field.type = kinds.TYPE_MESSAGE
        field.type_name = f'.{package}.{kind}'
      else:
        field.type = getattr(kinds, f'TYPE_{kind.upper()}')
  pool = descriptor_pool.DescriptorPool()
  pool.Add(file)
  return SimpleNamespace(
    **{
      name: message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f'{package}.{name}')
      )
      for name in _MESSAGES
    }
  )
