# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""COCO (Lin et al., ECCV 2014): labels drawn from its instances.

    annotations/instances_train2017.json
    train2017/000000194216.jpg

The same for val2017, or any other name: a split is there if both its file and
its folder are, and is called like them without the year.

A pixel in no instance is background, class 0. Where instances overlap, the one
of the smallest area is on top, and of equal ones that of the highest id; crowds
are below all others, and count as their class. A polygon of fewer than three
points has no area.
"""

import array
from collections.abc import Callable, Mapping
import dataclasses
import pathlib
import re
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as masks

from auto_deeplab.data import datasets
from auto_deeplab.data.sources import pascal, picture_files, sources

# Pictures whose instances of VOC's classes have less `area` in all are of no
# use for pretraining. DeepLabv3 (Chen et al., 2017, arXiv:1706.05587) takes
# those with "annotation regions larger than 1000 pixels".
VOC_MIN_PIXELS = 1000

# COCO's names of VOC's classes, where they differ.
_VOC_NAMES = {
  'airplane': 'aeroplane',
  'motorcycle': 'motorbike',
  'couch': 'sofa',
  'potted plant': 'pottedplant',
  'dining table': 'diningtable',
  'tv': 'tvmonitor',
}


def open_coco(data_dir: pathlib.Path) -> sources.Source:
  """Background and COCO's own classes, in the order of their ids."""
  return _open(data_dir, 'coco', _own_classes, min_pixels=0)


def open_coco_voc(data_dir: pathlib.Path) -> sources.Source:
  """The classes of VOC, for pretraining; all others are background.

  Pictures with less than `VOC_MIN_PIXELS` of them are left out.
  """
  return _open(data_dir, 'coco_voc', _voc_classes, VOC_MIN_PIXELS)


def _open(
  data_dir: pathlib.Path,
  name: str,
  choose_classes: Callable[[Mapping[int, str]], '_Classes'],
  min_pixels: float,
) -> sources.Source:
  """Opens the splits that are there; all must have the same categories."""
  tables = {}
  splits = {}
  for split, (path, image_dir) in _find_splits(data_dir).items():
    instances = _read_instances(path)
    try:
      tables[split] = choose_classes(instances.categories)
    except ValueError as e:
      raise ValueError(f'{path}: {e}') from e
    values = tables[split].values
    splits[split] = _pairs(instances, image_dir, values, min_pixels)
  first, *others = tables.values()
  if any(table != first for table in others):
    raise ValueError(f'{data_dir}: the splits have unlike categories.')
  return sources.Source(
    name=name,
    class_names=first.names,
    colors=((0, 0, 0), *datasets.default_colors(len(first.names) - 1)),
    label_values={value: value for value in range(len(first.names))},
    splits=splits,
  )


def _find_splits(
  data_dir: pathlib.Path,
) -> dict[str, tuple[pathlib.Path, pathlib.Path]]:
  """Returns the annotations and the folder of each split, by its name."""
  splits: dict[str, tuple[pathlib.Path, pathlib.Path]] = {}
  for path in sorted((data_dir / 'annotations').glob('instances_*.json')):
    name = path.stem.removeprefix('instances_')
    split = name.rstrip('0123456789') or name
    if not (data_dir / name).is_dir():
      continue
    if split in splits:
      raise ValueError(
        f'{splits[split][0]} and {path} are both of the split {split}; keep '
        'one of them here.'
      )
    splits[split] = path, data_dir / name
  if not splits:
    raise FileNotFoundError(
      f'{data_dir} holds no split of COCO: a file '
      'annotations/instances_NAME.json and a folder NAME, such as train2017.'
    )
  return splits


def _pairs(
  instances: '_Instances',
  image_dir: pathlib.Path,
  values: Mapping[int, int],
  min_pixels: float,
) -> tuple[sources.Pair, ...]:
  """Returns the pictures with enough pixels of the classes in `values`."""
  pairs = []
  for image_id, (name, size) in instances.images.items():
    drawn = [
      annotation
      for annotation in instances.annotations.get(image_id, ())
      if annotation.category_id in values
    ]
    if sum(annotation.area for annotation in drawn) < min_pixels:
      continue
    drawn.sort(key=lambda a: (not a.iscrowd, -a.area, a.id))
    shapes = tuple((values[a.category_id], a.id, a.segmentation) for a in drawn)
    label = CocoLabel(f'{instances.path}, {name}', size, shapes)
    pairs.append(sources.Pair(name, image_dir / name, label))
  sources.require_files((pair.image for pair in pairs), instances.path)
  return tuple(sorted(pairs, key=lambda pair: pair.name))


