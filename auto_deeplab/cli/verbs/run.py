# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Makes a network of your pictures, in one command and within your hours.

  auto-deeplab run pictures --output_dir=runs/mine --hours=2

converts the pictures, shows what is in them, plans, searches where the hours
suffice for it, trains, evaluates, exports, and makes a page of all that, each
by the command that it prints and that can be done again alone. Pictures are
laid out as the help of `build_tfrecords` says; flags that are not listed here
are passed on to it. A folder of TFRecords is taken as it is.

Started again, it goes on where it was stopped. --hours count from each start;
a training whose steps do not fit into them gets a shorter schedule, a search or
a training that still does not get ready is stopped, and the best there is by
then is evaluated and exported. After a search that is stopped too early to tell
the network of the plan is trained.
"""

from collections.abc import Sequence
import subprocess

from absl import flags

from auto_deeplab.cli import commands

# `run pictures` is `run --data_dir=pictures`.
POSITIONAL = 'data_dir'
# To build_tfrecords.
PASSES_ON = True

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of the pictures, or of TFRecords.', required=True
)
_OUTPUT_DIR = flags.DEFINE_string(
  'output_dir', None, 'Folder for all results.', required=True
)
_HOURS = flags.DEFINE_float('hours', 2.0, 'From now until all is done.')


def main(convert_flags: Sequence[str]) -> None:
  """Does what is left to be done."""
  _require_known(convert_flags)
  from auto_deeplab.planning import chain as chain_lib
  from auto_deeplab.planning import execution, progress

  chain = chain_lib.Chain(
    _DATA_DIR.value, _OUTPUT_DIR.value, tuple(convert_flags)
  )
  with progress.Progress() as shows:
    score = execution.run(
      chain,
      _HOURS.value,
      commands.arguments,
      shows.tell,
      commands.shown,
      shows.show,
    )
  out = _OUTPUT_DIR.value
  found = '' if score is None else f'mIoU on val is {score:.4f}. '
  print(
    f'{found}The network is {out}/saved_model; {out}/report.html shows '
    f'how it came about. Next:\n  {commands.shown("predict")} '
    f'--model_dir={out}/saved_model --input=PICTURES --output_dir=PREDICTIONS'
  )


def _require_known(words: Sequence[str]) -> None:
  """Refuses at once what the conversion would not know."""
  if not words:
    return
  done = subprocess.run(
    [*commands.arguments('build_tfrecords'), '--help'],
    capture_output=True,
    text=True,
    check=True,
  )
  for word in words:
    name = word.lstrip('-').partition('=')[0]
    shown = (f'  --{name}:', f'  --[no]{name}:')
    if not any(text in done.stdout for text in shown):
      raise ValueError(
        f'--{name} is a flag neither of this nor of build_tfrecords.'
      )
