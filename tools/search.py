# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Searches a cell and a backbone by gradient descent.

  python tools/search.py --gin_file=gin_configs/demo_search.gin \
    --data_dir=DATA --run_dir=runs/search

Half of the train split trains the weights of the supernet, the other half its
architecture variables, alpha and beta. The val split is not touched. RUN_DIR
receives the configuration, checkpoints, metrics and snapshots of alpha and
beta, which decode.py turns into a genotype at any time, also while the search
is running. The same command again goes on from the newest checkpoint. SIGTERM
has it save one at the end of its step and exit with status 75; so does Ctrl-C,
with status 130.
"""

import cli
import gin_flags
import resume_flags
import run_flags

from auto_deeplab import configs
from auto_deeplab.experiments import search
from auto_deeplab.runs import preemption


def main() -> None:
  config = gin_flags.load(configs.SearchExperiment)
  gin_flags.warn_without_recipe('search')
  place = run_flags.place(**resume_flags.consents())
  snapshot = search.run(config, place)
  print(
    f'Wrote {snapshot}. Next:\n  python tools/decode.py '
    f'--run_dir={place.run_dir}'
  )


if __name__ == '__main__':
  cli.run(
    main,
    {preemption.Preempted: preemption.EXIT_STATUS},
    for_memory='set `SupernetConfig.recompute = True`, or lower '
    '`InputConfig.batch_size` or `InputConfig.crop_size`',
  )
