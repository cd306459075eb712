# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One scene as each annotation tool would export it.

All shapes have corners between pixels, of which tools with other rules get
others: labelme's border pixels belong to a shape, so its corners on the right
and below lie a pixel before those of the other tools.
"""

import json
import pathlib
import pickle

import numpy as np
from PIL import Image

from auto_deeplab.data.sources import layouts, pictures, sources

HEIGHT, WIDTH = 24, 32
CLASSES = ('car', 'tree')
COLORS = {'background': (0, 0, 0), 'car': (200, 0, 7), 'tree': (0, 90, 0)}

# From below to the top, which is from large to small: the class, and the
# corners (x, y). The third one is a hole.
SHAPES: list[tuple[str, list[tuple[int, int]]]] = [
  ('car', [(2, 1), (29, 1), (29, 12), (14, 12), (14, 22), (2, 22)]),
  ('tree', [(10, 4), (32, 4), (32, 9), (10, 9)]),
  ('background', [(4, 14), (11, 14), (11, 20), (4, 20)]),
  ('tree', [(6, 16), (8, 16), (8, 18), (6, 18)]),
]
# The same for labelme.
CENTERS = [
  [(2, 1), (28, 1), (28, 11), (13, 11), (13, 21), (2, 21)],
  [(10, 4), (31, 4), (31, 8), (10, 8)],
  [(4, 14), (10, 14), (10, 19), (4, 19)],
  [(6, 16), (7, 16), (7, 17), (6, 17)],
]


def label() -> np.ndarray:
  """Returns names of classes, [HEIGHT, WIDTH]."""
  names = np.full([HEIGHT, WIDTH], 'background', object)
  names[1:12, 2:29] = 'car'
  names[1:22, 2:14] = 'car'
  names[4:9, 10:32] = 'tree'
  names[14:20, 4:11] = 'background'
  names[16:18, 6:8] = 'tree'
  return names


def _image(path: pathlib.Path) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.new('RGB', (WIDTH, HEIGHT), (90, 90, 90)).save(path)


def write_coco(root: pathlib.Path) -> None:
  """Writes an export for COCO, as CVAT writes it."""
  categories = {'car': 1, 'tree': 2, 'background': 3}
  annotations = [
    {
      'id': number,
      'image_id': 1,
      'category_id': categories[name],
      'segmentation': [[float(v) for point in corners for v in point]],
      'iscrowd': 0,
    }
    for number, (name, corners) in enumerate(SHAPES)
  ]
  document = {
    'images': [
      {'id': 1, 'file_name': 'a.jpg', 'height': HEIGHT, 'width': WIDTH}
    ],
    'categories': [{'id': v, 'name': k} for k, v in categories.items()],
    'annotations': annotations,
  }
  _image(root / 'images/default/a.jpg')
  path = root / 'annotations/instances_default.json'
  path.parent.mkdir()
  path.write_text(json.dumps(document))


def write_cvat(root: pathlib.Path) -> None:
  """Writes CVAT's segmentation masks."""
  _image(root / 'JPEGImages/a.jpg')
  lines = ['# label:color_rgb:parts:actions']
  for name, color in COLORS.items():
    lines.append(f'{name}:{",".join(map(str, color))}::')
  (root / 'labelmap.txt').write_text('\n'.join(lines) + '\n')
  listed = root / 'ImageSets/Segmentation/default.txt'
  listed.parent.mkdir(parents=True)
  listed.write_text('a\n')
  colors = np.zeros([HEIGHT, WIDTH, 3], np.uint8)
  for name, color in COLORS.items():
    colors[label() == name] = color
  (root / 'SegmentationClass').mkdir()
  Image.fromarray(colors).save(root / 'SegmentationClass/a.png')


def labelme_document() -> dict:
  """Returns the file of labelme."""
  shapes: list[dict] = [
    {
      'label': '_background_' if name == 'background' else name,
      'points': [[float(x), float(y)] for x, y in corners],
      'group_id': None,
      'shape_type': 'polygon',
      'flags': {},
    }
    for (name, _), corners in zip(SHAPES, CENTERS, strict=True)
  ]
  return {
    'version': '5.4.1',
    'flags': {},
    'shapes': shapes,
    'imagePath': 'a.jpg',
    'imageData': None,
    'imageHeight': HEIGHT,
    'imageWidth': WIDTH,
  }


def write_labelme(root: pathlib.Path) -> None:
  """Writes a folder that was labelled in labelme."""
  _image(root / 'a.jpg')
  (root / 'a.json').write_text(json.dumps(labelme_document()))


def yolo_lines() -> list[str]:
  """Returns the lines of YOLO's file of labels."""
  numbers = {'car': 0, 'tree': 1, 'background': 2}
  return [
    ' '.join(
      [
        str(numbers[name]),
        *(f'{x / WIDTH:.6f} {y / HEIGHT:.6f}' for x, y in corners),
      ]
    )
    for name, corners in SHAPES
  ]


def write_yolo(root: pathlib.Path) -> None:
  """Writes polygons of YOLO, with the paths that Roboflow writes."""
  _image(root / 'train/images/a.jpg')
  (root / 'data.yaml').write_text(
    "train: ../train/images\nnc: 3\nnames: ['car', 'tree', 'background']\n"
  )
  path = root / 'train/labels/a.txt'
  path.parent.mkdir()
  path.write_text('\n'.join(yolo_lines()) + '\n')


WRITERS = {
  'coco': write_coco,
  'cvat': write_cvat,
  'labelme': write_labelme,
  'yolo': write_yolo,
}


def named_label(source: sources.Source, pair: sources.Pair) -> np.ndarray:
  """Returns the label of a picture as names of classes, or 'ignored'."""
  label = pickle.loads(pickle.dumps(pair.label))
  encoded, _ = pictures.read_label(label, source.label_values)
  classes = pictures.decode_label('', encoded.data)
  names = np.array([*source.class_names, *[''] * 256], object)
  names[255] = 'ignored'
  return names[classes]


def only_label(root: pathlib.Path, tool: str) -> np.ndarray:
  """Returns the label of the only picture of an export."""
  source = layouts.open_source(tool, root)
  (pair,) = source.splits['train']
  return named_label(source, pair)
