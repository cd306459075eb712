# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Configurations refuse what cannot work, and survive a trip through gin."""

import dataclasses
import re

import pytest

from auto_deeplab import configs
from auto_deeplab.architecture import cost, genotype, primitives
from tests import tiny


@pytest.mark.parametrize(
  'config',
  [
    tiny.search_config(supernet={'init_stddev': 1e-5}),
    tiny.train_config(segmenter={'pooling_size': (9, 7)}),
  ],
)
def test_gin_text_parses_back_to_an_equal_configuration(config, tmp_path):
  path = tmp_path / 'config.gin'
  path.write_text(configs.to_gin(config))
  assert configs.load(type(config), [str(path)]) == config


def test_later_files_and_bindings_win(tmp_path):
  paths = []
  for name, batch_size in (('a', 3), ('b', 4)):
    paths.append(str(tmp_path / name))
    (tmp_path / name).write_text(
      f'InputConfig.batch_size = {batch_size}\nRuntimeConfig.seed = 1\n'
    )
  config = configs.load(
    configs.TrainExperiment, paths, ['RuntimeConfig.seed = 2']
  )
  assert (config.input.batch_size, config.runtime.seed) == (4, 2)
  weakest = ['RuntimeConfig.seed = 3', 'RuntimeConfig.steps_per_loop = 5']
  config = configs.load(configs.TrainExperiment, paths, defaults=weakest)
  assert (config.runtime.seed, config.runtime.steps_per_loop) == (1, 5)
  # Nothing is left behind for the next one.
  assert configs.load(configs.TrainExperiment).runtime.seed == 0


@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    (
      'InputConfig.batch_sise = 2',
      '`InputConfig.batch_sise` is no setting; did you mean '
      '`InputConfig.batch_size`?',
    ),
    (
      'InputConf.batch_size = 2',
      '`InputConf.batch_size` is no setting; did you mean '
      '`InputConfig.batch_size`?',
    ),
    (
      'TrainConfig.batch_size = 2',
      '`TrainConfig.batch_size` is no setting; did you mean '
      '`InputConfig.batch_size`?',
    ),
    ('TrainConfig.colour = 2', '`TrainConfig.colour` is no setting.'),
    (
      # A macro for gin.
      'batch_size = 2',
      '`batch_size` of --gin_bindings sets nothing; a setting is written as '
      '`InputConfig.batch_size = 4`.',
    ),
    (
      # And a scope.
      'train/InputConfig.batch_size = 2',
      '`train/InputConfig.batch_size` of --gin_bindings sets nothing; a '
      'setting is written as `InputConfig.batch_size = 4`.',
    ),
    ('InputConfig.batch_size = (2', 'cannot read the gin configuration: '),
    (
      'InputConfig.batch_size = 0',
      '`InputConfig.batch_size` (0) must be greater than 0.',
    ),
    (
      'InputConfig.batch_size = 2.5',
      '`InputConfig.batch_size` (2.5) must be of type int.',
    ),
    (
      "WeightOptimizerConfig.learning_rate = '1'",
      "`WeightOptimizerConfig.learning_rate` ('1') must be of type float.",
    ),
    (
      'RuntimeConfig.synchronized_batch_norm = 1',
      '`RuntimeConfig.synchronized_batch_norm` (1) must be of type bool.',
    ),
    (
      'InputConfig.crop_size = 33',
      '`InputConfig.crop_size` (33) must be a (height, width) of positive '
      'integers.',
    ),
    (
      'InputConfig.crop_size = (33, 3)',
      '`InputConfig.crop_size` ((33, 3)) must be at least (4, 4).',
    ),
    (
      'InputConfig.max_scale = 0.25',
      '`InputConfig.max_scale` (0.25) must be at least `min_scale` (0.5).',
    ),
    (
      'InputConfig.class_balance = 1.5',
      '`InputConfig.class_balance` (1.5) must be in [0, 1].',
    ),
    (
      'InputConfig.long_side = -1',
      '`InputConfig.long_side` (-1) must be at least 0.',
    ),
    (
      'InputConfig.max_rotation = -5.0',
      '`InputConfig.max_rotation` (-5.0) must be in [0, 180].',
    ),
    (
      'SegmenterConfig.drop_path_keep_prob = 0.0',
      '`SegmenterConfig.drop_path_keep_prob` (0.0) must be in (0, 1].',
    ),
    (
      'SegmenterConfig.drop_path_keep_prob = 1.5',
      '`SegmenterConfig.drop_path_keep_prob` (1.5) must be in (0, 1].',
    ),
    (
      'SegmenterConfig.filter_multiplier = 0',
      '`SegmenterConfig.filter_multiplier` (0) must be greater than 0.',
    ),
    (
      'SegmenterConfig.stem_filters = 8',
      '`SegmenterConfig.stem_filters` (8) must be three positive integers.',
    ),
    (
      'LossConfig.hard_pixel_fraction = 0.0',
      '`LossConfig.hard_pixel_fraction` (0.0) must be in (0, 1].',
    ),
    (
      'LossConfig.hard_pixel_warmup_steps = -1',
      '`LossConfig.hard_pixel_warmup_steps` (-1) must be at least 0.',
    ),
    (
      'TrainConfig.accumulation_steps = 0',
      '`TrainConfig.accumulation_steps` (0) must be greater than 0.',
    ),
    (
      'TrainConfig.ema_momentum = 1.0',
      '`TrainConfig.ema_momentum` (1.0) must be in [0, 1).',
    ),
    (
      'TrainConfig.ema_momentum = 0.999\nTrainConfig.train_steps = 1000',
      '`TrainConfig.ema_momentum` (0.999) must be at most 0.995405 in 1000 '
      'steps, so that no more than 1 % of the initial weights is left in the '
      'average.',
    ),
    (
      "LossConfig.class_weights = 'inverse'",
      "`LossConfig.class_weights` ('inverse') must be one of ('none', "
      "'median_frequency').",
    ),
    (
      "WeightOptimizerConfig.optimizer = 'adagrad'",
      "`WeightOptimizerConfig.optimizer` ('adagrad') must be one of ('sgd', "
      "'adam', 'adamw').",
    ),
    (
      'RuntimeConfig.use_xla = True\n'
      'RuntimeConfig.synchronized_batch_norm = True',
      '`RuntimeConfig.use_xla` (True) must be False where '
      '`synchronized_batch_norm` is True.',
    ),
    (
      'RuntimeConfig.checkpoint_interval = 150',
      '`RuntimeConfig.checkpoint_interval` (150) must be a multiple of '
      '`steps_per_loop` (100).',
    ),
  ],
)
def test_a_bad_binding_is_one_line_that_names_it(binding, message):
  with pytest.raises(ValueError) as error:
    configs.load(configs.TrainExperiment, [], [binding])
  assert str(error.value).startswith(message)
  if message.endswith('.'):
    assert str(error.value) == message


