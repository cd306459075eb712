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

from collections.abc import Callable, Iterator, Mapping, Sequence
import functools
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

from absl import app, flags, logging
import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice, primitives
from auto_deeplab.evaluation import (
  inference,
)
from auto_deeplab.model import (
  cells,
  deeplab,
  devices,
  normalization,
  search_cell,
  segmenter,
  supernet,
)
from auto_deeplab.model import primitives as model_primitives
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  optimizers,
)
from benchmarks import measure

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

NUM_CLASSES = 19
NORM = normalization.NormSettings(momentum=0.9)
SEGMENTER = configs.SegmenterConfig(
  filter_multiplier=4,
  stem_filters=(8, 8, 16),
  aspp_filters=16,
  low_level_filters=8,
  decoder_filters=16,
  dropout_rate=0.0,
)
SUPERNET = configs.SupernetConfig(
  num_layers=3, num_blocks=3, filter_multiplier=4, stem_filters=(8, 8, 16)
)

# Few cells: in the published backbone, of random weights, the gradients of 16
# bits have nothing in common with those of 32.
GENOTYPE = genotype_lib.Genotype(genotype_lib.PUBLISHED.cell[:2], (0, 1))

Answers = dict[str, list[np.ndarray]]


# What is compared ------------------------------------------------------------


class Part(NamedTuple):
  """A layer and what it is called with.

  Attributes:
    name: in the table.
    layer: not built yet.
    shapes: of its inputs.
    settings: of its call, besides.
  """

  name: str
  layer: tf.keras.layers.Layer
  shapes: Sequence[Sequence[int]]
  settings: Mapping[str, Any]


def parts() -> Iterator[Part]:
  """Makes every layer that networks are made of."""
  training = {'training': True}
  for name, strides in itertools.product(primitives.operations(), (1, 2)):
    layer = model_primitives.make_layer(name, 24, NORM, strides=strides)
    yield Part(f'{name}/{strides}', layer, [[2, 33, 41, 24]], training)
  yield Part('stem', deeplab.Stem((8, 8, 16), NORM), [[2, 65, 65, 3]], training)
  aspp = deeplab.Aspp(16, lattice.aspp_rates(1), NORM)
  yield Part('aspp', aspp, [[4, 17, 25, 24]], training)
  decoder = deeplab.Decoder(8, 16, NORM)
  shapes = [[2, 9, 9, 16], [2, 17, 17, 24]]
  yield Part('decoder', decoder, shapes, training)
  head = deeplab.SearchHead(1, 8, NUM_CLASSES, NORM)
  yield Part('search_head', head, [[4, 17, 17, 24]], training)
  # One that goes up is given larger maps, and computes as one that stays.
  for direction in (lattice.SAME, lattice.DOWN):
    cell = cells.Cell(genotype_lib.PUBLISHED.cell, 8, direction, NORM)
    shapes = [[2, 17, 17, 40], [2, 17, 17, 24]]
    name = f'cell/{lattice.DIRECTION_NAMES[direction]}'
    yield Part(name, cell, shapes, training)
  for name, settings in (
    ('', {}),
    ('/recompute', {'recompute': True}),
    ('/channel_divisor', {'channel_divisor': 4}),
    ('/drawn', {'is_drawn': True}),
  ):
    relaxed = search_cell.SearchCell(3, 8, NORM, **settings)
    taken = search_cell.Architecture(_alpha(is_drawn=name == '/drawn'))
    shapes = [[4, 17, 17, 8], [2, 17, 17, 8]]
    called = {'architecture': taken, **training}
    yield Part(f'search_cell{name}', relaxed, shapes, called)


def _alpha(is_drawn: bool) -> tf.Tensor:
  shape = [len(genotype_lib.edges(3)), len(primitives.PAPER)]
  logits = tf.random.stateless_normal(shape, [1, 1])
  if is_drawn:
    return tf.one_hot(tf.argmax(logits, axis=-1), shape[1])
  return tf.nn.softmax(logits)


def answers_of(part: Part) -> dict[str, list[np.ndarray]]:
  """Returns what the part returns and its gradients, for drawn weights."""
  dtype = tf.keras.mixed_precision.global_policy().compute_dtype
  inputs = [
    tf.cast(_draw(shape, i), dtype) for i, shape in enumerate(part.shapes)
  ]
  part.layer(*inputs, **part.settings)
  set_weights(part.layer)

  @tf.function(autograph=False)
  def compute():
    variables = part.layer.trainable_variables
    with tf.GradientTape() as tape:
      tape.watch(inputs)
      outputs = [
        tf.cast(y, tf.float32)
        for y in tf.nest.flatten(part.layer(*inputs, **part.settings))
      ]
      target = tf.add_n(
        [tf.reduce_sum(y * _draw(y.shape, i)) for i, y in enumerate(outputs)]
      )
    return outputs, tape.gradient(target, [*inputs, *variables])

  outputs, gradients = compute()
  return {'forward': _arrays(outputs), 'gradient': _arrays(gradients)}


def _draw(shape: Sequence[int], index: int) -> tf.Tensor:
  return tf.random.stateless_normal(shape, [2, index])


