# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Requests and answers of KServe's version 2, the Open Inference Protocol.

Told at https://github.com/kserve/open-inference-protocol, with Triton's
extension for tensors that travel as bytes behind the JSON. A model has one set
of inputs there; here the parameter `signature_name` of a request chooses, or,
without it, what its input is.
"""

import base64
from collections.abc import Mapping
import struct
from typing import Any

import numpy as np

import auto_deeplab
from auto_deeplab.serving import client
from auto_deeplab.serving.server import arrays, errors, models

HEADER_LENGTH = 'Inference-Header-Content-Length'
# Where a request names no signature.
_DEFAULTS = (client.LABELS_SIGNATURE, client.FILES_SIGNATURE)
_DATATYPES = {
  'uint8': 'UINT8',
  'int64': 'INT64',
  'float32': 'FP32',
  'object': 'BYTES',
}
_LENGTH = struct.Struct('<I')
# MLServer's parameter of a tensor whose strings are base64.
_BASE64 = {'content_type': 'base64'}


def infer(
  model: models.ServedModel,
  body: bytes | bytearray,
  header_length: str | None,
  max_batch_size: int,
) -> tuple[bytes, dict[str, str]]:
  """Answers a request.

  Args:
    model: that is asked.
    body: JSON, and bytes behind it if the length of the JSON is told.
    header_length: that length, as it came.
    max_batch_size: pictures of a request.

  Returns:
    The body of the answer, and headers for it.

  Raises:
    ServingError: it asks for what there is not, or is too large.
  """
  size = _header_length(header_length, len(body))
  with memoryview(body) as view:
    content = arrays.load_json(bytes(view[:size]))
    given = _listed(content, 'inputs')
    signature = _signature(content, given)
    dtypes = model.inputs(signature)
    inputs = _inputs(given, dtypes, view[size:])
  models.require_batch(inputs, max_batch_size)
  outputs = model.predict(signature, inputs)
  wanted = _wanted(content, outputs)
  answer = {
    'model_name': model.place.name,
    'model_version': str(model.place.version),
    **({'id': content['id']} if isinstance(content.get('id'), str) else {}),
  }
  return _answer(answer, outputs, wanted)


def metadata(model: models.ServedModel) -> dict[str, Any]:
  """Returns what the model takes and gives where no signature is named."""
  inputs: dict[str, Any] = {}
  outputs: dict[str, Any] = {}
  for signature in _DEFAULTS:
    definition = model.signatures[signature]
    inputs |= definition.inputs
    outputs |= definition.outputs
  return {
    'name': model.place.name,
    'versions': [str(model.place.version)],
    'platform': 'tensorflow_savedmodel',
    'inputs': [_described(*item) for item in sorted(inputs.items())],
    'outputs': [_described(*item) for item in sorted(outputs.items())],
  }


def server_metadata() -> dict[str, Any]:
  """Returns what this server is."""
  return {
    'name': 'auto_deeplab',
    'version': auto_deeplab.__version__,
    'extensions': ['binary_tensor_data'],
  }


def _described(name: str, info: Any) -> dict[str, Any]:
  shape = [dim.size for dim in info.tensor_shape.dim]
  if info.tensor_shape.unknown_rank:
    shape = [-1] if name == client.FILES else [-1, -1, -1, 3]
  dtype = models.numpy_dtype(info)
  return {'name': name, 'datatype': _DATATYPES[dtype.name], 'shape': shape}


def _header_length(text: str | None, size: int) -> int:
  if text is None:
    return size
  is_number = text.isascii() and text.isdecimal() and len(text) < 19
  if is_number and int(text) <= size:
    return int(text)
  raise errors.invalid(
    f'the header {HEADER_LENGTH} ({text[:99]!r}) must be a number of at most '
    f'{size}, the bytes of the request.'
  )


def _listed(content: dict[str, Any], key: str) -> list[dict[str, Any]]:
  tensors = content.get(key)
  if (
    not isinstance(tensors, list)
    or not all(isinstance(tensor, dict) for tensor in tensors)
    or not all(isinstance(tensor.get('name'), str) for tensor in tensors)
  ):
    raise errors.invalid(f'`{key}` must be a list of objects with a `name`.')
  return tensors


def _parameters(owner: dict[str, Any]) -> dict[str, Any]:
  parameters = owner.get('parameters', {})
  if not isinstance(parameters, dict):
    raise errors.invalid('`parameters` must be an object.')
  return parameters


def _signature(content: dict[str, Any], given: list[dict[str, Any]]) -> str:
  names = {tensor['name'] for tensor in given}
  default = next(
    (name for name in _DEFAULTS if names == {client.INPUTS[name]}),
    client.LABELS_SIGNATURE,
  )
  signature = _parameters(content).get('signature_name', default)
  if not isinstance(signature, str):
    raise errors.invalid('`signature_name` must be a string.')
  return signature


def _inputs(
  given: list[dict[str, Any]], dtypes: Mapping[str, np.dtype], rest: memoryview
) -> dict[str, np.ndarray]:
  """Returns an array for each tensor; `rest` are the bytes behind the JSON."""
  inputs: dict[str, np.ndarray] = {}
  for tensor in given:
    name = tensor['name']
    if name not in dtypes or name in inputs:
      raise errors.invalid(
        f'the input {name!r} is not taken, or comes twice; the signature takes '
        f'{list(dtypes)}.'
      )
    expected = _DATATYPES[dtypes[name].name]
    if tensor.get('datatype') != expected:
      raise errors.invalid(
        f'the datatype of {name!r} ({tensor.get("datatype")!r}) must be '
        f'{expected!r}.'
      )
    size = _parameters(tensor).get('binary_data_size')
    if size is None:
      array = _from_json(tensor, dtypes[name])
    else:
      if type(size) is not int or not 0 <= size <= len(rest):
        raise errors.invalid(
          f'the `binary_data_size` of {name!r} ({size!r}) must be a number of '
          f'at most {len(rest)}, the bytes that are left.'
        )
      array = _from_bytes(name, rest[:size], dtypes[name])
      rest = rest[size:]
    inputs[name] = arrays.shaped(name, array, tensor.get('shape'))
  return inputs


def _from_json(tensor: dict[str, Any], dtype: np.dtype) -> np.ndarray:
  name = tensor['name']
  array = arrays.from_lists(name, tensor.get('data'), dtype)
  if dtype.hasobject and _parameters(tensor).get('content_type') == 'base64':
    values = [arrays.from_base64(name, value) for value in array.flat]
    return arrays.of_strings(values, list(array.shape))
  return array


def _from_bytes(name: str, data: memoryview, dtype: np.dtype) -> np.ndarray:
  if not dtype.hasobject:
    return np.frombuffer(bytes(data), dtype)
  values = []
  while data:
    (size,) = (
      _LENGTH.unpack_from(data) if len(data) >= _LENGTH.size else [len(data)]
    )
    if len(data) < _LENGTH.size + size:
      raise errors.invalid(
        f'the bytes of {name!r} must be a length of {_LENGTH.size} bytes, '
        'little-endian, before each string.'
      )
    values.append(bytes(data[_LENGTH.size : _LENGTH.size + size]))
    data = data[_LENGTH.size + size :]
  return arrays.of_strings(values, [len(values)])


def _wanted(
  content: dict[str, Any], outputs: Mapping[str, np.ndarray]
) -> dict[str, bool]:
  """Returns the outputs that are asked for, and whether as bytes."""
  is_binary = _parameters(content).get('binary_data_output') is True
  if 'outputs' not in content:
    return dict.fromkeys(outputs, is_binary)
  wanted = {}
  for tensor in _listed(content, 'outputs'):
    if tensor['name'] not in outputs:
      raise errors.invalid(
        f'there is no output {tensor["name"]!r}; there are {list(outputs)}.'
      )
    asked = _parameters(tensor).get('binary_data', is_binary)
    wanted[tensor['name']] = asked is True
  return wanted


def _answer(
  answer: dict[str, Any],
  outputs: Mapping[str, np.ndarray],
  wanted: Mapping[str, bool],
) -> tuple[bytes, dict[str, str]]:
  arrays.require_few(
    {name: outputs[name] for name, is_binary in wanted.items() if not is_binary}
  )
  tensors = []
  parts = []
  for name, is_binary in wanted.items():
    array = outputs[name]
    tensor: dict[str, Any] = {
      'name': name,
      'datatype': _DATATYPES[array.dtype.name],
      'shape': list(array.shape),
    }
    if is_binary:
      parts.append(_to_bytes(array))
      tensor['parameters'] = {'binary_data_size': len(parts[-1])}
    else:
      tensor |= _to_json(name, array)
    tensors.append(tensor)
  head = arrays.dump_json({**answer, 'outputs': tensors})
  if not parts:
    return head, {}
  headers = {
    'Content-Type': 'application/octet-stream',
    HEADER_LENGTH: str(len(head)),
  }
  return b''.join([head, *parts]), headers


def _to_bytes(array: np.ndarray) -> bytes:
  if not array.dtype.hasobject:
    return array.tobytes()
  return b''.join(_LENGTH.pack(len(data)) + data for data in array.flat)


def _to_json(name: str, array: np.ndarray) -> dict[str, Any]:
  if not array.dtype.hasobject:
    return {'data': array.ravel().tolist()}
  if name.endswith(arrays.BYTES_SUFFIX):
    data = [base64.b64encode(value).decode() for value in array.flat]
    return {'data': data, 'parameters': _BASE64}
  return {'data': [value.decode('utf-8', 'replace') for value in array.flat]}
