# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The files about the project agree with it, and with each other."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import auto_deeplab
from tests import dependency_test

yaml = pytest.importorskip('yaml')

_HEADING = re.compile(r'^## \[(.+)\] - (.+)$', re.MULTILINE)


@pytest.fixture(scope='module')
def citation(repository):
  return yaml.safe_load((repository / 'CITATION.cff').read_text())


def test_the_changelog_begins_with_the_version_of_the_code(repository):
  text = (repository / 'CHANGELOG.md').read_text()
  headings = _HEADING.findall(text)
  assert len(headings) == text.count('\n## ')
  versions, dates = zip(*headings)
  assert versions[0] == auto_deeplab.__version__
  numbers = [tuple(map(int, version.split('.'))) for version in versions]
  assert numbers == sorted(set(numbers), reverse=True)
  # Only what comes next has no date yet.
  dated = dates[dates[0] == 'Unreleased' :]
  assert all(re.fullmatch(r'\d{4}-\d\d-\d\d', date) for date in dated)


def test_the_citation_has_what_cff_1_2_0_requires(citation):
  assert citation['cff-version'] == '1.2.0'
  assert citation['type'] == 'software'
  for work in (citation, citation['preferred-citation']):
    assert {'title', 'authors', 'type'} <= work.keys()
    for author in work['authors']:
      assert (
        'name' in author or {'family-names', 'given-names'} <= author.keys()
      )
  assert citation['message']


def test_the_citation_is_of_the_version_and_licence_of_the_code(
  citation, repository
):
  assert citation['version'] == auto_deeplab.__version__
  metadata = (repository / 'setup.cfg').read_text()
  assert f'license = {citation["license"]}\n' in metadata


def test_citation_and_readme_cite_the_same_paper(citation, repository):
  readme = (repository / 'README.md').read_text()
  bibtex = readme.partition('```bibtex\n')[2].partition('```')[0]
  bibtex = re.sub(r'\s+', ' ', re.sub(r'[{}]', '', bibtex))
  paper = citation['preferred-citation']
  names = [f'{a["family-names"]}, {a["given-names"]}' for a in paper['authors']]
  assert f'title = {paper["title"]},' in bibtex
  assert f'author = {" and ".join(names)},' in bibtex
  assert f'booktitle = {paper["conference"]["name"]},' in bibtex
  assert f'pages = {paper["start"]}--{paper["end"]},' in bibtex
  assert f'year = {paper["year"]} ' in bibtex


def test_pre_commit_runs_what_make_lint_runs(repository):
  makefile = (repository / 'Makefile').read_text()
  recipe = makefile.partition('\nlint:')[2].partition('\n\n')[0]
  commands = re.findall(r'^\t(.+)$', recipe, re.MULTILINE)
  config = yaml.safe_load((repository / '.pre-commit-config.yaml').read_text())
  hooks = [hook for repo in config['repos'] for hook in repo['hooks']]
  assert len(hooks) == 3
  entries = [hook['entry'] for hook in hooks]
  assert entries == [c.replace('$(RUN)', '.venv/bin/python') for c in commands]
  # As there, of the whole repository and by what .venv holds.
  for hook in hooks:
    assert (hook['language'], hook['pass_filenames']) == ('system', False)


def test_contributors_find_every_room(repository):
  text = (repository / 'CONTRIBUTING.md').read_text()
  named = re.findall(
    r'^\| `(?:auto_deeplab/)?([\w/]+)/` \|', text, re.MULTILINE
  )
  # In the order in which they may import.
  assert tuple(named) == dependency_test.ROOMS


@pytest.fixture(scope='module')
def build(repository, tmp_path_factory):
  """A folder with a source distribution, and the wheel that is made of it."""
  folder = tmp_path_factory.mktemp('build')
  # In a copy: setuptools leaves its traces in the folder that it builds.
  for name in ('setup.cfg', 'pyproject.toml', 'README.md', 'LICENSE'):
    shutil.copy(repository / name, folder)
  for name in ('auto_deeplab', 'gin_configs', 'tools'):
    shutil.copytree(
      repository / name,
      folder / name,
      symlinks=True,
      ignore=shutil.ignore_patterns('__pycache__'),
    )
  _build('sdist', folder)
  (archive,) = folder.glob('dist/*.tar.gz')
  shutil.unpack_archive(archive, folder, filter='data')
  unpacked = folder / archive.name.removesuffix('.tar.gz')
  _build('wheel', unpacked)
  shutil.copytree(unpacked / 'dist', folder / 'dist', dirs_exist_ok=True)
  return folder / 'dist'


def _build(kind, folder):
  """Builds a `wheel` or an `sdist` into folder/dist."""
  done = subprocess.run(
    [
      sys.executable,
      '-c',
      f'from setuptools import build_meta; build_meta.build_{kind}("dist")',
    ],
    cwd=folder,
    check=True,
    capture_output=True,
    text=True,
  )
  assert 'Warning' not in done.stderr


