# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Folders and exports as people have them.

Scripts that draw them lie beside the repository, or the tests are skipped. Each
is converted to the pixels of its scene, or refused with the remedy.
"""

import re
import subprocess
import sys

import pytest

from auto_deeplab.data.records import conversion
from auto_deeplab.data.sources import layouts
from auto_deeplab.data.sources.splitting import ValSplit

# Shares of the classes in the split train, of scenes with discs.
DISCS = (0.836538, 0.163462)
MORE_DISCS = (0.815252, 0.184748)
TWO_COLOURS = (0.836538, 0.098653, 0.064809)
RECTANGLES = (0.869792, 0.130208)

CONVERTED = {
  'folders/absolute_list': MORE_DISCS,
  'folders/crlf_list': DISCS,
  'folders/dotdot_list/lists': MORE_DISCS,
  'folders/grey_in_rgb': DISCS,
  'folders/mask1bit': DISCS,
  'folders/mask255_remedy': DISCS,
  'folders/mask255_value': DISCS,
  'folders/merge_values': DISCS,
  'folders/names': DISCS,
  'folders/no_val': DISCS,
  'folders/palette_adaptive': TWO_COLOURS,
  'folders/rgb_mask': TWO_COLOURS,
  'folders/test_without_labels': DISCS,
  'folders/tiff': DISCS,
  'coco/cvat': RECTANGLES,
  'coco/float_size': RECTANGLES,
  'coco/labelstudio': RECTANGLES,
  'coco/labelstudio_moved': RECTANGLES,
  'coco/no_area': RECTANGLES,
  'coco/no_iscrowd': RECTANGLES,
  'coco/own_background': RECTANGLES,
  'coco/plain': RECTANGLES,
  'coco/roboflow': RECTANGLES,
  'coco/roboflow_moved': RECTANGLES,
}

REFUSED = {
  'folders/all_ignored': 'No pixel of the split train has a class',
  'folders/double_suffix': '`label_suffix` = .png.png would find a label for',
  'folders/extra_folder': 'labels/visualization has no pictures',
  'folders/from_one': 'has the label value 2 in',
  'folders/luminance': 'has the label value 76 in',
  'folders/mask255': 'no pixel has thing (1). If the labels are masks of 0 and',
  'folders/mask_suffix': '`label_suffix` = _mask.png would find a label for',
  'folders/merge_values_twice': 'may have several values: "value": [1, 2]',
  'folders/one_class': 'is one, too: name it first, "background"',
  'folders/only_background': 'All labelled pixels of the split train are',
  'folders/two_ignored': 'has the label value 0 in',
  'coco/boxes': 'it is empty; a box alone is no shape',
  'coco/other_size': 'has 128x96 pixels, its label',
}

REMEDIES = {
  'folders/double_suffix': {'label_suffix': '.png.png'},
  'folders/mask_suffix': {'label_suffix': '_mask.png'},
}

WARNED = {
  'folders/no_val': 'There is no split val',
  'folders/off_by_one': 'If the labels count from 1, background is 1 in them',
  'coco/cvat': 'There is no split val',
  'coco/roboflow': 'The category things is no class',
}


@pytest.fixture(scope='module')
def cases(shared_dir, tmp_path_factory):
  scripts = shared_dir / 'cases'
  if not scripts.is_dir():
    pytest.skip(f'{scripts} is absent: no cases here.')
  folder = tmp_path_factory.mktemp('cases')
  for name in ('folders', 'coco'):
    script = scripts / f'make_{name}.py'
    subprocess.run(
      [sys.executable, script, folder / name], check=True, capture_output=True
    )
  return folder


def _convert(cases, name, output_dir, **kwargs):
  dataset = 'coco' if name.startswith('coco') else 'folder'
  source = layouts.open_source(dataset, cases / name, **kwargs)
  for pair in (pair for pairs in source.splits.values() for pair in pairs):
    assert not pair.name.startswith(('/', '.')), pair
  return conversion.write_dataset(source, output_dir)


@pytest.mark.parametrize('name', CONVERTED)
def test_a_case_is_converted(cases, tmp_path, name):
  info = _convert(cases, name, tmp_path)
  assert info.split('train').class_pixel_shares == CONVERTED[name]


@pytest.mark.parametrize('name', REMEDIES)
def test_a_remedy_helps(cases, tmp_path, name):
  info = _convert(cases, name, tmp_path, **REMEDIES[name])
  assert info.split('train').class_pixel_shares == DISCS


@pytest.mark.parametrize('name', REFUSED)
def test_a_case_is_refused_with_its_remedy(cases, tmp_path, name):
  with pytest.raises((ValueError, OSError), match=re.escape(REFUSED[name])):
    _convert(cases, name, tmp_path)


@pytest.mark.parametrize('name', WARNED)
def test_a_case_is_warned_of(cases, tmp_path, name):
  warnings = _convert(cases, name, tmp_path).warnings
  assert any(WARNED[name] in warning for warning in warnings), warnings


@pytest.mark.parametrize('name', ['folders/no_val', 'coco/labelstudio'])
def test_pictures_can_be_set_aside(cases, tmp_path, name):
  info = _convert(cases, name, tmp_path, val=ValSplit(0.3))
  assert set(info.splits) == {'train', 'val'}
