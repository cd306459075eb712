# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Candidates of a search are judged by its own weights, on its own half B."""

import shutil

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import decode
from auto_deeplab.data.records import tfrecord
from auto_deeplab.experiments import decoding
from auto_deeplab.runs import run as run_lib
from tests import tiny
from tests.experiments import runs


@pytest.fixture(scope='module')
def search_dir(data_dir, tmp_path_factory):
  folder = tmp_path_factory.mktemp('searched') / 'search'
  runs.search(data_dir, folder, schedule={'probe_batches': 1})
  return folder


def evaluate(data_dir, run_dir, **numbers):
  place = run_lib.Place(str(data_dir), str(run_dir))
  numbers = {'num_likeliest': 3, 'num_random': 2, 'num_batches': 1} | numbers
  return decoding.evaluate(place, **numbers)


def test_the_smallest_loss_comes_first(data_dir, search_dir):
  files = {path: path.stat().st_mtime_ns for path in search_dir.rglob('*')}
  found = evaluate(data_dir, search_dir)
  losses = [candidate.loss for candidate in found]
  assert losses == sorted(losses)
  assert len({candidate.genotype for candidate in found}) == len(found)
  by_name = {candidate.name: candidate for candidate in found}
  assert by_name.keys() >= {'decoded', 'likely-02', 'likely-03'}
  assert files == {p: p.stat().st_mtime_ns for p in search_dir.rglob('*')}
  # As the search's own probe scored what it would decode, at the last step.
  last = decode.load_snapshot(decode.latest_snapshot(search_dir))
  assert by_name['decoded'].genotype == last.decode()
  told = [row for row in runs.metrics(search_dir) if 'genotype' in row][-1]
  assert by_name['decoded'].loss == pytest.approx(
    told['probe/decoded_loss'], rel=1e-5
  )
  text = decoding.table(found, number=1)
  assert text.startswith(f'  1. {found[0].name}')
  assert 'decoded' in text


def test_another_data_set_is_refused(data_dir, search_dir, tmp_path):
  other = shutil.copytree(data_dir, tmp_path / 'other')
  info = other / tfrecord.INFO_NAME
  info.write_text(info.read_text().replace('"name": "', '"name": "no '))
  with pytest.raises(ValueError, match=r'dataset\.json'):
    evaluate(other, search_dir)


def test_a_search_without_weights_is_refused(data_dir, search_dir, tmp_path):
  bare = shutil.copytree(search_dir, tmp_path / 'bare')
  shutil.rmtree(bare / 'checkpoints')
  with pytest.raises(ValueError, match='bare has no checkpoint'):
    evaluate(data_dir, bare)


def test_a_perturbation_leaves_the_run_as_it_is(data_dir, search_dir):
  files = {path: path.stat().st_mtime_ns for path in search_dir.rglob('*')}
  place = run_lib.Place(str(data_dir), str(search_dir))
  found = decoding.perturb(place, num_batches=1, tuning_steps=1)
  last = decode.load_snapshot(decode.latest_snapshot(search_dir)).decode()
  assert (found.num_layers, found.num_blocks) == (
    last.num_layers,
    last.num_blocks,
  )
  assert found == decoding.perturb(place, num_batches=1, tuning_steps=1)
  assert files == {p: p.stat().st_mtime_ns for p in search_dir.rglob('*')}


def test_a_search_that_draws_paths_has_nothing_to_leave_out(data_dir, tmp_path):
  config = tiny.search_config(
    supernet={'draw_primitives': True, 'draw_path': True}
  )
  (tmp_path / 'config.gin').write_text(configs.to_gin(config))
  place = run_lib.Place(str(data_dir), str(tmp_path))
  with pytest.raises(ValueError, match=r'draws paths .*no mixture to leave'):
    decoding.perturb(place)
