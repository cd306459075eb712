# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Examples of an evaluation are small files with an index."""

import io
import json
import os

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.reporting import examples, legend
from tests.data import mutations

NUM_INPUTS = int(os.environ.get('FUZZ_INPUTS', '100'))
NAMES, COLORS = ('sky', 'road'), ((10, 20, 30), (200, 100, 50))


def _shown(kind, name):
  label = np.array([[0, 1], [255, 1]], np.uint8)
  image = np.full([2, 2, 3], 90, np.uint8)
  scores = {
    'name': name,
    'mean_iou': 0.5,
    'pixel_accuracy': 0.75,
    'confused': [('sky', 'road', 0.25)],
  }
  return examples.Shown(kind, scores, image, label, np.minimum(label, 1))


def test_what_is_written_is_read(tmp_path):
  folder = tmp_path / 'new' / 'examples'
  shown = [_shown('worst', 'a'), _shown('worst', 'b'), _shown('best', 'c')]
  examples.write(folder, shown, NAMES, COLORS)
  found = examples.read(folder)
  assert (found.class_names, found.colors) == (NAMES, COLORS)
  assert [(e.kind, e.name, e.mean_iou) for e in found.pictures] == [
    ('worst', 'a', 0.5),
    ('worst', 'b', 0.5),
    ('best', 'c', 0.5),
  ]
  assert found.pictures[1].confused == (('sky', 'road', 0.25),)
  with Image.open(io.BytesIO(found.pictures[2].label)) as picture:
    np.testing.assert_array_equal(np.asarray(picture), shown[2].label)
    colors = np.asarray(picture.convert('RGB'))
  np.testing.assert_array_equal(colors[0], COLORS)
  np.testing.assert_array_equal(colors[1], [legend.IGNORED, COLORS[1]])
  for part in ('image', 'prediction'):
    with Image.open(io.BytesIO(getattr(found.pictures[2], part))) as picture:
      assert picture.size == (2, 2)


def test_older_examples_are_gone(tmp_path):
  examples.write(tmp_path / 'a', 2 * [_shown('best', 'a')], NAMES, COLORS)
  examples.write(tmp_path / 'a', [_shown('worst', 'b')], NAMES, COLORS)
  assert sorted(path.name for path in (tmp_path / 'a').iterdir()) == [
    'examples.json',
    'worst-1-image.jpg',
    'worst-1-label.png',
    'worst-1-prediction.png',
  ]
  examples.write(tmp_path / 'a', [], NAMES, COLORS)
  assert not (tmp_path / 'a').exists()


def test_a_damaged_picture_is_named(tmp_path):
  examples.write(tmp_path / 'a', [_shown('worst', 'b')], NAMES, COLORS)
  path = tmp_path / 'a' / 'worst-1-label.png'
  path.write_bytes(path.read_bytes()[:40])
  with pytest.raises(ValueError, match=r'worst-1-label\.png cannot be d'):
    examples.read(tmp_path / 'a')
  path.unlink()
  with pytest.raises(FileNotFoundError):
    examples.read(tmp_path / 'a')


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda d: d.update(version=2), "it is of format 'auto_deeplab.examples',"),
    (lambda d: d.pop('pictures'), "'pictures'"),
    (
      lambda d: d['pictures'][0]['files'].update(label='../../x.png'),
      "'../../x.png' is no file within the folder",
    ),
    (lambda d: d['pictures'][0].update(kind='x'), "the kind 'x' is not one of"),
    (lambda d: d['classes'][0].update(color=[1, 2, 256]), 'is no colour'),
    (lambda d: d['classes'][0].update(name=3), '3 is no name'),
    (lambda d: d['pictures'][0].update(mean_iou=1.5), '1.5 is not in [0, 1]'),
    (lambda d: d['pictures'][0].update(confused=[1]), 'cannot unpack'),
  ],
)
def test_a_damaged_index_is_named(tmp_path, change, message):
  examples.write(tmp_path / 'a', [_shown('worst', 'b')], NAMES, COLORS)
  path = tmp_path / 'a' / 'examples.json'
  document = json.loads(path.read_text())
  change(document)
  path.write_text(json.dumps(document))
  with pytest.raises(ValueError) as error:
    examples.read(tmp_path / 'a')
  assert str(error.value).startswith(f'{path} holds no examples: ')
  assert message in str(error.value)


def test_a_mutated_index_is_refused_or_can_be_shown(tmp_path):
  folder = tmp_path / 'a'
  shown = [_shown('worst', 'b'), _shown('best', 'c')]
  examples.write(folder, shown, NAMES, COLORS)
  path = folder / 'examples.json'
  document = json.loads(path.read_text())
  rng = np.random.default_rng(0)
  for number in range(NUM_INPUTS):
    mutated = json.dumps(mutations.mutate_json(document, rng)).encode()
    if number % 4 == 0:
      mutated = mutations.mutate_bytes(json.dumps(document).encode(), rng)
    path.write_bytes(mutated)
    found, message = None, ''
    try:
      found = examples.read(folder)
    except (ValueError, OSError) as e:
      message = str(e)
    assert found or str(folder) in message, f'input {number}'
    if not found:
      continue
    for example in found.pictures:
      texts = (example.name, *(t for c in example.confused for t in c[:2]))
      ''.join(texts).encode()
      assert np.isfinite(example.mean_iou), f'input {number}'
      assert np.isfinite(example.pixel_accuracy), f'input {number}'
    ''.join(found.class_names).encode()
