# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is searched: lattice, genotype, decoding, cost. NumPy, no TensorFlow."""
