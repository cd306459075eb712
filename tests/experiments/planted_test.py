# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A search finds what was planted, and finds no work where there is none.

Each pixel's class is the colour 16 pixels to its left. Of the primitives the
atrous convolution alone reaches that far, by 4 pixels of a map of stride 4; the
head looks 96 pixels away or not at all.
"""

import pathlib

import numpy as np
from PIL import Image
import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.data import datasets
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts
from auto_deeplab.experiments import search
from auto_deeplab.runs import run as run_lib
from tests.experiments import runs

PLANTED = 'atrous_conv_5x5'
PRIMITIVES = ('skip_connect', 'avg_pool_3x3', PLANTED)
SHIFT = 16

pytestmark = pytest.mark.slow


def write_data(root: pathlib.Path, is_shuffled: bool) -> pathlib.Path:
  """Writes pictures of random squares, with their own labels or others'."""
  generator = np.random.default_rng(0)
  pictures = root / 'pictures'
  classes = '{"classes": [{"name": "dark"}, {"name": "bright"}]}'
  for split, number in (('train', 32), ('val', 1)):
    labels = []
    for folder in ('images', 'labels'):
      (pictures / folder / split).mkdir(parents=True)
    for index in range(number):
      is_bright = np.kron(generator.integers(0, 2, [8, 8]), np.ones([8, 8]))
      image = np.where(is_bright[..., None], 200, 50)
      image = image + generator.integers(-20, 20, [64, 64, 3])
      save(image, pictures / 'images' / split / f'{index:02d}.png')
      label = np.full([64, 64], datasets.IGNORE_LABEL)
      label[:, SHIFT:] = is_bright[:, :-SHIFT]
      labels.append(label)
    order = generator.permutation(number) if is_shuffled else range(number)
    for index, other in enumerate(order):
      save(labels[other], pictures / 'labels' / split / f'{index:02d}.png')
  (pictures / 'classes.json').write_text(classes)
  source = layouts.open_source('folder', pictures)
  conversion.write_dataset(source, root / 'data', num_shards=1)
  return root / 'data'


def save(values: np.ndarray, path: pathlib.Path) -> None:
  Image.fromarray(values.astype(np.uint8)).save(path)


def find(data_dir: pathlib.Path, run_dir: pathlib.Path, seed: int):
  """Searches; returns the snapshot at the end, and its row of scores."""
  config = configs.SearchExperiment(
    runtime=configs.RuntimeConfig(
      steps_per_loop=10, checkpoint_interval=60, seed=seed
    ),
    input=configs.InputConfig(
      crop_size=(65, 65),
      batch_size=8,
      min_scale=1.0,
      max_scale=1.0,
      flip_probability=0.0,
    ),
    supernet=configs.SupernetConfig(
      num_layers=2,
      num_blocks=1,
      filter_multiplier=8,
      stem_filters=(8, 8, 16),
      primitives=PRIMITIVES,
    ),
    weight_optimizer=configs.WeightOptimizerConfig(
      optimizer='adamw', learning_rate=0.01, warmup_steps=5, weight_decay=0.0
    ),
    architecture_optimizer=configs.ArchitectureOptimizerConfig(
      learning_rate=0.05
    ),
    schedule=configs.SearchConfig(
      # Early: once the mixture has solved it all, alphas have nothing to gain.
      train_steps=60,
      arch_start_step=5,
      snapshot_interval=60,
      probe_batches=1,
    ),
  )
  path = search.run(config, run_lib.Place(str(data_dir), str(run_dir)))
  row = [row for row in runs.metrics(run_dir) if 'genotype' in row][-1]
  return decode.load_snapshot(path), row


def share(snapshot: decode.Snapshot, name: str) -> float:
  """The largest share that a primitive has on an edge."""
  column = snapshot.primitives.index(name)
  return decode.operation_probabilities(snapshot.alphas)[:, column].max()


@pytest.fixture(scope='module')
def planted(tmp_path_factory):
  return write_data(tmp_path_factory.mktemp('planted'), is_shuffled=False)


@pytest.mark.parametrize('seed', [1, 2])
def test_what_alone_can_solve_the_task_is_decoded(planted, tmp_path, seed):
  snapshot, row = find(planted, tmp_path / 'run', seed)
  assert row['probe/mean_iou'] > 0.85
  # By chance a third.
  assert share(snapshot, PLANTED) > 0.5
  (edges,) = snapshot.decode().cell
  assert PLANTED in [name for _, name in edges]


def test_labels_of_other_pictures_make_no_case_for_computing(tmp_path):
  """Skip connections win: what half A taught by heart only hurts on half B."""
  data_dir = write_data(tmp_path, is_shuffled=True)
  snapshot, row = find(data_dir, tmp_path / 'run', 0)
  assert row['probe/mean_iou'] < 0.5
  assert share(snapshot, PLANTED) < 1 / 3
  (edges,) = snapshot.decode().cell
  assert [name for _, name in edges] == ['skip_connect', 'skip_connect']