@pytest.fixture(scope='module')
def package(repository):
  """What is installed: code, pages, recipes, and that there are types."""
  files = {
    path.relative_to(repository).as_posix()
    for pattern in ('*.css', '*.html', '*.js', '*.py')
    for path in repository.glob(f'auto_deeplab/**/{pattern}')
  }
  recipes = {
    f'auto_deeplab/gin_configs/{path.name}'
    for pattern in ('*.gin', '*.py')
    for path in repository.glob(f'gin_configs/{pattern}')
  }
  return files | recipes | {'auto_deeplab/py.typed'}


def test_a_wheel_holds_the_package_its_recipes_and_no_more(build, package):
  (wheel,) = build.glob('*.whl')
  names = set(zipfile.ZipFile(wheel).namelist())
  metadata = {name for name in names if '.dist-info/' in name}
  assert names - metadata == package


def test_a_source_distribution_holds_what_makes_the_wheel(build, package):
  (archive,) = build.glob('*.tar.gz')
  with tarfile.open(archive) as opened:
    # No links, which are not to be had on every system.
    files = {m.name.partition('/')[2] for m in opened if m.isfile()}
    assert all(m.isfile() or m.isdir() for m in opened)
  made = {name for name in files if '.egg-info/' in name}
  own = {'LICENSE', 'PKG-INFO', 'README.md', 'pyproject.toml', 'setup.cfg'}
  assert files - made == package | own


def test_a_wheel_brings_the_command(build):
  (wheel,) = build.glob('*.whl')
  opened = zipfile.ZipFile(wheel)
  (name,) = (n for n in opened.namelist() if n.endswith('/entry_points.txt'))
  command = 'auto-deeplab = auto_deeplab.cli.__main__:main'
  assert opened.read(name).decode().split('\n', 1)[1].strip() == command


def test_an_installed_recipe_is_found_with_what_it_includes(build, tmp_path):
  (wheel,) = build.glob('*.whl')
  zipfile.ZipFile(wheel).extractall(tmp_path / 'installed')
  program = """
import auto_deeplab
from auto_deeplab import configs
config = configs.load(configs.TrainExperiment, ['coco_voc_s'])
print(auto_deeplab.__file__)
print(config.schedule.train_steps)
"""
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': str(tmp_path / 'installed')},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.stderr == ''
  assert done.stdout.splitlines() == [
    f'{tmp_path}/installed/auto_deeplab/__init__.py',
    '4000000',
  ]


@pytest.fixture(scope='module')
def context(repository):
  """What the Dockerfile can copy: the names that .dockerignore lets in."""
  lines = (repository / '.dockerignore').read_text().splitlines()
  rules = [line for line in lines if not line.startswith('#')]
  assert rules[0] == '*'
  return {rule.removeprefix('!') for rule in rules if rule.startswith('!')}


def test_the_container_takes_the_lock_of_its_python(
  repository, context, tmp_path
):
  text = (repository / 'Dockerfile').read_text()
  (version,) = re.findall(
    r'^ARG BASE=python:(3\.\d+)-slim$', text, re.MULTILINE
  )
  (lock,) = re.findall(r'^ARG LOCK=(\S+)', text, re.MULTILINE)
  python = tmp_path / 'python'
  python.write_text(f'#!/bin/sh\necho {version}\n')
  python.chmod(0o755)
  done = subprocess.run(
    [repository / '.ci/lock_for', python, tmp_path / 'none'],
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout.strip() == lock
  assert 'locks' in context


def test_the_container_installs_the_whole_package(
  repository, context, package, tmp_path
):
  for name in context:
    if (repository / name).is_dir():
      # As a builder copies a folder: links stay links.
      shutil.copytree(repository / name, tmp_path / name, symlinks=True)
    else:
      shutil.copy(repository / name, tmp_path)
  _build('wheel', tmp_path)
  (wheel,) = tmp_path.glob('dist/*.whl')
  names = zipfile.ZipFile(wheel).namelist()
  assert {name for name in names if '.dist-info/' not in name} == package


@pytest.mark.parametrize('version', ['2.15', '2.20'])
def test_the_table_of_gpus_is_that_of_the_locks(repository, version):
  page = (repository / 'docs/memory_and_precision.md').read_text()
  (row,) = re.findall(rf'^\|.*\| {version} \| (.*)\|$', page, re.MULTILINE)
  built, locked, _ = (cell.strip() for cell in row.split('|'))
  text = (repository / f'locks/tensorflow-{version}.txt').read_text()
  (cuda,) = re.findall(
    r'^nvidia-cuda-runtime-cu12==(\d+\.\d+)', text, re.MULTILINE
  )
  (cudnn,) = re.findall(r'^nvidia-cudnn-cu12==(\d+\.\d+)', text, re.MULTILINE)
  assert f'CUDA {cuda}, cuDNN {cudnn}' == (
    built if locked == 'those' else locked
  )
