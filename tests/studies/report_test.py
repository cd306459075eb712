# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a study reports is what its trainings scored."""

import dataclasses
import json
import pathlib

import pytest

from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.runs import metrics_file
from auto_deeplab.studies import execution, report

_SEARCHED = genotype_lib.Genotype(
  cell=(((0, 'skip_connect'), (1, 'sep_conv_3x3')),), backbone=(0, 1, 1)
)


def test_nothing_is_made_up_before_there_is_a_score(study):
  summary = report.summarize(study)
  assert (summary['tasks_done'], summary['tasks']) == (0, 9)
  assert not {'random', 'spread', 'arms'} & summary.keys()
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
  # Seed 4 adds 0.02 to all that have it, which is no difference of arms.
  assert summary['random']['mean'] == pytest.approx((0.60 + 0.70 + 0.80) / 3)
  spread = summary['spread']
  assert spread['seeds'] == pytest.approx(0.0, abs=1e-9)
  assert spread['genotypes'] == pytest.approx(0.1)
  arm = summary['arms']['magnitude']
  assert arm['percentiles'] == [pytest.approx(200 / 3)]
  assert arm['difference']['mean'] == pytest.approx(0.74 - 0.70)
  text = report.table(summary)
  assert 'percentiles among the random ones: 67' in text
  assert 'above random by +0.0400 (one genotype tells no interval)' in text
  assert 'spread      0.1000 between genotypes, 0.0000 between seeds' in text
  written = json.loads(pathlib.Path(report.write(study, summary)).read_text())
  assert written == json.loads(json.dumps(summary))


def test_an_arm_is_compared_with_a_random_search_of_its_cost(study, finish):
  study.draw()
  _SEARCHED.save(study.genotype_path('magnitude-7'))
  for name, score in (('random-00', 0.6), ('random-01', 0.8)):
    finish(name, 0, score)
  finish('magnitude-7', 0, 0.75)
  assert 'choice' not in report.table(report.summarize(study))

  def seconds(task):
    return {'search': 19.0, 'decode': 1.0, 'train': 10.0}[task.verb]

  for task in study.tasks():
    record = execution.load_record(study, task)
    execution.save_record(
      study,
      task,
      dataclasses.replace(record, cpu_seconds=seconds(task), is_done=True),
    )
  summary = report.summarize(study)
  arm = summary['arms']['magnitude']
  assert arm['choice_cpu_seconds'] == 20.0
  assert arm['trainings_of_equal_cost'] == 3.0
  # Of three draws all are the worse one once in eight times.
  assert arm['random_search_of_equal_cost'] == pytest.approx(0.8 - 0.2 / 8)
  text = report.table(summary)
  assert 'takes 20 CPU-seconds; the best of 3.0 random ones' in text
  answers = summary['checklist']
  assert answers['Ablations'] == 'arms magnitude'
  assert answers['Time of the whole method from end to end'].startswith('90 ')


def test_a_proxy_ranks_as_the_scores_do_or_not(study, finish):
  study.draw()
  # Losses of the second eighth, quarter and half of 800 steps.
  for seed, (score, early, late) in enumerate(
    [(0.5, 1.0, 0.6), (0.6, 1.1, 0.5), (0.7, 1.2, 0.4)]
  ):
    name = f'random-{seed:02d}'
    finish(name, 0, score)
    metrics = metrics_file.MetricsFile(study.run_dir(name, 0) / 'metrics.jsonl')
    for step, loss in ((100, early), (150, 9.0), (200, late), (300, 9.0)):
      metrics.append(step, {'train/loss': loss + seed * (loss == 9.0)})
  random = report.summarize(study)['random']
  assert random['rank_correlations'] == {
    'multiply-adds': pytest.approx(
      random['rank_correlations']['multiply-adds']
    ),
    'loss of steps 50 to 100': pytest.approx(-1),
    'loss of steps 100 to 200': pytest.approx(-1),
    'loss of steps 200 to 400': pytest.approx(-1),
  }
  (trained,) = report.load(study, ['random-00'])
  assert trained.losses['loss of steps 100 to 200'] == pytest.approx(4.8)


def test_the_published_cell_is_trained_on_as_many_layers(changed):
  study = changed(with_published=True)
  study.draw()
  genotype = genotype_lib.Genotype.load(study.genotype_path('published'))
  assert genotype.cell == genotype_lib.PUBLISHED.cell
  assert genotype.backbone == (0, 0, 0, 1, 2)
  assert 'trainings/published/seed-4' in [task.name for task in study.tasks()]
  assert study.tasks_behind('published') == []