@pytest.mark.parametrize(
  'bindings, largest, steps',
  [
    (['TrainConfig.train_steps = 300'], 0.984767, 300),
    (
      ['TrainConfig.train_steps = 5000', 'TrainConfig.accumulation_steps = 2'],
      0.99954,
      10000,
    ),
  ],
)
def test_statistics_must_forget_their_beginning(bindings, largest, steps):
  config = configs.load(configs.TrainExperiment, [], bindings)
  with pytest.raises(ValueError) as error:
    config.check_beginning()
  assert str(error.value) == (
    f'`SegmenterConfig.batch_norm_momentum` (0.9997) must be at most {largest} '
    f'in {steps} steps, so that no more than 1 % of the initial statistics is '
    'left in the average.'
  )


@pytest.mark.parametrize(
  'binding',
  [
    'TrainConfig.train_steps = 15_350',
    'SegmenterConfig.batch_norm_momentum = 0.98',
    'SegmenterConfig.freeze_batch_norm = True',
  ],
)
def test_statistics_that_forget_or_stay_are_accepted(binding):
  bindings = ['TrainConfig.train_steps = 300', binding]
  configs.load(configs.TrainExperiment, [], bindings).check_beginning()


@pytest.mark.parametrize(
  ('kind', 'field', 'largest'),
  [
    (configs.ServerConfig, 'max_request_bytes', 2**31 - 1),
    (configs.ServerConfig, 'timeout_seconds', 86_400),
    (configs.ServingConfig, 'max_pixels', 2**30),
    (configs.ServingConfig, 'canvas_steps', 2**10),
  ],
)
def test_a_limit_beyond_what_can_be_counted_is_refused(kind, field, largest):
  kind(**{field: largest})
  with pytest.raises(ValueError) as error:
    kind(**{field: largest + 1})
  assert str(error.value) == (
    f'`{kind.__name__}.{field}` ({largest + 1}) must be at most {largest}.'
  )


