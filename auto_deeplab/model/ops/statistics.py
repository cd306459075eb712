# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The statistics of a search cell's batch norms, which lie in two variables.

A layout says where: lists within lists, at whose ends stand the channels of the
norms in the order in which they lie.
"""

import dataclasses
from typing import Any

import tensorflow as tf

from auto_deeplab.model.ops import constants


@dataclasses.dataclass(frozen=True, eq=False)
class Statistics:
  """Of one batch norm, or of several one after another.

  Attributes:
    mean: float32 `[c]`.
    variance: float32 `[c]`.
  """

  mean: tf.Tensor
  variance: tf.Tensor


def size(layout: Any) -> int:
  """Returns the channels of all norms together."""
  return sum(tf.nest.flatten(layout))


def nothing(layout: Any) -> Any:
  """Returns None for each norm: a batch's own statistics are to be taken."""
  return tf.nest.map_structure(lambda _: None, layout)


def split(statistics: Statistics, layout: Any) -> Any:
  """Parts those of all norms into those of each, in lists as in the layout."""
  sizes = constants.constant(tf.nest.flatten(layout))
  axis = constants.constant(0)
  means = tf.split(statistics.mean, sizes, axis)
  variances = tf.split(statistics.variance, sizes, axis)
  return tf.nest.pack_sequence_as(
    layout, list(map(Statistics, means, variances))
  )


def join(statistics: Any, layout: Any) -> Statistics:
  """Lays those of each norm one after another; `split` parts them again."""
  tf.nest.assert_same_structure(statistics, layout)
  flat = tf.nest.flatten(statistics)
  return Statistics(
    tf.concat([each.mean for each in flat], 0),
    tf.concat([each.variance for each in flat], 0),
  )
