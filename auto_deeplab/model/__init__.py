# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Keras networks: operations, cells, the supernet and the segmenter."""
