# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What has to be so before TensorFlow is imported.

Two pairs of Python and TensorFlow are supported: Python 3.11 with TensorFlow
2.15, and 3.12 or 3.13 with TensorFlow 2.20, whose `tf.keras` is to be that of
the package tf-keras and not Keras 3. TensorFlow reads that, once, from the
environment.
"""

import importlib.util
import os
import re
import sys
from types import ModuleType

_VERSIONS = ('2.15', '2.20')

# What the distributions that bring the module `tensorflow` leave beside it.
_METADATA = re.compile(r'tensorflow(?:_cpu|_macos)?-(\d+\.\d+)\S*\.dist-info')

_LEGACY_KERAS = 'TF_USE_LEGACY_KERAS'
_TRUE = ('1', 'true', 'True')  # As TensorFlow reads it.


def tensorflow_version() -> str | None:
  """Returns the version of TensorFlow as '2.15', None if there is none.

  By the names of files: it takes a second to import TensorFlow, and a tenth to
  import what knows of installed packages.
  """
  spec = importlib.util.find_spec('tensorflow')
  if spec is None or spec.origin is None:  # A folder of that name is none.
    return None
  for folder in spec.submodule_search_locations or ():
    for name in os.listdir(os.path.dirname(folder)):
      if found := _METADATA.fullmatch(name):
        return found[1]
  return _version_by_metadata()


def _version_by_metadata() -> str:
  """Returns that of a build by another name, such as tf-nightly."""
  from importlib import metadata

  for name in metadata.packages_distributions().get('tensorflow', ()):
    return '.'.join(metadata.version(name).split('.')[:2])
  return 'unknown'


def prepare() -> None:
  """Sets what TensorFlow reads when it is imported.

  Raises:
    ImportError: the TensorFlow that is here cannot be used, or its Keras is
      one that cannot.
  """
  # oneDNN is on by itself only where the CPU has AVX-512 VNNI or the like.
  # Without it the convolutions take several times as long on all others.
  os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
  version = tensorflow_version()
  if version is None:  # `auto_deeplab.architecture` needs none.
    return
  if version not in _VERSIONS:
    raise ImportError(
      f'auto_deeplab needs TensorFlow {" or ".join(_VERSIONS)}; the version '
      f'that is installed is {version}.'
    )
  tensorflow = sys.modules.get('tensorflow')
  if version == '2.15':
    _keep_own_keras(tensorflow)
  else:
    _take_legacy_keras(tensorflow)


def _keep_own_keras(tensorflow: ModuleType | None) -> None:
  """Has TensorFlow 2.15 take its own Keras, and not tf-keras 2.15."""
  asked = os.environ.get(_LEGACY_KERAS)
  if asked in _TRUE and tensorflow is not None:
    raise ImportError(
      f'auto_deeplab needs the own Keras of TensorFlow 2.15, and '
      f'{_LEGACY_KERAS}={asked} has put another in its place: unset it, and '
      'start Python anew.'
    )
  os.environ.pop(_LEGACY_KERAS, None)


def _take_legacy_keras(tensorflow: ModuleType | None) -> None:
  """Has a later TensorFlow take tf-keras, and not Keras 3."""
  asked = os.environ.setdefault(_LEGACY_KERAS, '1')
  if asked not in _TRUE:
    raise ImportError(
      f'auto_deeplab needs the Keras of tf-keras: unset {_LEGACY_KERAS} '
      f'({asked!r}), and start Python anew.'
    )
  keras = getattr(tensorflow, 'keras', None)
  taken = getattr(keras, '__version__', '')
  if taken.startswith('3.'):
    raise ImportError(
      f'auto_deeplab needs the Keras of tf-keras, and Keras {taken} is in its '
      'place: import auto_deeplab before tensorflow, or set '
      f'{_LEGACY_KERAS}=1, and start Python anew.'
    )
