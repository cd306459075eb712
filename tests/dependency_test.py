# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data flows one way: a room imports only from the rooms to its left."""

from collections.abc import Iterator
import graphlib
import pathlib
import subprocess
import sys

import pytest

from tests import import_graph

ROOMS = (
  'architecture',
  'reporting',
  'configs',
  'data',
  'data/sources',
  'data/records',
  'data/input',
  'model/ops',
  'model/primitives',
  'model/search',
  'model',
  'training',
  'runs',
  'evaluation',
  'experiments',
  'interop',
  'serving/client',
  'serving/engines',
  'serving',
  'serving/server',
  'studies',
  'planning',
  'page',
  'cli',
  'cli/verbs',
  'tools',
)

# Folders that are part of a room, and no room of their own.
WITHIN_A_ROOM = {'model/primitives'}

# Closed although they would point left.
CLOSED = {
  'data': {'architecture'},  # A data set is the same for every network.
  'model': {'data'},  # A network takes tensors, wherever they come from.
  # What is served is a network with its classes, no run and no optimizer.
  'serving': {'training', 'runs', 'evaluation', 'experiments', 'interop'},
  'cli': {'model'},  # A verb is one call to a room that builds the model.
  # A tool is a verb of the command, started from a clone.
  'tools': {*ROOMS} - {'cli', 'tools'},
}

# The packages of others that a room or file may import, where that is limited.
THIRD_PARTIES = {
  'auto_deeplab/configs/': {'gin'},
  'auto_deeplab/architecture/': {'numpy'},
  # Besides the first two, what runs or reaches a model, or reads special files.
  import_graph.STANDALONE: {
    *('PIL', 'numpy', 'rasterio', 'tensorflow'),
    *('google', 'grpc'),
  },
}

# For users: it holds nothing that a room could want.
FRONT_DOOR = 'auto_deeplab/api.py'

# Only this file imports gin: layers and models receive plain values.
GIN_OWNER = 'auto_deeplab/configs/recipes.py'

# Only the command line knows flags: all else receives plain values.
FLAGS = {'absl.app', 'absl.flags'}
FLAGS_OWNER = 'auto_deeplab/cli/'

# Its development has ended; one file stands between it and the rest.
AT_MOST_ONE_IMPORTER = 'tensorflow_addons'


def _room(file: str) -> str | None:
  """The room of a file; None for tests, and for `auto_deeplab/__init__.py`."""
  path = pathlib.PurePosixPath(file.removeprefix('auto_deeplab/'))
  rooms = (parent.as_posix() for parent in path.parents)
  return next((room for room in rooms if room in ROOMS), None)


def _floor(room: str) -> str:
  """The room that a room lies in: 'data' of 'data/sources'."""
  return room.partition('/')[0]


def _violations(root: pathlib.Path) -> list[str]:
  """One line for each import below `root` that breaks a rule of this file."""
  files = import_graph.python_files(root)
  messages = []
  for file in files:
    if file.startswith(('tests/', 'benchmarks/')):
      continue
    for imported in import_graph.imports(file, root):
      where = f'{file}:{imported.line} imports {imported.name}: '
      target = import_graph.resolve(imported, frozenset(files))
      if target:
        messages += [where + why for why in _own_rules(file, imported, target)]
      else:
        messages += [where + why for why in _others_rules(file, imported)]
  return messages + _addons_importers(root)


def _own_rules(
  file: str, imported: import_graph.Import, target: str
) -> Iterator[str]:
  """Rules on what `file` imports of this repository."""
  room, target_room = _room(file), _room(target)
  if file.startswith(import_graph.STANDALONE) and not imported.is_relative:
    yield 'it imports nothing of the package but `from . import`.'
  if target.startswith(('tests/', 'benchmarks/')):
    yield 'the package does not know what tests it.'
  if target == FRONT_DOOR:
    yield 'it is for users, and no room knows it.'
  if not room or not target_room or room == target_room:
    return
  if ROOMS.index(target_room) > ROOMS.index(room):
    yield f'{target_room} lies to the right of {room}.'
  elif _floor(target_room) in CLOSED.get(_floor(room), ()):
    yield f'{_floor(room)} does not know {_floor(target_room)}.'


