# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Whether this device computes what a CPU computes, and how fast it is.

  make check-device
  python -m benchmarks.device --crop_size=321 --num_layers=12

What the owner of a GPU runs first. Every operation, cell and head, a step of a
search and of a training and the prediction of labels are computed on this
device in each precision, and beside it on a CPU in float32, from the same
weights and inputs. Of all that a part returns and of all its gradients:

  forward    the norm of the difference over the norm of the CPU's
  gradient   likewise; of a step, of what it adds to the variables
  is_right   whether both are at most `limit`; nan is not, nor is an error

Labels are right where at most `limit` of them differ. Where a row is not right
the exit status is 1. Then, for each kind of step:

  ms         milliseconds a step, the median of the rounds
  peak_GiB   the most memory that the device, or on a CPU the process, held in
             all steps of that kind together

Each precision is checked, and each step timed, in a process of its own.
"""

from collections.abc import Callable, Sequence
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from absl import app, flags, logging
import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import segmenter, supernet
from auto_deeplab.model.ops import devices
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
)
from benchmarks import device_answers, measure

FLAGS = flags.FLAGS
flags.DEFINE_integer(
  'crop_size', 129, 'Of the steps that are timed, in pixels.'
)
flags.DEFINE_integer('batch_size', 2, 'Of the steps that are timed.')
flags.DEFINE_integer('num_layers', 6, 'L of the search that is timed.')
flags.DEFINE_integer(
  'filter_multiplier', 20, 'F of the training that is timed.'
)
flags.DEFINE_integer('num_rounds', 5, 'Timed steps of each kind.')
flags.DEFINE_boolean('json', False, 'Print JSON.')
flags.DEFINE_string('task', None, 'Internal: what this process does.')

# Float32 differs by the order of sums. Rounded to 16 bits, a ReLU or a maximum
# may choose otherwise, and its gradient goes elsewhere; through the many layers
# of a step more than through those of a part. Those of 16 bits are two to five
# times the largest that a CPU's arithmetic gave here; what is wrong is at 1.
LIMITS = {
  'float32': {'forward': 1e-4, 'gradient': 1e-3, 'step': 1e-3, 'labels': 1e-3},
  'mixed_bfloat16': {
    'forward': 0.05,
    'gradient': 0.3,
    'step': 0.5,
    'labels': 0.05,
  },
  'mixed_float16': {
    'forward': 0.01,
    'gradient': 0.1,
    'step': 0.2,
    'labels': 0.02,
  },
}


# The check -------------------------------------------------------------------


def save(answers: device_answers.Answers, path: pathlib.Path) -> None:
  """Writes answers for `load`."""
  arrays: Any = {
    f'{name}:{i}': value
    for name, values in answers.items()
    for i, value in enumerate(values)
  }
  np.savez(path, **arrays)


def load(path: pathlib.Path) -> device_answers.Answers:
  """Reads what `save` wrote."""
  answers: device_answers.Answers = {}
  with np.load(path) as arrays:
    for key in arrays.files:
      answers.setdefault(key.rsplit(':', maxsplit=1)[0], []).append(arrays[key])
  return answers


def compare(
  answers: device_answers.Answers,
  expected: device_answers.Answers,
  precision: str,
) -> list[dict[str, object]]:
  """Returns a row a part; one that is left out of `answers` is not right."""
  rows = []
  for name in dict.fromkeys(key.split(':')[0] for key in expected):
    row: dict[str, object] = {'part': name, 'precision': precision}
    of_precision = LIMITS[precision]
    kind_of_gradient = 'step' if name.endswith('_step') else 'gradient'
    limits = {
      'forward': of_precision['forward'],
      'gradient': of_precision[kind_of_gradient],
    }
    if name == 'labels':
      limits = {'labels': of_precision['labels']}
    errors = {
      kind: difference(answers[key], expected[key])
      if (key := f'{name}:{kind}') in answers
      else float('nan')
      for kind in limits
    }
    row['forward'] = errors.get('forward', errors.get('labels'))
    row['gradient'] = errors.get('gradient', '-')
    row['limit'] = ' '.join(f'{limit:g}' for limit in limits.values())
    # Not the other way round: what is not a number is not right.
    row['is_right'] = all(errors[kind] <= limits[kind] for kind in limits)
    rows.append(row)
  return rows


def difference(
  actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]
) -> float:
  """Returns the relative norm of it; of labels the share that differs."""
  flat, flat_expected = (
    np.concatenate([x.ravel() for x in arrays]) for arrays in (actual, expected)
  )
  if np.issubdtype(flat.dtype, np.integer):
    return float((flat != flat_expected).mean())
  norm = np.linalg.norm(flat_expected)
  return float(np.linalg.norm(flat - flat_expected) / norm)


# The times -------------------------------------------------------------------


def time_steps(kind: str, precision: str) -> list[dict[str, object]]:
  """Times steps of a kind, 'search' or 'training', as the recipes make them."""
  forwards = _search if kind == 'search' else _training
  config = configs.WeightOptimizerConfig()
  pictures = device_answers.batch(FLAGS.crop_size, FLAGS.batch_size)

  def runner(step: gradient_step.GradientStep) -> Callable[[], object]:
    return lambda: step(pictures)['loss'].numpy()

  runs = {
    name: runner(device_answers.make_step(forward, variables, config))
    for name, (forward, variables) in forwards().items()
  }
  seconds = measure.alternating_seconds(runs, FLAGS.num_rounds)
  peak = _peak_bytes() / 2**30
  return [
    {
      'step': name,
      'precision': precision,
      'ms': statistics.median(values) * 1000,
      'peak_GiB': peak,
    }
    for name, values in seconds.items()
  ]


# By the name of a step: images -> logits, and what it moves.
Forwards = dict[
  str, tuple[Callable[[tf.Tensor], tf.Tensor], Sequence[tf.Variable]]
]


def _input() -> configs.InputConfig:
  size = (FLAGS.crop_size, FLAGS.crop_size)
  return configs.InputConfig(size, batch_size=FLAGS.batch_size)


def _search() -> Forwards:
  config = configs.SupernetConfig(num_layers=FLAGS.num_layers)
  net = supernet.Supernet(config, device_answers.NUM_CLASSES)
  networks.build(net, _input(), moved='weights')

  def forward(moved: str) -> Callable[[tf.Tensor], tf.Tensor]:
    return lambda images: net(images, training=True, moved=moved)

  return {
    'weight_step': (forward('weights'), net.weight_variables),
    'architecture_step': (forward('architecture'), net.arch_variables),
  }


def _training() -> Forwards:
  config = configs.SegmenterConfig(
    filter_multiplier=FLAGS.filter_multiplier, dropout_rate=0.0
  )
  network = segmenter.Segmenter(
    genotype_lib.PUBLISHED, config, device_answers.NUM_CLASSES
  )
  networks.build(network, _input())

  def forward(images: tf.Tensor) -> tf.Tensor:
    return network(images, training=True)

  return {'train_step': (forward, network.trainable_variables)}


def _peak_bytes() -> int:
  if devices.is_cpu():
    return measure.peak_rss_bytes()
  return tf.config.experimental.get_memory_info('GPU:0')['peak']


# Processes -------------------------------------------------------------------


def run_task(task: dict[str, str]) -> object:
  """Does what one process is for; returns what is to be printed as JSON."""
  if task['name'] == 'reference':
    tf.config.set_visible_devices([], 'GPU')
  # Its ten bits of mantissa are not what is called float32 here.
  tf.config.experimental.enable_tensor_float_32_execution(False)
  distribution.leave_graphs_to_cpu_kernels()
  # Keras warns of a policy that is slow here, and of a trace for each part.
  logging.set_verbosity(logging.ERROR)
  tf.keras.mixed_precision.set_global_policy(task['precision'])
  if task['name'] == 'reference':
    save(device_answers.all_answers(), pathlib.Path(task['path']))
    return None
  if task['name'] == 'check':
    expected = load(pathlib.Path(task['path']))
    found = device_answers.all_answers(leave_out_failing=True)
    return compare(found, expected, task['precision'])
  dtype = tf.as_dtype(tf.keras.mixed_precision.global_policy().compute_dtype)
  if devices.is_emulated(dtype):
    return []
  return time_steps(task['kind'], task['precision'])


def _run_apart(**task: str) -> Any:
  """Runs this module in another process, with the same flags."""
  result = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.device', *sys.argv[1:]),
      f'--task={json.dumps(task)}',
    ],
    stdout=subprocess.PIPE,
    check=True,
    # TensorFlow's banner, once a process.
    env={'TF_CPP_MIN_LOG_LEVEL': '3', **os.environ},
  )
  return json.loads(result.stdout)


def check(folder: pathlib.Path) -> list[dict[str, object]]:
  """Returns the rows of all precisions."""
  path = str(folder / 'reference.npz')
  _run_apart(name='reference', precision='float32', path=path)
  return [
    row
    for precision in configs.PRECISIONS
    for row in _run_apart(name='check', precision=precision, path=path)
  ]


def main(argv: Sequence[str]) -> None:
  del argv
  if FLAGS.task:
    print(json.dumps(run_task(json.loads(FLAGS.task))))
    return
  with tempfile.TemporaryDirectory() as folder:
    rows = check(pathlib.Path(folder))
  if not FLAGS.json:
    measure.report(rows, as_json=False)
  times = [
    row
    for kind, precision in itertools.product(
      ('search', 'training'), configs.PRECISIONS
    )
    for row in _run_apart(name='time', kind=kind, precision=precision)
  ]
  measure.report(rows + times if FLAGS.json else times, as_json=FLAGS.json)
  wrong = [row for row in rows if not row['is_right']]
  if wrong:
    print(f'{len(wrong)} of {len(rows)} rows are not right.', file=sys.stderr)
    sys.exit(1)


if __name__ == '__main__':
  app.run(main)
