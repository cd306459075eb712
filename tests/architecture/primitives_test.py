# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a primitive is called, costs and looks like."""

import re

import pytest

from auto_deeplab.architecture import counting, primitives


def test_the_primitives_of_the_paper_stand_in_the_order_of_alphas():
  assert primitives.PAPER == (
    'none',
    'max_pool_3x3',
    'avg_pool_3x3',
    'skip_connect',
    'sep_conv_3x3',
    'sep_conv_5x5',
    'atrous_conv_3x3',
    'atrous_conv_5x5',
  )
  assert primitives.operations() == primitives.PAPER[1:]
  assert primitives.operations(['skip_connect', 'none']) == ('skip_connect',)


def test_only_atrous_primitives_are_dilated_and_by_two():
  rates = {
    name: getattr(primitives.get(name), 'atrous_rate', 1)
    for name in primitives.PAPER
  }
  assert {name for name, rate in rates.items() if rate != 1} == {
    'atrous_conv_3x3',
    'atrous_conv_5x5',
  }
  assert rates['atrous_conv_3x3'] == rates['atrous_conv_5x5'] == 2


def test_labels_are_short_and_unlike():
  labels = [primitives.get(name).label for name in primitives.PAPER]
  assert labels == [
    'none',
    'max pool 3×3',
    'avg pool 3×3',
    'skip',
    'sep 3×3',
    'sep 5×5',
    'atrous 3×3',
    'atrous 5×5',
  ]


def test_what_is_not_known_is_refused_with_what_is():
  message = "the primitive 'conv_7x7' is unknown; known are none, max_pool_3x3,"
  with pytest.raises(ValueError, match=message):
    primitives.get('conv_7x7')


def test_a_name_belongs_to_one_primitive():
  primitives.register(primitives.Skip('skip_connect'))  # The same once more.
  message = (
    "there is another primitive 'skip_connect': Skip(name='skip_connect')"
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    primitives.register(primitives.MaxPool('skip_connect', 3))


@pytest.mark.parametrize('name', ['', 'Conv', 'sep conv', 'a/b'])
def test_a_name_that_no_file_or_variable_could_have_is_refused(name):
  message = f'the name of a primitive ({name!r}) must consist of lower-case'
  with pytest.raises(ValueError, match=re.escape(message)):
    primitives.register(primitives.Skip(name))
  assert name not in primitives.known()


def test_an_operation_costs_its_kernels_and_what_stands_beside_them():
  counted = counting.convolution((5, 7), 3, 4, 3, beside=counting.BIAS)
  positions = 35 * 9 * 3 * 4
  assert counted == counting.Count(9 * 3 * 4 + 4, positions, positions)
  # The profiler counts maps padded to multiples of the rate: 6 x 8.
  atrous = counting.convolution((5, 7), 3, 4, 3, atrous_rate=2)
  padded = 48 * 9 * 3 * 4
  assert atrous == counting.Count(9 * 3 * 4 + 8, positions, padded)
  # Half a multiply-add for each element of each window.
  pooled = counting.pooling((5, 7), 3, (3, 3))
  assert pooled == counting.Count(0, 0, 35 * 3 * 9 / 2)
  assert counting.total([atrous, pooled]) == counting.Count(
    atrous.parameters,
    atrous.multiply_adds,
    atrous.profiler_multiply_adds + 472.5,
  )


@pytest.mark.parametrize('size', [4, 0, -1])
def test_a_window_without_a_middle_is_refused(size):
  message = (
    rf'^the `kernel_size` of sep \({size}\) must be odd and at least 1\.$'
  )
  with pytest.raises(ValueError, match=message):
    primitives.SeparableConv('sep', size)
