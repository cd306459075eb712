# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The flags that search, train and evaluate have in common."""

from typing import TYPE_CHECKING, Any

from absl import flags

from auto_deeplab import configs

# For type checkers: it imports TensorFlow.
if TYPE_CHECKING:
  from auto_deeplab.runs import run as run_lib

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder that build_tfrecords wrote.', required=True
)
_RUN_DIR = flags.DEFINE_string(
  'run_dir',
  None,
  'Folder of the run. The same command again resumes from its newest '
  'checkpoint.',
)
_DISTRIBUTION = flags.DEFINE_enum(
  'distribution',
  'one_device',
  configs.STRATEGIES,
  'one_device: one GPU, or the CPU. mirrored: all GPUs of this machine. '
  'multi_worker: the machines that TF_CONFIG names. tpu: a TPU (--tpu).',
)
_TPU = flags.DEFINE_string('tpu', None, 'Name or address of the TPU.')


def require_run_dir() -> None:
  """Has --run_dir be given, of a verb that cannot do without."""
  flags.mark_flag_as_required(_RUN_DIR.name)


def place(**settings: Any) -> 'run_lib.Place':
  """Returns where the run reads, writes and computes.

  Args:
    **settings: further fields of `run_lib.Place`.
  """
  from auto_deeplab.runs import run as run_lib

  return run_lib.Place(
    data_dir=_DATA_DIR.value,
    run_dir=_RUN_DIR.value,
    distribution=_DISTRIBUTION.value,
    tpu_address=_TPU.value,
    **settings,
  )
