# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The files BUILD say what the imports say, and bazel can read them."""

import ast
import os
import pathlib
import shutil
import subprocess

import pytest

from tests import build_file, import_graph

_RULES = ('py_binary', 'py_library', 'py_test')


def _parse(texts: dict[str, str]) -> dict[str, build_file.Target]:
  """The Python rules of files BUILD, by their file; BUILD is Python syntax."""
  found = {}
  for path, text in texts.items():
    folder = pathlib.PurePosixPath(path).parent
    for node in ast.walk(ast.parse(text)):
      if isinstance(node, ast.Call) and ast.unparse(node.func) in _RULES:
        values = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
        if 'srcs' in values:
          file = (folder / values['srcs'][0]).as_posix()
          found[file] = build_file.Target(
            rule=ast.unparse(node.func),
            file=file,
            deps=tuple(values.get('deps', ())),
          )
  return found


def _differences(texts: dict[str, str], root: pathlib.Path) -> list[str]:
  """One line for each point in which files BUILD and the imports differ."""
  declared = _parse(texts)
  real = {target.file: target for target in build_file.targets(root)}
  messages = [f'{file} has no target.' for file in real.keys() - declared]
  messages += [f'{file} does not exist.' for file in declared.keys() - real]
  for file in real.keys() & declared:
    messages += _target_differences(declared[file], real[file])
  return sorted(messages)


def _target_differences(
  declared: build_file.Target, real: build_file.Target
) -> list[str]:
  messages = []
  if declared.rule != real.rule:
    messages.append(f'{real.file} is a {declared.rule}, not a {real.rule}.')
  missing = set(real.deps) - set(declared.deps)
  surplus = set(declared.deps) - set(real.deps)
  messages += [f'{real.file} lacks the dep {label}.' for label in missing]
  messages += [f'{real.file} has no use for {label}.' for label in surplus]
  return messages


def _written(repository: pathlib.Path) -> dict[str, str]:
  return {
    path: (repository / path).read_text()
    for path in build_file.build_files(repository)
  }


def test_build_says_what_the_imports_say(repository):
  differences = _differences(_written(repository), repository)
  assert differences == [], 'run `make build-file`'


def test_build_is_written_by_its_generator(repository):
  rendered = build_file.render(repository)
  assert _written(repository) == rendered, 'run `make build-file`'


@pytest.fixture
def small_repository(tmp_path):
  files = {
    'auto_deeplab/__init__.py': '',
    'auto_deeplab/nouns.py': '',
    'auto_deeplab/verbs.py': 'from auto_deeplab.nouns import NOUN',
    'tests/conftest.py': '',
    'tests/verbs_test.py': 'from auto_deeplab import verbs',
    'tools/speak.py': (
      'from auto_deeplab import verbs\n'
      'if __name__ == "__main__":\n  verbs.run()'
    ),
  }
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
  return tmp_path


def test_targets_follow_from_the_imports(small_repository):
  targets = {t.file: t for t in build_file.targets(small_repository)}

  assert {file: (t.rule, *t.deps) for file, t in targets.items()} == {
    'auto_deeplab/__init__.py': ('py_library',),
    'auto_deeplab/nouns.py': ('py_library', ':__init__'),
    'auto_deeplab/verbs.py': ('py_library', ':__init__', ':nouns'),
    'tests/conftest.py': ('py_library',),
    'tests/verbs_test.py': ('py_test', ':conftest', '//auto_deeplab:verbs'),
    'tools/speak.py': ('py_binary', '//auto_deeplab:verbs'),
  }


def test_a_file_of_numbers_is_data_of_its_namesake(small_repository):
  (small_repository / 'auto_deeplab/verbs.json').write_text('{}')
  text = build_file.render(small_repository)['auto_deeplab/BUILD']
  srcs = '    srcs = ["verbs.py"],\n'
  assert f'{srcs}    data = ["verbs.json"],\n' in text
  assert text.count('data = ') == 1


def test_files_of_folders_without_python_are_removed(small_repository):
  stale = small_repository / 'tools' / 'old' / 'BUILD'
  stale.parent.mkdir()
  stale.touch()

  assert build_file.write(small_repository) == 4

  assert _written(small_repository) == build_file.render(small_repository)
  assert not stale.exists()


@pytest.mark.parametrize(
  ('path', 'old', 'new', 'message'),
  [
    (
      'auto_deeplab/BUILD',
      'srcs = ["nouns.py"]',
      'srcs = ["pronouns.py"]',
      [
        'auto_deeplab/nouns.py has no target.',
        'auto_deeplab/pronouns.py does not exist.',
      ],
    ),
    (
      'auto_deeplab/BUILD',
      '        ":nouns",\n',
      '',
      ['auto_deeplab/verbs.py lacks the dep :nouns.'],
    ),
    (
      'tests/BUILD',
      '        ":conftest",\n',
      '        ":conftest",\n        "//tools:speak",\n',
      ['tests/verbs_test.py has no use for //tools:speak.'],
    ),
    (
      'tools/BUILD',
      'py_binary(',
      'py_library(',
      ['tools/speak.py is a py_library, not a py_binary.'],
    ),
  ],
)
def test_a_difference_is_named(small_repository, path, old, new, message):
  texts = build_file.render(small_repository)
  assert _differences(texts, small_repository) == []
  assert texts[path].count(old) == 1

  texts[path] = texts[path].replace(old, new)

  assert _differences(texts, small_repository) == message


def test_bazel_reads_the_file(repository, tmp_path):
  bazel = shutil.which('bazel')
  if not bazel:
    pytest.skip('bazel is absent: apt install bazel-bootstrap.')
  done = subprocess.run(
    [
      bazel,
      f'--output_user_root={tmp_path}',
      # A server would outlive the test.
      '--batch',
      'query',
      '//...',
    ],
    cwd=repository,
    env=os.environ | {'HOME': str(tmp_path)},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  expected = {build_file.label(t.file) for t in build_file.targets()}
  assert expected <= set(done.stdout.split())


def test_the_graph_is_of_this_repository(repository):
  assert repository == import_graph.ROOT
  assert 'tests/build_test.py' in import_graph.python_files()
