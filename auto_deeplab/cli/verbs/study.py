# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Compares what a search finds with genotypes drawn at random.

  auto-deeplab study --gin_file=demo_study --data_dir=runs/demo/data \
    --study_dir=runs/study --num_workers=2

Searches, decodes and trains, each a run of its own below --study_dir and each
by one recipe, --num_workers at a time on a share of the cores. Then it prints,
and writes to study.json: the scores, how far genotypes and how far seeds lie
apart, and where the searched ones stand among the random ones. The same command
again goes on where it was stopped, and with more genotypes or seeds in its
recipe adds them.

Nothing of a study needs one machine. --list prints a command a line of what can
be done now, for the jobs of a cluster that share --study_dir; list again when
they have ended.
"""

import shlex

from absl import flags

from auto_deeplab import configs
from auto_deeplab.cli import commands, gin_flags

_DATA_DIR = flags.DEFINE_string(
  'data_dir', None, 'Folder that build_tfrecords wrote.', required=True
)
_STUDY_DIR = flags.DEFINE_string(
  'study_dir', None, 'Folder of all results.', required=True
)
_NUM_WORKERS = flags.DEFINE_integer(
  'num_workers', 1, 'Runs at a time; each takes some GB.', lower_bound=1
)
_ONLY = flags.DEFINE_list(
  'only', [], 'Names of tasks, as trainings/random-00/seed-0; all if empty.'
)
_LIST = flags.DEFINE_boolean(
  'list', False, 'Print the commands of the tasks that can be done now.'
)


def main() -> None:
  """Does what is left of a study, and says what it has found."""
  config = gin_flags.load(configs.StudyExperiment).study
  from auto_deeplab.data.records import tfrecord
  from auto_deeplab.studies import execution, plan, report

  study = plan.Study(config, _DATA_DIR.value, _STUDY_DIR.value)
  tasks = execution.left(study, _ONLY.value)
  if _LIST.value:
    for task in execution.ready(study, tasks):
      print(_command_of(task.name))
    return
  tfrecord.load_info(_DATA_DIR.value)  # Without it each task would fail.
  study.hold_to_recipes()
  study.draw()
  num_tasks = len(tasks)

  def tell(task: plan.Task, record: execution.Record) -> None:
    tasks.remove(task)
    print(
      f'{num_tasks - len(tasks)}/{num_tasks} {task.name}: '
      f'{record.cpu_seconds:.0f} CPU-seconds',
      flush=True,
    )

  failure = None
  try:
    execution.run(
      study, tuple(tasks), commands.arguments, _NUM_WORKERS.value, tell
    )
  except execution.TaskError as e:
    failure = e
  summary = report.summarize(study)
  print(report.table(summary))
  print(f'Wrote {report.write(study, summary)}.', flush=True)
  if failure is not None:
    raise failure


def _command_of(task: str) -> str:
  """Returns what does one task of this study."""
  given = [
    *gin_flags.given(),
    f'--data_dir={_DATA_DIR.value}',
    f'--study_dir={_STUDY_DIR.value}',
    f'--only={task}',
  ]
  return f'{commands.shown("study")} {shlex.join(given)}'
