# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Auto-DeepLab: search for, train and serve semantic segmentation networks.

Liu et al., "Auto-DeepLab: Hierarchical Neural Architecture Search for Semantic
Image Segmentation", CVPR 2019, https://arxiv.org/abs/1901.02985.

The rooms, each of which imports only from those to its left (held by
`tests/dependency_test.py`):

    configs | architecture | data | model | training | serving | reporting

The package imports nothing of its own by itself: `auto_deeplab.architecture`
works without TensorFlow.
"""

import os

# To be set before TensorFlow is imported, which switches oneDNN on by itself
# only where the CPU has AVX-512 VNNI or the like. Without it the convolutions
# take several times as long on all others.
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')

__version__ = '0.1.0'