def set_weights(layer: tf.keras.layers.Layer) -> None:
  """Sets all that is trained to numbers that no device decides."""
  for index, variable in enumerate(layer.trainable_variables):
    values = tf.random.stateless_normal(variable.shape, [3, index])
    name = variable.name.rsplit('/', maxsplit=1)[-1]
    if name.startswith(('gamma', 'beta', 'bias')):
      variable.assign(values * 0.1 + float(name.startswith('gamma')))
    else:
      fan_in = max(variable.shape.num_elements() // variable.shape[-1], 1)
      variable.assign(values / fan_in**0.5)


def _arrays(tensors: Sequence[tf.Tensor]) -> list[np.ndarray]:
  return [tf.cast(x, tf.float32).numpy() for x in tensors]


def steps() -> dict[str, Callable[[], dict[str, list[np.ndarray]]]]:
  """Returns a small search's and a small training's steps, by name."""
  sgd = configs.WeightOptimizerConfig(learning_rate=1.0, schedule='constant')
  net = supernet.Supernet(SUPERNET, NUM_CLASSES)
  network = segmenter.Segmenter(GENOTYPE, SEGMENTER, NUM_CLASSES)

  def answers(model, forward, variables) -> dict[str, list[np.ndarray]]:
    networks.build(model, configs.InputConfig((65, 65), batch_size=12))
    set_weights(model)
    step = make_step(forward, variables(), sgd)
    before = _arrays(variables())
    pictures = batch(65, 12)
    values = step(pictures)
    while values.get('is_skipped', False):  # The loss was scaled by too much.
      values = step(pictures)
    loss = values['loss']
    moves = [a - b for a, b in zip(_arrays(variables()), before)]
    return {'forward': _arrays([loss]), 'gradient': moves}

  def search(moved: str) -> dict[str, list[np.ndarray]]:
    return answers(
      net,
      lambda images: net(images, training=True, moved=moved),
      lambda: (
        net.weight_variables if moved == 'weights' else net.arch_variables
      ),
    )

  return {
    'weight_step': lambda: search('weights'),
    'architecture_step': lambda: search('architecture'),
    'train_step': lambda: answers(
      network,
      lambda images: network(images, training=True),
      lambda: network.trainable_variables,
    ),
  }


def make_step(
  forward: Callable[[tf.Tensor], tf.Tensor],
  variables: Sequence[tf.Variable],
  config: configs.OptimizerConfig,
) -> gradient_step.GradientStep:
  """Returns a step as the tools make it, on this device."""
  return gradient_step.GradientStep(
    tf.distribute.get_strategy(),
    forward,
    variables,
    optimizers.make_optimizer(config, train_steps=1000),
  )


def batch(size: int, number: int) -> dict[str, tf.Tensor]:
  """Returns pictures and labels that no device decides."""
  shape = [number, size, size]
  return {
    'image': tf.random.stateless_uniform([*shape, 3], [4, 0], -1, 1),
    'label': tf.random.stateless_uniform(
      shape, [4, 1], 0, NUM_CLASSES, tf.int32
    ),
  }


def labels() -> list[np.ndarray]:
  """Predicts pictures of several sizes, at several scales and mirrored."""
  network = segmenter.Segmenter(GENOTYPE, SEGMENTER, NUM_CLASSES)
  networks.build(network, configs.InputConfig((65, 65)))
  set_weights(network)
  predict = tf.function(
    lambda images, config: inference.predict(
      lambda x: network(x, training=False), images, NUM_CLASSES, config
    )
  )
  return [
    predict(
      tf.random.stateless_uniform([1, *size, 3], [5, 0], -1, 1), config
    ).numpy()
    for size, config in (
      ((65, 97), configs.EvalConfig()),
      ((50, 71), configs.EvalConfig()),
      ((64, 96), configs.EvalConfig(scales=(0.5, 1.0), use_flip=True)),
    )
  ]


def all_answers(leave_out_failing: bool = False) -> Answers:
  """Computes everything on this device, under the policy that is set.

  Args:
    leave_out_failing: whether to go on after an error of the device, such as a
      kernel that it has not, which is printed, and leave out that part.
  """
  computations: dict[str, Callable[[], Answers]] = {
    part.name: functools.partial(answers_of, part) for part in parts()
  }
  computations |= steps()
  computations['labels'] = lambda: {'labels': labels()}
  answers: Answers = {}
  for name, compute in computations.items():
    try:
      found = compute()
    except tf.errors.OpError as e:
      if not leave_out_failing:
        raise
      print(f'{name}: {e.message}', file=sys.stderr)
      continue
    answers |= {f'{name}:{kind}': values for kind, values in found.items()}
  return answers


# The check -------------------------------------------------------------------


def save(answers: Answers, path: pathlib.Path) -> None:
  """Writes answers for `load`."""
  arrays = {
    f'{name}:{i}': value
    for name, values in answers.items()
    for i, value in enumerate(values)
  }
  np.savez(path, **arrays)


def load(path: pathlib.Path) -> Answers:
  """Reads what `save` wrote."""
  answers: Answers = {}
  with np.load(path) as arrays:
    for key in arrays.files:
      answers.setdefault(key.rsplit(':', maxsplit=1)[0], []).append(arrays[key])
  return answers


def compare(
  answers: Answers, expected: Answers, precision: str
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
  pictures = batch(FLAGS.crop_size, FLAGS.batch_size)

  def runner(step: gradient_step.GradientStep) -> Callable[[], object]:
    return lambda: step(pictures)['loss'].numpy()

  runs = {
    name: runner(make_step(forward, variables, config))
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
  net = supernet.Supernet(config, NUM_CLASSES)
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
  network = segmenter.Segmenter(genotype_lib.PUBLISHED, config, NUM_CLASSES)
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
    save(all_answers(), pathlib.Path(task['path']))
    return None
  if task['name'] == 'check':
    expected = load(pathlib.Path(task['path']))
    found = all_answers(leave_out_failing=True)
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
