# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes the file BUILD from the imports: `make build-file`.

Each Python file is a target of its own, named by its path without `.py`:

    bazel query 'deps(//:auto_deeplab/model/supernet)'
    bazel query 'rdeps(//..., //:auto_deeplab/architecture/lattice)'
    PATH=$PWD/.venv/bin:$PATH bazel test //:tests/architecture/lattice_test

Its deps are what it imports of this repository, the `__init__.py` of its own
folder, and, for a test, the `conftest.py` of its folder and of those above.
"""

import ast
from collections.abc import Set
import dataclasses
import pathlib

from tests import import_graph

_PATH = import_graph.ROOT / 'BUILD'

_HEADER = '''\
# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One target a Python file; written by `make build-file` from the imports."""

package(default_visibility = ["//visibility:public"])

licenses(["notice"])

exports_files(["LICENSE"])

filegroup(
    name = "test_data",
    srcs = ["pyproject.toml"] + glob(["gin_configs/*.gin"]),
)
'''

# `bazel test` runs a file, and a test of pytest is none: this one runs it.
_RUNNER = 'tests/run_pytest.py'


@dataclasses.dataclass(frozen=True)
class Target:
  """A rule of the file BUILD.

  Attributes:
    rule: `py_library`, `py_binary` or `py_test`.
    name: Path of its file without `.py`.
    srcs: Its file; for a test, also the one that starts pytest.
    deps: Labels (`:name`) of what it imports, sorted.
  """

  rule: str
  name: str
  srcs: tuple[str, ...]
  deps: tuple[str, ...]

  def __str__(self) -> str:
    attributes = {'name': f'"{self.name}"', 'srcs': _starlark(self.srcs)}
    if self.rule == 'py_test':
      attributes['args'] = _starlark(self.srcs[:1])
      attributes['data'] = '[":test_data"]'
      attributes['main'] = f'"{_RUNNER}"'
    if self.deps:
      attributes['deps'] = _starlark(self.deps)
    lines = [f'    {key} = {value},' for key, value in attributes.items()]
    return '\n'.join([f'{self.rule}(', *lines, ')\n'])


def _starlark(items: tuple[str, ...]) -> str:
  """A list as buildifier formats it."""
  if len(items) == 1:
    return f'["{items[0]}"]'
  return '\n'.join(['[', *(f'        "{item}",' for item in items), '    ]'])


def targets(root: pathlib.Path = import_graph.ROOT) -> tuple[Target, ...]:
  """What BUILD should hold for the Python files below `root`."""
  files = import_graph.python_files(root)
  return tuple(_target(file, frozenset(files), root) for file in files)


def _target(file: str, files: Set[str], root: pathlib.Path) -> Target:
  needed = import_graph.dependencies(file, files, root) | _implicit(file, files)
  rule = _rule(file, root)
  return Target(
    rule=rule,
    name=_name(file),
    srcs=(file, _RUNNER) if rule == 'py_test' else (file,),
    deps=tuple(sorted(f':{_name(needed_file)}' for needed_file in needed)),
  )


def _name(file: str) -> str:
  return file.removesuffix('.py')


def _rule(file: str, root: pathlib.Path) -> str:
  if file.endswith('_test.py'):
    return 'py_test'
  tree = ast.parse((root / file).read_text(encoding='utf-8'))
  guards = [ast.unparse(n.test) for n in tree.body if isinstance(n, ast.If)]
  return 'py_binary' if "__name__ == '__main__'" in guards else 'py_library'


def _implicit(file: str, files: Set[str]) -> frozenset[str]:
  """What Python, or pytest, loads before `file` without an import of it."""
  folders = [p.as_posix() for p in pathlib.PurePosixPath(file).parents][:-1]
  if file.endswith('/__init__.py'):
    folders = folders[1:]
  implicit = {f'{folder}/__init__.py' for folder in folders[:1]}
  if file.endswith('_test.py'):
    implicit |= {f'{folder}/conftest.py' for folder in folders}
  return frozenset(implicit & files)


def render(root: pathlib.Path = import_graph.ROOT) -> str:
  """The text of the file BUILD."""
  return '\n'.join([_HEADER, *map(str, targets(root))])


if __name__ == '__main__':
  _PATH.write_text(render(), encoding='utf-8')
  print(f'Wrote {_PATH.name}: {len(targets())} targets.')
