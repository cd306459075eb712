# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Each recipe of gin_configs/ parses, and says what it is known for."""

import dataclasses
import operator

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import genotype

_CITYSCAPES_TRAIN_IMAGES = 2975

# The numbers that define a recipe. A change of one is a change of what the
# recipe promises: of its time, its score, or its being the paper's.
_SEARCHES = {
  'demo_search': {
    'input.crop_size': (97, 97),
    'input.batch_size': 4,
    'supernet.num_layers': 5,
    'supernet.num_blocks': 3,
    'supernet.filter_multiplier': 4,
    'schedule.train_steps': 200,
    'schedule.arch_start_step': 80,
  },
  'camvid_search': {
    'input.crop_size': (97, 97),
    'input.batch_size': 4,
    'supernet.num_layers': 8,
    'supernet.num_blocks': 3,
    'supernet.filter_multiplier': 4,
    'architecture_loss.skip_dropout': 0.5,
    'schedule.train_steps': 600,
    'schedule.arch_start_step': 80,
  },
  'cityscapes_search': {
    'runtime.precision': 'float32',
    'input.crop_size': (321, 321),
    'input.batch_size': 2,
    'input.min_scale': 0.5,
    'input.max_scale': 0.5,
    'supernet.num_layers': 12,
    'supernet.num_blocks': 5,
    'supernet.filter_multiplier': 8,
    'supernet.stem_filters': (64, 64, 128),
    'supernet.init_stddev': 1e-3,
    'weight_optimizer.optimizer': 'sgd',
    'weight_optimizer.momentum': 0.9,
    'weight_optimizer.schedule': 'cosine',
    'weight_optimizer.learning_rate': 0.025,
    'weight_optimizer.end_learning_rate': 0.001,
    'weight_optimizer.weight_decay': 3e-4,
    'weight_optimizer.warmup_steps': 0,
    'weight_optimizer.clip_norm': 0,
    'architecture_optimizer.optimizer': 'adam',
    'architecture_optimizer.schedule': 'constant',
    'architecture_optimizer.learning_rate': 0.003,
    'architecture_optimizer.weight_decay': 1e-3,
    'architecture_optimizer.beta_1': 0.9,
    'architecture_optimizer.beta_2': 0.999,
    'schedule.train_steps': 29_760,
    'schedule.arch_start_step': 14_880,
  },
}

_CITYSCAPES_TRAIN = {
  'runtime.precision': 'float32',
  'runtime.synchronized_batch_norm': True,
  'input.crop_size': (769, 769),
  'input.batch_size': 16,
  'input.min_scale': 0.5,
  'input.max_scale': 2.0,
  'input.scale_step': 0.25,
  'input.long_side': 0,
  'input.flip_probability': 0.5,
  'segmenter.stem_filters': (64, 64, 128),
  'segmenter.aspp_filters': 256,
  'segmenter.low_level_filters': 48,
  'segmenter.decoder_filters': 256,
  'segmenter.pooling_size': (97, 97),
  'segmenter.drop_path_keep_prob': 0.8,
  'segmenter.dropout_rate': 0.1,
  'segmenter.batch_norm_momentum': 0.9997,
  'segmenter.batch_norm_epsilon': 1e-3,
  'segmenter.head_batch_norm_epsilon': 1e-5,
  'weight_optimizer.optimizer': 'sgd',
  'weight_optimizer.momentum': 0.9,
  'weight_optimizer.schedule': 'poly',
  'weight_optimizer.power': 0.9,
  'weight_optimizer.learning_rate': 0.05,
  'weight_optimizer.end_learning_rate': 0.0,
  'weight_optimizer.weight_decay': 4e-5,
  'weight_optimizer.warmup_steps': 0,
  'weight_optimizer.clip_norm': 0,
  'schedule.train_steps': 1_500_000,
  # What the paper does not mention is off.
  'schedule.accumulation_steps': 1,
  'schedule.ema_momentum': 0.0,
  'segmenter.freeze_batch_norm': False,
  'loss.hard_pixel_fraction': 1.0,
  'loss.class_weights': 'none',
}

_TRAININGS: dict[str, dict] = {
  'demo_train': {
    'runtime.precision': 'float32',
    'input.crop_size': (129, 129),
    'input.batch_size': 8,
    'segmenter.filter_multiplier': 8,
    'weight_optimizer.optimizer': 'adamw',
    'weight_optimizer.learning_rate': 0.003,
    'schedule.train_steps': 800,
  },
  'camvid_train': {
    'runtime.precision': 'float32',
    'input.crop_size': (257, 257),
    'input.batch_size': 8,
    'segmenter.filter_multiplier': 16,
    'weight_optimizer.optimizer': 'adamw',
    'weight_optimizer.learning_rate': 0.002,
    'schedule.train_steps': 7000,
  },
  **{
    f'cityscapes_{size}': {
      **_CITYSCAPES_TRAIN,
      'segmenter.filter_multiplier': filter_multiplier,
    }
    for size, filter_multiplier in (('s', 20), ('m', 32), ('l', 48))
  },
}

_VOC_TRAIN = {
  **_CITYSCAPES_TRAIN,
  'input.crop_size': (513, 513),
  'segmenter.pooling_size': (65, 65),
  'segmenter.filter_multiplier': 20,
}
_TRAININGS |= {
  'voc_s': _VOC_TRAIN,
  'coco_voc_s': {**_VOC_TRAIN, 'schedule.train_steps': 4_000_000},
  'ade20k_s': {
    **_VOC_TRAIN,
    'input.long_side': 513,
    'schedule.train_steps': 4_000_000,
  },
}

_EVALUATIONS = {
  'multi_scale': {
    'evaluation.scales': (0.5, 0.75, 1.0, 1.25, 1.5, 1.75),
    'evaluation.use_flip': True,
    'evaluation.window_size': None,
  },
}

