# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Servers that are asked by HTTP: TensorFlow Serving's REST, and KServe v2."""

import base64
from collections.abc import Mapping, Sequence
import contextlib
import http.client
import json
import math
import struct
from typing import Any

import numpy as np

from . import contract, servers

_BYTES_SUFFIX = '_bytes'
_HEADER_LENGTH = 'Inference-Header-Content-Length'
_DATATYPES = {'UINT8': 'uint8', 'INT64': '<i8', 'FP32': '<f4', 'INT32': '<i4'}
_LENGTH = struct.Struct('<I')


class _Http:
  """One connection, opened again whenever it is not there."""

  def __init__(self, address: servers.Address, seconds: float):
    is_safe = address.scheme.endswith('https')
    kind = (
      http.client.HTTPSConnection if is_safe else http.client.HTTPConnection
    )
    self._connection = kind(address.place, timeout=seconds)
    self._server = str(address)

  def request(
    self,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
  ) -> tuple[bytes, http.client.HTTPResponse]:
    """Returns what came, if all is well.

    Raises:
      ServerError: it is not.
    """
    try:
      # Who refuses it by its head may answer, and close, before all is sent.
      with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        self._connection.request(method, path, body, dict(headers or {}))
      response = self._connection.getresponse()
      content = response.read()
    except TimeoutError as e:
      self._connection.close()
      raise self.error('DEADLINE_EXCEEDED', 'no answer in time.') from e
    except (OSError, http.client.HTTPException) as e:
      self._connection.close()
      # Of what is no HTTP the other words are bytes.
      said = str(e) if isinstance(e, OSError) else f'no HTTP, {e!r:.200}'
      raise self.error('UNAVAILABLE', said or type(e).__name__) from e
    if response.status != http.client.OK:
      raise self.error(str(response.status), _said(content))
    return content, response

  def error(self, code: str, said: str) -> servers.ServerError:
    return servers.ServerError(self._server, code, said)

  def strange(self, e: Exception) -> servers.ServerError:
    return self.error('INTERNAL', f'an answer that cannot be read ({e!r})')


def _said(content: bytes) -> str:
  """Returns the words of an answer that is an error."""
  text = content.decode('utf-8', 'replace')
  try:
    return str(json.loads(text)['error'])
  except (ValueError, KeyError, TypeError):
    return text[:500]


class TensorFlowRest:
  """TensorFlow Serving's REST interface."""

  def __init__(self, address: servers.Address, seconds: float):
    self._http = _Http(address, seconds)
    version = f'/versions/{address.version}' if address.version else ''
    self._path = f'/v1/models/{address.model}{version}:predict'

  def takes_files(self) -> bool:
    return True

  def call(
    self,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
  ) -> dict[str, np.ndarray]:
    columns = {name: _to_json(value) for name, value in inputs.items()}
    request = {'signature_name': signature, 'inputs': columns}
    content, _ = self._http.request(
      'POST', self._path, json.dumps(request).encode()
    )
    try:
      found = json.loads(content)['outputs']
      if not isinstance(found, dict):  # A lone one comes without its name.
        found = {outputs[0]: found}
      return {name: _from_json(name, found[name]) for name in outputs}
    except (ValueError, KeyError, TypeError) as e:
      raise self._http.strange(e) from e


def _to_json(value: np.ndarray) -> list[Any]:
  if value.dtype != object:
    return value.tolist()
  return [{'b64': base64.b64encode(data).decode()} for data in value]


def _from_json(name: str, values: list[Any]) -> np.ndarray:
  if not name.endswith(_BYTES_SUFFIX):
    return np.array(values)
  return _objects([base64.b64decode(value['b64']) for value in values])


def _objects(values: Sequence[Any]) -> np.ndarray:
  array = np.empty(len(values), object)
  array[:] = values
  return array


class KServe:
  """KServe's version 2, with tensors as bytes behind the JSON.

  A model has one set of inputs there. Where it takes no files, as one of Triton
  or of OpenVINO's server, it is given pixels.
  """

  def __init__(self, address: servers.Address, seconds: float):
    self._http = _Http(address, seconds)
    version = f'/versions/{address.version}' if address.version else ''
    self._path = f'/v2/models/{address.model}{version}'

  def takes_files(self) -> bool:
    content, _ = self._http.request('GET', self._path)
    try:
      inputs = json.loads(content)['inputs']
      return contract.FILES in [tensor['name'] for tensor in inputs]
    except (ValueError, KeyError, TypeError) as e:
      raise self._http.strange(e) from e

  def call(
    self,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    outputs: Sequence[str],
  ) -> dict[str, np.ndarray]:
    parts = {name: _to_bytes(value) for name, value in inputs.items()}
    request = {
      'parameters': {'signature_name': signature},
      'inputs': [
        {
          'name': name,
          'shape': list(value.shape),
          'datatype': 'BYTES' if value.dtype == object else 'UINT8',
          'parameters': {'binary_data_size': len(parts[name])},
        }
        for name, value in inputs.items()
      ],
      'outputs': [
        {'name': name, 'parameters': {'binary_data': True}} for name in outputs
      ],
    }
    head = json.dumps(request).encode()
    content, response = self._http.request(
      'POST',
      f'{self._path}/infer',
      b''.join([head, *parts.values()]),
      {
        _HEADER_LENGTH: str(len(head)),
        'Content-Type': 'application/octet-stream',
      },
    )
    try:
      size = int(response.getheader(_HEADER_LENGTH) or len(content))
      return _tensors(json.loads(content[:size])['outputs'], content[size:])
    except (ValueError, KeyError, TypeError, struct.error) as e:
      raise self._http.strange(e) from e


def _to_bytes(value: np.ndarray) -> bytes:
  if value.dtype != object:
    return value.tobytes()
  return b''.join(_LENGTH.pack(len(data)) + data for data in value)


def _tensors(
  described: Sequence[Mapping[str, Any]], rest: bytes
) -> dict[str, np.ndarray]:
  """Returns the tensors of an answer; `rest` is behind its JSON."""
  found = {}
  for tensor in described:
    size = tensor.get('parameters', {}).get('binary_data_size')
    if size is None:
      array = _from_data(tensor)
    elif tensor['datatype'] == 'BYTES':
      array = _objects(_strings(rest[:size]))
    else:
      array = np.frombuffer(rest[:size], _DATATYPES[tensor['datatype']])
    rest = rest[size or 0 :]
    if math.prod(tensor['shape']) != array.size:
      raise ValueError(f'{tensor["name"]!r} is not of its shape')
    found[tensor['name']] = array.reshape(tensor['shape'])
  return found


def _from_data(tensor: Mapping[str, Any]) -> np.ndarray:
  """Returns a tensor that came as JSON: of strings, text or base64."""
  if tensor['datatype'] != 'BYTES':
    data = np.array(tensor['data'], _DATATYPES[tensor['datatype']])
    return data.ravel()
  is_base64 = tensor.get('parameters', {}).get('content_type') == 'base64'
  return _objects(
    [
      base64.b64decode(value) if is_base64 else value.encode()
      for value in tensor['data']
    ]
  )


def _strings(data: bytes) -> list[bytes]:
  values = []
  while data:
    (size,) = _LENGTH.unpack_from(data)
    values.append(data[_LENGTH.size :][:size])
    data = data[_LENGTH.size + size :]
  return values
