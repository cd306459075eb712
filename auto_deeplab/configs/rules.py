# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What settings have to obey.

Each raises a ValueError that names the field, its value and the rule.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

# Of what a moving average began with, at the end of a run.
_MAX_INITIAL_SHARE = 0.01


def require(condition: bool, config: Any, field: str, rule: str) -> None:
  """Raises a ValueError that names the field, its value and the rule."""
  if not condition:
    value = getattr(config, field)
    name = type(config).__name__
    raise ValueError(f'`{name}.{field}` ({value!r}) must be {rule}.')


def require_types(config: Any) -> None:
  """Checks the plain fields; those of several parts have rules of their own."""
  for field in dataclasses.fields(config):
    value = getattr(config, field.name)
    # A whole number will do as a float; True is no whole number.
    allowed: Any = (int, float) if field.type is float else field.type
    if field.type in (bool, int, float, str):
      is_right = isinstance(value, allowed)
      is_right &= isinstance(value, bool) == (field.type is bool)
      rule = f'of type {field.type.__name__}'
      require(is_right, config, field.name, rule)


def require_size(config: Any, field: str) -> None:
  """Checks a (height, width), and makes it a tuple."""
  value = getattr(config, field)
  is_size = (
    isinstance(value, (tuple, list))
    and len(value) == 2
    and all(isinstance(v, int) and v > 0 for v in value)
  )
  require(is_size, config, field, 'a (height, width) of positive integers')
  object.__setattr__(config, field, tuple(value))


def require_list(config: Any, field: str, kind: type, rule: str) -> None:
  """Checks a list of strings or of whole numbers, and makes it a tuple."""
  values = getattr(config, field)
  require(
    isinstance(values, (tuple, list)) and all(type(v) is kind for v in values),
    config,
    field,
    rule,
  )
  object.__setattr__(config, field, tuple(values))


def require_positive(config: Any, *fields: str) -> None:
  """Checks numbers that must be greater than 0."""
  for field in fields:
    require(getattr(config, field) > 0, config, field, 'greater than 0')


def require_non_negative(config: Any, *fields: str) -> None:
  """Checks numbers that must be at least 0."""
  for field in fields:
    require(getattr(config, field) >= 0, config, field, 'at least 0')


def require_at_most(config: Any, largest: Mapping[str, float]) -> None:
  """Checks numbers that have an upper end, by the field."""
  for field, end in largest.items():
    require(getattr(config, field) <= end, config, field, f'at most {end}')


def require_forgetting(
  config: Any, field: str, num_updates: int, beginning: str
) -> None:
  """Checks the momentum of a moving average that begins with something."""
  largest = _MAX_INITIAL_SHARE ** (1 / num_updates)
  require(
    getattr(config, field) <= largest,
    config,
    field,
    f'at most {largest:.6g} in {num_updates} steps, so that no more than 1 % '
    f'of the {beginning} is left in the average',
  )
