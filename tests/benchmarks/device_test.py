# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What `make check-device` calls right, and what not."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import device, device_answers

ANSWERS = {
  'stem:forward': [np.array([3.0, 4.0]), np.zeros([2, 2])],
  'stem:gradient': [np.ones(100)],
  'labels:labels': [np.arange(1000) % 19],
}


def rows_of(answers, precision='float32'):
  rows = device.compare({**ANSWERS, **answers}, ANSWERS, precision)
  return {row['part']: row for row in rows}


def test_equal_answers_are_right():
  rows = rows_of({})
  assert [row['is_right'] for row in rows.values()] == [True, True]
  assert rows['stem']['forward'] == rows['stem']['gradient'] == 0


@pytest.mark.parametrize(
  'key, value',
  [
    ('stem:forward', [np.array([3.0, 4.0]), np.full([2, 2], 0.01)]),
    ('stem:gradient', [np.full(100, 1.1)]),
    ('stem:gradient', [np.full(100, np.nan)]),
    ('labels:labels', [np.maximum(np.arange(1000) % 19, 1)]),
  ],
)
def test_an_answer_that_is_off_is_not_right(key, value):
  part = key.split(':')[0]
  rows = rows_of({key: value})
  assert not rows[part]['is_right']
  assert all(row['is_right'] for name, row in rows.items() if name != part)


def test_errors_are_relative_to_all_of_an_answer():
  off = [np.array([3.0, 4.0]), np.full([2, 2], 0.5)]
  assert rows_of({'stem:forward': off})['stem']['forward'] == (
    pytest.approx(1 / 5)
  )


def test_answers_come_back_from_their_file(tmp_path):
  device.save(ANSWERS, tmp_path / 'answers.npz')
  found = device.load(tmp_path / 'answers.npz')
  assert found.keys() == ANSWERS.keys()
  assert not any(
    row['forward'] for row in device.compare(found, found, 'float32')
  )
  for key, values in ANSWERS.items():
    for a, b in zip(found[key], values, strict=True):
      np.testing.assert_array_equal(a, b)


def test_a_part_answers_with_outputs_and_all_gradients():
  part = next(p for p in device_answers.parts() if p.name == 'decoder')
  answers = device_answers.answers_of(part)
  [output] = answers['forward']
  assert output.shape == (2, 17, 17, 16)
  # Of two inputs, three kernels, three scales and offsets.
  assert len(answers['gradient']) == 2 + 3 + 2 * 3
  assert all(np.any(gradient) for gradient in answers['gradient'])
  assert {p.name.split('/')[0] for p in device_answers.parts()} >= {
    'max_pool_3x3',
    'sep_conv_5x5',
    'aspp',
    'cell',
    'search_cell',
  }
  again = next(p for p in device_answers.parts() if p.name == 'decoder')
  for a, b in zip(
    device_answers.answers_of(again)['forward'], answers['forward']
  ):
    np.testing.assert_array_equal(a, b)


class _Failing(tf.keras.layers.Layer):
  def call(self, x, training):
    raise tf.errors.UnimplementedError(None, None, 'no such kernel')


def test_a_part_that_fails_is_not_right_and_the_others_are(monkeypatch, capsys):
  def parts():
    settings = {'training': True}
    yield device_answers.Part('failing', _Failing(), [[1, 4, 4, 3]], settings)
    good = tf.keras.layers.BatchNormalization()
    yield device_answers.Part('good', good, [[1, 4, 4, 3]], settings)

  monkeypatch.setattr(device_answers, 'parts', parts)
  monkeypatch.setattr(device_answers, 'steps', dict)
  monkeypatch.setattr(
    device_answers, 'labels', lambda: [np.zeros([2], np.int32)]
  )
  found = device_answers.all_answers(leave_out_failing=True)
  assert 'failing: ' in capsys.readouterr().err
  failing = {f'failing:{k}': [np.ones(1)] for k in ('forward', 'gradient')}
  rows = device.compare(found, found | failing, 'float32')
  assert {row['part']: row['is_right'] for row in rows} == {
    'good': True,
    'labels': True,
    'failing': False,
  }
  with pytest.raises(tf.errors.UnimplementedError):
    device_answers.all_answers()


def test_weights_are_drawn_alike_everywhere():
  layers = [tf.keras.layers.Dense(3), tf.keras.layers.Dense(3)]
  for layer in layers:
    layer.build([None, 4])
    device_answers.set_weights(layer)
  for a, b in zip(*(layer.get_weights() for layer in layers)):
    np.testing.assert_array_equal(a, b)
    assert np.any(a)