# Classes ---------------------------------------------------------------------


class _Classes(NamedTuple):
  """The classes' names, and the class of each category that is drawn."""

  names: tuple[str, ...]
  values: dict[int, int]


def _own_classes(categories: Mapping[int, str]) -> _Classes:
  ids = sorted(categories)
  names = ('background', *(categories[category] for category in ids))
  return _Classes(names, {key: value for value, key in enumerate(ids, 1)})


def _voc_classes(categories: Mapping[int, str]) -> _Classes:
  """Raises a ValueError if a class of VOC is no category."""
  ids = {_VOC_NAMES.get(name, name): key for key, name in categories.items()}
  for name in pascal.CLASS_NAMES[1:]:
    if name not in ids:
      raise ValueError(f'no category is the class {name} of VOC.')
  values = {ids[name]: i for i, name in enumerate(pascal.CLASS_NAMES) if i > 0}
  return _Classes(pascal.CLASS_NAMES, values)


# The file of annotations -----------------------------------------------------


class _Annotation(NamedTuple):
  """What is kept of an annotation; the keys are COCO's."""

  id: int
  image_id: int
  category_id: int
  area: float
  iscrowd: int
  segmentation: Any


class _Instances(NamedTuple):
  """What is kept of a file.

  Attributes:
    path: the file.
    categories: names by id.
    images: (file name, (height, width)) by id.
    annotations: the annotations of each picture that has some, by its id.
  """

  path: pathlib.Path
  categories: dict[int, str]
  images: dict[int, tuple[str, tuple[int, int]]]
  annotations: dict[int, list[_Annotation]]


def _read_instances(path: pathlib.Path) -> _Instances:
  """Reads a file of instances and checks all but their shapes.

  Raises:
    ValueError: it is another kind of file, or something in it belongs to
      nothing.
  """
  document = sources.read_json(path, object_hook=_compact)
  try:
    categories = {e['id']: e['name'] for e in document['categories']}
    images = {
      e['id']: (e['file_name'], (e['height'], e['width']))
      for e in document['images']
    }
    _check_tables(path, categories, images)
    if len({name for name, _ in images.values()}) < len(document['images']):
      raise ValueError(f'{path}: a picture is listed twice.')
    annotations: dict[int, list[_Annotation]] = {}
    for annotation in document['annotations']:
      _check(annotation, path, images, categories)
      annotations.setdefault(annotation.image_id, []).append(annotation)
  except (KeyError, TypeError, AttributeError) as e:
    raise ValueError(
      f'{path} holds no instances as COCO has them: {e!r}'
    ) from e
  return _Instances(path, categories, images, annotations)


def _compact(entry: dict[str, Any]) -> Any:
  """Keeps what is needed of an annotation, as it is read.

  Its numbers take a quarter of the memory as arrays, and the file of COCO's
  train split is 450 MB of them.
  """
  if 'segmentation' not in entry:
    return entry
  shape = entry['segmentation']
  try:
    if isinstance(shape, list):
      shape[:] = [array.array('d', polygon) for polygon in shape]
    elif isinstance(shape['counts'], list):
      shape['counts'] = array.array('q', shape['counts'])
  except (TypeError, KeyError, OverflowError):
    pass  # No shape: `CocoLabel` says so, and whose.
  return _Annotation._make(entry.get(key) for key in _Annotation._fields)


def _check_tables(
  path: pathlib.Path, categories: Mapping[Any, Any], images: Mapping[Any, Any]
) -> None:
  """Raises a ValueError unless the tables are of the types that they say."""
  for key, name in categories.items():
    if not isinstance(key, int) or not isinstance(name, str):
      raise ValueError(f'{path}: the category {key!r} is called {name!r}.')
  for key, (name, size) in images.items():
    if not isinstance(key, int) or not isinstance(name, str):
      raise ValueError(f'{path}: the picture {key!r} is called {name!r}.')
    is_size = all(isinstance(side, int) and side > 0 for side in size)
    if not is_size or size[0] * size[1] > picture_files.MAX_PIXELS:
      raise ValueError(
        f'{path}: the picture {name} has {size[1]}x{size[0]} pixels; the limit '
        f'is {picture_files.MAX_PIXELS}.'
      )


