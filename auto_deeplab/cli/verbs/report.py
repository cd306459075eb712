# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Makes one page of runs: what was searched, trained and found.

  auto-deeplab report runs/demo --output=report.html

RUN is the folder of a search, a training, a study, a plan, a data set or a
genotype, or one that holds such folders, as `run` makes it; there may be
several:

  auto-deeplab report runs/search runs/train runs/random \
    --data_dir=runs/data --output=report.html --figures=figures

The page is one file that fetches nothing and that any browser shows. What is
not there yet, such as the scores of a training that is going on, it says.
--figures writes its drawings as files, too.
"""

from collections.abc import Sequence

from absl import flags

# The words that are no flags are the argument of `main`.
WORDS = 'RUN...'

_OUTPUT = flags.DEFINE_string('output', None, 'HTML file.', required=True)
_FIGURES = flags.DEFINE_string(
  'figures', None, 'Folder for the drawings as SVG and PNG files.'
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder of the TFRecords, to show pictures of.'
)


def main(runs: Sequence[str]) -> None:
  """Writes the page."""
  if not runs:
    raise ValueError('give at least one RUN; see --help.')
  from auto_deeplab.page import document, gather

  gathered = gather.gather(runs, _DATA_DIR.value)
  shown = document.sections(gathered)
  html = document.page(gathered.title, shown)
  document.write(html, _OUTPUT.value)
  print(f'Wrote {_OUTPUT.value} ({len(html.encode()) / 1e6:.1f} MB).')
  if _FIGURES.value:
    number = document.write_figures(shown, _FIGURES.value)
    print(f'Wrote {number} figures to {_FIGURES.value}.')
