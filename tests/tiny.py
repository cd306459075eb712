# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A data set, a search and a training that take seconds."""

import dataclasses
import pathlib
import shutil
from typing import Any

from auto_deeplab import configs
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts, synthetic

GENOTYPE = Genotype(
  cell=(((0, 'sep_conv_3x3'), (1, 'skip_connect')),), backbone=(0, 1)
)


def write_data(root: pathlib.Path) -> pathlib.Path:
  """Eight pictures to train on, three to evaluate on."""
  synthetic.draw_folder(
    root / 'pictures', num_examples={'train': 8, 'val': 3}, image_size=(64, 64)
  )
  source = layouts.open_source('folder', root / 'pictures')
  conversion.write_dataset(source, root / 'data', num_shards=2)
  return root / 'data'


def write_unlabelled_data(root: pathlib.Path) -> pathlib.Path:
  """Of what `write_data` left there, the split 'test': val without labels."""
  pictures = root / 'pictures'
  shutil.copytree(pictures / 'images/val', pictures / 'images/test')
  source = layouts.open_source('folder', pictures, splits=['test'])
  conversion.write_dataset(source, root / 'unlabelled', num_shards=1)
  return root / 'unlabelled'


def search_config(**parts: dict[str, Any]) -> configs.SearchExperiment:
  """Four steps, a loop each; a checkpoint every other step."""
  config = configs.SearchExperiment(
    runtime=configs.RuntimeConfig(steps_per_loop=1, checkpoint_interval=2),
    input=configs.InputConfig(crop_size=(33, 33), batch_size=2),
    supernet=configs.SupernetConfig(
      num_layers=2, num_blocks=1, filter_multiplier=2, stem_filters=(4, 4, 8)
    ),
    weight_optimizer=configs.WeightOptimizerConfig(),
    architecture_optimizer=configs.ArchitectureOptimizerConfig(),
    schedule=configs.SearchConfig(
      train_steps=4, arch_start_step=1, snapshot_interval=1
    ),
  )
  return _with_parts(config, parts)


def train_config(**parts: dict[str, Any]) -> configs.TrainExperiment:
  """Four steps, a loop each; a checkpoint every other step."""
  config = configs.TrainExperiment(
    runtime=configs.RuntimeConfig(steps_per_loop=1, checkpoint_interval=2),
    input=configs.InputConfig(crop_size=(33, 33), batch_size=2),
    segmenter=configs.SegmenterConfig(
      filter_multiplier=2,
      stem_filters=(4, 4, 8),
      aspp_filters=8,
      low_level_filters=4,
      decoder_filters=8,
      drop_path_keep_prob=0.5,
      batch_norm_momentum=0.01,
    ),
    loss=configs.LossConfig(),
    weight_optimizer=configs.WeightOptimizerConfig(),
    schedule=configs.TrainConfig(train_steps=4),
  )
  return _with_parts(config, parts)


def _with_parts(config, parts):
  changed = {
    name: dataclasses.replace(getattr(config, name), **fields)
    for name, fields in parts.items()
  }
  return dataclasses.replace(config, **changed)