def _check(
  annotation: Any,
  path: pathlib.Path,
  images: Mapping[int, Any],
  categories: Mapping[int, str],
) -> None:
  """Raises a ValueError unless the annotation belongs to what is there."""
  if not isinstance(annotation, _Annotation):
    raise ValueError(f'{path}: no segmentation in the annotation {annotation}.')
  place = f'{path}: annotation {annotation.id}'
  if not isinstance(annotation.id, int):
    raise ValueError(f'{place} has no number for an id.')
  if annotation.image_id not in images:
    raise ValueError(
      f'{place} is of the picture {annotation.image_id}, which is not among '
      'its images.'
    )
  if annotation.category_id not in categories:
    raise ValueError(
      f'{place} has the category {annotation.category_id}, which is not among '
      'its categories.'
    )
  if not annotation.area >= 0:
    raise ValueError(f'{place}: the area ({annotation.area}) is no area.')


# Shapes ----------------------------------------------------------------------

# Six bits a character, from '0' on; from 'P' on, the number goes on.
_COUNTS = re.compile('[0-o]*[0-O]')


@dataclasses.dataclass(frozen=True)
class CocoLabel:
  """A label drawn from instances.

  Attributes:
    name: the file of annotations and the picture, for messages.
    size: (height, width) in pixels.
    shapes: class, id and segmentation of each annotation, lowest first.
  """

  name: str
  size: tuple[int, int]
  shapes: tuple[tuple[int, int, Any], ...]

  def __call__(self) -> np.ndarray:
    """Draws it; see `sources.LabelDrawing`."""
    label = np.zeros(self.size, np.uint8)
    for value, annotation, shape in self.shapes:
      try:
        label[_draw(shape, self.size)] = value
      except Exception as e:  # pycocotools raises anything.
        raise ValueError(
          f'{self.name}: the segmentation of annotation {annotation} cannot be '
          f'drawn: {e}'
        ) from e
    return label

  def __str__(self) -> str:
    return self.name


def _draw(shape: Any, size: tuple[int, int]) -> np.ndarray:
  """Returns where a segmentation lies, bool [height, width]."""
  if isinstance(shape, list):
    return _draw_polygons(shape, size)
  if not isinstance(shape, dict) or not shape.keys() >= {'size', 'counts'}:
    raise ValueError('it has neither polygons nor size and counts.')
  if tuple(shape['size']) != size:
    raise ValueError(f'its size is {shape["size"]}, the picture has {[*size]}.')
  counts = shape['counts']
  if isinstance(counts, array.array):
    return _draw_runs(np.asarray(counts), size)
  if isinstance(counts, str):
    return _draw_text(counts, size)
  raise ValueError('its counts are not whole numbers.')


def _draw_text(counts: str, size: tuple[int, int]) -> np.ndarray:
  """Draws runs in the compressed form of COCO's own library.

  It trusts the text. A number that goes on where the text ends makes it write
  to memory that is not its own; of runs that end before the last pixel, it
  returns what the memory happened to hold.
  """
  if not _COUNTS.fullmatch(counts):
    raise ValueError('its counts are no compressed runs.')
  drawn = masks.decode({'size': size, 'counts': counts})
  if masks.encode(np.asfortranarray(drawn))['counts'] != counts.encode():
    raise ValueError('its counts are not those of a mask of its size.')
  return drawn.astype(bool)


def _draw_polygons(
  shape: list[array.array], size: tuple[int, int]
) -> np.ndarray:
  if not shape:
    raise ValueError('it is empty.')
  for polygon in shape:
    if not isinstance(polygon, array.array):
      raise ValueError('a polygon is not a list of numbers.')
    if len(polygon) % 2:
      raise ValueError('a polygon has an odd number of coordinates.')
    # pycocotools reserves memory by their distance. False for NaN as well.
    if not (np.abs(np.asarray(polygon)) <= 2 * max(size)).all():
      raise ValueError('a polygon reaches far beyond the picture.')
  areas = [polygon for polygon in shape if len(polygon) >= 6]
  if not areas:
    return np.zeros(size, bool)
  return masks.decode(masks.merge(masks.frPyObjects(areas, *size))).astype(bool)


def _draw_runs(counts: np.ndarray, size: tuple[int, int]) -> np.ndarray:
  """Draws runs of pixels, in turn without and within, column by column."""
  if (counts < 0).any() or counts.sum() != size[0] * size[1]:
    raise ValueError('its counts do not add up to its size.')
  within = np.arange(len(counts)) % 2 == 1
  return np.repeat(within, counts).reshape(size, order='F')
