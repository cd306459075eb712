# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The plan: what was chosen for these pictures, this machine, and why."""

from collections.abc import Iterator, Mapping
from typing import Any

from auto_deeplab.page import blocks, words
from auto_deeplab.page.gathered import Gathered, Planned


def section(gathered: Gathered) -> blocks.Section | None:
  """Shows each plan."""
  groups = tuple(
    blocks.Group(plan.name, tuple(_of(plan))) for plan in gathered.plans
  )
  if not groups:
    return None
  shown = groups[0].blocks if len(groups) == 1 else groups
  return blocks.Section('plan', 'The plan', shown)


def _of(plan: Planned) -> Iterator[blocks.Block]:
  if plan.missing:
    yield blocks.Notes(plan.missing)
    return
  try:
    shown = list(_shown(plan.document))
  except blocks.UNFIT as e:
    shown = [
      blocks.Notes((f'{plan.path}/plan.json is of another form: {e!r}.',))
    ]
  yield from shown


def _shown(document: Mapping[str, Any]) -> Iterator[blocks.Block]:
  data, machine = document['data'], document['machine']
  measured, plan = document['measured'], document['plan']
  design = plan['design']
  if plan['warnings']:
    yield blocks.Notes(tuple(map(str, plan['warnings'])), 'warning')
  searches = 'searched' if plan['search_steps'] else 'not searched'
  yield blocks.Text(f'The network is {searches}: {plan["why"]}')
  yield blocks.Facts(
    (
      (
        'pictures',
        f'{data["num_train"]:,} to train on, {data["num_val"]:,} '
        'to evaluate on',
      ),
      ('their usual size', words.size(tuple(data['size']))),
      ('usual object', f'{data["object_side"]:.0f} pixels wide'),
      (
        'machine',
        f'{machine["cores"]} cores, {machine["gpus"]} GPUs, '
        f'{machine["memory_bytes"] / 2**30:.1f} GiB free',
      ),
      (
        'network',
        f'{design["layers"]} layers, {design["blocks"]} blocks a '
        f'cell, F = {design["filters"]}',
      ),
      (
        'a step',
        f'{design["batch"]} crops of {design["crop"]} in '
        f'{measured["train_seconds"]:.2f} s',
      ),
    )
  )
  yield blocks.Table(
    'What each step was expected to take',
    ('step', 'time', 'peak memory'),
    tuple(
      (
        stage['verb'],
        words.duration(stage['seconds']),
        words.number(stage['peak_bytes'] / 2**30 or None, '{:.1f} GiB'),
      )
      for stage in plan['stages']
    ),
  )
  for title, key in (('search', 'search'), ('training', 'train')):
    if key == 'search' and not plan['search_steps']:
      continue
    yield blocks.Table(
      f'Settings of the {title}, and why',
      ('setting', 'value', 'reason'),
      tuple(
        (str(c['setting']), _value(c['value']), str(c['reason']))
        for c in plan[key]
      ),
      num_words=3,
      is_folded=True,
    )


def _value(value: Any) -> str:
  if isinstance(value, list):
    return ', '.join(map(str, value))
  return str(value)
