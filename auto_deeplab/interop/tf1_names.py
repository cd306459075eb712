# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The authors' TF1 variable names for the variables of a segmenter."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import primitives
from auto_deeplab.model import segmenter as segmenter_lib
from auto_deeplab.model.ops import layers

# Their shapes tell the width and the classes of a network.
FIRST_PROJECTION = 'hnasnet/cell_0/1x1/weights'
LOGITS_BIAS = 'logits/semantic/biases'

_NORM_SUFFIXES = ('gamma', 'beta', 'moving_mean', 'moving_variance')
_SIDES = ('left', 'right')

Named = Iterator[tuple[str, tf.Variable]]


def variables_by_name(
  segmenter: segmenter_lib.Segmenter,
) -> dict[str, tf.Variable]:
  """Maps each TF1 variable name to the variable of a built segmenter.

  Args:
    segmenter: called at least once, so that its variables exist.

  Returns:
    All its variables, batch norm statistics included: 1,370 entries for the
    published genotype.

  Raises:
    ValueError: if the segmenter is not built.
  """
  if not segmenter.built:
    raise ValueError(
      'the segmenter must be called once before its variables can be named.'
    )
  return dict(_all(segmenter))


def assign(
  segmenter: segmenter_lib.Segmenter, arrays: Mapping[str, np.ndarray]
) -> None:
  """Sets all variables of a built segmenter by TF1 name.

  Raises:
    ValueError: if a variable is missing, unknown, of another shape, or not
      finite; the message names the first and says how many there are. Nothing
      is assigned then.
  """
  targets = variables_by_name(segmenter)
  faults = [
    f'the network has no variable {name!r}'
    for name in sorted(arrays.keys() - targets)
  ]
  for name, target in targets.items():
    faults += _faults(name, tuple(target.shape), arrays.get(name))
  if faults:
    others = f' ({len(faults) - 1} more do not fit)' if faults[1:] else ''
    raise ValueError(f'{faults[0]}{others}.')
  for name, target in targets.items():
    target.assign(arrays[name])


def _faults(
  name: str, shape: tuple[int, ...], array: np.ndarray | None
) -> Iterator[str]:
  """What keeps an array from being the value of a variable, if anything."""
  if array is None:
    yield f'the variable {name!r} is missing'
  elif array.shape != shape:
    yield (
      f"the variable {name!r} has the shape {array.shape}, the network's has "
      f'{shape}'
    )
  elif not np.isfinite(array).all():
    index = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
    yield f'the variable {name!r} is {array[index]} at {list(index)}'


def _all(segmenter: segmenter_lib.Segmenter) -> Named:
  for index, conv_bn in enumerate(segmenter.stem.convs):
    yield from _conv_bn(
      conv_bn, f'hnasnet/conv{index}', f'hnasnet/conv{index}_bn'
    )
  for layer, cell in enumerate(segmenter.cells):
    yield from _cell(cell, segmenter.genotype, f'hnasnet/cell_{layer}')
  aspp, decoder = segmenter.aspp, segmenter.decoder
  yield from _head(aspp.image_pooling.conv, 'image_pooling')
  for index, conv_bn in enumerate(aspp.convs):
    yield from _head(conv_bn, f'aspp{index}')
  yield from _head(aspp.projection, 'concat_projection')
  yield from _head(decoder.low_level, 'decoder/feature_projection0')
  for index, conv_bn in enumerate(decoder.convs):
    name = f'decoder/decoder_conv0/decoder_conv0_{index + 1}'
    yield from _head(conv_bn, name)
  yield 'logits/semantic/weights', segmenter.logits.kernel
  yield LOGITS_BIAS, segmenter.logits.bias


def _norm(bn: tf.keras.layers.Layer, scope: str) -> Named:
  for suffix in _NORM_SUFFIXES:
    yield f'{scope}/{suffix}', getattr(bn, suffix)


def _conv_bn(conv_bn: layers.ConvBn, conv: str, bn: str) -> Named:
  yield f'{conv}/weights', conv_bn.conv.kernel
  yield from _norm(conv_bn.bn, bn)


def _head(conv_bn: layers.ConvBn, scope: str) -> Named:
  yield from _conv_bn(conv_bn, scope, f'{scope}/BatchNorm')


def _cell(cell, genotype: genotype_lib.Genotype, scope: str) -> Named:
  if cell.previous_projection is not None:
    yield from _conv_bn(
      cell.previous_projection, f'{scope}/prev_1x1', f'{scope}/prev_bn'
    )
  yield from _conv_bn(cell.projection, f'{scope}/1x1', f'{scope}/beginning_bn')
  for index, (block, own) in enumerate(zip(genotype.cell, cell.operations)):
    for side, (_, name), layer in zip(_SIDES, block, own):
      yield from _operation(layer, name, f'{scope}/comb_iter_{index}/{side}')


def _operation(layer, name: str, scope: str) -> Named:
  primitive = primitives.get(name)
  if isinstance(primitive, primitives.AtrousConv):
    yield from _atrous(layer, primitive, scope)
  elif isinstance(primitive, primitives.SeparableConv):
    yield from _separable(layer, primitive, scope)
  elif layer.variables:
    raise ValueError(f"the authors' code has no operation {name!r}.")


def _atrous(layer, primitive: primitives.AtrousConv, scope: str) -> Named:
  size = f'{primitive.kernel_size}x{primitive.kernel_size}'
  yield from _conv_bn(
    layer.conv_bn, f'{scope}/atrous_{size}', f'{scope}/bn_atr_{size}'
  )


def _separable(layer, primitive: primitives.SeparableConv, scope: str) -> Named:
  size = f'{primitive.kernel_size}x{primitive.kernel_size}'
  for index, (conv, bn) in enumerate(zip(layer.convs, layer.bns), start=1):
    conv_scope = f'{scope}/separable_{size}_{index}'
    yield f'{conv_scope}/depthwise_weights', conv.depthwise_kernel
    yield f'{conv_scope}/pointwise_weights', conv.pointwise_kernel
    yield from _norm(bn, f'{scope}/bn_sep_{size}_{index}')
