# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the sections of the page say of what was gathered."""

import dataclasses
import io
import json

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.architecture import cost, decode, lattice
from auto_deeplab.page import (
  blocks,
  data_section,
  document,
  gather,
  overview_section,
  plan_section,
  records_section,
  search_section,
  study_section,
  training_section,
  words,
)
from auto_deeplab.page import gathered as gathered_lib
from tests import tiny
from tests.page import made


@pytest.fixture(scope='module')
def gathered(tmp_path_factory):
  """All there can be, in one folder."""
  out = tmp_path_factory.mktemp('out')
  tiny.write_data(out)
  made.plan(out / 'plan')
  made.search(out / 'search')
  made.training(out / 'train')
  made.study(out / 'study')
  found = gather.gather([out])
  study = gather.gather([out / 'study'])
  return dataclasses.replace(found, studies=study.studies)


def flat(found):
  """All blocks, those of groups as well."""
  for block in found:
    if isinstance(block, blocks.Group):
      yield from flat(block.blocks)
    else:
      yield block


def of(section, kind):
  return [block for block in flat(section.blocks) if isinstance(block, kind)]


def facts(section):
  return dict(
    item for block in of(section, blocks.Facts) for item in block.items
  )


def table(section, caption):
  (found,) = (b for b in of(section, blocks.Table) if b.caption == caption)
  return found


def notes(section):
  return [line for block in of(section, blocks.Notes) for line in block.lines]


def test_sections_come_in_the_order_of_what_is_done(gathered):
  keys = [section.key for section in document.sections(gathered)]
  assert keys == [
    'runs',
    'study',
    'data',
    'plan',
    'search',
    'training',
    'records',
  ]


def test_what_is_not_there_has_no_section():
  assert document.sections(gathered_lib.Gathered('nothing')) == []


def test_figures_have_names_of_their_own_and_say_what_they_show(gathered):
  found = [
    figure
    for section in document.sections(gathered)
    for figure, _ in blocks.figures(section.blocks)
  ]
  names = [document.slug(figure.name) for figure in found]
  assert len(set(names)) == len(names) > 15
  assert all(len(figure.label) > 20 for figure in found)


def test_runs_stand_side_by_side(gathered):
  section = overview_section.section(gathered)
  assert facts(section)['mean IoU'] == '0.500'
  (row,) = table(section, 'Trainings').rows
  assert row[:4] == ('train', '40', '0.5000', '0.2500')
  (search,) = table(section, 'Searches').rows
  assert (search[0], search[1], search[2], search[5]) == (
    'search',
    '30',
    '3',
    '0.2000',
  )


def test_the_data_are_shown_with_what_is_doubtful(gathered):
  section = data_section.section(gathered)
  (gallery,) = of(section, blocks.Gallery)
  assert len(gallery.pictures) == 7
  assert gallery.legend[-1] == (data_section.IGNORED, '#f0f0f0')
  (label,) = (i for i in gallery.pictures[0].images if i[0] == 'image/png')
  assert label[1].startswith(b'\x89PNG')
  assert label[2].startswith('its label: ')
  # The runs of these folders have another table than the pictures.
  assert 'The class tree is rare.' in notes(section)


def test_labels_keep_the_colours_of_their_classes(gathered):
  info = gathered.data[0].info
  label = np.array([[0, 1], [2, 255]], np.uint8)
  data = data_section.encode_label(label, info)
  pixels = np.asarray(Image.open(io.BytesIO(data)).convert('RGB'))
  expected = [*info.colors[:3], (240, 240, 240)]
  assert [tuple(p) for p in pixels.reshape(-1, 3)] == expected


def test_the_plan_gives_its_reasons(gathered):
  section = plan_section.section(gathered)
  settings = table(section, 'Settings of the training, and why').rows
  assert any(row[0] == 'InputConfig.crop_size' and row[2] for row in settings)
  assert facts(section)['pictures'] == '400 to train on, 100 to evaluate on'
  assert facts(section)['their usual size'] == '480 × 360'


@pytest.mark.parametrize('text', ['{}', '{"data": 1}', '[', '{"plan": {}}'])
def test_a_plan_of_another_form_is_said(tmp_path, text):
  path = made.plan(tmp_path / 'plan')
  (path / 'plan.json').write_text(text)
  section = plan_section.section(gather.gather([path]))
  assert 'plan.json' in notes(section)[0]


