# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is installed is what its lock file says, and no more."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

from packaging import requirements, utils
import pytest

from auto_deeplab import environment

_PIN = re.compile(r'(?P<name>[a-z0-9-]+)==(?P<version>[\w.+!]+)( +#.*)?')


def _locked(text: str) -> dict[str, str]:
  """The versions of a lock file, by canonical name of the package.

  Raises:
    ValueError: If a line is neither comment nor pin, or pins a package twice.
  """
  versions: dict[str, str] = {}
  for number, line in enumerate(text.splitlines(), start=1):
    if not line or line.startswith('#'):
      continue
    pin = _PIN.fullmatch(line)
    if not pin or pin['name'] in versions:
      raise ValueError(
        f'line {number} of the lock, "{line}", is not one exact version.'
      )
    versions[pin['name']] = pin['version']
  return versions


@pytest.fixture(scope='module')
def lock_path(repository):
  """The lock file that make takes for this Python."""
  done = subprocess.run(
    [repository / '.ci/lock_for', sys.executable, 'none'],
    cwd=repository,
    capture_output=True,
    text=True,
    check=True,
  )
  return repository / done.stdout.strip()


@pytest.fixture(scope='module')
def locked(lock_path):
  return _locked(lock_path.read_text())


def test_the_lock_is_that_of_the_tensorflow_that_is_installed(lock_path):
  version = environment.tensorflow_version()
  assert lock_path.name == f'tensorflow-{version}.txt'


def test_each_lock_pins_each_package_once(repository):
  for path in (repository / 'locks').glob('*.txt'):
    assert len(_locked(path.read_text())) > 100


def test_what_is_installed_is_locked(locked):
  # Not sys.path, to which setuptools adds its vendored packages.
  site_packages = sysconfig.get_path('purelib')
  installed = {
    utils.canonicalize_name(d.name): d.version
    for d in importlib.metadata.distributions(path=[site_packages])
    if d.name != 'auto_deeplab'
  }
  assert 'tensorflow' in installed
  different = {
    name: f'{version}, and {locked.get(name, "nothing")} in the lock file'
    for name, version in installed.items()
    if locked.get(name) != version
  }
  assert different == {}, 'run `make setup`, or delete .venv and run it'


# Not int8, which the newest NumPy keeps out.
@pytest.mark.parametrize(
  'extra', ['', 'dev', 'docs', 'geo', 'gpu', 'onnx', 'openvino', 'serving']
)
def test_what_an_extra_names_is_locked(locked, extra):
  for line in importlib.metadata.requires('auto_deeplab') or []:
    requirement = requirements.Requirement(line)
    if requirement.marker and not requirement.marker.evaluate({'extra': extra}):
      continue
    version = locked[utils.canonicalize_name(requirement.name)]
    assert version in requirement.specifier, line


def test_the_cuda_libraries_are_those_that_tensorflow_names(locked):
  named = {
    requirement.name: requirement.specifier
    for requirement in map(
      requirements.Requirement, importlib.metadata.requires('tensorflow') or []
    )
    if requirement.marker and 'and-cuda' in str(requirement.marker)
  }
  assert len(named) == 12
  # TensorFlow 2.15 names one version of each, 2.20 a range.
  others = {
    name: locked[name] for name in named if locked[name] not in named[name]
  }
  assert others == {}


@pytest.mark.parametrize(
  'line', ['numpy>=1.26', 'numpy', 'numpy==1.*', '-r other.txt', 'Numpy==1.26']
)
def test_a_line_that_locks_nothing_is_refused(line):
  with pytest.raises(
    ValueError, match=r'^line 2 of the lock, ".*", is not one exact version\.$'
  ):
    _locked(f'absl-py==1.4.0\n{line}\n')


def test_a_second_version_is_refused():
  with pytest.raises(ValueError, match='line 2 of the lock, "pip==2", is'):
    _locked('pip==1\npip==2\n')


def test_the_package_installed_is_this_checkout(repository, tmp_path):
  done = subprocess.run(
    [sys.executable, '-c', 'import auto_deeplab; print(auto_deeplab.__file__)'],
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=True,
  )
  package = pathlib.Path(done.stdout.strip()).parent
  assert package == repository / 'auto_deeplab', 'run `make setup`'


@pytest.fixture
def lock_for(repository, tmp_path):
  """Runs .ci/lock_for on a pretended Python."""

  def run(answer: str, status: int = 0, venv: str = 'none'):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n{answer}\nexit {status}\n')
    python.chmod(0o755)
    return subprocess.run(
      [repository / '.ci/lock_for', python, tmp_path / venv],
      capture_output=True,
      text=True,
      check=False,
    )

  return run


@pytest.mark.parametrize(
  ('version', 'tensorflow'),
  [('3.11', '2.15'), ('3.12', '2.20'), ('3.13', '2.20')],
)
def test_each_python_has_its_lock(lock_for, repository, version, tensorflow):
  done = lock_for(f'echo {version}')
  path = f'locks/tensorflow-{tensorflow}.txt'
  assert (done.returncode, done.stdout, done.stderr) == (0, f'{path}\n', '')
  assert (repository / path).exists()


