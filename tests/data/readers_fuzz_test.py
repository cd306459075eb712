# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Damaged files of users: refused by name, or read as they were.

An error that no caller expects, and another label than the true one, are
failures; one names the number of its input. More inputs than a suite has time
for, a quarter of an hour of them, are drawn with

    FUZZ_INPUTS=10000 python -m pytest tests/data/readers_fuzz_test.py
"""

import io
import json
import os
import warnings

import numpy as np
from PIL import Image
import pytest
import tensorflow as tf

from auto_deeplab.data.records import conversion, info_file, tfrecord
from auto_deeplab.data.sources import layouts, pictures
from auto_deeplab.runs import metrics_file
from auto_deeplab.serving import client
from tests.data import mutations, scene

# Of each kind.
NUM_INPUTS = int(os.environ.get('FUZZ_INPUTS', '100'))

CLASSES = np.random.default_rng(0).integers(0, 3, (6, 7), np.uint8)
COLORS = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
VALUES = {0: 0, 1: 1, 2: 2, 255: 255}
BY_COLOR = VALUES | {color: index for index, color in enumerate(COLORS)}
RGB = np.random.default_rng(1).integers(0, 256, (6, 7, 3), np.uint8)


def _encoded(array, kind='PNG', palette=None, **kwargs):
  image = Image.fromarray(array)
  if palette is not None:
    image.putpalette(np.array(palette, np.uint8).tobytes())
  file = io.BytesIO()
  image.save(file, kind, **kwargs)
  return file.getvalue()


def _read(function, name, number):
  """Returns what a reader does; None if it refuses its file by its name."""
  try:
    return function()
  except (ValueError, OSError) as e:
    message = str(e)
  assert str(name) in message, f'input {number}'
  assert 'function_node' not in message, f'input {number}'
  return None


def _opaque(array):
  return np.dstack([array, np.full(CLASSES.shape, 255, np.uint8)])


LABELS: dict[str, tuple[bytes, dict]] = {
  'rgb': (_encoded(np.array(COLORS, np.uint8)[CLASSES]), BY_COLOR),
  'rgba': (_encoded(_opaque(np.array(COLORS, np.uint8)[CLASSES])), BY_COLOR),
  'grey_alpha': (_encoded(_opaque(CLASSES)), VALUES),
  'grey_in_rgb': (_encoded(np.dstack([CLASSES] * 3)), VALUES),
  'adaptive': (_encoded(2 - CLASSES, palette=COLORS[::-1]), BY_COLOR),
}


@pytest.mark.parametrize('kind', LABELS)
def test_a_damaged_label_is_refused_or_read_as_it_was(tmp_path, kind):
  data, values = LABELS[kind]
  rng = np.random.default_rng(2)
  path = tmp_path / 'a.png'
  num_refused = 0
  for number in range(NUM_INPUTS):
    path.write_bytes(mutations.mutate_bytes(data, rng))
    found = _read(lambda: pictures.read_label(path, values), path, number)
    if found:
      decoded = pictures.decode_label('', found[0].data)
      np.testing.assert_array_equal(decoded, CLASSES, f'input {number}')
    num_refused += not found
  assert num_refused > NUM_INPUTS // 2


GREY_16 = (RGB[..., 0].astype(np.uint16) * 13).copy()
IMAGES = {
  'a.jpg': _encoded(RGB, 'JPEG'),
  'a.png': _encoded(RGB),
  'deep.png': _encoded(GREY_16),
  'rgb_deep.png': tf.io.encode_png(RGB.astype(np.uint16) * 99).numpy(),
  'a.tif': _encoded(RGB, 'TIFF'),
  'packed.tif': _encoded(RGB, 'TIFF', compression='tiff_lzw'),
  'deep.tif': _encoded(GREY_16, 'TIFF'),
  'a.webp': _encoded(RGB, 'WEBP', lossless=True),
  'a.bmp': _encoded(RGB, 'BMP'),
}


@pytest.mark.parametrize('name', IMAGES)
def test_a_damaged_image_is_refused_or_decodes(tmp_path, name):
  """Of TIFF, WebP and BMP, which have no checksums, to other pixels perhaps."""
  rng = np.random.default_rng(3)
  path = tmp_path / name
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Pillow's, of odd metadata.
    for number in range(NUM_INPUTS):
      path.write_bytes(mutations.mutate_bytes(IMAGES[name], rng))
      _read(lambda: client.load_image(path), name, number)
      image = _read(lambda: pictures.read_image(path), name, number)
      if image:
        pixels = pictures.decode_image('', image.data)
        assert pixels.shape == (*image.size, 3), f'input {number}'


def _mutated_text(document, rng):
  """Returns a document with other values, or a text with other characters."""
  if rng.integers(4):
    return json.dumps(mutations.mutate_json(document, rng)).encode()
  return mutations.mutate_bytes(json.dumps(document).encode(), rng)


def test_a_damaged_class_table_is_refused_by_name(folder):
  folder.fill(num_train=1, num_val=1)
  path = folder.path / 'classes.json'
  document = {
    'classes': [
      'sky',
      {'name': 'road', 'value': [1, 7], 'color': [1, 2, 3]},
      {'name': 'car', 'value': 2},
    ],
    'ignore_label': [0, 255],
    'ignore_color': [9, 9, 9],
  }
  document['classes'][0] = {'name': 'sky', 'value': 3}  # type: ignore[index]
  path.write_text(json.dumps(document))
  folder.source()
  rng = np.random.default_rng(4)
  for number in range(NUM_INPUTS):
    path.write_bytes(_mutated_text(document, rng))
    source = _read(folder.source, path, number)
    if source:
      classes = set(range(len(source.class_names))) | {255}
      assert set(source.label_values.values()) <= classes, f'input {number}'


def test_a_damaged_list_is_refused_by_name(folder):
  # Names that a few changed characters do not make of each other.
  folder.fill(num_train=0, num_val=1)
  for name in ('harbour', 'mill'):
    folder.add('train', name)
  path = folder.path / 'train.txt'
  line = 'images/train/{0}.jpg labels/train/{0}.png\n'
  data = (line.format('harbour') + line.format('mill')).encode()
  path.write_bytes(data)
  true = {pair.name: pair.label for pair in folder.source().splits['train']}
  rng = np.random.default_rng(5)
  for number in range(NUM_INPUTS):
    path.write_bytes(mutations.mutate_bytes(data, rng))
    source = _read(folder.source, path, number)
    for pair in source.splits['train'] if source else ():
      assert true[pair.name] == pair.label, f'input {number}'


def _instances():
  shape = [[1.0, 1.0, 5.0, 1.0, 5.0, 4.0]]
  runs = {'size': [6, 7], 'counts': [10, 5, 27]}
  return {
    'images': [
      {'id': i, 'file_name': f'{i}.png', 'height': 6, 'width': 7}
      for i in (1, 2)
    ],
    'categories': [
      {'id': 1, 'name': 'a', 'supercategory': 'b'},
      {'id': 2, 'name': 'b', 'supercategory': 'none'},
    ],
    'annotations': [
      {
        'id': 10 + i,
        'image_id': i,
        'category_id': 1,
        'area': 6.0 if i == 1 else None,
        'iscrowd': 0,
        'segmentation': segmentation,
      }
      for i, segmentation in ((1, shape), (2, runs), (2, shape))
    ],
  }


def test_damaged_instances_are_refused_by_name(tmp_path):
  path = tmp_path / 'annotations' / 'instances_train.json'
  for folder in (path.parent, tmp_path / 'train'):
    folder.mkdir()
  for index in (1, 2):
    (tmp_path / 'train' / f'{index}.png').write_bytes(_encoded(RGB))
  document = _instances()
  path.write_text(json.dumps(document))
  assert len(layouts.open_source('coco', tmp_path).splits['train']) == 2
  rng = np.random.default_rng(6)
  for number in range(NUM_INPUTS):
    path.write_bytes(_mutated_text(document, rng))
    source = _read(lambda: layouts.open_source('coco', tmp_path), path, number)
    for pair in source.splits['train'] if source else ():
      label = _read(
        lambda pair=pair, values=source.label_values: pictures.read_label(
          pair.label, values
        ),
        path,
        number,
      )
      assert label is None or label[0].size == pair.label.size, number


def _read_labels(source, name, number):
  """Reads all labels of a source, if there is one; returns how many."""
  classes = {*range(len(source.class_names)), 255} if source else set()
  num_read = 0
  for pairs in source.splits.values() if source else ():
    for pair in pairs:
      label = _read(
        lambda pair=pair: pictures.read_label(pair.label, source.label_values),
        name,
        number,
      )
      if label:
        assert label[0].size == (scene.HEIGHT, scene.WIDTH), f'input {number}'
        decoded = pictures.decode_label('', label[0].data)
        assert set(np.unique(decoded)) <= classes, f'input {number}'
        num_read += 1
  return num_read


@pytest.mark.parametrize(
  ('tool', 'name'),
  [
    ('cvat', 'labelmap.txt'),
    ('cvat', 'ImageSets/Segmentation/default.txt'),
    ('labelme', 'a.json'),
    ('yolo', 'data.yaml'),
    ('yolo', 'train/labels/a.txt'),
  ],
)
def test_a_damaged_export_is_refused_by_name(tmp_path, tool, name):
  scene.WRITERS[tool](tmp_path)
  path = tmp_path / name
  data = path.read_bytes()
  rng = np.random.default_rng(10)
  num_read = 0
  for number in range(NUM_INPUTS):
    if name == 'a.json':
      path.write_bytes(_mutated_text(scene.labelme_document(), rng))
    else:
      path.write_bytes(mutations.mutate_bytes(data, rng))
    # Of a list, or of a table of colours, what it does not fit is named.
    named = path.parent if tool == 'labelme' else tmp_path
    source = _read(lambda: layouts.open_source(tool, tmp_path), named, number)
    num_read += _read_labels(source, named, number)
  assert num_read < NUM_INPUTS


def test_a_damaged_dataset_json_is_refused_or_tells_the_same(
  converted, tmp_path
):
  path = tmp_path / 'dataset.json'
  text = (converted / 'dataset.json').read_text()
  document, info = json.loads(text), info_file.from_text(text)
  rng = np.random.default_rng(7)
  for number in range(NUM_INPUTS):
    path.write_bytes(_mutated_text(document, rng))
    found = _read(lambda: tfrecord.load_info(tmp_path), path, number)
    if not found:
      continue
    if found.class_digest:
      assert found.class_names == info.class_names, f'input {number}'
    assert found.ignore_label == 255, f'input {number}'
    for name, split in found.splits.items():
      for shard in split.shards:
        assert '/' not in shard.name, f'input {number}'
        true = info.splits.get(name)
        if true is None or shard not in true.shards:
          with pytest.raises((ValueError, OSError)):
            _verify_as_of(tfrecord.shard_path(converted, shard), shard, info)


def _verify_as_of(path, shard, info):
  """Raises an error unless a shard is one of the true ones, and whole."""
  tfrecord.verify_shard(path, shard)
  shards = [s for split in info.splits.values() for s in split.shards]
  if shard in shards:  # Of a split under another name.
    raise ValueError


def test_damaged_rows_and_lists_of_skipped_pictures(tmp_path):
  rows = b'{"step": 2, "loss": 1.0}\n{"step": 4, "eval/mean_iou": 0.5}\n'
  skipped = {
    'format': 'auto_deeplab.skipped',
    'version': 1,
    'pictures': [{'split': 'train', 'name': 'a', 'reason': 'b'}],
  }
  rng = np.random.default_rng(8)
  path = tmp_path / 'metrics.jsonl'
  file = metrics_file.MetricsFile(path)
  for number in range(NUM_INPUTS):
    path.write_bytes(mutations.mutate_bytes(rows, rng))
    assert len(file.rows_with('step')) <= 9, f'input {number}'
    (tmp_path / 'skipped.json').write_bytes(_mutated_text(skipped, rng))
    _read(lambda: conversion.load_skipped(tmp_path), 'skipped.json', number)


def test_damaged_metadata_of_an_export_are_refused_by_name(tmp_path):
  document = {
    'format': client.FORMAT,
    'version': client.VERSION,
    'class_names': ['a', 'b'],
    'colors': [[1, 2, 3], [4, 5, 6]],
    'values': [7, 9],
  }
  path = tmp_path / client.METADATA_PATH
  path.parent.mkdir()
  (tmp_path / 'saved_model.pb').touch()
  rng = np.random.default_rng(9)
  for number in range(NUM_INPUTS):
    path.write_bytes(_mutated_text(document, rng))
    metadata = _read(lambda: client.read_metadata(tmp_path), tmp_path, number)
    if metadata:
      labels = np.array([[0, 1]], np.uint8)
      client.write_prediction(
        tmp_path / 'x',
        RGB[:1, :2],
        labels,
        metadata['colors'],
        values=metadata.get('values'),
      )
