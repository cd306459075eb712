# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The supernet against the network that it becomes with one-hot choices."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import decode, lattice
from auto_deeplab.architecture import primitives as primitives_lib
from auto_deeplab.model import supernet
from auto_deeplab.model.ops import sizes
from auto_deeplab.model.search import search_cell

LAYERS, CLASSES = 3, 3
# A softmax of these is exactly one-hot.
CHOSEN, LEFT_OUT = 1e4, -1e4


def make(
  num_layers=LAYERS,
  num_blocks=1,
  init_stddev=1e-3,
  channel_divisor=1,
  draw_primitives=False,
  recompute=False,
  **settings,
):
  tf.keras.utils.set_random_seed(1)
  config = configs.SupernetConfig(
    num_layers=num_layers,
    num_blocks=num_blocks,
    filter_multiplier=2,
    stem_filters=(4, 4, 8),
    init_stddev=init_stddev,
    channel_divisor=channel_divisor,
    draw_primitives=draw_primitives,
    recompute=recompute,
  )
  return supernet.Supernet(config, CLASSES, **settings)


def pictures(height, width, batch=2):
  return tf.random.stateless_uniform([batch, height, width, 3], [0, 1], -1, 1)


def randomize(net):
  """Gives a net what training would: logits of size 1, no norm at its start."""
  for head in net.heads:
    head.logits.kernel.assign(head.logits.kernel * 100)
  for variable in net.variables:
    if variable.shape.rank == 1:
      is_factor = 'gamma' in variable.name or 'variance' in variable.name
      low = 0.5 if is_factor else -0.5
      variable.assign(tf.random.uniform(variable.shape, low, low + 1))


@pytest.fixture(scope='module')
def net():
  """A built supernet; tests set alphas and betas, and leave the rest alone."""
  net = make()
  net(pictures(33, 33))
  randomize(net)
  return net


def one_hot_logits(indices, size):
  return np.where(np.eye(size)[indices], CHOSEN, LEFT_OUT).astype(np.float32)


def choices_along(path):
  """The target of each source: `[column][source level]`.

  Sources on the path take it; the others avoid it, so that a node on the path
  has one input alone.
  """
  choices = []
  for column, level in enumerate(path):
    targets = {}
    on_path = path[column - 1] if column else 0
    for source in lattice.reachable_levels(column - 1):
      avoiding = [
        target
        for target in (source - 1, source, source + 1)
        if 0 <= target < lattice.NUM_LEVELS and target != level
      ]
      targets[source] = level if source == on_path else avoiding[0]
    choices.append(targets)
  return choices


def one_hot_betas(choices):
  betas = np.zeros([len(choices), 4, 3], np.float32)
  for column, targets in enumerate(choices):
    for source, target in targets.items():
      betas[column, source] = one_hot_logits(target - source + 1, 3)
  return betas


class DiscreteNetwork:
  """What is left of a supernet when every source has one target.

  Built of the supernet's layers: node (layer, level) is the sum of its cell
  over the sources that chose it, and zero if there is none.
  """

  def __init__(self, net, images, choices, alpha):
    self.net, self.choices, self.alpha = net, choices, alpha
    half, stem = net.stem(images)
    self.before = {-2: [half], -1: [stem]}
    self.sizes = [stem.shape[1:3]]
    for _ in range(3):
      self.sizes.append(sizes.halved(self.sizes[-1]))
    for layer in range(len(choices)):
      levels = lattice.reachable_levels(layer)
      self.before[layer] = [self.node(layer, level) for level in levels]

  def node(self, layer, level):
    node = self.net.nodes[layer][level]
    sources = lattice.reachable_levels(layer - 1)
    adjacent = [source for source in sources if abs(source - level) <= 1]
    size = self.sizes[level]
    batch = self.before[-1][0].shape[0]
    total = tf.zeros([batch, *size, node.cell.filters])
    candidates = self.before[layer - 2]
    previous = candidates[min(level, len(candidates) - 1)]
    previous = sizes.resize_aligned(previous, size)
    conv = node.previous_projection.conv
    previous = conv(tf.nn.relu(previous))
    for source, projection in zip(adjacent, node.projections):
      if self.choices[layer][source] != level:
        continue
      x = self.before[layer - 1][source]
      if source > level:
        x = sizes.resize_aligned(x, size)
      x = projection.conv(tf.nn.relu(x))
      total += node.cell(x, previous, search_cell.Architecture(self.alpha))
    return total

  def logits(self, level, size):
    x = self.before[len(self.choices) - 1][level]
    return sizes.resize_aligned(self.net.heads[level](x), size)


