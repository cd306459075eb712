# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A tournament of short trainings: which of some genotypes goes on?

Successive halving (Jamieson and Talwalkar, AISTATS 2016). All candidates are
trained side by side on half A of the train split, from equal seeds and on equal
batches, and judged on half B at each rung; the better ones go on. The val split
stays unseen. The training is the first steps of the recipe's own, learning rate
included: what goes on so has lost nothing by being looked at, and what is
compared is what will be trained.

They are judged by the statistics of each batch, as in training: after so few
steps the moving ones still hold much of what they began with.

    RUN/candidates.json   the genotypes by name
    RUN/metrics.jsonl     each loop: who is `left`, each one's `losses` on half
                          A, CPU-seconds; at a rung what was `judged`
    RUN/tournament.json   the whole bracket
    RUN/genotype.json     the winner; written last
"""

from collections.abc import Mapping, Sequence
import json
import math
import pathlib
import sys
import time
from typing import Any

import orbit
import tensorflow as tf
import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import artifact
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data import datasets
from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.evaluation import batch_scores
from auto_deeplab.experiments import opening, parts, train
from auto_deeplab.runs import metrics_file, outer_loop
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import distribution, networks, rivals

_FORMAT, _VERSION = 'auto_deeplab.tournament', 1

Candidates = Mapping[str, genotype_lib.Genotype]


def run(
  config: configs.TournamentExperiment,
  candidates: Candidates,
  place: run_lib.Place,
) -> dict[str, Any]:
  """Holds a tournament, or goes on with the one in the run folder.

  Args:
    config: of the trainings and the rungs.
    candidates: two or more, by name.
    place: where; of its splits only `train_split` is read.

  Returns:
    What `RUN/tournament.json` holds: `winner`, `rungs` and `cpu_seconds`.

  Raises:
    ValueError: fewer than two candidates, bad data or configuration, another
      run's folder, one that another process writes, or no finite loss.
    FileNotFoundError: no data set.
  """
  if len(candidates) < 2:
    raise ValueError(
      f'a tournament needs two candidates or more, not {len(candidates)}.'
    )
  info = tfrecord.load_info(place.data_dir)
  run = run_lib.Run(place, config, _definition(candidates, info))
  strategy = parts.start(config.runtime, place)
  with run.opened(strategy), tfrecord.naming_damaged_shards(place.data_dir):
    bracket = _Bracket(run, config.schedule)
    left = bracket.left(run.first_step) or list(candidates)
    trained = _make_rivals(
      config,
      {name: candidates[name] for name in left},
      info,
      place,
      strategy,
      run.first_step,
    )
    run.resume(trained.global_step, **trained.checkpointed())
    trained.leave_out_the_diverged()
    opening.say(
      'choose',
      run,
      strategy,
      info,
      pictures=opening.pictures_of_halves(info, place.train_split),
      parameters={
        f'parameters in {len(left)} candidates': parts.size(
          [v for step in trained.steps.values() for v in step.variables]
        )
      },
      num_steps=config.schedule.rungs[-1],
    )
    judges = _make_judges(config, trained, info, place, strategy)
    run.claim()
    outer_loop.run(
      'choose',
      run,
      trained,
      strategy,
      num_steps=config.schedule.rungs[-1],
      actions=[lambda: bracket.record(trained, judges)],
    )
  document = bracket.write()
  winner = document['winner']
  candidates[winner].save(
    run.path / 'genotype.json',
    {
      'method': 'tournament',
      'run': place.run_dir,
      'candidate': winner,
      'step': config.schedule.rungs[-1],
    },
  )
  return document


def _definition(
  candidates: Candidates, info: datasets.DatasetInfo
) -> dict[str, str]:
  genotypes = {name: g.to_json() for name, g in candidates.items()}
  return {
    tfrecord.INFO_NAME: info_file.to_text(info),
    'candidates.json': json.dumps(genotypes, indent=1),
  }


def _make_rivals(
  config: configs.TournamentExperiment,
  candidates: Candidates,
  info: datasets.DatasetInfo,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
  first_step: int,
) -> rivals.Rivals:
  """Builds the networks and their steps; each is traced when it is made."""
  training = config.as_training()
  distribution.replica_batch_size(
    strategy, config.input.batch_size, training.schedule.accumulation_steps
  )
  pixel_loss = train.make_pixel_loss(config.loss, info, place.train_split)
  dataset = parts.distribute(strategy, config, place, first_step, half='A')
  models, steps = {}, {}
  with strategy.scope():
    global_step = orbit.utils.create_global_step()
    for name, genotype in candidates.items():
      # Each begins as it would alone.
      tf.keras.utils.set_random_seed(config.runtime.seed)
      model = networks.make_segmenter(training, genotype, info)
      networks.build(model, config.input, strategy, step=tf.constant(0))
      models[name] = model
      steps[name] = train.make_step(
        training, model, strategy, global_step, pixel_loss
      )
    return rivals.Rivals(models, steps, dataset, global_step)


def _make_judges(
  config: configs.TournamentExperiment,
  trained: rivals.Rivals,
  info: datasets.DatasetInfo,
  place: run_lib.Place,
  strategy: tf.distribute.Strategy,
) -> dict[str, batch_scores.BatchScores]:
  """Makes what scores each network on the first batches of half B."""
  stream = iter(parts.distribute(strategy, config, place, 0, half='B'))
  batches = [next(stream) for _ in range(config.schedule.judge_batches)]

  def judge(model: tf.keras.Model) -> batch_scores.BatchScores:
    return batch_scores.BatchScores(
      # The step that drops no path.
      lambda images: model(images, training=True, step=tf.constant(0)),
      model.non_trainable_variables,
      strategy,
      batches,
      info.num_classes,
      # A few passes take less than to trace them.
      is_compiled=False,
    )

  return {name: judge(model) for name, model in trained.models.items()}


class _Bracket:
  """Who went on from where, and by what scores."""

  def __init__(self, run: run_lib.Run, schedule: configs.TournamentConfig):
    self._run = run
    self._schedule = schedule
    self._metrics = metrics_file.MetricsFile(run.path / 'metrics.jsonl')
    rows = self._metrics.rows_with('cpu_seconds')
    # Of processes that were stopped, what they lost included.
    self._seconds_before = max((row['cpu_seconds'] for row in rows), default=0)

  def left(self, step: int) -> list[str]:
    """Returns who was left at the last row up to a step; empty of none."""
    rows = self._metrics.rows_with('left')
    names = [row['left'] for row in rows if row['step'] <= step]
    return names[-1] if names else []

  def record(
    self,
    trained: rivals.Rivals,
    judges: Mapping[str, batch_scores.BatchScores],
  ) -> None:
    """Adds a row after a loop; at a rung, judges and sends home."""
    row: dict[str, Any] = {'losses': dict(trained.losses)}
    if self._run.step in self._schedule.rungs:
      row['judged'] = _judged(trained.left, judges)
      trained.go_on_with(best_of(row['judged'], self._schedule))
      tqdm.tqdm.write(self._line(row['judged'], trained.left), file=sys.stderr)
    row['left'] = list(trained.left)
    row['cpu_seconds'] = round(self._seconds_before + time.process_time(), 2)
    self._run.record_row(row)

  def _line(self, judged: Mapping[str, Any], left: Sequence[str]) -> str:
    criterion = self._schedule.criterion
    scores = ', '.join(f'{n} {judged[n][criterion]:.3f}' for n in left)
    return (
      f'choose: at step {self._run.step}, {len(left)} of {len(judged)} go on '
      f'by their {criterion} on half B: {scores}'
    )

  def write(self) -> dict[str, Any]:
    """Writes the whole bracket, once it is decided, and returns it."""
    rows = self._metrics.rows_with('judged')
    winner = ranked(rows[-1]['judged'], self._schedule.criterion)[0]
    seconds = self._metrics.rows_with('cpu_seconds')[-1]['cpu_seconds']
    document = {
      'format': _FORMAT,
      'version': _VERSION,
      'winner': winner,
      'criterion': self._schedule.criterion,
      'cpu_seconds': seconds,
      'rungs': [
        {key: row[key] for key in ('step', 'judged', 'left')} for row in rows
      ],
    }
    path = pathlib.Path(self._run.path, 'tournament.json')
    with artifact.writing(path) as file:
      file.write((json.dumps(document, indent=1) + '\n').encode())
    return document


def _judged(
  names: Sequence[str], judges: Mapping[str, batch_scores.BatchScores]
) -> dict[str, dict[str, float]]:
  shown = tqdm.tqdm(names, 'choose: judging', leave=False, disable=None)
  return {name: judges[name]() for name in shown}


def ranked(
  judged: Mapping[str, Mapping[str, float]], criterion: str
) -> list[str]:
  """Returns the names, best first; of equals the first, what is NaN last."""
  sign = 1 if criterion == 'loss' else -1

  def place(name: str) -> tuple[bool, float]:
    value = sign * judged[name][criterion]
    return math.isnan(value), value

  return sorted(judged, key=place)


def best_of(
  judged: Mapping[str, Mapping[str, float]], config: configs.TournamentConfig
) -> list[str]:
  """Returns the names of those that go on from a rung, best first.

  The share that the configuration keeps, rounded up, but at least one less
  than there are, and at least one.
  """
  number = math.ceil(config.keep * len(judged))
  return ranked(judged, config.criterion)[
    : max(1, min(number, len(judged) - 1))
  ]
