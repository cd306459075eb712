# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all tests share."""

import gc
import os
import pathlib
import signal
import sys

import pytest

# Before any test imports TensorFlow: the package switches oneDNN on.
import auto_deeplab  # noqa: F401

# Before any test imports TensorFlow, which prints three "errors" at each start
# without a GPU; a true one is raised besides.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# A shell that runs the suite in the background has it, and all that it starts,
# ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
# A test that draws needs no display.
os.environ.setdefault('MPLBACKEND', 'Agg')


def pytest_addoption(parser: pytest.Parser) -> None:
  """Adds what `kills_test.py` and `kernel_gradients_test.py` take."""
  parser.addoption(
    '--kills', type=int, default=2, help='How often to kill each of two runs.'
  )
  parser.addoption(
    '--gradients', type=int, default=1, help='How many to make of each shape.'
  )


@pytest.fixture(autouse=True)
def environment_stays():
  """Sees to it that no test changes what the processes of others start with.

  `monkeypatch.delenv` of what is not there undoes nothing later.
  """

  def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k != 'PYTEST_CURRENT_TEST'}

  before = environment()
  yield
  assert environment() == before


@pytest.fixture(autouse=True, scope='module')
def graphs_go_with_their_module():
  """Lets go of the graphs that a file of tests traced, some 100 MB of them.

  TensorFlow keeps each custom gradient for good, under a name of its own, and
  with it the graph that it was traced in; the package keeps the functions that
  all its search cells share. A user has a network or two, the suite thousands.
  """
  yield
  if 'tensorflow' not in sys.modules:
    return
  from tensorflow.python.framework import ops

  from auto_deeplab.model.search import drawn_operation, relaxed_cell

  # Who could still differentiate these goes as well.
  relaxed_cell.shared_function.cache_clear()
  drawn_operation._edge_function.cache_clear()
  kept = ops.gradient_registry._registry
  for name in [name for name in kept if name.startswith('CustomGradient-')]:
    del kept[name]
  gc.collect()


@pytest.fixture(scope='session')
def repository() -> pathlib.Path:
  """Root of the repository."""
  return pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture(scope='session')
def shared_dir(repository: pathlib.Path) -> pathlib.Path:
  """Real images and reference numbers, which lie beside the repository."""
  path = repository.parent / 'shared'
  if not path.is_dir():
    pytest.skip(f'{path} is absent: no real images or reference numbers here.')
  return path
