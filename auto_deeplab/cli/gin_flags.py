# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The flags of a configuration: recipes, and single settings."""

from collections.abc import Iterable
import sys

from absl import flags

from auto_deeplab import configs

_GIN_FILE = flags.DEFINE_multi_string(
  'gin_file',
  [],
  'A recipe, by its name (camvid_train) or its path; repeat it to override one '
  'by the next.',
)
_GIN_BINDINGS = flags.DEFINE_multi_string(
  'gin_bindings',
  [],
  "One setting, stronger than any recipe: 'InputConfig.batch_size = 4'.",
)


def load(
  kind: type[configs.Experiment], defaults: Iterable[str] = ()
) -> configs.Experiment:
  """Returns the configuration that the flags describe.

  Args:
    kind: of the experiment.
    defaults: settings that the flags override, such as
      'InputConfig.batch_size = 4'.
  """
  return configs.load(kind, _GIN_FILE.value, _GIN_BINDINGS.value, defaults)


def given() -> list[str]:
  """Returns these flags as they were given, to start another process with."""
  return [
    *(f'--gin_file={name}' for name in _GIN_FILE.value),
    *(f'--gin_bindings={line}' for line in _GIN_BINDINGS.value),
  ]


def warn_without_recipe(tool: str) -> None:
  """Says that the paper's settings, of days on GPUs, are what will run."""
  if not _GIN_FILE.value:
    print(
      f"{tool}: no --gin_file is given, the paper's settings are taken; "
      f'--gin_file=demo_{tool} has smaller ones.',
      file=sys.stderr,
      flush=True,
    )
