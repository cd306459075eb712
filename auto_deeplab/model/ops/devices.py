# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is right, and what pays, on the device of this process alone.

The one place that knows the device: layers ask it by name, and a trick that
pays on one kind of device is switched here.
"""

import functools

import tensorflow as tf


def is_cpu() -> bool:
  """Whether oneDNN's kernels for CPUs compute, for lack of anything faster."""
  return not any(map(tf.config.list_logical_devices, ('GPU', 'TPU')))


@functools.cache
def has_convolutions(dtype: tf.DType) -> bool:
  """Whether atrous and grouped convolutions of `dtype` have gradients here.

  GPUs and TPUs have them. On CPUs oneDNN has, in float32 and, given AVX-512,
  in bfloat16; what TensorFlow falls back to has not. Nothing public tells which
  of the two computes, so the smallest case is tried.
  """
  if not is_cpu():
    return True
  with tf.init_scope():
    try:
      tf.raw_ops.Conv2DBackpropInput(
        input_sizes=[1, 5, 5, 1],
        filter=tf.zeros([3, 3, 1, 1], dtype),
        out_backprop=tf.zeros([1, 5, 5, 1], dtype),
        strides=[1, 1, 1, 1],
        padding='SAME',
        dilations=[1, 2, 2, 1],
      )
    except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
      return False
  return True


def is_emulated(dtype: tf.DType) -> bool:
  """Whether a 16-bit dtype is computed as float32, for lack of kernels."""
  return dtype.size < tf.float32.size and not has_convolutions(dtype)


def trusts_kernel_gradients(dtype: tf.DType) -> bool:
  """Whether the kernel gradients of convolutions of `dtype` are right here.

  Those of 16 bits on CPUs are not. oneDNN fills blocks up with zeros, and
  multiplies some of them with memory that nobody wrote: what was finite there
  leaves no trace, a NaN or an infinity becomes a NaN of the gradient. Seen of
  plain 3x3 kernels in bfloat16 on an Intel CPU with AMX, where the heap had
  held NaNs: in 4 of 40 calls (TensorFlow 2.15.1; 9 of 40 with 2.20).
  """
  return not is_cpu() or dtype.size >= tf.float32.size


def parts_5x5_gradients() -> bool:
  """Whether 5x5 depthwise kernels take their gradient from four of 3x3.

  oneDNN has a fast one of 3x3 kernels alone. Elsewhere it is 15 operations in
  the place of one.
  """
  return is_cpu()


def holds_pools_back() -> bool:
  """Whether pools are computed again in the backward pass.

  There oneDNN has a gradient of a maximum that is part of the same function,
  which takes a ninth of TensorFlow's own. Elsewhere it is a pool more.
  """
  return is_cpu()


def normalizes_16_bits() -> bool:
  """Whether batch norm takes 16 bits as they are, its sums being float32.

  On GPUs and TPUs, where two casts of each map would cost as much as the norm.
  On CPUs float32 is faster and more exact.
  """
  return not is_cpu()


def counts_by_bincount() -> bool:
  """Whether `tf.math.bincount` counts, or a sum of segments.

  It is ten times as fast on CPUs. On GPUs it refuses to run where all has to be
  deterministic.
  """
  return is_cpu()
