# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The authors' TF1 variable names for the variables of a segmenter."""

from collections.abc import Iterator

import tensorflow as tf

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.model import operations
from auto_deeplab.model import segmenter as segmenter_lib

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
  yield 'logits/semantic/biases', segmenter.logits.bias


def _norm(bn: tf.keras.layers.Layer, scope: str) -> Named:
  for suffix in _NORM_SUFFIXES:
    yield f'{scope}/{suffix}', getattr(bn, suffix)


def _conv_bn(conv_bn: operations.ConvBn, conv: str, bn: str) -> Named:
  yield f'{conv}/weights', conv_bn.conv.kernel
  yield from _norm(conv_bn.bn, bn)


def _head(conv_bn: operations.ConvBn, scope: str) -> Named:
  yield from _conv_bn(conv_bn, scope, f'{scope}/BatchNorm')


def _cell(cell, genotype: genotype_lib.Genotype, scope: str) -> Named:
  if cell.previous_projection is not None:
    yield from _conv_bn(
      cell.previous_projection, f'{scope}/prev_1x1', f'{scope}/prev_bn'
    )
  yield from _conv_bn(cell.projection, f'{scope}/1x1', f'{scope}/beginning_bn')
  for index, (block, layers) in enumerate(zip(genotype.cell, cell.operations)):
    for side, (_, name), layer in zip(_SIDES, block, layers):
      yield from _operation(layer, name, f'{scope}/comb_iter_{index}/{side}')


def _operation(layer, name: str, scope: str) -> Named:
  """Pooling and skip have no variables."""
  primitive = genotype_lib.PRIMITIVES[name]
  size = f'{primitive.kernel_size}x{primitive.kernel_size}'
  if primitive.kind == 'atrous':
    yield from _conv_bn(
      layer.conv_bn, f'{scope}/atrous_{size}', f'{scope}/bn_atr_{size}'
    )
  elif primitive.kind == 'separable':
    for index, (conv, bn) in enumerate(zip(layer.convs, layer.bns), start=1):
      conv_scope = f'{scope}/separable_{size}_{index}'
      yield f'{conv_scope}/depthwise_weights', conv.depthwise_kernel
      yield f'{conv_scope}/pointwise_weights', conv.pointwise_kernel
      yield from _norm(bn, f'{scope}/bn_sep_{size}_{index}')
