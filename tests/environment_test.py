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
  names = ('TF_USE_LEGACY_KERAS', 'TF_ENABLE_ONEDNN_OPTS')
  own = {k: v for k, v in os.environ.items() if k not in names}
  # A copy: what is set in it would reach the processes of other tests.
  monkeypatch.setattr(os, 'environ', own)
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  return own


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
  message = f'2.15 or 2.20; the version that is installed is {version}.'
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
    r'TF_USE_LEGACY_KERAS=1, and start Python anew\.',
    done.stderr.splitlines()[-1],
  )


@pytest.mark.parametrize('value', ['0', 'false', ''])
def test_a_user_who_asks_for_keras_3_is_refused(monkeypatch, variables, value):
  pretend(monkeypatch, '2.20')
  monkeypatch.setenv('TF_USE_LEGACY_KERAS', value)
  with pytest.raises(
    ImportError, match=f"TF_USE_LEGACY_KERAS .'{value}'., and"
  ):
    environment.prepare()


def test_tensorflow_2_15_keeps_its_own_keras(monkeypatch, variables):
  pretend(monkeypatch, '2.15')
  # As a process of another TensorFlow hands it on.
  monkeypatch.setenv('TF_USE_LEGACY_KERAS', '1')
  monkeypatch.delitem(sys.modules, 'tensorflow')
  environment.prepare()
  assert 'TF_USE_LEGACY_KERAS' not in variables


def test_tensorflow_2_15_with_another_keras_is_refused(monkeypatch, variables):
  pretend(monkeypatch, '2.15')
  monkeypatch.setenv('TF_USE_LEGACY_KERAS', 'true')
  monkeypatch.setitem(sys.modules, 'tensorflow', types.SimpleNamespace())
  for _ in range(2):
    with pytest.raises(ImportError, match='TF_USE_LEGACY_KERAS=true has put'):
      environment.prepare()


@pytest.fixture
def install(tmp_path):
  """Pretends that a build of TensorFlow is installed, and runs a program."""

  def run(distribution: str, program: str):
    (tmp_path / 'tensorflow').mkdir()
    (tmp_path / 'tensorflow/__init__.py').touch()
    name, _, version = distribution.partition('-')
    metadata = tmp_path / f'{distribution}.dist-info'
    metadata.mkdir()
    text = f'Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n'
    (metadata / 'METADATA').write_text(text)
    (metadata / 'top_level.txt').write_text('tensorflow\n')
    path = os.pathsep.join([str(tmp_path), str(import_graph.ROOT)])
    return subprocess.run(
      [sys.executable, '-c', program],
      env=os.environ | {'PYTHONPATH': path},
      capture_output=True,
      text=True,
      check=False,
    )

  return run


@pytest.mark.parametrize(
  ('distribution', 'version'),
  [
    ('tensorflow-2.20.0', '2.20'),
    ('tensorflow_cpu-2.15.1', '2.15'),
    ('tensorflow-2.17.0+nv24.12', '2.17'),
    ('tensorflow_rocm-2.18.1', '2.18'),
    ('tf_nightly-2.22.0.dev20260101', '2.22'),
  ],
)
def test_a_tensorflow_by_any_name_has_its_version(
  install, distribution, version
):
  program = (
    'import runpy; '
    f'found = runpy.run_path({environment.__file__!r}); '
    'print(found["tensorflow_version"]())'
  )
  assert install(distribution, program).stdout == f'{version}\n'


def test_the_command_says_it_in_one_line(install):
  program = (
    'import sys; sys.argv[0] = "/somewhere/auto-deeplab"; '
    'from auto_deeplab.cli import __main__'
  )
  done = install('tensorflow-2.21.0', program)
  assert done.returncode == 1
  assert done.stderr == (
    'auto-deeplab: auto_deeplab needs TensorFlow 2.15 or 2.20; the version '
    'that is installed is 2.21.\n'
  )
