# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Trains the network of a genotype, from scratch or another training.

  auto-deeplab train --gin_file=demo_train \
    --genotype=runs/search/decoded/genotype.json \
    --data_dir=DATA --run_dir=runs/train

Without --genotype it trains the published Auto-DeepLab architecture; the
recipe's SegmenterConfig.filter_multiplier makes it S (20), M (32) or L (48).
RUN_DIR receives the configuration, the genotype, checkpoints and metrics. The
same command again goes on from the newest checkpoint. SIGTERM has it save one
at the end of its step and exit with status 75; so does Ctrl-C, with status 130.

--init_run_dir begins with the weights of another training of the same genotype
and widths, to fine-tune; the last layer is new with --reinitialize_logits, as
it must be where the classes are others:

  auto-deeplab train --gin_file=cityscapes_s \
    --data_dir=runs/cityscapes/data --run_dir=runs/cityscapes/fine \
    --init_run_dir=runs/cityscapes/coarse_s
"""

from absl import flags

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import commands, gin_flags, resume_flags, run_flags

run_flags.require_run_dir()

FOR_MEMORY = (
  'set `SegmenterConfig.recompute = True`, raise '
  '`TrainConfig.accumulation_steps`, or lower `InputConfig.crop_size`'
)

_GENOTYPE = flags.DEFINE_string(
  'genotype',
  None,
  'Genotype that decode wrote; by default the published genotype.',
)
_TRAIN_SPLIT = flags.DEFINE_string(
  'train_split', 'train', 'Split of the data set that is trained on.'
)
_INIT_RUN_DIR = flags.DEFINE_string(
  'init_run_dir',
  None,
  'Folder of another training: begin with its newest checkpoint, or with its '
  'averages where it has them. A run that goes on has its own.',
)
_INIT_CHECKPOINT = flags.DEFINE_string(
  'init_checkpoint',
  None,
  'Path prefix of a checkpoint, in the place of --init_run_dir.',
)
_REINITIALIZE_LOGITS = flags.DEFINE_boolean(
  'reinitialize_logits',
  False,
  'Begin with all weights of that checkpoint but those of the logits.',
)


def main() -> None:
  config = gin_flags.load(configs.TrainExperiment)
  gin_flags.warn_without_recipe('train')
  genotype = genotype_lib.PUBLISHED
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
  from auto_deeplab.experiments import train
  from auto_deeplab.runs import initialization

  start = initialization.Start(
    _INIT_RUN_DIR.value, _INIT_CHECKPOINT.value, _REINITIALIZE_LOGITS.value
  )
  place = run_flags.place(
    train_split=_TRAIN_SPLIT.value, start=start, **resume_flags.consents()
  )
  scores = train.run(config, genotype, place)
  print(
    f'Wrote {place.run_dir}/checkpoints; mIoU on {place.eval_split} is '
    f'{scores["mean_iou"]:.4f}. Next:\n  {commands.shown("export")} '
    f'--run_dir={place.run_dir} --output_dir={place.run_dir}/saved_model'
  )
