# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Recipes. In the package they are `auto_deeplab.gin_configs`.

gin finds a file that another includes by this package, in any working folder:
`include 'auto_deeplab/gin_configs/voc_s.gin'`.
"""
