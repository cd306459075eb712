# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Search, retraining, evaluation and the run folder, on orbit."""
