# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests of COCO: two true pictures, and made-up annotations."""

import json
import pickle

import numpy as np
from PIL import Image
from pycocotools import mask as masks
import pytest

from auto_deeplab.data.sources import coco, layouts, pascal, pictures

# Rows 0..3 and columns 0..7 of a picture of 8 columns and 6 rows.
TOP = [0, 0, 8, 0, 8, 4, 0, 4]
# Rows 2..5 and columns 0..3.
CORNER = [0, 2, 4, 2, 4, 6, 0, 6]

CATEGORIES = {1: 'person', 3: 'car', 90: 'toothbrush'}


class Archive:
  """Two pictures of COCO's train split, 8x6; the second has no annotations."""

  def __init__(self, root):
    self.root = root
    self.path = root / 'annotations' / 'instances_train2017.json'
    self.path.parent.mkdir()
    (root / 'train2017').mkdir()
    images: list[dict] = []
    for index in (1, 2):
      name = f'{index}.jpg'
      Image.new('RGB', (8, 6)).save(root / 'train2017' / name)
      images.append({'id': index, 'file_name': name, 'height': 6, 'width': 8})
    self.document: dict[str, list] = {
      'images': images,
      'categories': [
        {'id': key, 'name': name} for key, name in CATEGORIES.items()
      ],
      'annotations': [],
    }

  def add(self, segmentation, category=1, area=10.0, crowd=0, **changes):
    annotation = {
      'id': 100 + len(self.document['annotations']),
      'image_id': 1,
      'category_id': category,
      'area': area,
      'iscrowd': crowd,
      'segmentation': segmentation,
    }
    self.document['annotations'].append({**annotation, **changes})

  def source(self, dataset='coco'):
    self.path.write_text(json.dumps(self.document))
    return layouts.open_source(dataset, self.root)

  def label(self):
    pair = self.source().splits['train'][0]
    return pickle.loads(pickle.dumps(pair.label))()


@pytest.fixture
def archive(tmp_path):
  return Archive(tmp_path)


def _read(source, pair):
  return pictures.read_label(pair.label, source.label_values)


def test_a_true_picture_is_drawn(shared_dir):
  root = shared_dir / 'data' / 'samples' / 'coco'
  source = layouts.open_source('coco', root)
  assert len(source.class_names) == 81
  assert source.class_names[:2] == ('background', 'person')
  pairs = source.splits['train']
  assert [pair.name for pair in pairs] == [
    '000000194216.jpg',
    '000000464689.jpg',
  ]
  bear, bottle = (source.class_names.index(n) for n in ('bear', 'bottle'))
  areas = _areas(root / 'annotations' / 'instances_train2017.json')
  for pair, value in zip(pairs, (bear, bottle), strict=True):
    label, counts = _read(source, pair)
    assert label.size == pictures.read_image(pair.image).size
    assert np.flatnonzero(counts).tolist() == [0, value]
    # `area` is that of the polygon, and some lie within the crowd.
    assert counts[value] == pytest.approx(areas[pair.name], rel=0.1)


def _areas(path):
  document = json.loads(path.read_text())
  names = {image['id']: image['file_name'] for image in document['images']}
  areas = dict.fromkeys(names.values(), 0)
  for annotation in document['annotations']:
    areas[names[annotation['image_id']]] += annotation['area']
  return areas


def test_true_pictures_without_enough_of_voc_are_left_out(shared_dir):
  source = layouts.open_source(
    'coco_voc', shared_dir / 'data' / 'samples' / 'coco'
  )
  assert source.class_names == pascal.CLASS_NAMES
  assert source.colors == pascal.COLORS
  (pair,) = source.splits['train']
  assert pair.name == '000000464689.jpg'  # The other one shows bears.
  _, counts = _read(source, pair)
  assert np.flatnonzero(counts).tolist() == [0, 5]


def test_the_smaller_instance_is_on_top_of_the_larger(archive):
  archive.add([CORNER], category=90, area=16)
  archive.add([TOP], category=1, area=32)
  label = archive.label()
  assert (
    label.tolist()
    == [[1] * 8] * 2 + [[3] * 4 + [1] * 4] * 2 + [[3] * 4 + [0] * 4] * 2
  )


def test_of_equal_instances_the_later_is_on_top(archive):
  archive.add([CORNER], category=90)
  archive.add([TOP], category=1)
  assert archive.label()[2].tolist() == [1] * 8


