# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a server lets in."""

import dataclasses

from auto_deeplab.configs import rules

# gRPC counts bytes and milliseconds in 32 bits.
_LARGEST = {'max_request_bytes': 2**31 - 1, 'timeout_seconds': 86_400}


@dataclasses.dataclass(frozen=True)
class ServerConfig:
  """What a server lets in.

  Attributes:
    max_request_bytes: of a request's body.
    max_batch_size: pictures of a request.
    concurrency: requests that are computed at once, each with the memory of
      its pictures; TensorFlow computes each on all cores.
    queue_length: requests that wait besides. More are refused at once.
    timeout_seconds: that a request may take to come, to be computed, and to be
      sent, each; and an end to drain.
    max_connections: open at once. More are closed.
  """

  max_request_bytes: int = 2**26
  max_batch_size: int = 32
  concurrency: int = 2
  queue_length: int = 16
  timeout_seconds: float = 60.0
  max_connections: int = 256

  def __post_init__(self):
    rules.require_types(self)
    rules.require_positive(
      self,
      'max_request_bytes',
      'max_batch_size',
      'concurrency',
      'timeout_seconds',
      'max_connections',
    )
    rules.require_non_negative(self, 'queue_length')
    rules.require_at_most(self, _LARGEST)
