# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Lists of JSON become arrays, exactly or not at all."""

import json

import numpy as np
import pytest

from auto_deeplab.serving.server import arrays, errors

BYTE = np.dtype(np.uint8)
STRING = np.dtype(object)
NOT_BYTES = r"^the input 'x' must be whole numbers in 0\.\.255\.$"
UNLIKE = r"^the input 'x' must be lists of one length on each level, of at most"


@pytest.mark.parametrize('shape', [[0], [1], [2, 0], [2, 3, 5], [1] * 8])
def test_numbers_keep_their_places(shape):
  expected = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
  found = arrays.from_lists('x', expected.tolist(), BYTE)
  np.testing.assert_array_equal(found, expected, strict=True)


def test_a_number_alone_is_an_array_without_axes():
  assert arrays.from_lists('x', 7, BYTE).shape == ()


def test_strings_are_text_or_base64():
  value = [['é', {'b64': '/wA='}]]
  found = arrays.from_lists('x', value, STRING)
  assert found.tolist() == [['é'.encode(), b'\xff\0']]


@pytest.mark.parametrize(
  'value', [256, -1, 1.0, True, '7', None, {}, 10**30, [1, 2.5]]
)
def test_what_is_no_byte_is_refused(value):
  with pytest.raises(errors.ServingError, match=NOT_BYTES):
    arrays.from_lists('x', [value] if value != [1, 2.5] else value, BYTE)


@pytest.mark.parametrize(
  'value', [[[1], [1, 2]], [[1], 2], [[[1]], [2]], [[[[[[[[[1]]]]]]]]]]
)
def test_lists_of_unlike_lengths_are_refused(value):
  with pytest.raises(errors.ServingError, match=UNLIKE):
    arrays.from_lists('x', value, BYTE)


@pytest.mark.parametrize('value', [1, None, {}, {'b64': 'AA==', 'c': 1}])
def test_what_is_no_string_is_refused(value):
  with pytest.raises(
    errors.ServingError,
    match=r"^the input 'x' must be strings, or \{\"b64\": \"\.\.\.\"\} for by",
  ):
    arrays.from_lists('x', [value], STRING)


@pytest.mark.parametrize('text', ['A', 'é', 3, None, 'AA==\n'])
def test_what_is_no_base64_is_refused(text):
  with pytest.raises(
    errors.ServingError, match=r"^the input 'x' is not base64: "
  ):
    arrays.from_lists('x', [{'b64': text}], STRING)


def test_half_a_character_of_json_passes_or_is_refused_in_words():
  value = json.loads(r'["\ud800"]')
  assert arrays.from_lists('x', value, STRING).tolist() == [b'\xed\xa0\x80']


def test_an_answer_too_long_for_json_is_refused():
  outputs = {'a': np.broadcast_to(np.uint8(1), [2**23 + 1])}
  with pytest.raises(
    errors.ServingError,
    match=r'^the answer has 8388609 values, too many for JSON, whose limit is '
    r'8388608; take the signature `segment`, or gRPC\.$',
  ):
    arrays.require_few(outputs)
