# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Reads recipes, which bind settings by gin, and writes what was read.

The only module that imports gin: layers and models receive plain values.
"""

from collections.abc import Callable, Iterable, Sequence
import dataclasses
import difflib
import importlib.util  # noqa: F401  gin 0.5 needs it imported beforehand.
import os
import pathlib
import re
import tokenize
import typing
from typing import TypeVar

import gin

from auto_deeplab.configs.experiments import (
  EvalExperiment,
  SearchExperiment,
  StudyExperiment,
  TournamentExperiment,
  TrainExperiment,
)

# What gin raises for text that it cannot parse or bind, besides ValueError.
_UNREADABLE = (SyntaxError, TypeError, AttributeError, tokenize.TokenError)

Experiment = TypeVar(
  'Experiment',
  SearchExperiment,
  TrainExperiment,
  EvalExperiment,
  StudyExperiment,
  TournamentExperiment,
)

# Recipes that a user names, and not where they lie. In a clone, a link to the
# folder at its root.
_RECIPES = pathlib.Path(__file__).parents[1] / 'gin_configs'

# What each is called, and the verb that takes its recipes.
_KINDS = {
  SearchExperiment: ('a search', 'search'),
  TrainExperiment: ('a training', 'train'),
  EvalExperiment: ('an evaluation', 'evaluate'),
  StudyExperiment: ('a study', 'study'),
  # Last, as it takes all that a training does.
  TournamentExperiment: ('a tournament', 'choose'),
}


def _parts(experiment: type) -> dict[str, type]:
  """Returns the classes of an experiment's parts, by their names in it."""
  return typing.get_type_hints(experiment)


# The classes with what a recipe binds. By themselves they know nothing of gin:
# no recipe reaches what a program makes.
_BINDABLE = {
  part: gin.external_configurable(part)
  for part in dict.fromkeys(p for kind in _KINDS for p in _parts(kind).values())
}


def load(
  experiment: type[Experiment],
  gin_files: Sequence[str] = (),
  gin_bindings: Iterable[str] = (),
  defaults: Iterable[str] = (),
) -> Experiment:
  """Parses recipes into one configuration.

  Args:
    experiment: `SearchExperiment`, `TrainExperiment`, `EvalExperiment`,
      `StudyExperiment` or `TournamentExperiment`.
    gin_files: paths or names of recipes, later ones override earlier ones.
    gin_bindings: lines such as `'InputConfig.batch_size = 4'`, stronger than
      any file.
    defaults: such lines, weaker than any file.

  Returns:
    The experiment; fields that nothing binds keep their defaults.

  Raises:
    FileNotFoundError: a gin file does not exist.
    ValueError: a binding names no field, or none of this kind of experiment,
      does not parse, or breaks a rule.
  """
  paths = [find(name) for name in gin_files]
  bindings: list[str] = list(gin_bindings)
  where = ', '.join([*gin_files, *(['--gin_bindings'] if bindings else [])])
  gin.clear_config()
  try:
    gin.parse_config(list(defaults))
    gin.parse_config_files_and_bindings(
      paths, bindings, print_includes_and_imports=False
    )
    # Before the rules, which would speak of what is not meant.
    _require_kind(experiment, where)
    parts = _parts(experiment)
    loaded = experiment(**{n: _BINDABLE[p]() for n, p in parts.items()})
    _require_effect(where)
    return loaded
  except _UNREADABLE as e:
    raise ValueError(f'cannot read the gin configuration: {e}') from e
  except ValueError as e:
    raise ValueError(_explained(str(e))) from e
  finally:
    gin.clear_config()


def names() -> list[str]:
  """Returns the names of the recipes that come with the package, sorted."""
  return sorted(path.stem for path in _RECIPES.glob('*.gin'))


