# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a study reports is what its trainings scored."""

import json
import pathlib

import pytest

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.studies import report

_SEARCHED = genotype_lib.Genotype(
  cell=(((0, 'skip_connect'), (1, 'sep_conv_3x3')),), backbone=(0, 1, 1)
)


def test_nothing_is_made_up_before_there_is_a_score(study):
  summary = report.summarize(study)
  assert (summary['tasks_done'], summary['tasks']) == (0, 9)
  assert not {'random', 'spread', 'magnitude'} & summary.keys()
  assert report.table(summary) == '0 of 9 tasks done, 0 CPU-seconds'


def test_scores_are_those_of_the_last_step(study, finish):
  study.draw()
  finish('random-00', 0, 0.5)
  finish('random-01', 0, 0.9, step=400)
  (trained,) = report.load(study, study.random_names())
  assert (trained.name, trained.scores) == ('random-00', {0: 0.5})
  assert trained.multiply_adds > 0


def test_arms_are_compared(study, finish):
  study.draw()
  _SEARCHED.save(study.genotype_path('magnitude-7'))
  for name, seed, score in (
    ('random-00', 0, 0.60),
    ('random-00', 4, 0.62),
    ('random-01', 0, 0.70),
    ('random-01', 4, 0.72),
    ('random-02', 0, 0.80),
    ('magnitude-7', 0, 0.74),
    ('magnitude-7', 4, 0.76),
  ):
    finish(name, seed, score)
  summary = report.summarize(study)
  assert summary['random']['mean'] == pytest.approx((0.61 + 0.71 + 0.80) / 3)
  spread = summary['spread']
  assert spread['seeds'] == pytest.approx(0.02 / 2**0.5)
  assert spread['genotypes'] == pytest.approx((0.1**2 - 0.02**2 / 2) ** 0.5)
  arm = summary['magnitude']
  assert arm['percentiles'] == [pytest.approx(200 / 3)]
  assert arm['difference']['mean'] == pytest.approx(0.75 - 2.12 / 3)
  text = report.table(summary)
  assert 'percentiles among the random ones: 67' in text
  assert 'above random by +0.0433 (one genotype tells no interval)' in text
  assert 'spread      0.0990 between genotypes, 0.0141 between seeds' in text
  written = json.loads(pathlib.Path(report.write(study, summary)).read_text())
  assert written == json.loads(json.dumps(summary))
