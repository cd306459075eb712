# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Moves a checkpoint of the authors' TF1 code over to a run folder.

  auto-deeplab import_checkpoint --tf1_checkpoint=model.ckpt-1500000 \
    --output_dir=runs/imported

evaluate and export take OUTPUT_DIR as their --run_dir. The checkpoint
tells the network's width, and its number of classes what they are: 19 are
Cityscapes', 21 VOC's, others are named class_0, class_1 and so on. A data set
made by build_tfrecords names them as well (--data_dir), in its order.

A recipe says how the training is to go on from its step:

  auto-deeplab import_checkpoint --tf1_checkpoint=model.ckpt-1500000 \
    --gin_file=cityscapes_s --output_dir=runs/imported
  auto-deeplab train --gin_file=runs/imported/config.gin \
    --genotype=runs/imported/genotype.json --data_dir=DATA \
    --run_dir=runs/imported

The momentum starts from zero: its slots and all else that is not of the network
are listed.
"""

from absl import flags

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import commands, gin_flags

_TF1_CHECKPOINT = flags.DEFINE_string(
  'tf1_checkpoint', None, 'Path prefix of the TF1 checkpoint.', required=True
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Folder that build_tfrecords wrote; names the classes. By default their '
  'number does.',
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir',
  None,
  'Run folder to write; must not exist, or be empty.',
  required=True,
)
_GENOTYPE = flags.DEFINE_string(
  'genotype',
  None,
  'Genotype that decode wrote; by default the published genotype.',
)


def main() -> None:
  from auto_deeplab.interop import tf1_import

  genotype = genotype_lib.PUBLISHED
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
  config = gin_flags.load(
    configs.TrainExperiment,
    tf1_import.settings(_TF1_CHECKPOINT.value, genotype),
  )
  imported = tf1_import.run(
    config,
    genotype,
    tf1_checkpoint=_TF1_CHECKPOINT.value,
    data_dir=_DATA_DIR.value,
    run_dir=_OUTPUT_DIR.value,
  )
  info = imported.dataset_info
  for name in imported.unused:
    print(f'not used: {name}')
  print(
    f'Wrote {imported.path}: {imported.num_variables} variables of step '
    f'{imported.step}; {len(imported.unused)} more of the checkpoint were not '
    f'used. F is {config.segmenter.filter_multiplier}; the {info.num_classes} '
    f'classes are named as of {info.name}, {info.class_names[0]} to '
    f'{info.class_names[-1]}. Momentum starts from zero. Next:\n'
    f'  {commands.shown("evaluate")} --data_dir={_DATA_DIR.value or "DATA"} '
    f'--run_dir={_OUTPUT_DIR.value}'
  )