@pytest.mark.parametrize(
  'path', [(0, 0, 0), (1, 1, 2), (1, 2, 3), (1, 1, 0), (0, 1, 1)]
)
def test_one_hot_choices_give_the_discrete_network(net, path):
  images = pictures(33, 33)
  primitives = primitives_lib.PAPER
  picked = [
    primitives.index('sep_conv_3x3'),
    primitives.index('atrous_conv_5x5'),
  ]
  choices = choices_along(path)
  net.alphas.assign(one_hot_logits(picked, len(primitives)))
  net.betas.assign(one_hot_betas(choices))
  alpha = tf.one_hot(picked, len(primitives))
  discrete = DiscreteNetwork(net, images, choices, alpha)
  # The path itself is a chain.
  for layer in range(1, LAYERS):
    arriving = [s for s, t in choices[layer].items() if t == path[layer]]
    assert arriving == [path[layer - 1]]
  # No beta weighs a head: the logits are the sum of all four, whether their
  # node lies on the path or not.
  expected = [discrete.logits(level, (33, 33)) for level in range(4)]
  assert np.ptp(expected[path[-1]], axis=(1, 2)).max() > 1e-2
  np.testing.assert_allclose(net(images), tf.add_n(expected), atol=1e-4)


def test_a_node_that_no_source_chose_is_zero(net):
  choices = choices_along((0, 0, 0))
  net.betas.assign(one_hot_betas(choices))
  alpha = net.alpha_weights()
  discrete = DiscreteNetwork(net, pictures(33, 33), choices, alpha)
  (half,), (stem,) = discrete.before[-2], discrete.before[-1]
  probabilities = net.transition_probabilities()
  node = net.nodes[0][1]
  off_path = node(
    [stem],
    half,
    search_cell.Architecture(alpha),
    [probabilities[0, 0, lattice.DOWN]],
    (5, 5),
  )
  assert not np.any(off_path)
  assert not np.any(discrete.before[0][1])


def test_the_lattice_of_the_paper_has_45_nodes():
  net = make(num_layers=12)
  nodes = [node for layer in net.nodes for node in layer]
  assert len(nodes) == 45
  assert sum(len(node.projections) for node in nodes) == 105
  assert len(net.heads) == 4
  assert net.betas.shape == (12, 4, 3)
  assert make(num_blocks=5).alphas.shape == (20, 8)


def test_weights_and_architecture_share_nothing_and_lack_nothing(net):
  weights = {id(v) for v in net.weight_variables}
  arch = {id(v) for v in net.arch_variables}
  assert arch == {id(net.alphas), id(net.betas)}
  assert not weights & arch
  assert weights | arch == {id(v) for v in net.trainable_variables}
  assert len(net.weight_variables) == len(weights)


def test_every_weight_gets_a_gradient():
  net = make(num_layers=4)  # All four levels have a head and a way to it.
  images = pictures(17, 17)
  with tf.GradientTape() as tape:
    logits = net(images, training=True)
    loss = tf.reduce_mean(tf.square(logits - 1))
  gradients = tape.gradient(loss, net.trainable_variables)
  for variable, gradient in zip(net.trainable_variables, gradients):
    assert gradient is not None, variable.name


@pytest.mark.parametrize('recompute', [False, True])
@pytest.mark.parametrize('moved', ['weights', 'architecture'])
def test_what_a_step_moves_has_the_gradients_of_the_whole(moved, recompute):
  net = make(num_layers=2, num_blocks=2, recompute=recompute)
  images = pictures(17, 17)
  net(images)
  randomize(net)
  variables = {
    'weights': net.weight_variables,
    'architecture': net.arch_variables,
  }[moved]

  def gradients(moved):
    with tf.GradientTape() as tape:
      logits = net(images, training=True, moved=moved)
      loss = tf.reduce_mean(tf.square(logits - 1))
    return tape.gradient(loss, variables)

  for alone, expected in zip(gradients(moved), gradients(None), strict=True):
    if expected is None:  # A head that two layers do not reach.
      assert alone is None
      continue
    tolerance = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(alone, expected, atol=tolerance)


def norms_of_a_step():
  """Loss, and norms of its gradients, of one step of a small net."""
  net = make(num_layers=2, num_blocks=2)
  images = pictures(17, 17)
  net(images)
  randomize(net)
  with tf.GradientTape() as tape:
    loss = tf.reduce_mean(tf.square(net(images, training=True) - 1))
  gradients = tape.gradient(loss, net.trainable_variables)
  return [float(loss), *(float(tf.norm(g)) for g in gradients)]


