# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Every knob of the project, as frozen dataclasses that gin binds.

A recipe (`gin_configs/*.gin`) binds fields of these classes; `load` parses it
into one `SearchExperiment`, `TrainExperiment`, `EvalExperiment`,
`StudyExperiment` or `TournamentExperiment`, and `to_gin` writes that back as
text which parses to an equal configuration.

Defaults are the paper's (Liu et al., CVPR 2019); where the paper is silent the
docstring says so.
"""

from auto_deeplab.configs.evaluation import EvalConfig
from auto_deeplab.configs.experiments import (
  EvalExperiment,
  SearchConfig,
  SearchExperiment,
  StudyExperiment,
  TournamentExperiment,
  TrainConfig,
  TrainExperiment,
)
from auto_deeplab.configs.inputs import InputConfig
from auto_deeplab.configs.losses import (
  CLASS_WEIGHTS,
  ArchitectureLossConfig,
  LossConfig,
)
from auto_deeplab.configs.networks import (
  SegmenterConfig,
  SupernetConfig,
  TargetNetworkConfig,
)
from auto_deeplab.configs.optimizers import (
  OPTIMIZERS,
  SCHEDULES,
  ArchitectureOptimizerConfig,
  OptimizerConfig,
  WeightOptimizerConfig,
)
from auto_deeplab.configs.recipes import Experiment, load, to_gin
from auto_deeplab.configs.runtime import PRECISIONS, STRATEGIES, RuntimeConfig
from auto_deeplab.configs.server import ServerConfig
from auto_deeplab.configs.serving import ServingConfig
from auto_deeplab.configs.studies import DECODE_METHODS, StudyConfig
from auto_deeplab.configs.tournaments import CRITERIA, TournamentConfig

__all__ = [
  'CLASS_WEIGHTS',
  'CRITERIA',
  'DECODE_METHODS',
  'OPTIMIZERS',
  'PRECISIONS',
  'SCHEDULES',
  'STRATEGIES',
  'ArchitectureLossConfig',
  'ArchitectureOptimizerConfig',
  'EvalConfig',
  'EvalExperiment',
  'Experiment',
  'InputConfig',
  'LossConfig',
  'OptimizerConfig',
  'RuntimeConfig',
  'SearchConfig',
  'SearchExperiment',
  'SegmenterConfig',
  'ServerConfig',
  'ServingConfig',
  'StudyConfig',
  'StudyExperiment',
  'SupernetConfig',
  'TargetNetworkConfig',
  'TournamentConfig',
  'TournamentExperiment',
  'TrainConfig',
  'TrainExperiment',
  'WeightOptimizerConfig',
  'load',
  'to_gin',
]