def test_a_crowd_is_below_all(archive):
  runs = {'size': [6, 8], 'counts': [0, 12, 36]}  # Columns 0 and 1.
  archive.add(runs, category=3, area=1, crowd=1)
  archive.add([TOP], category=1, area=32)
  label = archive.label()
  assert label[:, 0].tolist() == label[:, 1].tolist() == [1] * 4 + [2] * 2
  assert label[:, 2].tolist() == [1] * 4 + [0] * 2


def test_compressed_runs_are_drawn(archive):
  drawn = np.zeros((6, 8), np.uint8, order='F')
  drawn[1:3, 5:] = 1
  runs = masks.encode(drawn)
  archive.add({'size': [6, 8], 'counts': runs['counts'].decode()})
  assert (archive.label() == drawn).all()


def test_parts_of_one_instance_are_one_class(archive):
  archive.add([CORNER, TOP, [5, 5, 6, 6]], category=3)
  label = archive.label()
  assert (label[:4] == 2).all()
  assert (label[:, :4] == 2).all()
  assert (label[4:, 4:] == 0).all()


def test_a_picture_without_annotations_is_background(archive):
  archive.add([TOP])
  label = archive.source().splits['train'][1].label
  assert not label().any()
  assert str(label).endswith('instances_train2017.json, 2.jpg')


def test_the_threshold_counts_the_classes_of_voc_alone(archive):
  archive.document['categories'] = [
    {'id': 200 - index, 'name': name}
    for index, name in enumerate((*_coco_names(), 'zebra'))
  ]
  zebra, person = 180, 200 - 14
  archive.add([TOP], category=person, area=600)
  archive.add([TOP], category=zebra, area=5000)
  archive.add([CORNER], category=person, area=399)
  with pytest.raises(ValueError, match='The split train of coco_voc has no'):
    archive.source('coco_voc')
  archive.document['annotations'][0]['area'] = 601
  (pair,) = archive.source('coco_voc').splits['train']
  assert np.unique(pair.label()).tolist() == [0, 15]


def _coco_names():
  """VOC's classes in their order, as COCO calls them."""
  other = {
    'aeroplane': 'airplane',
    'diningtable': 'dining table',
    'motorbike': 'motorcycle',
    'pottedplant': 'potted plant',
    'sofa': 'couch',
    'tvmonitor': 'tv',
  }
  return [other.get(name, name) for name in pascal.CLASS_NAMES[1:]]


def test_a_class_of_voc_that_is_no_category_is_named(archive):
  with pytest.raises(ValueError, match=r'json: no category is the class aerop'):
    archive.source('coco_voc')


@pytest.mark.parametrize(
  'changes, message',
  [
    (
      {'category_id': 2},
      'annotation 100 has the category 2, which is not amon',
    ),
    ({'image_id': 9}, 'annotation 100 is of the picture 9, which is not among'),
    ({'id': None}, 'annotation None has no number for an id'),
    ({'area': -1}, r'annotation 100: the area \(-1\) is no area'),
    ({'area': 'x'}, 'holds no instances as COCO has them: TypeError'),
    ({'image_id': []}, 'holds no instances as COCO has them: TypeError'),
  ],
)
def test_an_annotation_that_belongs_nowhere_is_named(archive, changes, message):
  archive.add([TOP], **changes)
  with pytest.raises(
    ValueError, match=rf'instances_train2017\.json.*{message}'
  ):
    archive.source()


