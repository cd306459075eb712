# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From pictures to a network: one command after the other, within the hours.

    OUT/data/              converted, unless the pictures are TFRecords already
    OUT/contact_sheet.png  some of them with their labels, to look at
    OUT/plan/              recipes for search and training (`planner`)
    OUT/search/, decoded/  only where the plan has a search
    OUT/known/             the plan's own network, where that search was cut too
                           early to tell
    OUT/train_plan/        of the network that it found, for the time left
    OUT/train/             the training, and its evaluation
    OUT/train/shorter.gin  fewer steps of it, where not all fit
    OUT/saved_model/
    OUT/report.html        a page of all of it
    OUT/logs/VERB.log      what the long ones printed

What is done shows in these folders, and nowhere else: the chain asks them for
the first step that is not, does it, and asks again. So it goes on wherever it
was stopped, also where a step was redone by hand. OUT/pictures.txt has what the
data were converted from, lest others be trained on.
"""

from collections.abc import Sequence
import dataclasses
import json
import os
import pathlib
from typing import Any

from auto_deeplab import configs
from auto_deeplab.architecture import artifact, decode
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.data.records import tfrecord
from auto_deeplab.planning import planner, settings
from auto_deeplab.runs import best, checkpoints, metrics_file


@dataclasses.dataclass(frozen=True)
class Step:
  """A command of the chain.

  Attributes:
    name: of the step; a verb, or 'train_plan'.
    verb: of the command.
    arguments: its flags.
    is_done: whether its folder says so.
    is_needed: whether the chain ends where it fails.
  """

  name: str
  verb: str
  arguments: tuple[str, ...]
  is_done: bool
  is_needed: bool = True


@dataclasses.dataclass(frozen=True)
class Chain:
  """What is to be done with a folder of pictures.

  Attributes:
    pictures: the folder, or that of TFRecords.
    out: folder for all results.
    convert_flags: passed on to `build_tfrecords`.
  """

  pictures: str
  out: str
  convert_flags: tuple[str, ...] = ()

  @property
  def data_dir(self) -> str:
    """Where the TFRecords are."""
    if os.path.exists(os.path.join(self.pictures, tfrecord.INFO_NAME)):
      return self.pictures
    return f'{self.out}/data'

  @property
  def shorter(self) -> str:
    """The recipe that `shorten` writes."""
    return f'{self.out}/train/shorter.gin'

  def shorten(self, train_steps: int) -> None:
    """Has the training, where it goes on, end after so many steps.

    Its learning rate falls to the end by then, which one that is cut lacks.
    What a plan chooses by the number of steps is chosen anew.
    """
    lines = (
      f'TrainConfig.train_steps = {train_steps}',
      'WeightOptimizerConfig.warmup_steps = '
      f'{settings.warmup_steps(train_steps)}',
      f'SegmenterConfig.batch_norm_momentum = {settings.momentum(train_steps)}',
    )
    with artifact.writing(pathlib.Path(self.shorter)) as file:
      file.write('\n'.join([*lines, '']).encode())

  @property
  def known(self) -> str:
    """The genotype that `give_up_search` writes."""
    return f'{self.out}/known/{planner.GENOTYPE}'

  def give_up_search(self) -> bool:
    """Has the network of the plan trained, and the search go no further.

    Returns:
      Whether there is one; some plans of before have none.
    """
    planned = f'{self.out}/plan/{planner.GENOTYPE}'
    if not os.path.exists(planned):
      return False
    genotype = genotype_lib.Genotype.load(planned)
    genotype.save(self.known, searched={'plan': f'{self.out}/plan'})
    return True

  def searched_share(self) -> float:
    """Returns how many of its architecture steps the search has to show.

    Returns:
      A share of those planned: of the newest snapshot, which is decoded; 1 of
      one that ended by itself.
    """
    recipe, run_dir = f'{self.out}/plan/{planner.SEARCH}', f'{self.out}/search'
    if decode.load_early_stop(run_dir):
      return 1.0
    schedule = configs.load(configs.SearchExperiment, [recipe]).schedule
    try:
      snapshot = decode.load_snapshot(decode.latest_snapshot(run_dir))
    except FileNotFoundError:
      return 0.0
    moved = max(snapshot.step - schedule.arch_start_step, 0)
    return moved / (schedule.train_steps - schedule.arch_start_step)

  def score(self) -> float | None:
    """Returns the mIoU on val of the network that was exported, if it is."""
    step = _exported_step(f'{self.out}/saved_model')
    return _value(f'{self.out}/train/evaluation-val-{step}.json', 'mean_iou')

  def steps(self, hours: float) -> list[Step]:
    """Returns the steps as far as they are known by now.

    Args:
      hours: that are left, for what is yet to be planned.
    """
    data, out = f'--data_dir={self.data_dir}', self.out
    plan = f'{out}/plan'
    steps = [] if self.data_dir == self.pictures else [self._convert()]
    steps += [
      Step(
        'inspect_dataset',
        'inspect_dataset',
        (data, f'--contact_sheet={out}/contact_sheet.png'),
        _is_newer(
          f'{out}/contact_sheet.png',
          os.path.join(self.data_dir, tfrecord.INFO_NAME),
        ),
      ),
      Step(
        'plan',
        'plan',
        (data, f'--hours={hours:.3g}', f'--output_dir={plan}'),
        os.path.exists(f'{plan}/{planner.PLAN}'),
      ),
    ]
    genotype, recipe = f'{plan}/{planner.GENOTYPE}', f'{plan}/{planner.TRAIN}'
    if os.path.exists(f'{plan}/{planner.SEARCH}'):
      genotype = f'{out}/decoded/{planner.GENOTYPE}'
      if os.path.exists(self.known) and not os.path.exists(genotype):
        genotype = self.known
      steps += self._searching(genotype, hours)
      second = f'{out}/train_plan/{planner.TRAIN}'
      recipe = second if os.path.exists(second) else recipe
    steps += self._training(genotype, recipe)
    return steps

  def note_pictures(self) -> None:
    """Notes what the data are converted from.

    Raises:
      ValueError: they were converted from others already.
      FileNotFoundError: there are no pictures.
    """
    if self.data_dir == self.pictures:
      return
    path = pathlib.Path(self.out, 'pictures.txt')
    pictures = f'--data_dir={os.path.abspath(self.pictures)}'
    text = '\n'.join([*self._convert_flags(), pictures, ''])
    is_converted = _is_converted(self.data_dir)
    if not is_converted and not os.path.isdir(self.pictures):
      raise FileNotFoundError(f'{self.pictures} is no folder.')
    if is_converted and path.exists():
      before = os.fsdecode(path.read_bytes())
      if before != text:
        raise ValueError(
          f'{self.data_dir} was converted by {" ".join(before.split())}, and '
          f'not by {" ".join(text.split())}; take another `output_dir`.'
        )
    with artifact.writing(path) as file:
      file.write(os.fsencode(text))

  def _convert_flags(self) -> list[str]:
    flags = list(self.convert_flags)
    if not any(flag.startswith('--dataset=') for flag in flags):
      flags.insert(0, '--dataset=folder')
    return flags

  def _convert(self) -> Step:
    return Step(
      'build_tfrecords',
      'build_tfrecords',
      (
        *self._convert_flags(),
        f'--data_dir={self.pictures}',
        f'--output_dir={self.data_dir}',
      ),
      _is_converted(self.data_dir),
    )

  def _searching(self, genotype: str, hours: float) -> list[Step]:
    data, out = f'--data_dir={self.data_dir}', self.out
    recipe, run_dir = f'{out}/plan/{planner.SEARCH}', f'{out}/search'
    is_chosen = os.path.exists(genotype)
    return [
      Step(
        'search',
        'search',
        (f'--gin_file={recipe}', data, f'--run_dir={run_dir}'),
        is_chosen or _is_searched(recipe, run_dir),
      ),
      Step(
        'decode',
        'decode',
        (f'--run_dir={run_dir}', f'--output_dir={out}/decoded'),
        is_chosen,
      ),
      # It takes another time than the network that was only guessed.
      Step(
        'train_plan',
        'plan',
        (
          data,
          f'--genotype={genotype}',
          f'--hours={hours:.3g}',
          f'--output_dir={out}/train_plan',
        ),
        os.path.exists(f'{out}/train_plan/{planner.PLAN}')
        or os.path.exists(f'{out}/train/config.gin'),
        is_needed=False,
      ),
    ]

  def _training(self, genotype: str, recipe: str) -> list[Step]:
    data, out = f'--data_dir={self.data_dir}', self.out
    recipes, run_dir = [recipe], f'{out}/train'
    if os.path.exists(self.shorter):
      recipes.append(self.shorter)
    # Also without a shorter schedule: the user may have deleted it.
    is_begun = os.path.exists(f'{run_dir}/config.gin')
    resuming = ('--allow_config_change',) if is_begun else ()
    step = checkpoints.newest_step(f'{run_dir}/checkpoints')
    is_trained = _is_trained(recipes, run_dir, step)
    used: tuple[str, ...] = ()
    # The rate has not fallen yet where a schedule was cut, and scores go up and
    # down.
    if not is_trained and (found := best.Best(f'{run_dir}/best').load()):
      step, used = found['step'], ('--checkpoint=best',)
    return [
      Step(
        'train',
        'train',
        (
          *(f'--gin_file={recipe}' for recipe in recipes),
          f'--genotype={genotype}',
          data,
          f'--run_dir={run_dir}',
          *resuming,
        ),
        is_trained,
      ),
      Step(
        'evaluate',
        'evaluate',
        (data, f'--run_dir={run_dir}', *used),
        _value(f'{run_dir}/evaluation-val-{step}.json', 'mean_iou') is not None,
      ),
      Step(
        'export',
        'export',
        (f'--run_dir={run_dir}', *used, f'--output_dir={out}/saved_model'),
        _exported_step(f'{out}/saved_model') == step,
      ),
      # Without it all else is there.
      Step(
        'report',
        'report',
        (out, data, f'--output={out}/report.html'),
        _is_newer(
          f'{out}/report.html', f'{run_dir}/evaluation-val-{step}.json'
        ),
        is_needed=False,
      ),
    ]


def _is_converted(data_dir: str) -> bool:
  """Whether there is what to plan with; else --val_fraction may be new."""
  try:
    return 'val' in tfrecord.load_info(data_dir).splits
  except FileNotFoundError:
    return False
  except ValueError:  # Whoever reads it says why.
    return True


def _is_searched(recipe: str, run_dir: str) -> bool:
  if decode.load_early_stop(run_dir):
    return True
  steps = configs.load(configs.SearchExperiment, [recipe]).schedule.train_steps
  return os.path.exists(decode.snapshot_path(run_dir, steps))


def _is_trained(recipes: Sequence[str], run_dir: str, step: int) -> bool:
  """Whether all steps are made, and the scores at their end are written."""
  if not os.path.exists(recipes[0]):
    return False
  schedule = configs.load(configs.TrainExperiment, recipes).schedule
  metrics = metrics_file.MetricsFile(f'{run_dir}/metrics.jsonl')
  return step >= schedule.train_steps and bool(metrics.scores_of(step))


def _exported_step(folder: str) -> int | None:
  return _value(f'{folder}/assets.extra/metadata.json', 'step')


def _value(path: str, key: str) -> Any:
  """Returns what a file of JSON has; None if that cannot be read."""
  try:
    return json.loads(pathlib.Path(path).read_text())[key]
  except (OSError, ValueError, KeyError, TypeError):
    return None


def _is_newer(path: str, than: str) -> bool:
  if not os.path.exists(path) or not os.path.exists(than):
    return False
  return os.path.getmtime(path) >= os.path.getmtime(than)
