# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a run that is resumed has to be told twice."""

from absl import flags

_SKIP_DAMAGED = flags.DEFINE_boolean(
  'skip_damaged_checkpoints',
  False,
  'Where the newest checkpoint is damaged, set it aside and go on from the '
  'newest that is whole.',
)
_ALLOW_CONFIG_CHANGE = flags.DEFINE_boolean(
  'allow_config_change',
  False,
  'Go on with another configuration than the run had until now, which is kept '
  'as RUN_DIR/config-until-STEP.gin.',
)


def consents() -> dict[str, bool]:
  """Returns the fields of `run_lib.Place` that the flags are."""
  return {
    'skip_damaged_checkpoints': _SKIP_DAMAGED.value,
    'allow_config_change': _ALLOW_CONFIG_CHANGE.value,
  }