def find(name: str) -> str:
  """Returns the path of a recipe.

  Args:
    name: its path; or the name of one that comes with the package, with or
      without `gin_configs/` and `.gin`. Where there is such a file, it is that.

  Raises:
    FileNotFoundError: neither is there.
  """
  if os.path.isfile(name):
    return name
  stem = name.removeprefix(f'{_RECIPES.name}/').removesuffix('.gin')
  if stem in names():
    return str(_RECIPES / f'{stem}.gin')
  folder, file = os.path.split(name)
  others = os.listdir(folder or '.') if os.path.isdir(folder or '.') else []
  message = f'gin file {name!r} does not exist' + _proposal(
    file, others, lambda other: os.path.join(folder, other)
  )
  if not folder:
    message += f' The recipes that have a name: {", ".join(names())}.'
  raise FileNotFoundError(message)


def _bound(text: str) -> list[str]:
  """Returns what gin's account of a configuration binds: `Class.field`."""
  return re.findall(r'^(\S+) =', text, re.MULTILINE)


def _require_kind(experiment: type, where: str) -> None:
  """Refuses the recipe of another kind, whose values would say nothing."""
  used = {part.__name__ for part in _parts(experiment).values()}
  names = (name.rpartition('/')[2] for name in _bound(gin.config_str()))
  bound = {name.partition('.')[0] for name in names if '.' in name}
  if bound <= used:
    return
  message = (
    f'{where} {"bind" if ", " in where else "binds"} '
    f'{", ".join(sorted(bound - used))}, which {_KINDS[experiment][0]} does '
    'not use'
  )
  for kind, (_, verb) in _KINDS.items():
    if bound <= {part.__name__ for part in _parts(kind).values()}:
      raise ValueError(f'{message}; is it a recipe for `{verb}`?')
  raise ValueError(f'{message}.')


def _require_effect(where: str) -> None:
  """Refuses what gin takes for a macro or a scope, and nothing has read."""
  has_effect = set(_bound(gin.operative_config_str()))
  for name in _bound(gin.config_str()):
    if name not in has_effect:
      raise ValueError(
        f'`{name}` of {where} sets nothing; a setting is written as '
        '`InputConfig.batch_size = 4`.'
      )


def _explained(message: str) -> str:
  """Returns what is wrong in one line, with the nearest name for a typo."""
  # gin appends the place and the statement.
  first, *more = message.strip().splitlines()
  is_unknown = re.match(
    r"No configurable matching '|Configurable '.*' doesn't have a parameter",
    first,
  )
  if not is_unknown or len(more) < 2:
    return first
  name = more[1].partition('=')[0].strip()
  fields = [
    f'{part.__name__}.{field.name}'
    for kind in _KINDS
    for part in _parts(kind).values()
    for field in dataclasses.fields(part)
  ]
  # Whoever knows the field may have the class wrong.
  ending = name[name.rfind('.') :]
  namesakes = [field for field in fields if field.endswith(ending)]
  file = re.match(r'\s*In file "(.*)", line (\d+)', more[0])
  place = f'{file[1]}, line {file[2]}: ' if file else ''
  proposal = _proposal(name, namesakes or fields, '`{}`'.format)
  return f'{place}`{name}` is no setting{proposal}'


def _proposal(
  name: str, others: Iterable[str], shown: Callable[[str], str]
) -> str:
  """Returns the end of a sentence: the nearest of other names, if one is."""
  nearest = difflib.get_close_matches(name, others, n=1, cutoff=0.75)
  return f'; did you mean {shown(nearest[0])}?' if nearest else '.'


def to_gin(
  experiment: SearchExperiment
  | TrainExperiment
  | EvalExperiment
  | StudyExperiment
  | TournamentExperiment,
) -> str:
  """Returns every value as gin text; `load` of it gives an equal experiment."""
  lines = []
  for part in dataclasses.fields(experiment):
    config = getattr(experiment, part.name)
    for field in dataclasses.fields(config):
      value = getattr(config, field.name)
      lines.append(f'{type(config).__name__}.{field.name} = {value!r}')
    lines.append('')
  return '\n'.join(lines)
