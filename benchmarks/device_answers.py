# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What `benchmarks.device` compares: the answers of layers, steps and labels.

All are of weights and inputs that no device decides, so that the answers of two
devices differ by their arithmetic alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import functools
import itertools
import sys
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice, primitives
from auto_deeplab.evaluation import (
  inference,
)
from auto_deeplab.model import cells, deeplab, segmenter, supernet
from auto_deeplab.model import primitives as model_primitives
from auto_deeplab.model.ops import normalization
from auto_deeplab.model.search import search_cell
from auto_deeplab.training import (
  gradient_step,
  networks,
  optimizers,
)

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
