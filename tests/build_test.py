# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The file BUILD says what the imports say, and bazel can read it."""

import ast
import os
import pathlib
import shutil
import subprocess

import pytest

from tests import build_file, import_graph

_RULES = ('py_binary', 'py_library', 'py_test')


def _parse(text: str) -> dict[str, build_file.Target]:
  """The Python rules of a file BUILD, by name; BUILD is Python syntax."""
  found = {}
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Call) and ast.unparse(node.func) in _RULES:
      values = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
      found[values['name']] = build_file.Target(
        rule=ast.unparse(node.func),
        name=values['name'],
        srcs=tuple(values['srcs']),
        deps=tuple(values.get('deps', ())),
      )
  return found


def _differences(text: str, root: pathlib.Path) -> list[str]:
  """One line for each point in which a file BUILD and the imports differ."""
  declared = _parse(text)
  real = {target.name: target for target in build_file.targets(root)}
  messages = [f'{name}.py has no target.' for name in real.keys() - declared]
  messages += [f'{name} has no file.' for name in declared.keys() - real]
  for name in real.keys() & declared:
    messages += _target_differences(declared[name], real[name])
  return sorted(messages)


def _target_differences(
  declared: build_file.Target, real: build_file.Target
) -> list[str]:
  messages = []
  if declared.rule != real.rule:
    messages.append(f'{real.name} is a {declared.rule}, not a {real.rule}.')
  if declared.srcs != real.srcs:
    messages.append(f'{real.name} has srcs {declared.srcs}, not {real.srcs}.')
  missing = set(real.deps) - set(declared.deps)
  surplus = set(declared.deps) - set(real.deps)
  messages += [f'{real.name} lacks the dep {label}.' for label in missing]
  messages += [f'{real.name} has no use for {label}.' for label in surplus]
  return messages


def test_build_says_what_the_imports_say(repository):
  differences = _differences((repository / 'BUILD').read_text(), repository)
  assert differences == [], 'run `make build-file`'


def test_build_is_written_by_its_generator(repository):
  text = (repository / 'BUILD').read_text()
  assert text == build_file.render(repository), 'run `make build-file`'


@pytest.fixture
def small_repository(tmp_path):
  files = {
    'auto_deeplab/__init__.py': '',
    'auto_deeplab/nouns.py': '',
    'auto_deeplab/verbs.py': 'from auto_deeplab.nouns import NOUN',
    'tests/conftest.py': '',
    'tests/verbs_test.py': 'from auto_deeplab import verbs',
    'tools/cli.py': '',
    'tools/speak.py': 'import cli\nif __name__ == "__main__":\n  cli.run()',
  }
  for name, text in files.items():
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
  return tmp_path


def test_targets_follow_from_the_imports(small_repository):
  targets = {t.name: t for t in build_file.targets(small_repository)}

  assert {name: (t.rule, *t.deps) for name, t in targets.items()} == {
    'auto_deeplab/__init__': ('py_library',),
    'auto_deeplab/nouns': ('py_library', ':auto_deeplab/__init__'),
    'auto_deeplab/verbs': (
      'py_library',
      ':auto_deeplab/__init__',
      ':auto_deeplab/nouns',
    ),
    'tests/conftest': ('py_library',),
    'tests/verbs_test': (
      'py_test',
      ':auto_deeplab/verbs',
      ':tests/conftest',
    ),
    'tools/cli': ('py_library',),
    'tools/speak': ('py_binary', ':tools/cli'),
  }


@pytest.mark.parametrize(
  ('old', 'new', 'message'),
  [
    (
      'name = "auto_deeplab/nouns"',
      'name = "auto_deeplab/pronouns"',
      [
        'auto_deeplab/nouns.py has no target.',
        'auto_deeplab/pronouns has no file.',
      ],
    ),
    (
      '        ":auto_deeplab/nouns",\n',
      '',
      ['auto_deeplab/verbs lacks the dep :auto_deeplab/nouns.'],
    ),
    (
      '        ":tests/conftest",\n',
      '        ":tests/conftest",\n        ":tools/cli",\n',
      ['tests/verbs_test has no use for :tools/cli.'],
    ),
    (
      'py_binary(',
      'py_library(',
      ['tools/speak is a py_library, not a py_binary.'],
    ),
    (
      'srcs = ["tools/cli.py"]',
      'srcs = ["tools/speak.py"]',
      ["tools/cli has srcs ('tools/speak.py',), not ('tools/cli.py',)."],
    ),
  ],
)
def test_a_difference_is_named(small_repository, old, new, message):
  text = build_file.render(small_repository)
  assert _differences(text, small_repository) == []
  assert text.count(old) == 1

  changed = text.replace(old, new)

  assert _differences(changed, small_repository) == message


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
  expected = {f'//:{target.name}' for target in build_file.targets()}
  assert expected <= set(done.stdout.split())


def test_the_graph_is_of_this_repository(repository):
  assert repository == import_graph.ROOT
  assert 'tests/build_test.py' in import_graph.python_files()
