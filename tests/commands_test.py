# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The blocks of README and docs can be run as they stand there.

`documentation_test.py` holds all text to tools, flags, targets and settings
that exist; this file holds the blocks to more: that a shell parses them, that
no flag is missing, that their configurations load. docs/api.md and
docs/extending.md have tests that run their programs.
"""

import ast
import dataclasses
import json
import re
import subprocess
import sys

import pytest

from auto_deeplab import configs
from auto_deeplab.data.sources import layouts
from tests import import_graph, pages

_ROOT = import_graph.ROOT
_KINDS = {
  'search': configs.SearchExperiment,
  'train': configs.TrainExperiment,
  'evaluate': configs.EvalExperiment,
  'study': configs.StudyExperiment,
  'choose': configs.TournamentExperiment,
}
_TOOL = re.compile(
  r'auto-deeplab (\w+)((?: +[\w./]+)*)'
  r"((?: +--\w+(?:=(?:'[^']*'|[^\s']+))?)*)"
)
_FLAG = re.compile(r"--(\w+)(?:=(?:'([^']*)'|([^\s']+)))?")
_MODULE = re.compile(r'python -m ([\w.]+)')
_COPY = re.compile(r'^cp (\S+) (\S+)$', re.MULTILINE)
_HEREDOC = re.compile(r"<<'END'\n(.*?)^END$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Command:
  """A call of a tool.

  Attributes:
    page: where it stands.
    tool: its name.
    flags: what it is given, in order; a flag without a value has ''.
    copies: files that the page has copied before, by the name of the copy.
  """

  page: str
  tool: str
  flags: tuple[tuple[str, str], ...]
  copies: dict[str, str]

  def __str__(self) -> str:
    return ' '.join(
      [self.page, self.tool, *(f'{n}={v}' for n, v in self.flags)]
    )

  def values(self, flag: str) -> list[str]:
    return [value for name, value in self.flags if name == flag]


def _blocks(*languages: str) -> list:
  """The blocks in some languages, each a parameter named by its page."""
  return [
    pytest.param(block, id=f'{page}-{number}')
    for page in pages.PAGES
    for number, block in enumerate(pages.blocks(pages.read(page), *languages))
  ]


def _commands() -> list[Command]:
  found = []
  for page in pages.PAGES:
    for block in pages.blocks(pages.read(page), 'bash'):
      copies = {copy: name for name, copy in _copies(page)}
      for tool, words, rest in _TOOL.findall(pages.as_commands(block)):
        flags = tuple((n, a or b) for n, a, b in _FLAG.findall(rest))
        name = pages.positional(tool) if words else None
        if name is not None:  # In the place of a flag.
          flags = ((name, words.strip()), *flags)
        found.append(Command(page, tool, flags, copies))
  return found


def _copies(page: str) -> list[tuple[str, str]]:
  return _COPY.findall('\n'.join(pages.blocks(pages.read(page), 'bash')))


_COMMANDS = _commands()


def test_each_block_is_in_a_language_that_is_read_here():
  known = {'', 'bash', 'bibtex', 'json', 'python', 'yaml'}
  sphinx = re.compile(r'\{\w+\}')
  for page in pages.PAGES:
    opened = re.findall(r'^```(\S+)', pages.read(page), re.MULTILINE)
    assert {o for o in opened if not sphinx.match(o)} <= known, page


@pytest.mark.parametrize('block', _blocks('bash'))
def test_a_shell_parses_it(block):
  done = subprocess.run(
    ['bash', '-n'], input=block, capture_output=True, text=True, check=False
  )
  assert (done.returncode, done.stderr) == (0, '')


@pytest.mark.parametrize('block', _blocks('bash'))
def test_what_is_copied_is_there(block):
  for name, _ in _COPY.findall(block):
    assert (_ROOT / name).is_file(), name


@pytest.mark.parametrize('page', pages.PAGES)
def test_modules_that_are_run_are_there(page):
  modules = _MODULE.findall(pages.read(page))
  others = {
    m for m in modules if m.partition('.')[0] not in import_graph.FOLDERS
  }
  assert others <= {'pip', 'pytest'}
  for module in set(modules) - others:
    assert (_ROOT / f'{module.replace(".", "/")}.py').is_file(), module


def test_commands_are_found():
  # Of every tool of the chain; a pattern that finds nothing would hold nothing.
  assert {c.tool for c in _COMMANDS} >= {
    *_KINDS,
    'build_tfrecords',
    'decode',
    'export',
    'predict',
  }
  text = pages.as_commands(
    '\n'.join(
      b for p in pages.PAGES for b in pages.blocks(pages.read(p), 'bash')
    )
  )
  flags = re.findall(r'auto-deeplab \w.*', text)
  assert len(_COMMANDS) == len(flags)
  # Nor one that ends early.
  first = [re.match(r'auto-deeplab (\w+) +[\w./]', f) for f in flags]
  assert sum(len(c.flags) for c in _COMMANDS) == (
    sum(f.count(' --') for f in flags)
    + sum(1 for m in first if m and pages.positional(m[1]))
  )


@pytest.mark.parametrize('command', _COMMANDS, ids=str)
def test_a_command_gives_the_flags_that_its_tool_needs(command):
  flags = pages.flags(command.tool)
  given = {name for name, _ in command.flags}
  assert {name for name, is_required in flags.items() if is_required} <= given
  assert given <= flags.keys()


@pytest.mark.parametrize('command', _COMMANDS, ids=str)
def test_a_command_names_data_sets_and_strategies_that_exist(command):
  assert set(command.values('dataset')) <= set(layouts.SOURCES)
  assert set(command.values('distribution')) <= set(configs.STRATEGIES)


@pytest.mark.parametrize(
  'command', [c for c in _COMMANDS if c.tool in _KINDS], ids=str
)
def test_the_configuration_of_a_command_loads(command, monkeypatch):
  monkeypatch.chdir(_ROOT)
  files = [command.copies.get(f, f) for f in command.values('gin_file')]
  configs.load(_KINDS[command.tool], files, command.values('gin_bindings'))


@pytest.mark.parametrize('block', _blocks('python'))
def test_python_compiles(block):
  compile(block, 'page', 'exec')


@pytest.mark.parametrize('block', _blocks('python'))
def test_what_python_imports_of_ours_is_there(block):
  nodes = [
    n for n in ast.walk(ast.parse(block)) if isinstance(n, ast.ImportFrom)
  ]
  for node in nodes:
    if str(node.module).partition('.')[0] != 'auto_deeplab':
      continue
    place = _ROOT / str(node.module).replace('.', '/')
    homes = (place.with_suffix('.py'), place / '__init__.py')
    text = ''.join(home.read_text() for home in homes if home.is_file())
    for name in (alias.name for alias in node.names):
      # A module or room of that room, or what a module defines.
      files = (place / f'{name}.py', place / name / '__init__.py')
      is_there = any(file.is_file() for file in files) or name in text
      assert is_there, f'{node.module}.{name}'


@pytest.mark.parametrize('block', _blocks('json'))
def test_json_is_read(block):
  assert json.loads(block)


@pytest.mark.parametrize('block', _blocks('yaml'))
def test_yaml_is_read(block):
  documents = list(pytest.importorskip('yaml').safe_load_all(block))
  assert [document['kind'] for document in documents] == ['Service', 'Job']
  # What the container runs is a script of the shell.
  (container,) = documents[1]['spec']['template']['spec']['containers']
  subprocess.run(
    [*container['command'][:1], '-n'],
    input=container['args'][0],
    text=True,
    check=True,
  )


def test_the_pictures_that_the_guide_draws_are_a_data_set(tmp_path):
  guide = pages.read('docs/your_own_data.md')
  (program,) = _HEREDOC.findall('\n'.join(pages.blocks(guide, 'bash')))
  subprocess.run(
    [sys.executable, '-'], input=program, cwd=tmp_path, text=True, check=True
  )
  source = layouts.open_source('folder', tmp_path / 'pictures')
  assert {name: len(pairs) for name, pairs in source.splits.items()} == {
    'train': 3,
    'val': 1,
  }
  assert source.class_names == ('sky', 'road', 'car')