def test_a_step_is_the_same_without_onednn(tmp_path):
  path = tmp_path / 'norms.npy'
  root = pathlib.Path(__file__).parents[2]
  code = (
    'import numpy as np; from tests.model import supernet_test; '
    f'np.save({str(path)!r}, supernet_test.norms_of_a_step())'
  )
  environment = {'TF_ENABLE_ONEDNN_OPTS': '0', 'PYTHONPATH': str(root)}
  subprocess.run(
    [sys.executable, '-c', code],
    env={**os.environ, **environment},
    check=True,
    cwd=tmp_path,
  )
  expected = norms_of_a_step()
  assert min(expected) > 0
  np.testing.assert_allclose(np.load(path), expected, rtol=1e-3)


def test_transition_probabilities_are_the_decoders(net):
  betas = np.random.default_rng(0).normal(size=net.betas.shape) * 3
  net.betas.assign(betas)
  np.testing.assert_allclose(
    net.transition_probabilities(),
    decode.transition_probabilities(betas),
    atol=1e-6,
  )


def test_alpha_weights_are_a_softmax_over_primitives(net):
  net.alphas.assign(np.random.default_rng(0).normal(size=net.alphas.shape))
  np.testing.assert_allclose(
    net.alpha_weights(),
    decode.operation_probabilities(net.alphas.numpy()),
    atol=1e-6,
  )


@pytest.fixture(scope='module')
def drawing():
  """A net that draws its primitives, with alphas far from uniform."""
  net = make(num_layers=2, draw_primitives=True)
  net(pictures(17, 17))
  alphas = np.random.default_rng(0).normal(size=net.alphas.shape) * 2
  net.alphas.assign(alphas)
  return net


def test_primitives_are_drawn_as_often_as_their_softmax_says(drawing):
  draw = tf.function(drawing.alpha_weights)
  draws = [draw(tf.constant(number)).numpy() for number in range(2000)]
  assert np.all(np.sort(draws)[..., -1] == 1)
  assert np.all(np.sum(draws, axis=-1) == 1)
  expected = tf.nn.softmax(drawing.alphas)
  np.testing.assert_allclose(np.mean(draws, axis=0), expected, atol=0.03)


def test_a_draw_has_the_gradient_of_its_softmax(drawing):
  weights = tf.random.stateless_normal(drawing.alphas.shape, [1, 1])
  draw = tf.constant(3)
  with tf.GradientTape(persistent=True) as tape:
    hard = tf.reduce_sum(weights * drawing.alpha_weights(draw))
    soft = tf.reduce_sum(
      weights
      * tf.nn.softmax(
        drawing.alphas + drawing._gumbel_noise(draw, drawing.alphas.shape)
      )
    )
  gradient = tape.gradient(hard, drawing.alphas)
  assert np.abs(gradient).max() > 0.01
  np.testing.assert_allclose(
    gradient, tape.gradient(soft, drawing.alphas), atol=1e-6
  )


def test_equal_draws_compute_the_same_and_others_something_else(drawing):
  images = pictures(17, 17)
  first, again, other = (
    drawing(images, draw=tf.constant(n)).numpy() for n in (1, 1, 2)
  )
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 1e-6
  assert np.isfinite(first).all()


def test_a_step_draws_once_for_all_cells_and_both_passes(drawing):
  @tf.function
  def step(images):
    with tf.GradientTape() as tape:
      logits = drawing(images, training=True, draw=tf.constant(1))
      loss = tf.reduce_mean(tf.square(logits - 1))
    return tape.gradient(loss, drawing.trainable_variables)

  concrete = step.get_concrete_function(pictures(17, 17))
  graph = concrete.graph.as_graph_def()
  bodies = [graph.node, *(f.node_def for f in graph.library.function)]
  types = [node.op for body in bodies for node in body]
  assert any(op in types for op in ('Case', 'StatelessCase'))
  assert types.count('ArgMax') == 1


def test_without_a_draw_the_likeliest_primitives_compute(drawing):
  likeliest = tf.argmax(drawing.alphas, axis=-1)
  expected = tf.one_hot(likeliest, len(primitives_lib.PAPER))
  np.testing.assert_array_equal(drawing.alpha_weights(), expected)


def test_partial_channels_have_a_kth_of_the_mixed_kernels():
  cells = [
    make(channel_divisor=k).nodes[1][1].cell.settings.mixture.filters
    for k in (1, 2)
  ]
  # F * s / 4 at the second level is 4.
  assert cells == [4, 2]


