# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The supernet: every path of the lattice at once, weighed by alpha and beta.

Eq. 6 and 7 of the paper. Node (layer, level) at output stride s computes

  H[l, s] = sum over incoming transitions of
            beta * Cell(projection(H[l-1, s']), H[l-2, s])

where beta is a softmax over the source node's legal outgoing transitions.
"""

from collections.abc import Sequence
import dataclasses
import itertools
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice
from auto_deeplab.model import deeplab, drawn_path, pixels
from auto_deeplab.model import nodes as nodes_lib
from auto_deeplab.model.ops import normalization, sizes
from auto_deeplab.model.search import search_cell


@tf.keras.saving.register_keras_serializable(package='auto_deeplab')
class Supernet(pixels.PictureModel):
  """The continuous network of the search.

  Attributes:
    config: the search space.
    alphas: float32 variable `[num_edges, num_primitives]`.
    betas: float32 variable `[num_layers, NUM_LEVELS, NUM_DIRECTIONS]`, indexed
      by the source of a transition (`architecture.lattice`).
  """

  def __init__(
    self,
    config: configs.SupernetConfig,
    num_classes: int,
    *,
    synchronized_batch_norm: bool = False,
    seed: int = 0,
    **kwargs,
  ):
    """Builds the layers; the weights follow with the first call.

    Args:
      config: the search space.
      num_classes: classes of the logits.
      synchronized_batch_norm: whether statistics are taken over all replicas.
      seed: of the initial alphas and betas, and of drawn primitives.
      **kwargs: of the Keras model.
    """
    super().__init__(**kwargs)
    pixels.check_num_classes(num_classes)
    self.config = config
    self._num_classes = num_classes
    self._synchronized_batch_norm = synchronized_batch_norm
    norm = normalization.NormSettings(
      config.batch_norm_momentum,
      config.batch_norm_epsilon,
      synchronized_batch_norm,
    )
    self.stem = deeplab.Stem(config.stem_filters, norm)
    # Lists, not dicts by (layer, level): Keras trains those, then fails to
    # save them.
    self.nodes = [
      [
        self._make_node(layer, level, norm)
        for level in lattice.reachable_levels(layer)
      ]
      for layer in range(config.num_layers)
    ]
    self.heads = [
      deeplab.SearchHead(
        level,
        channels,
        num_classes,
        norm,
        name=f'head_{level}',
      )
      for level, channels in self._channels(config.num_layers - 1).items()
    ]
    self._seed = seed
    self._has_path_variables = False
    self._add_architecture_variables(seed)

  def get_config(self) -> dict[str, Any]:
    """Returns what it was made with, as JSON has it."""
    return {
      'config': dataclasses.asdict(self.config),
      'num_classes': self._num_classes,
      'synchronized_batch_norm': self._synchronized_batch_norm,
      'seed': self._seed,
      'name': self.name,
    }

  @classmethod
  def from_config(cls, config, custom_objects=None) -> 'Supernet':
    """Makes the model that `get_config` describes, without its weights."""
    del custom_objects
    own = configs.SupernetConfig(**config['config'])
    return cls(**config | {'config': own})

  def _make_node(
    self, layer: int, level: int, norm: normalization.NormSettings
  ) -> tf.keras.layers.Layer:
    name = f'node_{layer}_{level}'
    if self.config.draw_path:
      return nodes_lib.PathNode(layer, level, self.config, norm, name=name)
    return nodes_lib.Node(
      [direction for _, direction in lattice.incoming(layer, level)],
      self.config,
      lattice.block_filters(level, self.config.filter_multiplier),
      norm,
      name=name,
    )

  def make_path_variables(self) -> None:
    """Makes what the first path that is drawn would leave out as well.

    The first call does that by itself. No `build`: Keras would then no longer
    build a supernet of all paths by a call.
    """
    if self._has_path_variables:
      return
    self._has_path_variables = True
    self.stem(tf.zeros([1, 4, 4, 3]))
    half, stem = self.config.stem_filters[1:]
    before, last = {0: half}, {0: stem}
    for layer, nodes in enumerate(self.nodes):
      for node in nodes:
        node.make_variables(last, before)
      before, last = last, self._channels(layer)
    for head, channels in zip(self.heads, last.values()):
      head(tf.zeros([1, 2, 2, channels]))
    self.built = True

  def _channels(self, layer: int) -> dict[int, int]:
    """Returns the channels of a layer's outputs, by level."""
    config = self.config
    return {
      level: config.num_blocks
      * lattice.block_filters(level, config.filter_multiplier)
      for level in lattice.reachable_levels(layer)
    }

  @property
  def every_node(self) -> list[tf.keras.layers.Layer]:
    """The nodes, layer by layer: Keras' files keep no lists of lists."""
    return list(itertools.chain(*self.nodes))

  def _add_architecture_variables(self, seed: int) -> None:
    def add(name: str, shape: tuple[int, ...], offset: int) -> tf.Variable:
      initializer = tf.keras.initializers.RandomNormal(
        stddev=self.config.init_stddev, seed=seed + offset
      )
      return self.add_weight(
        name,
        shape,
        dtype=tf.float32,
        # Also within a call under a mixed-precision policy.
        experimental_autocast=False,
        initializer=initializer,
      )

    num_edges = len(genotype_lib.edges(self.config.num_blocks))
    mask = lattice.legal_mask(self.config.num_layers)
    self.alphas = add('alphas', (num_edges, len(self.config.primitives)), 0)
    self.betas = add('betas', mask.shape, 1)

  @property
  def arch_variables(self) -> list[tf.Variable]:
    """Alphas and betas: what the architecture step trains."""
    return [self.alphas, self.betas]

  @property
  def weight_variables(self) -> list[tf.Variable]:
    """All other trainable variables: what the weight step trains."""
    arch = {id(v) for v in self.arch_variables}
    return [v for v in self.trainable_variables if id(v) not in arch]

  def alpha_weights(self, draw: tf.Tensor | None = None) -> tf.Tensor:
    """Returns what weighs the primitives on each edge.

    Softmax of alpha, or where primitives are drawn the straight-through
    Gumbel-softmax: one-hot at the largest of alpha and noise, with the gradient
    of their softmax at the configuration's temperature.

    Args:
      draw: int scalar, numbers the draw; None leaves the noise out.

    Returns:
      float32 `[num_edges, num_primitives]`.
    """
    return self._draw(draw)[0]

  def _draw(self, draw: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Returns `alpha_weights`, and if primitives are drawn, their numbers."""
    if not self.config.draw_primitives:
      return tf.nn.softmax(self.alphas, axis=-1), None
    logits = tf.convert_to_tensor(self.alphas)
    if draw is not None:
      logits += self._gumbel_noise(draw, logits.shape)
    soft = tf.nn.softmax(logits / self.config.gumbel_temperature, axis=-1)
    choices = tf.argmax(logits, axis=-1, output_type=tf.int32)
    hard = tf.one_hot(choices, logits.shape[-1])
    # In this order the sum is exactly one-hot.
    return hard + (soft - tf.stop_gradient(soft)), choices

  def _path(
    self,
    draw: tf.Tensor | None,
    weights: tuple[tf.Tensor, tf.Tensor] | None,
  ) -> tuple[tuple[int, ...], Sequence[tf.Tensor | float]]:
    """Returns the path of a call, and what weighs its transitions."""
    if not tf.executing_eagerly():
      raise ValueError(
        'a supernet that draws paths computes another network each time: it is '
        'to be called eagerly, not within a tf.function or by `fit`.'
      )
    if weights is None:
      return self._draw_path(draw)
    path = drawn_path.along_largest(np.asarray(weights[1]))
    return path, [1.0] * len(path)

  def _draw_path(
    self, draw: tf.Tensor | None
  ) -> tuple[tuple[int, ...], list[tf.Tensor]]:
    """Returns a path, and what weighs its transitions."""
    logits = tf.convert_to_tensor(self.betas)
    if draw is not None:
      # Other numbers than those of the primitives.
      logits += self._gumbel_noise(-1 - draw, logits.shape)
    path = drawn_path.along_largest(logits.numpy())
    temperature = self.config.gumbel_temperature
    return path, drawn_path.weights(logits, path, temperature)

  def _gumbel_noise(self, draw: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Returns -log(-log(u)), equal for equal draws, as on all replicas."""
    smallest = np.finfo(np.float32).tiny
    u = tf.random.stateless_uniform(shape, self.seed_of(draw), smallest, 1.0)
    return -tf.math.log(-tf.math.log(u))

  def seed_of(self, draw: tf.Tensor) -> tf.Tensor:
    """Returns the seed of stateless random numbers for a draw, int64 `[2]`."""
    return tf.stack([tf.cast(self._seed, tf.int64), tf.cast(draw, tf.int64)])

  def transition_probabilities(self) -> tf.Tensor:
    """Returns softmax of beta over legal directions, 0 elsewhere, float32."""
    mask = lattice.legal_mask(self.config.num_layers)
    # Rows that no path reaches have no legal entry: they become zero.
    masked = tf.where(mask, self.betas, np.float32(-1e9))
    return tf.nn.softmax(masked, axis=-1) * mask.astype(np.float32)

  def _by_node(
    self, transitions: tf.Tensor
  ) -> dict[tuple[int, int], list[tf.Tensor]]:
    """Returns what weighs each node's inputs, scalars, by layer and level."""
    places = {
      (layer, level): [
        (layer, *each) for each in lattice.incoming(layer, level)
      ]
      for layer, nodes in enumerate(self.nodes)
      for level in range(len(nodes))
    }
    # All at once: of its own, each would be a slice and have its constants.
    values = iter(
      tf.unstack(
        tf.gather_nd(transitions, list(itertools.chain(*places.values())))
      )
    )
    return {
      node: list(itertools.islice(values, len(transitions)))
      for node, transitions in places.items()
    }

  def call(
    self,
    images: tf.Tensor,
    training=None,
    draw: tf.Tensor | None = None,
    moved: str | None = None,
    weights: tuple[tf.Tensor, tf.Tensor] | None = None,
  ) -> tf.Tensor:
    """Computes the logits: the sum of the four levels' upsampled logits.

    Args:
      images: `[n, h, w, 3]`, uint8 or float in [-1, 1]; any h and w of at
        least 4.
      training: whether batch norm takes the statistics of the batch.
      draw: int scalar, which draw of the primitives this is, where they are
        drawn; None takes the likeliest ones.
      moved: 'weights' or 'architecture' if the step moves these alone: the
        cells then take the others as constants, which spares their gradients.
        None takes all gradients; 'architecture_twice' is for those that are
        to be differentiated again, and takes memory.
      weights: of primitives and transitions, float32 of the shapes of alphas
        and betas, in the place of what those give; as of
        `architecture.discretization`.

    Returns:
      float32 `[n, h, w, num_classes]`.

    Raises:
      ValueError: if `moved` is another word, or images are too small, of
        another dtype, or beyond [-1, 1]; or if paths are drawn and this is no
        eager call.
    """
    images = pixels.as_floats(images, self.compute_dtype)
    sizes.check_map_size(images)
    drawn = self._draw(draw) if weights is None else (weights[0], None)
    architecture = search_cell.Architecture(*drawn, moved)
    if self.config.draw_path:
      self.make_path_variables()
      path = self._path(draw, weights)
      return self._along_path(images, architecture, *path, training)
    transitions = (
      self.transition_probabilities() if weights is None else weights[1]
    )
    outputs = self._lattice(images, architecture, transitions, training)
    size = sizes.spatial_size(images)
    return tf.add_n(
      [
        sizes.resize_aligned(head(x, training=training), size)
        for head, x in zip(self.heads, outputs)
      ]
    )

  def _lattice(
    self,
    images: tf.Tensor,
    architecture: search_cell.Architecture,
    transitions: tf.Tensor,
    training,
  ) -> list[tf.Tensor]:
    """Returns the last layer's outputs, finest level first."""
    beta_weights = self._by_node(transitions)
    half, stem = self.stem(images, training=training)
    map_sizes = sizes.pyramid(sizes.spatial_size(stem), lattice.NUM_LEVELS)
    before, last = [half], [stem]
    for layer, nodes in enumerate(self.nodes):
      outputs = []
      for level, node in enumerate(nodes):
        incoming = lattice.incoming(layer, level)
        outputs.append(
          node(
            [last[source] for source, _ in incoming],
            # The nearest size where H[l-2] has no such level.
            before[min(level, len(before) - 1)],
            architecture,
            beta_weights[layer, level],
            map_sizes[level],
            training=training,
          )
        )
      before, last = last, outputs
    return last

  def _along_path(
    self,
    images: tf.Tensor,
    architecture: search_cell.Architecture,
    path: Sequence[int],
    weights: Sequence[tf.Tensor | float],
    training,
  ) -> tf.Tensor:
    """Returns the logits of the cells along a path."""
    half, stem = self.stem(images, training=training)
    map_sizes = sizes.pyramid(sizes.spatial_size(stem), lattice.NUM_LEVELS)
    before, last, levels = half, stem, (0, 0)
    for nodes, level, weight in zip(self.nodes, path, weights, strict=True):
      x = nodes[level](
        last,
        before,
        levels,
        architecture,
        weight,
        map_sizes[level],
        training=training,
      )
      before, last, levels = last, x, (level, levels[0])
    return sizes.resize_aligned(
      self.heads[levels[0]](last, training=training), sizes.spatial_size(images)
    )
