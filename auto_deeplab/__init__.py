# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Auto-DeepLab: search for, train and serve semantic segmentation networks.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic
Image Segmentation", CVPR 2019, https://arxiv.org/abs/1901.02985.

The rooms, each of which imports only from those to its left (held by
`tests/dependency_test.py`):

    configs | architecture | data | model | training | serving | reporting

The package imports nothing by itself: `auto_deeplab.architecture` works without
TensorFlow.
"""

__version__ = '0.1.0'
