# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Other projects' networks: the authors' TF1 checkpoints."""
