# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `auto-deeplab serve`, started from a clone."""

from auto_deeplab.cli import program
from auto_deeplab.cli.verbs import serve

if __name__ == '__main__':
  program.run(serve)