def _others_rules(file: str, imported: import_graph.Import) -> Iterator[str]:
  """Rules on what `file` imports of others."""
  package = imported.top
  if package in import_graph.FOLDERS:
    yield 'there is no such file.'
    return
  if package in sys.stdlib_module_names:
    return
  if package == 'gin' and file != GIN_OWNER:
    yield f'only {GIN_OWNER} imports gin.'
  if imported.name in FLAGS and not file.startswith(FLAGS_OWNER):
    yield f'only {FLAGS_OWNER} reads flags.'
  for place, allowed in THIRD_PARTIES.items():
    if file.startswith(place) and package not in allowed:
      names = ', '.join(sorted(allowed))
      yield f'beside the standard library, {place} may import {names} only.'


def _addons_importers(root: pathlib.Path) -> list[str]:
  importers = [
    file
    for file in import_graph.python_files(root)
    if file.startswith('auto_deeplab/')
    and any(
      i.top == AT_MOST_ONE_IMPORTER for i in import_graph.imports(file, root)
    )
  ]
  if len(importers) <= 1:
    return []
  return [
    f'{", ".join(importers)} import {AT_MOST_ONE_IMPORTER}: one file may.'
  ]


def test_every_import_points_left():
  assert _violations(import_graph.ROOT) == []


def test_every_room_of_the_package_stands_in_the_order():
  package = import_graph.ROOT / 'auto_deeplab'
  folders = {
    path.parent.relative_to(package).as_posix()
    for path in package.rglob('*/__init__.py')
    if not path.parent.is_symlink()  # The recipes are no room.
  }
  assert folders == (set(ROOMS) | WITHIN_A_ROOM) - {'tools'}


def test_no_file_imports_itself_by_way_of_others():
  files = import_graph.python_files()
  graph = {
    file: import_graph.dependencies(file, frozenset(files)) for file in files
  }
  # Raises CycleError, which names the files of a cycle.
  assert set(graphlib.TopologicalSorter(graph).static_order()) == set(files)


def test_architecture_loads_no_tensorflow():
  modules = sorted(
    file.removesuffix('.py').replace('/', '.')
    for file in import_graph.python_files()
    if file.startswith('auto_deeplab/architecture/')
  )
  program = f"""
import importlib, sys
for name in {modules}:
  importlib.import_module(name)
heavy = {{'absl', 'gin', 'keras', 'official', 'orbit', 'tensorflow'}}
print(*sorted(heavy & set(sys.modules)))
"""
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=import_graph.ROOT,
    check=True,
    capture_output=True,
    text=True,
  )
  assert done.stdout.split() == []


