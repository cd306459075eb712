# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""COCO (Lin et al., ECCV 2014): labels drawn from its instances.

    annotations/instances_train2017.json
    train2017/000000194216.jpg

The same for val2017, or any other name: a split is there if both its file and
its folder are, and is called like them without the year. Tools that label
pictures have layouts of their own:

    annotations/instances_default.json  images/default/a.jpg    CVAT
    train/_annotations.coco.json        train/a.jpg             Roboflow
    result.json                         images/a.jpg            Label Studio

A pixel in no instance is background, class 0, and so is a category of this
name. Where instances overlap, the one of the smallest area is on top, and of
equal ones that of the highest id; crowds are below all others, and count as
their class. A polygon of fewer than three points has no area. An area that the
file does not tell is that of the shape.
"""

import array
from collections.abc import Callable, Iterator, Mapping, Sequence
import pathlib
from typing import Any, NamedTuple

from auto_deeplab.data.sources import (
  annotated,
  coco_shapes,
  pascal,
  picture_files,
  sources,
)

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
  return _open(data_dir, 'coco', annotated.on_background, min_pixels=0)


def open_coco_voc(data_dir: pathlib.Path) -> sources.Source:
  """The classes of VOC, for pretraining; all others are background.

  Pictures with less than `VOC_MIN_PIXELS` of them are left out.
  """
  return _open(data_dir, 'coco_voc', _voc_classes, VOC_MIN_PIXELS)


def _open(
  data_dir: pathlib.Path,
  name: str,
  choose_classes: Callable[[Mapping[int, str]], annotated.Classes],
  min_pixels: float,
) -> sources.Source:
  """Opens the splits that are there; all must have the same categories."""
  found = _find_splits(data_dir)
  read = {split: _read_instances(path) for split, (path, _) in found.items()}
  first, *others = read.values()
  if any(other.categories != first.categories for other in others):
    raise ValueError(f'{data_dir}: the splits have unlike categories.')
  groups = _groups(list(read.values()))
  categories = {k: v for k, v in first.categories.items() if k not in groups}
  try:
    classes = choose_classes(categories)
  except ValueError as e:
    raise ValueError(f'{first.path}: {e}') from e
  return sources.Source(
    name=name,
    class_names=classes.names,
    colors=classes.colors,
    label_values={value: value for value in range(len(classes.names))},
    splits={
      split: _pairs(instances, found[split][1], classes.values, min_pixels)
      for split, instances in read.items()
    },
    notes=tuple(
      f'The category {first.categories[key]} is no class: it has no '
      'annotations and is what others belong to.'
      for key in sorted(groups)
    ),
  )


def _find_splits(
  data_dir: pathlib.Path,
) -> dict[str, tuple[pathlib.Path, pathlib.Path]]:
  """Returns the annotations and the folder of each split, by its name."""
  splits: dict[str, tuple[pathlib.Path, pathlib.Path]] = {}
  for name, path, image_dir in _candidates(data_dir):
    split = name.rstrip('0123456789') or name
    if split in splits:
      raise ValueError(
        f'{splits[split][0]} and {path} are both of the split {split}; keep '
        'one of them here.'
      )
    splits[split] = path, image_dir
  if not splits:
    raise FileNotFoundError(
      f'{data_dir} holds no split of COCO: a file '
      'annotations/instances_NAME.json and a folder NAME, such as train2017.'
    )
  return splits


def _candidates(
  data_dir: pathlib.Path,
) -> Iterator[tuple[str, pathlib.Path, pathlib.Path]]:
  """Yields the name, the annotations and the folder of each split."""
  for path in sorted((data_dir / 'annotations').glob('instances_*.json')):
    name = path.stem.removeprefix('instances_')
    for image_dir in (data_dir / name, data_dir / 'images' / name):
      if image_dir.is_dir():
        # CVAT's name of pictures that were not divided.
        yield 'train' if name == 'default' else name, path, image_dir
        break
  for path in sorted(data_dir.glob('*/_annotations.coco.json')):
    yield path.parent.name, path, path.parent
  if (data_dir / 'result.json').is_file():
    yield 'train', data_dir / 'result.json', data_dir


def _pairs(
  instances: '_Instances',
  image_dir: pathlib.Path,
  values: Mapping[int, int],
  min_pixels: float,
) -> tuple[sources.Pair, ...]:
  """Returns the pictures with enough pixels of the classes in `values`."""
  pairs: dict[str, sources.Pair] = {}
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
    label = coco_shapes.CocoLabel(f'{instances.path}, {name}', size, shapes)
    image = _located(image_dir, name)
    sources.require_files([image], instances.path)
    within = image.relative_to(image_dir).as_posix()
    if within in pairs:
      raise ValueError(f'{instances.path}: {image} is listed twice.')
    pairs[within] = sources.Pair(within, image, label)
  return tuple(pairs[name] for name in sorted(pairs))


def _located(image_dir: pathlib.Path, name: str) -> pathlib.Path:
  """Returns where a picture lies within a folder.

  Tools write the path on the machine that they ran on, perhaps on Windows.
  """
  parts = pathlib.PurePosixPath(name.replace('\\', '/')).parts
  path = image_dir.joinpath(*parts)
  if parts and ('..' in parts or parts[0] == '/' or not path.is_file()):
    path = image_dir / parts[-1]
  return path


# Classes ---------------------------------------------------------------------


def _groups(files: Sequence['_Instances']) -> set[int]:
  """Returns the categories that others belong to, and no annotation does.

  Roboflow puts one over all.
  """
  used = {
    annotation.category_id
    for instances in files
    for annotations in instances.annotations.values()
    for annotation in annotations
  }
  categories = files[0].categories
  return {
    key
    for key, name in categories.items()
    if key not in used
    and any(
      parent == name and other != key
      for other, parent in files[0].parents.items()
    )
  }


def _voc_classes(categories: Mapping[int, str]) -> annotated.Classes:
  """Raises a ValueError if a class of VOC is no category."""
  ids = {_VOC_NAMES.get(name, name): key for key, name in categories.items()}
  for name in pascal.CLASS_NAMES[1:]:
    if name not in ids:
      raise ValueError(f'no category is the class {name} of VOC.')
  values = {ids[name]: i for i, name in enumerate(pascal.CLASS_NAMES) if i > 0}
  return annotated.Classes(pascal.CLASS_NAMES, pascal.COLORS, values)


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
    parents: what they belong to, their `supercategory`, by id.
    images: (file name, (height, width)) by id.
    annotations: the annotations of each picture that has some, by its id.
  """

  path: pathlib.Path
  categories: dict[int, str]
  parents: dict[int, Any]
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
    parents = {e['id']: e.get('supercategory') for e in document['categories']}
    images = {
      e['id']: (e['file_name'], (_whole(e['height']), _whole(e['width'])))
      for e in document['images']
    }
    _check_tables(path, categories, images)
    if len({name for name, _ in images.values()}) < len(document['images']):
      raise ValueError(f'{path}: a picture is listed twice.')
    annotations: dict[int, list[_Annotation]] = {}
    for annotation in document['annotations']:
      annotation = _with_area(annotation)
      _check(annotation, path, images, categories)
      annotations.setdefault(annotation.image_id, []).append(annotation)
  except (KeyError, TypeError, AttributeError) as e:
    raise ValueError(
      f'{path} holds no instances as COCO has them: {e!r}'
    ) from e
  return _Instances(path, categories, parents, images, annotations)


def _whole(number: Any) -> Any:
  """Returns 128 of 128.0, and what is no whole number as it is."""
  is_whole = isinstance(number, float) and number.is_integer()
  return int(number) if is_whole else number


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
    pass  # No shape: `coco_shapes` says so, and whose.
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
    is_size = all(type(side) is int and side > 0 for side in size)
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


def _with_area(annotation: Any) -> Any:
  """Returns an annotation with the area of its shape if it tells none."""
  if getattr(annotation, 'area', 0.0) is not None:
    return annotation
  try:
    area = coco_shapes.area(annotation.segmentation)
  except Exception:  # pycocotools raises anything; `coco_shapes` says so.
    area = 0.0
  return annotation._replace(area=area)