_STUDIES = {
  'demo_study': {
    'study.num_random': 32,
    'study.num_repeated': 4,
    'study.train_seeds': (0, 1, 2),
    'study.search_seeds': (0, 1, 2),
  },
  'camvid_study': {
    'study.train_settings': ('TrainConfig.train_steps = 800',),
    'study.num_random': 3,
    'study.train_seeds': (0,),
    'study.search_seeds': (0, 1, 2),
  },
}

_RECIPES = {
  **{name: (configs.SearchExperiment, n) for name, n in _SEARCHES.items()},
  **{name: (configs.TrainExperiment, n) for name, n in _TRAININGS.items()},
  **{name: (configs.EvalExperiment, n) for name, n in _EVALUATIONS.items()},
  **{name: (configs.StudyExperiment, n) for name, n in _STUDIES.items()},
}
_TOOLS = {
  configs.SearchExperiment: 'tools/search.py',
  configs.TrainExperiment: 'tools/train.py',
  configs.EvalExperiment: 'tools/evaluate.py',
  configs.StudyExperiment: 'tools/study.py',
}


@pytest.fixture
def load(repository, monkeypatch):
  """Loads a recipe by name, as a user in the root of the repository does."""
  monkeypatch.chdir(repository)

  def load_recipe(name: str):
    return configs.load(_RECIPES[name][0], [f'gin_configs/{name}.gin'])

  return load_recipe


def test_each_recipe_is_named_here(repository):
  files = {path.stem for path in repository.glob('gin_configs/*.gin')}
  assert files == set(_RECIPES)


@pytest.mark.parametrize('name', _RECIPES)
def test_a_recipe_has_its_numbers(load, name):
  experiment, numbers = load(name), _RECIPES[name][1]
  found = {path: operator.attrgetter(path)(experiment) for path in numbers}
  assert found == numbers


@pytest.mark.parametrize('name', _RECIPES)
def test_what_is_written_of_a_recipe_parses_back_to_it(load, name, tmp_path):
  experiment = load(name)
  path = tmp_path / 'config.gin'
  path.write_text(configs.to_gin(experiment))
  assert configs.load(type(experiment), [str(path)]) == experiment


@pytest.mark.parametrize('name', _RECIPES)
def test_a_recipe_opens_with_its_command(repository, name):
  text = (repository / f'gin_configs/{name}.gin').read_text()
  head = text.partition('\n\n')[0]
  assert all(line.startswith('#') for line in head.splitlines())
  tool = _TOOLS[_RECIPES[name][0]]
  assert f'python {tool} --gin_file=gin_configs/{name}.gin' in head


@pytest.mark.parametrize('name', _TRAININGS)
def test_batch_norm_forgets_its_start_within_a_training(load, name):
  experiment = load(name)
  momentum = experiment.segmenter.batch_norm_momentum
  assert momentum**experiment.schedule.train_steps < 0.01


def test_the_search_on_cityscapes_makes_the_papers_epochs(load):
  search = load('cityscapes_search')
  half_a = -(-_CITYSCAPES_TRAIN_IMAGES // 2)
  epoch_steps = half_a / search.input.batch_size
  assert search.schedule.train_steps == 40 * epoch_steps
  assert search.schedule.arch_start_step == 20 * epoch_steps


def test_s_m_and_l_differ_in_their_width_alone(load):
  sizes = genotype.PUBLISHED_FILTER_MULTIPLIERS
  assert set(sizes) == {'s', 'm', 'l'}
  small = load('cityscapes_s')
  for size, filter_multiplier in sizes.items():
    segmenter = dataclasses.replace(
      small.segmenter, filter_multiplier=filter_multiplier
    )
    expected = dataclasses.replace(small, segmenter=segmenter)
    assert load(f'cityscapes_{size}') == expected


@pytest.mark.parametrize('name', ['cityscapes_s', 'voc_s', 'ade20k_s'])
def test_the_pooling_window_is_the_feature_map_of_a_crop(load, name):
  small = load(name)
  output_stride = 4 * 2 ** genotype.PUBLISHED.backbone[-1]
  feature_size = tuple(-(-n // output_stride) for n in small.input.crop_size)
  assert small.segmenter.pooling_size == feature_size


@pytest.mark.parametrize('name', ['camvid_trial', 'camvid_trial.gin'])
def test_of_a_missing_name_all_are_listed(
  name, tmp_path, monkeypatch, repository
):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(FileNotFoundError) as error:
    configs.load(configs.TrainExperiment, [name])
  first, _, listed = str(error.value).partition(' The recipes that have a name')
  assert first == f"gin file '{name}' does not exist."
  recipes = repository.glob('gin_configs/*.gin')
  assert listed == f': {", ".join(sorted(path.stem for path in recipes))}.'


@pytest.mark.parametrize('form', ['{}', '{}.gin', 'gin_configs/{}.gin'])
def test_a_recipe_is_found_by_its_name(form, tmp_path, monkeypatch, repository):
  monkeypatch.chdir(repository)
  # It includes another, which includes a third.
  here = configs.load(configs.TrainExperiment, ['gin_configs/coco_voc_s.gin'])
  monkeypatch.chdir(tmp_path)
  name = form.format('coco_voc_s')
  assert configs.load(configs.TrainExperiment, [name]) == here
  assert here.schedule.train_steps == 4000000


def test_a_file_wins_over_the_recipe_of_its_name(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'demo_train.gin').write_text('RuntimeConfig.seed = 7')
  config = configs.load(configs.TrainExperiment, ['demo_train.gin'])
  assert config == configs.load(
    configs.TrainExperiment, [], ['RuntimeConfig.seed = 7']
  )
