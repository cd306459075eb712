# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Which file of this repository imports what, read from the source alone.

`dependency_test.py` holds the rooms of the package to it, and `build_file.py`
writes the file BUILD from it. A file is named by its path below the root of the
repository, with slashes: `auto_deeplab/architecture/lattice.py`.
"""

import ast
from collections.abc import Iterator, Set
import dataclasses
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDERS = ('auto_deeplab', 'benchmarks', 'tests', 'tools')

# May be copied to where the package is not, and so imports itself relatively.
STANDALONE = 'auto_deeplab/serving/client/'


@dataclasses.dataclass(frozen=True, order=True)
class Import:
  """One imported name.

  Attributes:
    line: Where it stands in the importing file.
    name: Its full dotted name: `from a.b import c` imports `a.b.c`.
    is_relative: Whether it was written as `from . import c`.
  """

  line: int
  name: str
  is_relative: bool = False

  @property
  def top(self) -> str:
    """The top-level package or module: `a` of `a.b.c`."""
    return self.name.partition('.')[0]


def python_files(root: pathlib.Path = ROOT) -> tuple[str, ...]:
  """The Python files of the repository at `root`, sorted."""
  return tuple(
    sorted(
      path.relative_to(root).as_posix()
      for folder in FOLDERS
      for path in (root / folder).rglob('*.py')
    )
  )


def imports(file: str, root: pathlib.Path = ROOT) -> tuple[Import, ...]:
  """What `file` imports, at the top or within functions, in order of lines.

  Not what it imports `if TYPE_CHECKING`, which is no more than a name.

  Args:
    file: One of `python_files(root)`.
    root: Folder of the repository.

  Raises:
    ValueError: If it imports relatively: a full name says where a thing lives.
      Of `STANDALONE` it is taken for that full name.
    SyntaxError: If it is not Python.
  """
  tree = ast.parse((root / file).read_text(encoding='utf-8'), filename=file)
  return tuple(sorted(_imports(tree, file)))


def _imports(tree: ast.AST, file: str) -> Iterator[Import]:
  for node in _run(tree):
    if isinstance(node, ast.Import):
      for alias in node.names:
        yield Import(node.lineno, alias.name)
    elif isinstance(node, ast.ImportFrom):
      module = node.module
      if node.level:
        module = _full_name(node, file)
      for alias in node.names:
        yield Import(node.lineno, f'{module}.{alias.name}', bool(node.level))


def _full_name(node: ast.ImportFrom, file: str) -> str:
  folder = file.rpartition('/')[0]
  if node.level > 1 or not file.startswith(STANDALONE):
    raise ValueError(
      f'{file}:{node.lineno} imports relatively; write the full name.'
    )
  return '.'.join([*folder.split('/'), *([node.module] if node.module else [])])


def _run(node: ast.AST) -> Iterator[ast.AST]:
  """All nodes but those that are for type checkers, and never run."""
  yield node
  if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING':
    return
  for child in ast.iter_child_nodes(node):
    yield from _run(child)


def resolve(imported: Import, files: Set[str]) -> str | None:
  """The file of this repository that an import loads, if it is one of `files`.

  Args:
    imported: What a file imports.
    files: All files of the repository.
  """
  parts = imported.name.split('.')
  # `a.b.c` is a module, or a name within the module or package `a.b`.
  for length in range(len(parts), 0, -1):
    stem = '/'.join(parts[:length])
    for candidate in (f'{stem}.py', f'{stem}/__init__.py'):
      if candidate in files:
        return candidate
  return None


def dependencies(
  file: str, files: Set[str], root: pathlib.Path = ROOT
) -> frozenset[str]:
  """The files of this repository that `file` imports directly."""
  loaded = {resolve(i, files) for i in imports(file, root)}
  return frozenset(loaded - {None, file})  # type: ignore[arg-type]