@pytest.mark.parametrize('value', ['[]', '1', '{}', '[1e999, 1]'])
def test_a_plan_with_a_changed_value_is_said(tmp_path, value):
  path = made.plan(tmp_path / 'plan') / 'plan.json'
  document = json.loads(path.read_text())
  document['data']['size'] = 'HERE'
  document['data']['object_side'] = 'HERE'
  path.write_text(json.dumps(document).replace('"HERE"', value))
  section = plan_section.section(gather.gather([path.parent]))
  assert 'plan.json is of another form: ' in notes(section)[0]


def test_the_slider_has_each_snapshot(gathered):
  section = search_section.section(gathered)
  (timeline,) = of(section, blocks.Timeline)
  search = gathered.searches[0]
  moments = timeline.frames['moments']
  assert len(moments) == len(search.snapshots) == 3
  transitions = lattice.transitions(4)
  for moment, snapshot in zip(moments, search.snapshots, strict=True):
    probabilities = decode.transition_probabilities(snapshot.betas)
    genotype = snapshot.decode()
    path = lattice.path_transitions(genotype.backbone)
    assert [transitions[i] for i in moment['path']] == path
    assert moment['probabilities'] == pytest.approx(
      [
        probabilities[t.column, t.source_level, t.direction]
        for t in transitions
      ],
      abs=6e-4,
    )
    assert f'Step {snapshot.step}' in moment['text']
    keys = {timeline.frames['edges'][i] for i in moment['edges']}
    assert len(keys) == 4  # Two blocks of two edges.
  last = {timeline.frames['edges'][i] for i in moments[-1]['edges']}
  assert timeline.hidden == set(timeline.frames['edges']) - last


def test_the_curves_are_those_of_the_paper(gathered):
  names = [f.name for f in of(search_section.section(gathered), blocks.Figure)]
  assert names == [
    'search-iou',
    'search-loss',
    'search-entropy',
    'search-margin',
    'search-primitives',
  ]


def test_old_metrics_show_less(tmp_path):
  run = made.search(tmp_path / 'run')
  rows = [
    json.loads(r) for r in (run / 'metrics.jsonl').read_text().splitlines()
  ]
  kept = [{'step': row['step']} for row in rows]
  (run / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, kept)))
  section = search_section.section(gather.gather([run]))
  names = [figure.name for figure in of(section, blocks.Figure)]
  assert names == ['run-entropy', 'run-margin', 'run-primitives']


def test_a_search_without_snapshots_says_so(tmp_path):
  run = made.search(tmp_path / 'run')
  for path in (run / 'architecture').iterdir():
    path.unlink()
  section = search_section.section(gather.gather([run]))
  assert 'There is no snapshot of the architecture yet.' in notes(section)
  assert facts(section)['steps'] == '30'


def test_a_collapsed_or_unmoved_search_is_told(tmp_path):
  run = made.search(tmp_path / 'run', num_snapshots=2, blocks=1)
  (run / 'architecture/step-00000020.npz').unlink()
  alphas = np.zeros((2, 8))
  alphas[:, 3] = 5.0
  decode.save_snapshot(run, decode.Snapshot(10, alphas, np.zeros((4, 4, 3))))
  (line,) = notes(search_section.section(gather.gather([run])))
  assert line.startswith('100% of the edges that the cell keeps are skip')
  text = (run / 'config.gin').read_text()
  text = text.replace('arch_start_step = 1', 'arch_start_step = 10')
  (run / 'config.gin').write_text(text)
  (line,) = notes(search_section.section(gather.gather([run])))
  assert line.startswith('Alpha and beta have not moved yet')


def test_snapshots_of_another_shape_are_left_out(tmp_path):
  run = made.search(tmp_path / 'run')
  other = decode.Snapshot(5, np.zeros((2, 8)), np.zeros((4, 4, 3)))
  decode.save_snapshot(run, other)
  section = search_section.section(gather.gather([run]))
  (timeline,) = of(section, blocks.Timeline)
  assert len(timeline.frames['moments']) == 3


def test_the_confusions_are_shares_of_a_label(gathered):
  section = training_section.section(gathered)
  rows = table(section, 'What is taken for something else most often').rows
  assert rows[0] == ('sky', 'road', '33.3\xa0%', '50')
  scores = table(section, 'IoU of each class').rows
  assert scores[0] == ('sky', '0.9000', '0.9000')
  assert [row[0] for row in scores] == ['sky', 'road', 'tree']


