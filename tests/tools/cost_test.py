# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tests for tools/cost.py as a user runs it."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from tests import tiny

REPOSITORY = pathlib.Path(__file__).parents[2]


def run_tool(*flags):
  return subprocess.run(
    [sys.executable, str(REPOSITORY / 'tools' / 'cost.py'), *flags],
    env={**os.environ, 'PYTHONPATH': str(REPOSITORY)},
    capture_output=True,
    text=True,
    check=False,
  )


def networks(*flags):
  result = run_tool('--json', *flags)
  assert result.returncode == 0, result.stderr
  return json.loads(result.stdout)['networks']


def test_without_flags_it_shows_the_published_networks():
  result = run_tool()
  assert result.returncode == 0, result.stderr
  for text in ('Auto-DeepLab-S (F=20)', '10,147,427', '21,622,451'):
    assert text in result.stdout


def test_json_without_flags_holds_s_m_and_l():
  found = {n['name']: n for n in networks()}
  assert list(found) == ['Auto-DeepLab-S', 'Auto-DeepLab-M', 'Auto-DeepLab-L']
  assert found['Auto-DeepLab-L']['parameters'] == 44_424_691
  large = found['Auto-DeepLab-L']['profiler_multiply_adds']
  assert large / 1e9 == pytest.approx(695.03, rel=1e-3)


def test_a_genotype_a_width_a_size_and_classes_can_be_named(tmp_path):
  path = tmp_path / 'found.json'
  block = ((0, 'skip_connect'), (1, 'sep_conv_3x3'))
  genotype_lib.Genotype((block,), (0, 1)).save(path)
  (network,) = networks(
    f'--genotype={path}',
    '--filter_multiplier=8',
    '--input_size=360,480',
    '--num_classes=11',
    '--aspp_filters=64',
    '--stem_filters=8,8,16',
  )
  assert network['name'] == 'found.json'
  assert network['filter_multiplier'] == 8
  assert network['input_size'] == [360, 480]
  assert network['num_classes'] == 11
  assert network['aspp_filters'] == 64
  assert network['stem_filters'] == [8, 8, 16]
  # 45x60 pixels do not hold the paper's window.
  assert network['pooling_size'] is None


def test_the_published_genotype_at_another_width():
  (network,) = networks('--filter_multiplier=4', '--pooling_size=whole')
  assert network['parameters'] == 2_349_603
  assert network['pooling_size'] is None


@pytest.mark.parametrize(
  ('flag', 'message'),
  [
    ('--input_size=36', '`--input_size` (36) must be 2 integers with commas'),
    ('--input_size=a,b', '`--input_size` (a,b) must be 2 integers with commas'),
    ('--filter_multiplier=0', '--filter_multiplier (0) must be at least 1.'),
    ('--num_classes=0', '--num_classes (0) must be at least 1.'),
    ('--pooling_size=999,9', '--pooling_size ((999, 9)) must not be larger'),
    ('--genotype=none.json', 'none.json does not exist.'),
  ],
)
def test_bad_input_ends_in_one_line(flag, message):
  result = run_tool(flag)
  assert result.returncode == 1
  assert result.stdout == ''
  assert result.stderr.startswith('cost: ')
  assert message in result.stderr
  assert len(result.stderr.splitlines()) == 1


def test_a_recipe_is_counted_on_its_crops_and_tried(tmp_path):
  data, genotype = tiny.write_data(tmp_path), tmp_path / 'genotype.json'
  tiny.GENOTYPE.save(genotype)
  recipe = tmp_path / 'train.gin'
  recipe.write_text(configs.to_gin(tiny.train_config()))
  flags = f'--gin_file={recipe}', f'--genotype={genotype}'
  (counted,) = networks(*flags, '--num_classes=7')
  assert counted['input_size'] == [33, 33]
  assert (counted['filter_multiplier'], counted['aspp_filters']) == (2, 8)
  result = run_tool(*flags, f'--data_dir={data}')
  assert result.returncode == 0, result.stderr
  assert f'{counted["parameters"]:,}' in result.stdout
  assert re.search(r'A step takes .* peak memory is \d\.\d GiB', result.stdout)


def test_pictures_without_a_recipe_are_refused():
  result = run_tool('--data_dir=here')
  message = 'cost: --data_dir is of use with --gin_file alone.\n'
  assert (result.returncode, result.stderr) == (1, message)


@pytest.mark.slow
def test_milliseconds_of_a_search_are_measured(tmp_path):
  recipe, path = tmp_path / 'search.gin', tmp_path / 'milliseconds.json'
  settings = {'input_size': (33, 33), 'filter_multiplier': 1}
  settings |= {'stem_filters': (2, 2, 2), 'aspp_filters': 2}
  settings |= {'low_level_filters': 2, 'decoder_filters': 2}
  config = tiny.search_config(
    target_network=settings,
    supernet={'primitives': ('none', 'skip_connect', 'sep_conv_3x3')},
  )
  recipe.write_text(configs.to_gin(config))
  result = run_tool(
    f'--gin_file={recipe}', '--num_classes=2', f'--measure={path}'
  )
  assert result.returncode == 0, result.stderr
  found = json.loads(path.read_text())
  assert f'Wrote {path}. The sums of it are within ' in result.stdout
  assert found['network']['num_blocks'] == 1
  assert len(found['measured']['ratios']) == 5
  assert max(map(max, found['ends'])) > 0
