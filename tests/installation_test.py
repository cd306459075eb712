# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is installed is what requirements.lock says, and no more."""

import importlib.metadata
import os
import pathlib
import re
import subprocess
import sys
import sysconfig

from packaging import requirements, utils
import pytest

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
        f'requirements.lock:{number}: "{line}" is not one exact version.'
      )
    versions[pin['name']] = pin['version']
  return versions


@pytest.fixture(scope='module')
def locked(repository):
  return _locked((repository / 'requirements.lock').read_text())


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
    name: f'{version}, and {locked.get(name, "nothing")} in requirements.lock'
    for name, version in installed.items()
    if locked.get(name) != version
  }
  assert different == {}, 'run `make setup`, or delete .venv and run it'


@pytest.mark.parametrize('extra', ['', 'dev', 'docs', 'gpu', 'serving'])
def test_what_an_extra_names_is_locked(locked, extra):
  for line in importlib.metadata.requires('auto_deeplab') or []:
    requirement = requirements.Requirement(line)
    if requirement.marker and not requirement.marker.evaluate({'extra': extra}):
      continue
    version = locked[utils.canonicalize_name(requirement.name)]
    assert version in requirement.specifier, line


def test_the_cuda_libraries_are_those_that_tensorflow_names(locked):
  named = {
    requirement.name: str(requirement.specifier)
    for requirement in map(
      requirements.Requirement, importlib.metadata.requires('tensorflow') or []
    )
    if requirement.marker and 'and-cuda' in str(requirement.marker)
  }
  assert len(named) == 12
  assert {name: f'=={locked[name]}' for name in named} == named


@pytest.mark.parametrize(
  'line', ['numpy>=1.26', 'numpy', 'numpy==1.*', '-r other.txt', 'Numpy==1.26']
)
def test_a_line_that_locks_nothing_is_refused(line):
  with pytest.raises(
    ValueError, match=r'^requirements.lock:2: ".*" is not one exact version.$'
  ):
    _locked(f'absl-py==1.4.0\n{line}\n')


def test_a_second_version_is_refused():
  with pytest.raises(ValueError, match='lock:2: "pip==2" is not one exact'):
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
def check_python(repository, tmp_path):
  """Runs .ci/check_python on a pretended Python."""

  def run(answer: str, status: int = 0, venv: str = 'none'):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\n{answer}\nexit {status}\n')
    python.chmod(0o755)
    return subprocess.run(
      [repository / '.ci/check_python', python, tmp_path / venv],
      capture_output=True,
      text=True,
      check=False,
    )

  return run


def test_python_3_11_is_taken(check_python):
  done = check_python('echo 3.11')
  assert (done.returncode, done.stderr) == (0, '')


def test_another_python_is_refused(check_python, tmp_path):
  done = check_python('echo 3.13')
  assert done.returncode == 1
  assert (
    'Python 3.11 is needed: TensorFlow 2.15 runs on no later' in done.stderr
  )
  assert f'`{tmp_path}/python` is Python 3.13.' in done.stderr


def test_a_python_that_does_not_start_is_refused(check_python, tmp_path):
  done = check_python('', status=127)
  assert done.returncode == 1
  assert f'`{tmp_path}/python` is not there or does not start.' in done.stderr
  assert 'apt install python3.11 python3.11-venv' in done.stderr


def test_a_python_without_venv_is_refused(check_python):
  done = check_python('case "$2" in *ensurepip*) exit 1;; esac; echo 3.11')
  assert done.returncode == 1
  assert 'cannot make virtual environments' in done.stderr
  assert 'apt install python3.11-venv' in done.stderr


def test_a_venv_of_another_python_is_refused(check_python, tmp_path):
  (tmp_path / 'old/bin').mkdir(parents=True)
  os.symlink(tmp_path / 'python', tmp_path / 'old/bin/python')
  done = check_python('echo 3.9', venv='old')
  assert done.returncode == 1
  assert f'{tmp_path}/old holds Python 3.9, not 3.11: delete it' in done.stderr
