# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Requests and answers of TensorFlow Serving's REST interface.

Its form is told at https://www.tensorflow.org/tfx/serving/api_rest: a row
format (`instances`, answered by `predictions`) and one by columns (`inputs`,
answered by `outputs`).
"""

import base64
import dataclasses
from typing import Any

from google.protobuf import json_format
import numpy as np

from auto_deeplab.serving import client
from auto_deeplab.serving.server import arrays, errors, models


@dataclasses.dataclass(frozen=True)
class Request:
  """What a request asks for.

  Attributes:
    signature: its name.
    inputs: an array for each input.
    is_rows: whether it is answered row by row.
  """

  signature: str
  inputs: dict[str, np.ndarray]
  is_rows: bool


def predict(
  model: models.ServedModel, body: bytes | bytearray, max_batch_size: int
) -> tuple[bytes, dict[str, str]]:
  """Returns the body of an answer to a request, and no headers for it.

  Raises:
    ServingError: it asks for what there is not, or is too large.
  """
  request = parse(model, body)
  models.require_batch(request.inputs, max_batch_size)
  outputs = model.predict(request.signature, request.inputs)
  arrays.require_few(outputs)
  return answer(outputs, request.is_rows), {}


def parse(model: models.ServedModel, body: bytes | bytearray) -> Request:
  """Returns what a request says.

  Raises:
    ServingError: it is not of the form, or names what there is not.
  """
  content = arrays.load_json(body)
  signature = content.get('signature_name', '')
  if not isinstance(signature, str):
    raise errors.invalid('`signature_name` must be a string.')
  signature = signature or client.LABELS_SIGNATURE
  dtypes = model.inputs(signature)
  if ('instances' in content) == ('inputs' in content):
    raise errors.invalid(
      'the request must have either `instances` or `inputs`.'
    )
  is_rows = 'instances' in content
  if is_rows:
    values = _columns(content['instances'], list(dtypes))
  else:
    values = _named(content['inputs'], list(dtypes))
  inputs = {
    name: arrays.from_lists(name, values[name], dtype)
    for name, dtype in dtypes.items()
  }
  return Request(signature, inputs, is_rows)


def _columns(instances: Any, names: list[str]) -> dict[str, list[Any]]:
  """Returns the values of each input, of all instances."""
  if not isinstance(instances, list) or not instances:
    raise errors.invalid('`instances` must be a list that is not empty.')
  rows = [_named(instance, names) for instance in instances]
  return {name: [row[name] for row in rows] for name in names}


def _named(value: Any, names: list[str]) -> dict[str, Any]:
  """Returns a value for each input; a lone one may come without its name."""
  if isinstance(value, dict) and set(value) != {'b64'}:
    if set(value) != set(names):
      raise errors.invalid(
        f'the inputs are {sorted(value)}; the signature takes {names}.'
      )
    return value
  if len(names) != 1:
    raise errors.invalid(f'the inputs {names} must be given by name.')
  return {names[0]: value}


def answer(outputs: dict[str, np.ndarray], is_rows: bool) -> bytes:
  """Returns JSON; a lone output goes without its name."""
  columns = {
    name: _values(name, array) if array.dtype == object else array.tolist()
    for name, array in outputs.items()
  }
  lone = next(iter(columns.values())) if len(columns) == 1 else None
  if not is_rows:
    return arrays.dump_json({'outputs': columns if lone is None else lone})
  if lone is not None:
    return arrays.dump_json({'predictions': lone})
  rows = zip(*columns.values(), strict=True)
  return arrays.dump_json(
    {'predictions': [dict(zip(columns, row, strict=True)) for row in rows]}
  )


def _values(name: str, array: np.ndarray) -> list[Any]:
  is_bytes = name.endswith(arrays.BYTES_SUFFIX)
  encoded = np.empty(array.size, object)
  encoded[:] = [_as_json(data, is_bytes) for data in array.flat]
  return encoded.reshape(array.shape).tolist()


def _as_json(data: bytes, is_bytes: bool) -> Any:
  if is_bytes:
    return {'b64': base64.b64encode(data).decode()}
  return data.decode('utf-8', 'replace')


def status(model: models.ServedModel, is_available: bool) -> bytes:
  """Returns which versions there are, and whether they answer."""
  version = {
    'version': str(model.place.version),
    'state': 'AVAILABLE' if is_available else 'UNLOADING',
    'status': {'error_code': 'OK', 'error_message': ''},
  }
  return arrays.dump_json({'model_version_status': [version]})


def metadata(model: models.ServedModel) -> bytes:
  """Returns the signatures."""
  signatures = {
    name: json_format.MessageToDict(
      definition, preserving_proto_field_name=True
    )
    for name, definition in model.signatures.items()
  }
  return arrays.dump_json(
    {
      'model_spec': {
        'name': model.place.name,
        'signature_name': '',
        'version': str(model.place.version),
      },
      'metadata': {'signature_def': {'signature_def': signatures}},
    }
  )
