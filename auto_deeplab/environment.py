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

_VERSIONS = ('2.15', '2.20')

# What the distributions that bring the module `tensorflow` leave beside it.
_METADATA = re.compile(r'tensorflow(?:_cpu|_macos)?-(\d+\.\d+)\S*\.dist-info')

_LEGACY_KERAS = 'TF_USE_LEGACY_KERAS'


def tensorflow_version() -> str | None:
  """Returns the version of TensorFlow as '2.15', None if there is none.

  By the names of files: it takes a second to import TensorFlow, and a tenth to
  import what knows of installed packages.
  """
  spec = importlib.util.find_spec('tensorflow')
  for folder in (spec and spec.submodule_search_locations) or ():
    for name in os.listdir(os.path.dirname(folder)):
      if found := _METADATA.fullmatch(name):
        return found[1]
  return None


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
      f'auto_deeplab needs TensorFlow {" or ".join(_VERSIONS)}; {version} is '
      'installed.'
    )
  if version == '2.15':
    return  # Its own Keras; with this setting it would be another one.
  os.environ.setdefault(_LEGACY_KERAS, '1')
  keras = getattr(sys.modules.get('tensorflow'), 'keras', None)
  taken = getattr(keras, '__version__', '')
  if taken.startswith('3.'):
    raise ImportError(
      f'auto_deeplab needs the Keras of tf-keras, and Keras {taken} is in its '
      'place: import auto_deeplab before tensorflow, or set '
      f'{_LEGACY_KERAS}=1.'
    )
