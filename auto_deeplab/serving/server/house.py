# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What all that answers has in common."""

import dataclasses

from auto_deeplab.configs import ServerConfig
from auto_deeplab.serving.server import gate, metrics, models


@dataclasses.dataclass(frozen=True)
class House:
  """A model, and the rules by which it is served, over whatever protocol."""

  model: models.ServedModel
  config: ServerConfig
  gate: gate.Gate
  metrics: metrics.Metrics
