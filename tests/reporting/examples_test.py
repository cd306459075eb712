# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Examples of an evaluation are small files with an index."""

import json

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.reporting import examples, legend

NAMES, COLORS = ('sky', 'road'), ((10, 20, 30), (200, 100, 50))


def _shown(kind, name):
  label = np.array([[0, 1], [255, 1]], np.uint8)
  image = np.full([2, 2, 3], 90, np.uint8)
  scores = {'name': name, 'mean_iou': 0.5}
  return examples.Shown(kind, scores, image, label, np.minimum(label, 1))


def test_what_is_written_is_read(tmp_path):
  folder = tmp_path / 'new' / 'examples'
  shown = [_shown('worst', 'a'), _shown('worst', 'b'), _shown('best', 'c')]
  examples.write(folder, shown, NAMES, COLORS)
  found = examples.read(folder)
  assert found['classes'] == [
    {'name': 'sky', 'color': [10, 20, 30]},
    {'name': 'road', 'color': [200, 100, 50]},
  ]
  entries = found['pictures']
  assert [(e['kind'], e['name'], e['mean_iou']) for e in entries] == [
    ('worst', 'a', 0.5),
    ('worst', 'b', 0.5),
    ('best', 'c', 0.5),
  ]
  assert entries[1]['files']['label'] == str(folder / 'worst-2-label.png')
  with Image.open(entries[2]['files']['label']) as picture:
    np.testing.assert_array_equal(np.asarray(picture), shown[2].label)
    colors = np.asarray(picture.convert('RGB'))
  np.testing.assert_array_equal(colors[0], COLORS)
  np.testing.assert_array_equal(colors[1], [legend.IGNORED, COLORS[1]])
  with Image.open(entries[2]['files']['image']) as picture:
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


@pytest.mark.parametrize(
  ('change', 'message'),
  [
    (lambda d: d.update(version=2), "it is of format 'auto_deeplab.examples',"),
    (lambda d: d.pop('pictures'), "'pictures'"),
    (
      lambda d: d['pictures'][0]['files'].update(label='../../x.png'),
      "'../../x.png' is no file within the folder",
    ),
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
