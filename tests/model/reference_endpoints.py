# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Makes `reference_endpoints.json`, numbers of the authors' network by proxy.

What the authors' code gave, for variables and a picture of theirs, was
recorded. The arrays are too large for a repository, and statistics of their
endpoints alone would say nothing without their variables, which follow from no
seed. So the numbers here are of variables and a picture that do follow from
seeds, computed in float64 by the second writing of the network
(`reference_network.py`), and only after that writing has given the authors'
recorded endpoints for their variables:

  python -m tests.model.reference_endpoints FOLDER

where FOLDER holds `F4_vars.npz` and `F4_65x65_io.npz`. Of each endpoint the
file has its shape and numbers that a mistake moves: see `summary`.
"""

from collections.abc import Iterable, Mapping
import json
import pathlib
import sys
from typing import Any
import zlib

import numpy as np

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.interop import tf1_names
from auto_deeplab.model import segmenter as segmenter_lib
from tests.model import reference_network

PATH = pathlib.Path(__file__).with_suffix('.json')
FILTERS, CLASSES = 4, 19
# At stride 8 a map wide enough for the largest of ASPP's rates, 36.
SIZE = (321, 353)
# Of what the second writing may differ from the authors' float32.
TOLERANCE = 5e-4
NUM_PROJECTIONS = 4


def picture() -> np.ndarray:
  """uint8 `[1, *SIZE, 3]`, of large blobs."""
  blobs = np.random.default_rng(1).uniform(0, 255, [1, 12, 13, 3])
  return reference_network.resize(blobs, *SIZE).astype(np.uint8)


def network() -> segmenter_lib.Segmenter:
  """The published network at F=4, built."""
  config = configs.SegmenterConfig(filter_multiplier=FILTERS)
  model = segmenter_lib.Segmenter(genotype_lib.PUBLISHED, config, CLASSES)
  model.build([None, None, None, 3])
  return model


def variables(
  shapes: Mapping[str, Iterable[int]],
) -> dict[str, np.ndarray]:
  """Draws float32 variables, each from its name alone.

  Outputs are of order 1 on every level, and statistics as of a training.
  Offsets lean to the open side of the ReLUs: around 0, what rounding leaves
  grows 1.6-fold a cell by batch statistics, to 1e-3, and could hide a mistake.

  Args:
    shapes: by the authors' names.
  """

  def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith('weights'):
      fan_in = np.prod(shape[: 2 if 'depthwise' in name else 3])
      return generator.normal(scale=np.sqrt(2 / fan_in), size=shape)
    if name.endswith(('gamma', 'moving_variance')):
      return generator.uniform(0.5, 1.5, shape)
    return generator.uniform(0 if name.endswith('beta') else -0.5, 1, shape)

  return {
    name: draw(name, tuple(shape)).astype(np.float32)
    for name, shape in shapes.items()
  }


def variables_of(model: segmenter_lib.Segmenter) -> dict[str, np.ndarray]:
  """Draws the variables of a built model."""
  named = tf1_names.variables_by_name(model)
  return variables({name: v.shape for name, v in named.items()})


def summary(name: str, values: np.ndarray) -> dict[str, Any]:
  """The shape of an endpoint, and some numbers of it.

  Returns:
    `shape`, and `numbers`: mean, standard deviation, smallest and largest
    value, then projections on vectors of random signs, over the square root of
    their length: unlike the first four, they move when values change places.
  """
  values = np.asarray(values, np.float64)
  generator = np.random.default_rng(zlib.crc32(name.encode()))
  signs = generator.integers(0, 2, [NUM_PROJECTIONS, values.size]) * 2 - 1
  projections = signs @ values.ravel() / np.sqrt(values.size)
  statistics = [values.mean(), values.std(), values.min(), values.max()]
  return {
    'shape': list(values.shape),
    'numbers': [float(f'{x:.8g}') for x in (*statistics, *projections)],
  }


def summaries(endpoints: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """The `summary` of each endpoint by its name."""
  return {k: summary(k, np.asarray(v)) for k, v in endpoints.items()}


def errors(
  actual: Mapping[str, Any], expected: Mapping[str, Any]
) -> dict[str, float]:
  """How far two summaries are apart, over the largest value of the endpoint.

  Raises:
    ValueError: if they have other endpoints, or those other shapes.
  """
  shapes = [{k: v['shape'] for k, v in s.items()} for s in (actual, expected)]
  if shapes[0] != shapes[1]:
    raise ValueError(f'shapes are {shapes[0]}, not {shapes[1]}.')

  def error(name: str) -> float:
    ours, theirs = (np.array(s[name]['numbers']) for s in (actual, expected))
    return float(np.abs(ours - theirs).max() / np.abs(theirs[2:4]).max())

  return {name: error(name) for name in expected}


def prove(folder: pathlib.Path) -> None:
  """Compares the second writing with the authors' recorded endpoints.

  Args:
    folder: of the recorded arrays.

  Raises:
    ValueError: if an endpoint is missing or off by more than `TOLERANCE` of its
      largest value.
  """
  with (
    np.load(folder / 'F4_vars.npz') as authors_variables,
    np.load(folder / 'F4_65x65_io.npz') as recorded,
  ):
    endpoints = reference_network.ReferenceNetwork(authors_variables).run(
      recorded['input']
    )
    expected = {k.removeprefix('out/'): recorded[k] for k in recorded}
  del expected['input']
  if endpoints.keys() != expected.keys():
    raise ValueError(f'endpoints are {[*endpoints]}, not {[*expected]}.')
  for name, value in expected.items():
    error = np.abs(endpoints[name] - value).max() / np.abs(value).max()
    if endpoints[name].shape != value.shape or error > TOLERANCE:
      raise ValueError(f'endpoint {name} is off by {error:.2g}.')


def make(drawn: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
  """The numbers of the second writing for variables and the picture."""
  return summaries(reference_network.ReferenceNetwork(drawn).run(picture()))


def load() -> dict[str, dict[str, Any]]:
  """What the file holds."""
  return json.loads(PATH.read_text(encoding='utf-8'))


def main(folder: str) -> None:
  """Writes the file, if the authors' numbers vouch for it."""
  prove(pathlib.Path(folder))
  lines = (
    f'{json.dumps(name)}: {json.dumps(value)}'
    for name, value in make(variables_of(network())).items()
  )
  PATH.write_text('{\n' + ',\n'.join(lines) + '\n}\n', encoding='utf-8')


if __name__ == '__main__':
  main(*sys.argv[1:])