def test_classes_that_are_never_predicted_are_told(gathered, tmp_path):
  assert not notes(training_section.section(gathered))
  run = made.training(tmp_path / 'run')
  path = run / 'evaluation-val-40.json'
  document = json.loads(path.read_text())
  document['confusion_matrix'] = [[9, 0, 0], [1, 0, 0], [0, 0, 0]]
  path.write_text(json.dumps(document))
  (line,) = notes(training_section.section(gather.gather([run])))
  # Of a class that no label has, there was nothing to predict.
  assert line.startswith('No pixel of val was predicted to be road: more steps')


def test_the_cost_is_that_of_the_network_that_is_trained(gathered):
  training = gathered.trainings[0]
  counted = training_section.counted_cost(training)
  network = cost.Network(
    tiny.GENOTYPE,
    input_size=(33, 33),
    filter_multiplier=2,
    num_classes=3,
    stem_filters=(4, 4, 8),
    aspp_filters=8,
    low_level_filters=4,
    decoder_filters=8,
  )
  assert counted == cost.count(network)
  section = training_section.section(gathered)
  parts = table(section, 'Cost of each part').rows
  assert sum(int(row[2].replace(',', '')) for row in parts) == (
    counted.multiply_adds
  )


def test_without_evaluation_the_command_for_it_is_said(tmp_path):
  run = made.training(tmp_path / 'run', is_evaluated=False)
  section = training_section.section(gather.gather([run]))
  (line,) = notes(section)
  assert f'evaluate --run_dir={run} --data_dir=' in line
  # Those within the training have told it.
  assert table(section, 'IoU of each class').rows[0][0] == 'sky'


def test_of_many_trainings_the_best_are_shown_in_full(tmp_path):
  for number in range(5):
    run = made.training(tmp_path / f'run{number}', is_evaluated=number != 1)
    file = run / 'metrics.jsonl'
    file.write_text(file.read_text().replace('0.5,', f'0.{number},'))
    (run / 'evaluation-val-40.json').unlink(missing_ok=True)
  section = training_section.section(gather.gather([tmp_path]))
  assert section
  groups = [b.title for b in section.blocks if isinstance(b, blocks.Group)]
  assert groups == ['run4', 'run3', 'run2']
  assert 'The 3 best of 5 follow.' in notes(section)


def test_a_study_tells_what_is_above_chance(gathered):
  section = study_section.section(gathered)
  (row,) = table(section, 'Each way to choose, and chance').rows
  assert row[:5] == (
    'magnitude',
    '2',
    '0.5000',
    '+0.1500',
    '+0.1000 to +0.2000',
  )
  genotypes = table(section, 'All genotypes, the best first').rows
  assert [g[0] for g in genotypes] == ['magnitude-0', 'random-01', 'random-00']
  assert facts(section)['tasks'] == '4 of 5 done'


@pytest.mark.parametrize('text', ['{}', '{"tasks_done": "x"}', '['])
def test_a_study_of_another_form_is_said(tmp_path, text):
  path = made.study(tmp_path / 'study')
  (path / 'study.json').write_text(text)
  assert 'study.json' in notes(study_section.section(gather.gather([path])))[0]


def test_a_study_that_has_just_begun_is_said(tmp_path):
  (tmp_path / 'study/records').mkdir(parents=True)
  section = study_section.section(gather.gather([tmp_path / 'study']))
  assert notes(section)[0].endswith('study.json is not there.')


def test_each_run_keeps_its_command_and_configuration(gathered):
  section = records_section.section(gathered)
  codes = {code.title: code.text for code in of(section, blocks.Code)}
  assert 'python' in codes['train: commands']
  assert codes['search: config.gin'] == gathered.searches[0].config_text


def test_an_old_run_kept_no_command(tmp_path):
  run = made.training(tmp_path / 'run')
  (run / 'starts.jsonl').unlink()
  (line,) = notes(records_section.section(gather.gather([run])))
  assert line == 'No command was kept by run, made before that was.'


def test_numbers_are_said_as_people_say_them():
  assert words.number(None) == words.NOTHING
  assert words.duration(45) == '45 s'
  assert words.duration(600) == '10 min'
  assert words.duration(36000) == '10.0 h'
  assert words.large(1_280_000_000) == '1.28 billion'
  assert words.large(115_271) == '115,271'
  assert words.size((360, 480)) == '480 × 360'
  assert words.steps(3, 1000) == '3 of 1,000'
  assert words.steps(1000, 1000) == '1,000'
