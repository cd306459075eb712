# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Writes the files BUILD from the imports: `make build-file`.

A folder of Python files is a package, and each file a target of it, named by
the file without `.py`:

    bazel query 'deps(//auto_deeplab/model:supernet)'
    bazel query 'rdeps(//..., //auto_deeplab/architecture:lattice)'
    PATH=$PWD/.venv/bin:$PATH bazel test //tests/architecture:lattice_test

Its deps are what it imports of this repository, the `__init__.py` of its own
folder, and, for a test, the `conftest.py` of its folder and of those above. The
BUILD at the root is of the whole: `//:auto_deeplab` and `//:tests`.
"""

import ast
from collections.abc import Set
import dataclasses
import pathlib

from tests import import_graph

_HEADER = '''\
# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""{title}.

Written by `make build-file` from the imports.
"""

package(default_visibility = ["//visibility:public"])
'''

_ROOT = """
licenses(["notice"])

exports_files(["LICENSE"])

filegroup(
    name = "test_data",
    srcs = ["pyproject.toml"] + glob(["gin_configs/*.gin"]),
)
"""

# What a file may read that has its name.
_DATA = ('.css', '.html', '.js', '.json')

# `bazel test` runs a file, and a test of pytest is none: this one runs it.
_RUNNER = 'tests/run_pytest.py'


@dataclasses.dataclass(frozen=True)
class Target:
  """A rule of a file BUILD.

  Attributes:
    rule: `py_library`, `py_binary` or `py_test`.
    file: Path of its Python file.
    deps: Labels of what it imports, sorted.
    data: What it reads: files of its own name, `NAME.json`, or `NAME.html`
      with its style and script.
  """

  rule: str
  file: str
  deps: tuple[str, ...]
  data: tuple[str, ...] = ()

  def __str__(self) -> str:
    own = pathlib.PurePosixPath(self.file).name
    attributes = {'name': f'"{_name(self.file)}"', 'srcs': _starlark((own,))}
    if self.rule == 'py_test':
      runner = f'"//{_folder(_RUNNER)}:{pathlib.PurePosixPath(_RUNNER).name}"'
      attributes['srcs'] = f'["{own}", {runner}]'
      attributes['args'] = _starlark((self.file,))
      attributes['data'] = '["//:test_data"]'
      attributes['main'] = runner
    if self.data:
      attributes['data'] = _starlark(self.data)
    if self.deps:
      attributes['deps'] = _starlark(self.deps)
    lines = [f'    {key} = {value},' for key, value in attributes.items()]
    return '\n'.join([f'{self.rule}(', *lines, ')\n'])


def _starlark(items: tuple[str, ...]) -> str:
  """A list as buildifier formats it."""
  if len(items) == 1:
    return f'["{items[0]}"]'
  return '\n'.join(['[', *(f'        "{item}",' for item in items), '    ]'])


def _folder(file: str) -> str:
  return pathlib.PurePosixPath(file).parent.as_posix()


def _name(file: str) -> str:
  return pathlib.PurePosixPath(file).stem


def label(file: str, folder: str | None = None) -> str:
  """The label of a file's target, for a package, which may be its own."""
  own = _folder(file)
  return f':{_name(file)}' if own == folder else f'//{own}:{_name(file)}'


def targets(root: pathlib.Path = import_graph.ROOT) -> tuple[Target, ...]:
  """What the files BUILD should hold for the Python files below `root`."""
  files = import_graph.python_files(root)
  return tuple(_target(file, frozenset(files), root) for file in files)


def _target(file: str, files: Set[str], root: pathlib.Path) -> Target:
  needed = import_graph.dependencies(file, files, root) | _implicit(file, files)
  labels = {label(needed_file, _folder(file)) for needed_file in needed}
  data = [(root / file).with_suffix(kind) for kind in _DATA]
  return Target(
    rule=_rule(file, root),
    file=file,
    # Those of its own package first, as buildifier has them.
    deps=tuple(sorted(labels, key=lambda text: (text[0] != ':', text))),
    data=tuple(path.name for path in data if path.is_file()),
  )


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


def render(root: pathlib.Path = import_graph.ROOT) -> dict[str, str]:
  """The texts of the files BUILD, by their paths."""
  folders: dict[str, list[Target]] = {}
  for target in targets(root):
    folders.setdefault(_folder(target.file), []).append(target)
  texts = {
    f'{folder}/BUILD': '\n'.join(
      [
        _HEADER.format(title=f'One target a Python file of {folder}'),
        *(['exports_files(["run_pytest.py"])\n'] if folder == 'tests' else []),
        *map(str, found),
      ]
    )
    for folder, found in folders.items()
  }
  return {'BUILD': _render_root(targets(root)), **texts}


def _render_root(found: tuple[Target, ...]) -> str:
  """The text of the BUILD of the whole."""
  package = tuple(
    label(t.file) for t in found if t.file.startswith('auto_deeplab/')
  )
  tests = tuple(label(t.file) for t in found if t.rule == 'py_test')
  return '\n'.join(
    [
      _HEADER.format(title='The package and its tests as a whole') + _ROOT,
      f'py_library(\n    name = "auto_deeplab",\n'
      f'    deps = {_starlark(package)},\n)\n',
      f'test_suite(\n    name = "tests",\n    tests = {_starlark(tests)},\n)\n',
    ]
  )


def write(root: pathlib.Path = import_graph.ROOT) -> int:
  """Writes all files BUILD, and removes those of folders without Python."""
  texts = render(root)
  for path in build_files(root):
    if path not in texts:
      (root / path).unlink()
  for path, text in texts.items():
    (root / path).write_text(text, encoding='utf-8')
  return len(texts)


def build_files(root: pathlib.Path = import_graph.ROOT) -> tuple[str, ...]:
  """The paths of the files BUILD that there are."""
  found = [root / 'BUILD']
  for folder in import_graph.FOLDERS:
    found += (root / folder).rglob('BUILD')
  return tuple(
    sorted(p.relative_to(root).as_posix() for p in found if p.exists())
  )


if __name__ == '__main__':
  print(f'Wrote {write()} files.')