@pytest.mark.parametrize(
  'segmentation, message',
  [
    ([], 'it is empty; a box alone is no shape'),
    ([[1, 2, 3, 4, 5, 6, 7]], 'a polygon has an odd number of coordinates'),
    ([[0, 0, 1e9, 0, 8, 4]], 'a polygon reaches far beyond the picture'),
    (
      [[0, 0, float('nan'), 0, 8, 4]],
      'a polygon reaches far beyond the pictur',
    ),
    ([['a', 'b', 'c', 'd', 'e', 'f']], 'a polygon is not a list of numbers'),
    (None, 'it has neither polygons nor size and counts'),
    ({'size': [6, 8]}, 'it has neither polygons nor size'),
    (
      {'size': [8, 6], 'counts': [48]},
      r'its size is \[8, 6\], the picture has',
    ),
    (
      {'size': [6, 8], 'counts': [4, 5]},
      'its counts do not add up to its size',
    ),
    ({'size': [6, 8], 'counts': [-4, 52]}, 'its counts do not add up'),
    (
      {'size': [6, 8], 'counts': [1.5, 46.5]},
      'its counts are not whole numbers',
    ),
    ({'size': [6, 8], 'counts': '12'}, 'its counts are not those of a mask'),
    ({'size': [6, 8], 'counts': '\u00ff'}, 'its counts are no compressed runs'),
    ({'size': [6, 8], 'counts': '0P'}, 'its counts are no compressed runs'),
    ({'size': [6, 8], 'counts': ''}, 'its counts are no compressed runs'),
    ({'size': [6, 8], 'counts': '00000o'}, 'its counts are no compressed runs'),
    ({'size': [6, 8], 'counts': 'nnn1'}, 'Invalid RLE mask representation'),
  ],
)
def test_a_shape_that_cannot_be_drawn_is_named(archive, segmentation, message):
  archive.add(segmentation)
  label = archive.source().splits['train'][0].label
  with pytest.raises(
    ValueError,
    match=r'instances_train2017\.json, 1\.jpg: the segmentation of annotation '
    rf'100 cannot be drawn: {message}',
  ):
    label()


@pytest.mark.parametrize(
  'key, value, message',
  [
    ('categories', None, 'holds no instances as COCO has them'),
    (
      'images',
      [{'id': 1}],
      "holds no instances as COCO has them: KeyError\\('f",
    ),
    ('annotations', [{'id': 7}], 'no segmentation in the annotation'),
    ('images', [], 'The split train of coco has no pictures'),
    (
      'images',
      [{'id': 1, 'file_name': '1.jpg', 'height': 30000, 'width': 30000}],
      r'1\.jpg has 30000x30000 pixels; the limit is 67108864',
    ),
    (
      'images',
      2 * [{'id': 1, 'file_name': '1.jpg', 'height': 6, 'width': 8}],
      'a picture is listed twice',
    ),
    (
      'images',
      [{'id': 1, 'file_name': '1.jpg', 'height': 6.5, 'width': 8}],
      r'the picture 1\.jpg has 8x6\.5 pixels',
    ),
    (
      'images',
      [{'id': 1, 'file_name': '1.jpg', 'height': True, 'width': 8}],
      r'the picture 1\.jpg has 8xTrue pixels',
    ),
    (
      'images',
      [{'id': 1, 'file_name': 1, 'height': 6, 'width': 8}],
      'the picture 1 is called 1',
    ),
    ('categories', [{'id': '1', 'name': 'x'}], "category '1' is called 'x'"),
  ],
)
def test_another_kind_of_file_is_refused(archive, key, value, message):
  archive.document[key] = value
  with pytest.raises(ValueError, match=message):
    archive.source()


def test_a_picture_that_is_not_there_is_named(archive):
  archive.add([TOP])
  (archive.root / 'train2017' / '2.jpg').unlink()
  with pytest.raises(FileNotFoundError, match=r'json: .*2\.jpg does not exist'):
    archive.source()


def test_splits_are_called_like_their_folders_without_the_year(archive):
  archive.add([TOP])
  archive.source()
  text = archive.path.read_text()
  for name in ('val2017', 'unpacked_nowhere'):
    (archive.path.parent / f'instances_{name}.json').write_text(text)
  (archive.root / 'train2017').rename(archive.root / 'val2017')
  assert list(archive.source().splits) == ['val']
  (archive.path.parent / 'instances_val2014.json').write_text(text)
  (archive.root / 'val2014').mkdir()
  with pytest.raises(
    ValueError, match=r'val2014.*val2017\.json are both of the'
  ):
    archive.source()


def test_splits_with_unlike_categories_are_refused(archive):
  archive.add([TOP])
  archive.source()
  other = archive.path.with_name('instances_val2017.json')
  archive.document['categories'][0]['name'] = 'people'
  other.write_text(json.dumps(archive.document))
  archive.document['categories'][0]['name'] = 'person'
  (archive.root / 'val2017').symlink_to(archive.root / 'train2017')
  with pytest.raises(ValueError, match='the splits have unlike categories'):
    archive.source()


