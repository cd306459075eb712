# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Why a request is refused, in words for whoever sent it."""

import enum


class Code(enum.Enum):
  """gRPC's name of a reason, and the status of HTTP that stands for it."""

  INVALID_ARGUMENT = 400
  NOT_FOUND = 404
  RESOURCE_EXHAUSTED = 429
  INTERNAL = 500
  UNAVAILABLE = 503
  DEADLINE_EXCEEDED = 504


class ServingError(Exception):
  """A request that gets no answer.

  Attributes:
    code: the reason.
    message: what was wrong with it, by name.
  """

  def __init__(self, code: Code, message: str):
    super().__init__(message)
    self.code = code
    self.message = message


def invalid(message: str) -> ServingError:
  """Returns the error of a request that would be refused again."""
  return ServingError(Code.INVALID_ARGUMENT, message)