def test_a_supernet_without_filters_is_refused():
  with pytest.raises(ValueError) as error:
    configs.load(
      configs.SearchExperiment, [], ['SupernetConfig.filter_multiplier = 0']
    )
  assert str(error.value) == (
    '`SupernetConfig.filter_multiplier` (0) must be greater than 0.'
  )


def test_architecture_steps_must_begin_before_the_end():
  with pytest.raises(ValueError) as error:
    configs.load(
      configs.SearchExperiment,
      [],
      ['SearchConfig.train_steps = 10', 'SearchConfig.arch_start_step = 10'],
    )
  assert str(error.value) == (
    '`SearchConfig.arch_start_step` (10) must be less than `train_steps` (10).'
  )


def test_snapshots_fall_on_loops():
  with pytest.raises(ValueError) as error:
    tiny.search_config(
      runtime={'steps_per_loop': 2}, schedule={'snapshot_interval': 3}
    )
  assert str(error.value) == (
    '`SearchConfig.snapshot_interval` (3) must be a multiple of '
    '`steps_per_loop` (2).'
  )


@pytest.mark.parametrize(
  ('num_layers', 'crop_size', 'stride'),
  [(2, (17, 16), 16), (3, (32, 65), 32), (12, (32, 32), 32)],
)
def test_a_crop_too_small_for_the_coarsest_level_is_refused(
  num_layers, crop_size, stride
):
  parts = {'supernet': {'num_layers': num_layers}}
  with pytest.raises(ValueError) as error:
    tiny.search_config(input={'crop_size': crop_size}, **parts)
  assert str(error.value) == (
    f'`InputConfig.crop_size` ({crop_size}) must be larger than {stride} in a '
    f'search of {num_layers} layers, so that the map of output stride {stride} '
    'has two pixels a side.'
  )
  tiny.search_config(input={'crop_size': (stride + 1, stride + 1)}, **parts)


@pytest.mark.parametrize(
  ('part', 'field', 'value', 'needed'),
  [
    ('weight_optimizer', 'optimizer', 'adamw', 'sgd'),
    ('runtime', 'precision', 'mixed_bfloat16', 'float32'),
  ],
)
def test_an_unrolled_search_needs_sgd_and_float32(part, field, value, needed):
  tiny.search_config(schedule={'unrolled': True})
  parts = {part: {field: value}}
  tiny.search_config(**parts)
  with pytest.raises(ValueError) as error:
    tiny.search_config(schedule={'unrolled': True}, **parts)
  assert str(error.value).endswith(
    f"{field}` ('{value}') must be '{needed}' where `SearchConfig.unrolled` is "
    'True.'
  )


def test_partial_channels_must_divide_the_filters():
  message = re.escape(
    '`SupernetConfig.channel_divisor` (3) must be a divisor of '
    '`filter_multiplier` (8).'
  )
  with pytest.raises(ValueError, match=message):
    configs.SupernetConfig(channel_divisor=3)