@pytest.mark.parametrize(
  ('file', 'source', 'message'),
  [
    (
      'auto_deeplab/architecture/a.py',
      'from auto_deeplab.model import m',
      'auto_deeplab/architecture/a.py:1 imports auto_deeplab.model.m: '
      'model lies to the right of architecture.',
    ),
    (
      'auto_deeplab/data/d.py',
      'def f():\n  from auto_deeplab import architecture',
      'auto_deeplab/data/d.py:2 imports auto_deeplab.architecture: '
      'data does not know architecture.',
    ),
    (
      'auto_deeplab/model/m.py',
      'import auto_deeplab.data.d',
      'auto_deeplab/model/m.py:1 imports auto_deeplab.data.d: '
      'model does not know data.',
    ),
    (
      'auto_deeplab/reporting/r.py',
      'from auto_deeplab.model.m import NAME',
      'auto_deeplab/reporting/r.py:1 imports auto_deeplab.model.m.NAME: '
      'model lies to the right of reporting.',
    ),
    (
      'auto_deeplab/cli/verbs/v.py',
      'def main():\n  from auto_deeplab.model import m',
      'auto_deeplab/cli/verbs/v.py:2 imports auto_deeplab.model.m: '
      'cli does not know model.',
    ),
    (
      'tools/t.py',
      'from auto_deeplab.data import d',
      'tools/t.py:1 imports auto_deeplab.data.d: tools does not know data.',
    ),
    (
      'auto_deeplab/data/d.py',
      'from absl import flags',
      'auto_deeplab/data/d.py:1 imports absl.flags: '
      'only auto_deeplab/cli/ reads flags.',
    ),
    (
      'auto_deeplab/serving/client/c.py',
      'from auto_deeplab.serving.client import d',
      'auto_deeplab/serving/client/c.py:1 imports '
      'auto_deeplab.serving.client.d: '
      'it imports nothing of the package but `from . import`.',
    ),
    (
      'auto_deeplab/serving/client/c.py',
      'import absl',
      'auto_deeplab/serving/client/c.py:1 imports absl: beside the standard '
      'library, auto_deeplab/serving/client/ may import PIL, google, '
      'grpc, numpy, rasterio, tensorflow only.',
    ),
    (
      'auto_deeplab/model/m.py',
      'from auto_deeplab import api',
      'auto_deeplab/model/m.py:1 imports auto_deeplab.api: '
      'it is for users, and no room knows it.',
    ),
    (
      'auto_deeplab/architecture/a.py',
      'import tensorflow as tf',
      'auto_deeplab/architecture/a.py:1 imports tensorflow: beside the '
      'standard library, auto_deeplab/architecture/ may import numpy only.',
    ),
    (
      'auto_deeplab/model/m.py',
      'import gin',
      'auto_deeplab/model/m.py:1 imports gin: '
      'only auto_deeplab/configs/recipes.py imports gin.',
    ),
    (
      'auto_deeplab/data/d.py',
      'from tests import conftest',
      'auto_deeplab/data/d.py:1 imports tests.conftest: '
      'the package does not know what tests it.',
    ),
    (
      'tools/t.py',
      'from benchmarks import speed',
      'tools/t.py:1 imports benchmarks.speed: there is no such file.',
    ),
    (
      'auto_deeplab/model/m.py',
      'import tensorflow_addons',
      'auto_deeplab/data/d.py, auto_deeplab/model/m.py import '
      'tensorflow_addons: one file may.',
    ),
  ],
)
def test_a_wrong_import_is_named(tmp_path, file, source, message):
  lawful = {
    'auto_deeplab/__init__.py': (
      'if TYPE_CHECKING:\n  from auto_deeplab.api import f'
    ),
    'auto_deeplab/api.py': 'from auto_deeplab.model import m',
    'auto_deeplab/configs/recipes.py': 'import gin',
    'auto_deeplab/architecture/__init__.py': '',
    'auto_deeplab/architecture/a.py': 'import os\nimport numpy as np',
    'auto_deeplab/data/d.py': 'import tensorflow_addons',
    'auto_deeplab/model/m.py': 'from auto_deeplab.architecture import a',
    'auto_deeplab/serving/client/c.py': (
      'import tensorflow as tf\nfrom . import d'
    ),
    'auto_deeplab/serving/client/d.py': '',
    'tests/conftest.py': 'from auto_deeplab.model import m',
    'auto_deeplab/cli/verbs/v.py': (
      'from absl import flags\nfrom auto_deeplab.data import d'
    ),
    'tools/t.py': 'from auto_deeplab.cli.verbs import v',
  }
  for name, text in lawful.items():
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)
  assert _violations(tmp_path) == []

  (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
  (tmp_path / file).write_text(source)

  assert _violations(tmp_path) == [message]


def test_a_relative_import_is_refused(tmp_path):
  (tmp_path / 'tools').mkdir()
  (tmp_path / 'tools/t.py').write_text('import os\nfrom . import train')
  with pytest.raises(ValueError, match=r'^tools/t.py:2 imports relatively; '):
    _violations(tmp_path)
