# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Auto-DeepLab: search for, train and serve semantic segmentation networks.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic
Image Segmentation", CVPR 2019, https://arxiv.org/abs/1901.02985.

From Python (docs/api.md):

    import auto_deeplab as adl

    adl.segmenter   a published network, or that of a genotype, to train
    adl.supernet    the network that is searched
    adl.decode      the genotype that a search has found
    adl.load        the trained network of a run folder
    adl.run         from a folder of pictures to a trained network
    adl.Genotype    what a search finds: one cell and one backbone

Each is imported when it is first asked for, and TensorFlow with it; `Genotype`,
and all of `auto_deeplab.architecture`, work without TensorFlow.

docs/design.md names the rooms of the package.
"""

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from auto_deeplab import environment

# For type checkers: what `__getattr__` finds.
if TYPE_CHECKING:
  from auto_deeplab.api import decode, load, run, segmenter, supernet
  from auto_deeplab.architecture.genotype import Genotype

try:
  environment.prepare()
except ImportError as e:
  # The command cannot catch what the first of its imports raises.
  if os.path.basename(sys.argv[0]) == 'auto-deeplab':
    sys.exit(f'auto-deeplab: {e}')
  raise

__version__ = '0.1.0'

__all__ = ['Genotype', 'decode', 'load', 'run', 'segmenter', 'supernet']

_HOMES = {
  'Genotype': 'auto_deeplab.architecture.genotype',
  **dict.fromkeys(
    ('decode', 'load', 'run', 'segmenter', 'supernet'), 'auto_deeplab.api'
  ),
}


def __getattr__(name: str) -> Any:
  """Imports what is asked for; see PEP 562."""
  if name not in _HOMES:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
