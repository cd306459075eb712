# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""TensorFlow is imported as it has to be, or the import is refused."""

import os
import re
import subprocess
import sys
import types

import pytest
import tensorflow as tf

from auto_deeplab import environment
from tests import import_graph


@pytest.fixture
def variables(monkeypatch):
  """The environment without what this process was started with."""
  monkeypatch.delenv('TF_USE_LEGACY_KERAS', raising=False)
  monkeypatch.delenv('TF_ENABLE_ONEDNN_OPTS', raising=False)
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  return os.environ


def pretend(monkeypatch, version):
  monkeypatch.setattr(environment, 'tensorflow_version', lambda: version)


def test_the_version_is_that_of_tensorflow():
  assert tf.__version__.startswith(f'{environment.tensorflow_version()}.')


def test_the_keras_is_the_one_that_the_package_is_written_for():
  package = tf.keras.Model.__module__.partition('.')[0]
  is_own = tf.__version__.startswith('2.15.')
  assert package == ('keras' if is_own else 'tf_keras')


@pytest.mark.parametrize(
  ('version', 'legacy_keras'), [(None, None), ('2.15', None), ('2.20', '1')]
)
def test_each_tensorflow_has_its_environment(
  monkeypatch, variables, version, legacy_keras
):
  pretend(monkeypatch, version)
  environment.prepare()
  assert variables.get('TF_USE_LEGACY_KERAS') == legacy_keras
  assert variables['TF_ENABLE_ONEDNN_OPTS'] == '1'


@pytest.mark.parametrize('version', ['2.14', '2.16', '2.21', '3.0'])
def test_another_tensorflow_is_refused(monkeypatch, variables, version):
  pretend(monkeypatch, version)
  message = f'needs TensorFlow 2.15 or 2.20; {version} is installed.'
  with pytest.raises(ImportError, match=re.escape(message)):
    environment.prepare()


def test_another_keras_is_refused(monkeypatch, variables):
  pretend(monkeypatch, '2.20')
  keras = types.SimpleNamespace(__version__='3.12.0')
  tensorflow = types.SimpleNamespace(keras=keras)
  monkeypatch.setitem(sys.modules, 'tensorflow', tensorflow)
  with pytest.raises(ImportError, match=r'Keras 3\.12\.0 is in its place'):
    environment.prepare()


def run(program: str) -> subprocess.CompletedProcess:
  """Runs a program as a user does, whose environment says nothing of Keras."""
  return subprocess.run(
    [sys.executable, '-c', program],
    cwd=import_graph.ROOT,
    env={k: v for k, v in os.environ.items() if k != 'TF_USE_LEGACY_KERAS'},
    capture_output=True,
    text=True,
    check=False,
  )


def test_tensorflow_may_be_imported_first_while_its_keras_is_not_used():
  done = run(
    'import tensorflow as tf, auto_deeplab; print(tf.keras.Model.__module__)'
  )
  assert done.stdout == f'{tf.keras.Model.__module__}\n', done.stderr


@pytest.mark.skipif(
  environment.tensorflow_version() == '2.15', reason='It has no other Keras.'
)
def test_keras_3_that_was_used_first_is_refused():
  done = run('import tensorflow as tf; tf.keras.layers; import auto_deeplab')
  assert done.returncode == 1
  assert re.fullmatch(
    r'ImportError: auto_deeplab needs the Keras of tf-keras, and Keras 3\.\S+ '
    'is in its place: import auto_deeplab before tensorflow, or set '
    r'TF_USE_LEGACY_KERAS=1\.',
    done.stderr.splitlines()[-1],
  )
