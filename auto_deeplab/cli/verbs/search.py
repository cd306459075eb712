# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Searches a cell and a backbone by gradient descent.

  auto-deeplab search --gin_file=demo_search \
    --data_dir=DATA --run_dir=runs/search

Half of the train split trains the weights of the supernet, the other half its
architecture variables, alpha and beta. The val split is not touched. RUN_DIR
receives the configuration, checkpoints, metrics and snapshots of alpha and
beta, which decode turns into a genotype at any time, also while the search
is running. The same command again goes on from the newest checkpoint. SIGTERM
has it save one at the end of its step and exit with status 75; so does Ctrl-C,
with status 130.
"""

from auto_deeplab import configs
from auto_deeplab.cli import commands, gin_flags, resume_flags, run_flags

run_flags.require_run_dir()

FOR_MEMORY = (
  'set `SupernetConfig.recompute = True`, or lower `InputConfig.batch_size` or '
  '`InputConfig.crop_size`'
)


def main() -> None:
  config = gin_flags.load(configs.SearchExperiment)
  gin_flags.warn_without_recipe('search')
  from auto_deeplab.experiments import search

  place = run_flags.place(**resume_flags.consents())
  snapshot = search.run(config, place)
  print(
    f'Wrote {snapshot}. Next:\n  {commands.shown("decode")} '
    f'--run_dir={place.run_dir}'
  )