@pytest.mark.parametrize('key', ['area', 'iscrowd'])
def test_what_a_tool_leaves_out_is_computed(archive, key):
  """Polygons, and both forms of runs, of 32 and 16 pixels."""
  runs = [0] + 3 * [4, 2] + [4, 26]
  corner = np.zeros((6, 8), np.uint8, order='F')
  corner[2:, :4] = 1
  packed = masks.encode(corner)['counts'].decode()
  shapes = [[CORNER], {'size': [6, 8], 'counts': packed}]
  assert sum(runs) == 48
  for shape in shapes:
    archive.document['annotations'] = []
    archive.add(shape, category=90, area=16)
    archive.add([TOP], category=1, area=32)
    expected = archive.label()
    for annotation in archive.document['annotations']:
      del annotation[key]
    np.testing.assert_array_equal(archive.label(), expected)
  archive.document['annotations'] = []
  archive.add({'size': [6, 8], 'counts': [2, *3 * [4, 2], 4, 24]}, 90, None)
  archive.add([TOP], area=None)
  np.testing.assert_array_equal(archive.label(), expected)


def test_sizes_may_be_written_with_a_point(archive):
  archive.add([TOP])
  expected = archive.label()
  for image in archive.document['images']:
    image.update(width=8.0, height=6.0)
  np.testing.assert_array_equal(archive.label(), expected)


def test_a_category_called_background_is_the_background(archive):
  archive.document['categories'].insert(0, {'id': 0, 'name': 'Background'})
  archive.add([TOP], category=1, area=32)
  archive.add([CORNER], category=0, area=16)
  source = archive.source()
  assert source.class_names == ('background', 'person', 'car', 'toothbrush')
  label = archive.label()
  assert (label[:2] == 1).all()
  assert (label[2:, :4] == 0).all()


def test_a_category_that_groups_others_is_no_class(archive):
  for category in archive.document['categories']:
    category['supercategory'] = 'things'
  group = {'id': 0, 'name': 'things', 'supercategory': 'none'}
  archive.document['categories'].append(group)
  archive.add([TOP])
  source = archive.source()
  assert source.class_names == ('background', 'person', 'car', 'toothbrush')
  assert source.notes[0] == (
    'The category things is no class: it has no annotations and is what others '
    'belong to.'
  )
  archive.add([CORNER], category=0)
  assert archive.source().class_names[1] == 'things'


def _move(archive, json_path, image_dir):
  """Moves annotations and pictures to where a tool writes them."""
  archive.source()
  for old, new in (
    (archive.path, archive.root / json_path),
    (archive.root / 'train2017', archive.root / image_dir),
  ):
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
  return layouts.open_source('coco', archive.root)


def test_a_layout_of_cvat_is_read(archive):
  archive.add([TOP])
  source = _move(
    archive, 'annotations/instances_default.json', 'images/default'
  )
  assert [p.name for p in source.splits['train']] == ['1.jpg', '2.jpg']


def test_a_layout_of_roboflow_is_read(archive):
  archive.add([TOP])
  archive.source()
  text = archive.path.read_text()
  folder = archive.root / 'train2017'
  for name in ('train', 'valid'):
    (archive.root / name).mkdir()
    for path in folder.iterdir():
      (archive.root / name / path.name).write_bytes(path.read_bytes())
    (archive.root / name / '_annotations.coco.json').write_text(text)
  archive.path.unlink()
  source = layouts.open_source('coco', archive.root)
  assert {k: len(v) for k, v in source.splits.items()} == {'train': 2, 'val': 2}


@pytest.mark.parametrize(
  'form', ['images/{}', 'images\\{}', '/home/me/images/{}', '../upload/{}']
)
def test_a_layout_of_label_studio_is_read(archive, form):
  archive.add([TOP])
  if form[0] in '/.':  # Beside a folder of the split, then.
    for image in archive.document['images']:
      image['file_name'] = form.format(image['file_name'])
    source = archive.source()
    names = ['1.jpg', '2.jpg']
  else:
    for image in archive.document['images']:
      image['file_name'] = form.format(image['file_name'])
    archive.path.write_text(json.dumps(archive.document))
    (archive.root / 'train2017').rename(archive.root / 'images')
    archive.path.rename(archive.root / 'result.json')
    source = layouts.open_source('coco', archive.root)
    names = ['images/1.jpg', 'images/2.jpg']
  assert [pair.name for pair in source.splits['train']] == names
  assert all(pair.image.is_file() for pair in source.splits['train'])


def test_two_names_of_one_picture_are_refused(archive):
  archive.document['images'][1]['file_name'] = 'x/1.jpg'
  with pytest.raises(ValueError, match=r'json: .*1\.jpg is listed twice'):
    archive.source()


def test_the_threshold_is_that_of_deeplab():
  assert coco.VOC_MIN_PIXELS == 1000
