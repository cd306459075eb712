# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Trains the network of a genotype from scratch.

  python tools/train.py --gin_file=gin_configs/demo_train.gin \
    --genotype=runs/search/decoded/genotype.json \
    --data_dir=DATA --run_dir=runs/train

Without --genotype it trains the published Auto-DeepLab architecture; the
recipe's SegmenterConfig.filter_multiplier makes it S (20), M (32) or L (48).
RUN_DIR receives the configuration, the genotype, checkpoints and metrics. The
same command again goes on from the newest checkpoint. SIGTERM has it save one
at the end of its step and exit with status 75.
"""

from absl import flags
import cli
import gin_flags
import run_flags

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.training import experiment, preemption

_GENOTYPE = flags.DEFINE_string(
  'genotype', None, 'File of decode.py; by default the published genotype.'
)


def main() -> None:
  config = gin_flags.load(configs.TrainExperiment)
  genotype = genotype_lib.PUBLISHED
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
  place = run_flags.place()
  scores = experiment.run_training(config, genotype, place)
  print(
    f'Wrote {place.run_dir}/checkpoints; mIoU on {place.eval_split} is '
    f'{scores["mean_iou"]:.4f}. Next:\n  python tools/export.py '
    f'--run_dir={place.run_dir} --output_dir={place.run_dir}/saved_model'
  )


if __name__ == '__main__':
  cli.run(main, {preemption.Preempted: preemption.EXIT_STATUS})
