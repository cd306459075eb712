# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Trained networks: what defines them, and how they are read from a run."""

import dataclasses
import json
import os
from typing import Any

import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.runs import best, checkpoints, run_folder
from auto_deeplab.training import networks, weight_averages


@dataclasses.dataclass(frozen=True)
class LoadedSegmenter:
  """A trained network with what is needed to use it.

  Attributes:
    model: built, weights restored.
    genotype: what it was built from.
    dataset_info: classes and colours.
    step: of the checkpoint.
    run_dir: where it was trained.
  """

  model: segmenter_lib.Segmenter
  genotype: genotype_lib.Genotype
  dataset_info: datasets.DatasetInfo
  step: int
  run_dir: str


def definition(
  genotype: genotype_lib.Genotype, info: datasets.DatasetInfo
) -> dict[str, str]:
  """Returns what defines a training besides its configuration.

  Contents by file name, for `run_folder.RunFolder.claim`; `load_segmenter`
  reads them.
  """
  return {
    tfrecord.INFO_NAME: info_file.to_text(info),
    'genotype.json': json.dumps(genotype.to_json(), indent=1),
  }


def load_segmenter(
  run_dir: str | os.PathLike[str],
  checkpoint: str | None = None,
  precision: str = 'float32',
) -> LoadedSegmenter:
  """Builds the network of a training's folder and restores its weights.

  Args:
    run_dir: folder of a training.
    checkpoint: path prefix of a checkpoint, or 'best' for that of the best mIoU
      during training; the newest by default.
    precision: one of `configs.PRECISIONS` that the network computes in,
      whatever it was trained in.

  Raises:
    FileNotFoundError: if the folder holds no training, or no checkpoint.
    ValueError: if the checkpoint does not fit the configuration.
  """
  folder = run_folder.RunFolder(run_dir)
  config = folder.load_config(configs.TrainExperiment)
  if not folder.genotype.exists():
    raise FileNotFoundError(
      f'{folder.genotype} does not exist; is {str(folder.path)!r} the folder '
      'of a training?'
    )
  genotype = genotype_lib.Genotype.load(folder.genotype)
  info = tfrecord.load_info(folder.path)
  if checkpoint == 'best':
    checkpoint = best.path_of(run_dir)
  path = checkpoint or checkpoints.newest(folder.checkpoints)
  if path is None or not tf.io.gfile.exists(f'{path}.index'):
    raise FileNotFoundError(
      f'{path or folder.checkpoints} holds no checkpoint; has the training '
      'saved one yet?'
    )
  model = networks.make_evaluated(config, genotype, info, precision)
  step = restore(model, path)
  return LoadedSegmenter(model, genotype, info, step, str(folder.path))


def restore(model: segmenter_lib.Segmenter, path: str) -> int:
  """Restores the weights of a built network; returns the checkpoint's step.

  Their moving averages, where the checkpoint has them.

  Args:
    model: built.
    path: prefix of the checkpoint.

  Raises:
    ValueError: it does not fit, or is damaged.
  """
  step = tf.Variable(0, dtype=tf.int64)
  objects = {'model': model, 'global_step': step}
  with checkpoints.refusing(path):
    averages = weight_averages.make_for(model, path)
  if averages:
    objects[weight_averages.PREFIX] = averages
  checkpoints.restore(tf.train.Checkpoint(**objects), path)
  weight_averages.assign(model, averages)
  return int(step.numpy())
