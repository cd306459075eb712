# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""How much of the network's own rate `predict` keeps, files to files.

    python -m benchmarks.predict --model_dir=runs/demo/saved_model

It draws JPEGs, and goes over them in rounds: one predicts the files, as the
verb does; one calls the network on the same pixels, held in memory. `ratio` is
of pictures a second, files over memory; `cpu_ratio` of the seconds of processor
that a picture takes, memory over files.
"""

from collections.abc import Callable
import functools
import pathlib
import tempfile
import time

from absl import app, flags
import numpy as np

from auto_deeplab.data.sources import landscape
from auto_deeplab.serving import client
from benchmarks import measure

_MODEL_DIR = flags.DEFINE_string(
  'model_dir', None, 'SavedModel that export wrote.', required=True
)
_PICTURES = flags.DEFINE_integer('pictures', 500, 'Pictures a round.')
_HEIGHT = flags.DEFINE_integer('height', 384, 'Of a picture.')
_WIDTH = flags.DEFINE_integer('width', 512, 'Of a picture.')
_ROUNDS = flags.DEFINE_integer('rounds', 1, 'Rounds; medians are printed.')
_JSON = flags.DEFINE_bool('json', False, 'Print JSON.')

# Drawing takes longer than predicting: each is there several times.
_DRAWN = 20


def main(_) -> None:
  model = client.SavedModelClient(_MODEL_DIR.value)
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    _draw(root / 'in')
    found, _ = client.find_pictures([str(root / 'in')])
    images = [client.load_image(path) for path, _ in found]
    jobs = client.jobs(found, root / 'out')

    def from_files() -> None:
      problems = list(client.Predictor(model, client.Settings()).run(jobs))
      assert problems == [None] * len(jobs)

    def from_memory() -> None:
      for image in images:
        model.predict(image)

    runs = {'files': from_files, 'memory': from_memory}
    costs = measure.alternating(
      {name: functools.partial(_cost, run) for name, run in runs.items()},
      _ROUNDS.value,
    )
  measure.report([_row(costs)], as_json=_JSON.value)


def _draw(folder: pathlib.Path) -> None:
  folder.mkdir()
  for number in range(_PICTURES.value):
    path = folder / f'{number:04}.jpg'
    if number < _DRAWN:
      rng = np.random.default_rng(number)
      picture, _ = landscape.paint(rng, (_HEIGHT.value, _WIDTH.value))
      picture.save(path, quality=92)
    else:
      path.hardlink_to(folder / f'{number % _DRAWN:04}.jpg')


def _cost(run: Callable[[], None]) -> tuple[float, float]:
  """Returns the seconds of the wall and of the processor."""
  wall, cpu = time.perf_counter(), time.process_time()
  run()
  return time.perf_counter() - wall, time.process_time() - cpu


def _row(costs: dict[str, list[tuple[float, float]]]) -> dict[str, object]:
  wall, cpu = (
    {name: [cost[kind] for cost in rounds] for name, rounds in costs.items()}
    for kind in (0, 1)
  )
  return {
    'size': f'{_HEIGHT.value}x{_WIDTH.value}',
    'pictures_per_second': _PICTURES.value / wall['files'][-1],
    'network_per_second': _PICTURES.value / wall['memory'][-1],
    'ratio': measure.median_ratio(wall['memory'], wall['files']),
    'cpu_ratio': measure.median_ratio(cpu['memory'], cpu['files']),
  }


if __name__ == '__main__':
  app.run(main)