@pytest.mark.parametrize(
  'part, field',
  [
    ('schedule', 'unrolled'),
    ('runtime', 'synchronized_batch_norm'),
    ('runtime', 'use_xla'),
  ],
)
def test_drawn_primitives_go_with_none_of(part, field):
  tiny.search_config(supernet={'draw_primitives': True})
  message = (
    f'{field}` (True) must be False where `SupernetConfig.draw_primitives` is '
    'True.'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    tiny.search_config(
      supernet={'draw_primitives': True}, **{part: {field: True}}
    )


@pytest.mark.parametrize(
  ('supernet', 'rule'),
  [
    (
      {'draw_primitives': True},
      '0 where `SupernetConfig.draw_primitives` is True.',
    ),
    (
      {'primitives': ('none', 'sep_conv_3x3')},
      '0 where `SupernetConfig.primitives` has no skip_connect.',
    ),
  ],
)
def test_skips_are_dropped_where_there_are_some_to_drop(supernet, rule):
  loss = {'architecture_loss': {'skip_dropout': 0.5}}
  tiny.search_config(**loss)
  tiny.search_config(supernet=supernet)
  message = f'`ArchitectureLossConfig.skip_dropout` (0.5) must be {rule}'
  with pytest.raises(ValueError, match=re.escape(message)):
    tiny.search_config(supernet=supernet, **loss)


@pytest.mark.parametrize(
  ('field', 'value', 'rule'),
  [
    ('beta_decay', -1.0, 'at least 0.'),
    ('entropy', -1.0, 'at least 0.'),
    ('topology', -1.0, 'at least 0.'),
    ('skip_dropout', 1.0, 'in [0, 1).'),
  ],
)
def test_what_is_added_to_the_architecture_s_loss_is_checked(
  field, value, rule
):
  message = f'`ArchitectureLossConfig.{field}` ({value}) must be {rule}'
  with pytest.raises(ValueError, match=re.escape(message)):
    configs.ArchitectureLossConfig(**{field: value})


def test_by_default_no_recipe_s_step_has_more_than_its_pixels():
  off = configs.ArchitectureLossConfig(0.0, 0.0, 0.0, 0.0)
  assert configs.load(configs.SearchExperiment).architecture_loss == off


def test_a_search_has_one_target_at_most():
  configs.SearchConfig(target_parameters=1e6)
  message = (
    '`SearchConfig.target_parameters` (1000000.0) must be 0 where '
    '`target_multiply_adds` is not.'
  )
  with pytest.raises(ValueError, match=re.escape(message)):
    configs.SearchConfig(target_multiply_adds=1e9, target_parameters=1e6)
  with pytest.raises(ValueError, match=r'^`SearchConfig\.target_milliseconds`'):
    configs.SearchConfig(target_parameters=1e6, target_milliseconds=5.0)


def test_milliseconds_need_a_table_of_them():
  settings = ['SearchConfig.target_milliseconds = 5.0']
  message = (
    r'target_milliseconds` \(5\.0\) must be 0 where `TargetNetworkConfig'
  )
  with pytest.raises(ValueError, match=message):
    configs.load(configs.SearchExperiment, [], settings)
  settings += ["TargetNetworkConfig.milliseconds_file = 'table.json'"]
  configs.load(configs.SearchExperiment, [], settings)


def test_a_target_is_counted_as_random_baselines_are():
  settings = dataclasses.asdict(configs.TargetNetworkConfig())
  assert settings.pop('milliseconds_file') == ''
  counted = cost.Network(genotype.PUBLISHED, **settings)
  assert counted == cost.Network(genotype.PUBLISHED)


def test_a_macro_that_is_read_sets_something():
  bindings = ['InputConfig.batch_size = %size', 'size = 6']
  config = configs.load(configs.TrainExperiment, [], bindings)
  assert config.input.batch_size == 6


def test_a_typo_in_a_file_is_named_by_its_line(tmp_path):
  path = tmp_path / 'recipe.gin'
  path.write_text('RuntimeConfig.seed = 1\nInputConfig.crop_sise = (4, 4)\n')
  with pytest.raises(ValueError) as error:
    configs.load(configs.TrainExperiment, [str(path)])
  assert str(error.value) == (
    f'{path}, line 2: `InputConfig.crop_sise` is no setting; did you mean '
    '`InputConfig.crop_size`?'
  )


@pytest.mark.parametrize(
  ('kind', 'bindings', 'message'),
  [
    (
      configs.SearchExperiment,
      ['SegmenterConfig.filter_multiplier = 8', 'TrainConfig.train_steps = 9'],
      'binds SegmenterConfig, TrainConfig, which a search does not use; is it '
      'a recipe for `train`?',
    ),
    (
      configs.TrainExperiment,
      ['SearchConfig.train_steps = 9'],
      'binds SearchConfig, which a training does not use; is it a recipe for '
      '`search`?',
    ),
    (
      configs.EvalExperiment,
      ['InputConfig.batch_size = 0', 'LossConfig.hard_pixel_fraction = 0.5'],
      'binds InputConfig, LossConfig, which an evaluation does not use; is it '
      'a recipe for `train`?',
    ),
    (
      configs.TrainExperiment,
      ['TrainConfig.train_steps = 9', 'SearchConfig.train_steps = 9'],
      'binds SearchConfig, which a training does not use.',
    ),
  ],
)
def test_the_recipe_of_another_kind_is_refused(
  kind, bindings, message, tmp_path
):
  path = tmp_path / 'recipe.gin'
  path.write_text('\n'.join(bindings))
  with pytest.raises(ValueError) as error:
    configs.load(kind, [str(path)])
  assert str(error.value) == f'{path} {message}'


def test_a_missing_file_is_named():
  with pytest.raises(FileNotFoundError) as error:
    configs.load(configs.TrainExperiment, ['nowhere/no.gin'])
  assert str(error.value) == "gin file 'nowhere/no.gin' does not exist."


def test_of_a_missing_file_the_nearest_is_proposed(tmp_path):
  (tmp_path / 'demo_search.gin').touch()
  with pytest.raises(FileNotFoundError) as error:
    configs.load(configs.TrainExperiment, [str(tmp_path / 'demo_serach.gin')])
  assert str(error.value) == (
    f"gin file '{tmp_path}/demo_serach.gin' does not exist; did you mean "
    f'{tmp_path}/demo_search.gin?'
  )


def test_whole_numbers_are_floats_too():
  config = configs.load(
    configs.TrainExperiment, [], ['WeightOptimizerConfig.learning_rate = 1']
  )
  assert config.weight_optimizer.learning_rate == 1


def test_configurations_do_not_change():
  with pytest.raises(dataclasses.FrozenInstanceError):
    tiny.train_config().input.batch_size = 4  # type: ignore[misc]


@pytest.mark.parametrize(
  ('binding', 'message'),
  [
    ('EvalConfig.scales = ()', 'scales` (()) must be one or more positive'),
    ('EvalConfig.scales = (1, 0)', 'scales` ((1, 0)) must be one or more'),
    ('EvalConfig.scales = 1.0', 'scales` (1.0) must be one or more positive'),
    ('EvalConfig.use_flip = 1', 'use_flip` (1) must be of type bool.'),
    ('EvalConfig.long_side = -1', 'long_side` (-1) must be at least 0.'),
    (
      'EvalConfig.boundary_ratio = 0.0',
      'boundary_ratio` (0.0) must be greater than 0.',
    ),
    (
      'EvalConfig.window_size = (65, 65)',
      'window_stride` (None) must be set where `window_size` is, and there '
      'only.',
    ),
    (
      'EvalConfig.window_size = (65, 65)\nEvalConfig.window_stride = (65, 66)',
      'window_stride` ((65, 66)) must be at most `window_size` ((65, 65)).',
    ),
    (
      'EvalConfig.window_size = (65, 3)\nEvalConfig.window_stride = (1, 1)',
      'window_size` ((65, 3)) must be at least (4, 4).',
    ),
  ],
)
def test_a_bad_evaluation_is_refused(binding, message):
  with pytest.raises(ValueError) as error:
    configs.load(configs.EvalExperiment, [], [binding])
  assert str(error.value).startswith(f'`EvalConfig.{message}')


@pytest.mark.parametrize(
  ('names', 'message'),
  [
    ('none', "('none') must be a list of names."),
    ((3,), '((3,)) must be a list of names.'),
    (
      ('skip_connect', 'conv_9x9'),
      "(('skip_connect', 'conv_9x9')) must be of known ones, without "
      "['conv_9x9']: none, max_pool_3x3, ",
    ),
    (
      ('skip_connect', 'skip_connect'),
      "(('skip_connect', 'skip_connect')) must be without repetition.",
    ),
    (('none',), "(('none',)) must be at least one other than none."),
    ((), '(()) must be at least one other than none.'),
  ],
)
def test_primitives_that_nothing_can_be_searched_among_are_refused(
  names, message
):
  expected = re.escape(f'`SupernetConfig.primitives` {message}')
  with pytest.raises(ValueError, match=expected):
    configs.SupernetConfig(primitives=names)


def test_a_recipe_says_what_is_searched_among(tmp_path):
  path = tmp_path / 'config.gin'
  path.write_text("SupernetConfig.primitives = ['sep_conv_3x3', 'none']")
  config = configs.load(configs.SearchExperiment, [str(path)])
  assert config.supernet.primitives == ('sep_conv_3x3', 'none')
  path.write_text(configs.to_gin(config))
  assert configs.load(configs.SearchExperiment, [str(path)]) == config


def test_a_recipe_that_names_no_primitives_has_the_papers(tmp_path):
  text = configs.to_gin(tiny.search_config())
  lines = [line for line in text.splitlines() if '.primitives' not in line]
  path = tmp_path / 'config.gin'
  path.write_text('\n'.join(lines))
  config = configs.load(configs.SearchExperiment, [str(path)])
  assert config == tiny.search_config()
  assert config.supernet.primitives == primitives.PAPER