@pytest.mark.parametrize('version', ['3.10', '3.14'])
def test_another_python_is_refused(lock_for, tmp_path, version):
  done = lock_for(f'echo {version}')
  assert (done.returncode, done.stdout) == (1, '')
  assert 'Python 3.11, 3.12 or 3.13 is needed, on which' in done.stderr
  assert f'`{tmp_path}/python` is Python {version}.' in done.stderr


def test_a_python_that_does_not_start_is_refused(lock_for, tmp_path):
  done = lock_for('', status=127)
  assert done.returncode == 1
  assert f'`{tmp_path}/python` is not there or does\nnot start.' in done.stderr
  assert re.search('apt install python3|make PYTHON=', done.stderr)


def test_a_python_without_venv_is_refused(lock_for):
  done = lock_for('case "$2" in *ensurepip*) exit 1;; esac; echo 3.12')
  assert done.returncode == 1
  assert 'cannot make virtual environments' in done.stderr
  assert 'apt install python3.12-venv' in done.stderr


def test_an_environment_keeps_its_python(lock_for, tmp_path):
  (tmp_path / 'old/bin').mkdir(parents=True)
  os.symlink(tmp_path / 'python', tmp_path / 'old/bin/python')
  assert lock_for('echo 3.11', venv='old').stdout.endswith('2.15.txt\n')
  done = lock_for('echo 3.9', venv='old')
  assert done.returncode == 1
  assert f'{tmp_path}/old holds Python 3.9, not 3.11, 3.12 or' in done.stderr


def test_an_environment_whose_python_has_gone_is_refused(lock_for, tmp_path):
  (tmp_path / 'old/bin').mkdir(parents=True)
  os.symlink(tmp_path / 'gone', tmp_path / 'old/bin/python')
  done = lock_for('echo 3.12', venv='old')
  assert done.returncode == 1
  assert f'{tmp_path}/old holds Python that does not start, not' in done.stderr
  assert f'delete it with `rm -rf {tmp_path}/old`' in done.stderr


def test_another_python_than_that_of_the_environment_is_refused(
  lock_for, tmp_path
):
  os.makedirs(tmp_path / 'old/bin')
  os.symlink(sys.executable, tmp_path / 'old/bin/python')
  done = lock_for('echo 3.10', venv='old')
  assert (done.returncode, done.stdout) == (1, '')
  version = sysconfig.get_python_version()
  assert f'{tmp_path}/old holds Python {version}, and' in done.stderr
  assert 'is 3.10:\nname another folder, VENV=.venv-3.10, or' in done.stderr


def test_an_environment_alone_decides(repository, tmp_path, lock_path):
  os.makedirs(tmp_path / 'bin')
  os.symlink(sys.executable, tmp_path / 'bin/python')
  done = subprocess.run(
    [repository / '.ci/lock_for', '', tmp_path],
    capture_output=True,
    text=True,
    check=True,
  )
  assert repository / done.stdout.strip() == lock_path


@pytest.fixture
def find_python(repository, tmp_path):
  """Runs .ci/find_python among Pythons that start with these statuses."""

  def run(asked: list[str], folder='a', **statuses: int) -> str:
    for name, status in statuses.items():
      path = tmp_path / folder / name.replace('_', '.')
      path.parent.mkdir(exist_ok=True)
      path.write_text(f'#!/bin/bash\nexit {status}\n')
      path.chmod(0o755)
    for name in ('env', 'bash'):
      if not (tmp_path / name).exists():
        (tmp_path / name).symlink_to(f'/usr/bin/{name}')
    done = subprocess.run(
      [repository / '.ci/find_python', *asked],
      env={
        'PATH': f'{tmp_path}:{tmp_path}/a:{tmp_path}/b:{tmp_path}/with space'
      },
      capture_output=True,
      text=True,
      check=False,
    )
    assert done.returncode == (0 if done.stdout else 1)
    return done.stdout.strip().removeprefix(f'{tmp_path}/')

  return run


def test_the_newest_python_is_found(find_python):
  assert find_python([]) == ''
  assert find_python([], python3_11=0, python3_10=0) == 'a/python3.11'
  assert find_python([], python3_12=0, python3_14=0) == 'a/python3.12'
  assert find_python([], python3_13=0) == 'a/python3.13'
  assert find_python(['3.12']) == 'a/python3.12'
  assert find_python(['3.9']) == ''


def test_a_name_without_a_python_is_passed_over(find_python):
  assert find_python([], python3_13=127, python3_12=0) == 'a/python3.12'
  assert find_python([], folder='b', python3_13=0) == 'b/python3.13'


def test_a_folder_of_the_path_may_have_a_space(find_python):
  assert find_python([], folder='with space', python3_13=0) == (
    'with space/python3.13'
  )
