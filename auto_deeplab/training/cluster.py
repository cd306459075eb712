# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Several machines on one run: what TF_CONFIG says, agreement, lost workers."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import hashlib
import json

import numpy as np
import tensorflow as tf

_EXAMPLE = (
  '\'{"cluster": {"worker": ["host0:2222", "host1:2222"]}, '
  '"task": {"type": "worker", "index": 0}}\''
)

# What TensorFlow raises in a collective operation when a worker is gone.
LOSSES = (
  tf.errors.AbortedError,
  tf.errors.CancelledError,
  tf.errors.DeadlineExceededError,
  tf.errors.UnavailableError,
)


def check_tf_config(text: str | None) -> None:
  """Refuses what TensorFlow would misread in silence, or wait for for ever.

  Args:
    text: the value of TF_CONFIG, None if it is not set.

  Raises:
    ValueError: there is none, it is no JSON, or its cluster lacks its task.
  """
  if text is None:
    raise ValueError(
      f'`distribution` multi_worker needs TF_CONFIG, such as {_EXAMPLE}.'
    )
  try:
    config = json.loads(text)
    cluster, task = config['cluster'], config['task']
    addresses = cluster[task['type']]
    is_task = 0 <= int(task['index']) < len(addresses)
  except (ValueError, KeyError, TypeError) as e:
    raise ValueError(
      f'TF_CONFIG ({text!r}) does not parse: {type(e).__name__}: {e}. It is to '
      f'look like {_EXAMPLE}.'
    ) from e
  if not is_task:
    raise ValueError(
      f'TF_CONFIG has the task {task["type"]} {task["index"]}, but its cluster '
      f'has {len(addresses)} of that type: {addresses}.'
    )


def require_agreement(
  strategy: tf.distribute.Strategy, definition: Mapping[str, str]
) -> None:
  """Refuses workers that would compute something else.

  Args:
    strategy: of the run; only several workers can differ.
    definition: what all must have alike, by what to call it.

  Raises:
    ValueError: names what differs, and the workers that differ from the first.
      All of them raise.
  """
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return
  workers = _of_workers(
    strategy, [_fingerprint(text) for text in definition.values()]
  )
  for column, name in enumerate(definition):
    others = np.flatnonzero(workers[:, column] != workers[0, column])
    if len(others):
      raise ValueError(
        f'the workers differ in their {name}: {_names(others)} from worker 0. '
        'All need one configuration, one data set and one run folder.'
      )


def first_workers(strategy: tf.distribute.Strategy, answer: bool) -> bool:
  """Returns what the first worker answers, for all to do alike.

  Workers that would go on where others stop wait for them for ever. All have to
  call this; of one process the answer is its own.
  """
  if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
    return answer
  return bool(_of_workers(strategy, [int(answer)])[0, 0])


def _of_workers(
  strategy: tf.distribute.MultiWorkerMirroredStrategy, numbers: Sequence[int]
) -> np.ndarray:
  """Returns the numbers of each worker, `[num_workers, len(numbers)]`."""
  own = np.array([numbers])
  values = strategy.run(lambda: tf.constant(own))
  replicas = strategy.gather(values, axis=0).numpy()
  # Each worker has as many.
  return replicas[:: len(strategy.extended.worker_devices)]


def _fingerprint(text: str) -> int:
  digest = hashlib.sha256(text.encode()).digest()
  return int.from_bytes(digest[:8], 'little', signed=True)


def _names(workers: np.ndarray) -> str:
  return ', '.join(f'worker {index}' for index in workers)


@contextlib.contextmanager
def naming_lost_workers(strategy: tf.distribute.Strategy) -> Iterator[None]:
  """Says what TensorFlow's errors mean when another worker is gone.

  Raises:
    ConnectionError: in their place; the last checkpoint is intact.
  """
  try:
    yield
  except LOSSES as e:
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
      raise
    reason = str(e).strip().splitlines()[0]
    raise ConnectionError(
      'another worker is gone, and this one ends: start them all again, with '
      'the same commands, and they go on from the last checkpoint '
      f'({type(e).__name__}: {reason})'
    ) from e
