# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `auto-deeplab report`, started from a clone."""

from auto_deeplab.cli import program
from auto_deeplab.cli.verbs import report

if __name__ == '__main__':
  program.run(report)
