# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Makes recipes for your pictures, your machine and your hours.

  auto-deeplab plan DATA --hours=2 --output_dir=runs/mine/plan

DATA is what build_tfrecords wrote. Looks at its pictures and at the machine,
chooses a network, makes some steps with it to see what they take, which lasts
about a minute or two, and writes to --output_dir

  search.gin      where there is time for a search
  genotype.json   the network that is trained without one, or where `run` has to
                  stop it too early
  train.gin       the training
  plan.json       what it was made from, and what each step will take

with the reason of each choice as a comment. --genotype plans the training of
one that is there already, and writes none.
"""

from absl import flags

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import commands

# `plan DATA` is `plan --data_dir=DATA`.
POSITIONAL = 'data_dir'

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder that build_tfrecords wrote.', required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for the recipes.', required=True
)
_HOURS = flags.DEFINE_float(
  'hours', 2.0, 'From now until all is searched, trained and exported.'
)
_GENOTYPE = flags.DEFINE_string(
  'genotype', None, 'Genotype that decode wrote: search no other.'
)


def main() -> None:
  """Plans, writes the recipes, and says what they will take."""
  genotype = None
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
  from auto_deeplab.planning import planner

  made = planner.make(
    _DATA_DIR.value,
    _HOURS.value,
    genotype,
    lambda line: print(f'plan: {line}', flush=True),
  )
  print(planner.summary(made))
  paths = planner.write(made, _OUTPUT_DIR.value, _GENOTYPE.value)
  verb = 'search' if made.plan.search_steps else 'train'
  network = _GENOTYPE.value or f'{_OUTPUT_DIR.value}/{planner.GENOTYPE}'
  given = '' if verb == 'search' else f' --genotype={network}'
  print(
    f'Wrote {", ".join(paths)}. Next:\n  {commands.shown(verb)} '
    f'--gin_file={_OUTPUT_DIR.value}/{verb}.gin{given} '
    f'--data_dir={_DATA_DIR.value} --run_dir=NEW_RUN'
  )