def test_seeds_draw_the_first_alphas_and_betas():
  first, again, other = (make(seed=seed) for seed in (1, 1, 2))
  for name in ('alphas', 'betas'):
    drawn = getattr(first, name).numpy()
    np.testing.assert_array_equal(drawn, getattr(again, name))
    assert (drawn != getattr(other, name).numpy()).all()
    assert 0 < np.abs(drawn).max() < 5e-3  # Of deviation 1e-3.


@pytest.mark.parametrize('size', [(33, 47), (64, 64), (66, 50)])
def test_any_crop_size_works(net, size):
  logits = net(pictures(*size))
  assert logits.shape == (2, *size, CLASSES)
  assert logits.dtype == tf.float32
  assert np.isfinite(logits).all()


def test_sizes_that_are_unknown_while_tracing_give_the_same(net):
  function = tf.function(
    lambda images: net(images),
    input_signature=[tf.TensorSpec([None, None, None, 3])],
  )
  images = pictures(33, 47)
  np.testing.assert_allclose(function(images), net(images), atol=1e-4)


@pytest.fixture(scope='module')
def tiny():
  """A net, its loss, and the loss's gradients by alphas and betas."""
  net = make(num_layers=2, init_stddev=1.0)
  images = pictures(17, 17)
  net(images)
  randomize(net)
  weights = tf.random.stateless_normal([2, 17, 17, CLASSES], [4, 4])

  @tf.function
  def loss():
    # Squared: the gradient itself has a slope, and no cancellation hides it.
    return tf.reduce_mean(tf.square(net(images) - weights))

  with tf.GradientTape() as tape:
    value = loss()
  return loss, net, tape.gradient(value, net.arch_variables)


@pytest.mark.parametrize('index', [0, 1])
def test_gradients_equal_finite_differences(tiny, index):
  loss, net, gradients = tiny
  variable, gradient = net.arch_variables[index], gradients[index].numpy()
  start, step = variable.numpy(), 0.02
  largest = float(np.abs(gradient).max())
  assert largest > 1e-4
  entries = np.argsort(-np.abs(gradient), axis=None)[:4]
  for entry in entries:
    values = []
    for sign in (1, -1):
      moved = start.copy()
      moved.flat[entry] += sign * step
      variable.assign(moved)
      values.append(float(loss()))
    variable.assign(start)
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(gradient.flat[entry], abs=0.03 * largest)


def test_illegal_transitions_get_no_gradient_and_legal_ones_do(tiny):
  _, net, (_, gradient) = tiny
  mask = lattice.legal_mask(2)
  assert mask.shape == gradient.shape
  assert not np.any(gradient.numpy()[~mask])
  assert np.all(gradient.numpy()[mask])
  probabilities = net.transition_probabilities().numpy()
  assert not np.any(probabilities[~mask])


def test_choices_are_float32_within_a_call_in_mixed_precision(monkeypatch):
  seen = []

  def look(self, images, architecture, *_):
    seen.append(architecture.alpha_weights)
    seen.append(self.transition_probabilities())
    return [images]

  monkeypatch.setattr(supernet.Supernet, '_lattice', look)
  tf.keras.mixed_precision.set_global_policy('mixed_bfloat16')
  try:
    make()(pictures(5, 5))
  finally:
    tf.keras.mixed_precision.set_global_policy('float32')
  assert [y.dtype for y in seen] == [tf.float32, tf.float32]


def test_what_nothing_is_called_cannot_move(net):
  message = (
    "`moved` ('alphas') must be one of weights, architecture, "
    'architecture_twice, or None.'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    net(pictures(17, 17), moved='alphas')


def test_one_class_is_refused():
  message = re.escape('`num_classes` (1) must be a whole number of at least 2.')
  with pytest.raises(ValueError, match=message):
    supernet.Supernet(configs.SupernetConfig(num_layers=2), 1)


def test_images_of_less_than_four_pixels_are_refused(net):
  message = re.escape('the image size (33x2) must be at least 4 pixels')
  with pytest.raises(ValueError, match=message):
    net(pictures(33, 2))


def test_weights_take_the_place_of_alphas_and_betas(net):
  images = pictures(33, 33)
  net.alphas.assign(tf.random.normal(net.alphas.shape, seed=3))
  net.betas.assign(tf.random.normal(net.betas.shape, seed=4))
  own = net.alpha_weights(), net.transition_probabilities()
  logits = net(images)
  net.alphas.assign(tf.zeros_like(net.alphas))
  net.betas.assign(tf.zeros_like(net.betas))
  assert np.abs(logits - net(images)).max() > 1e-3
  np.testing.assert_allclose(net(images, weights=own), logits, atol=1e-6)
