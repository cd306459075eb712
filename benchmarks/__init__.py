# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Speed and memory, as ratios to a limit that is measured beside them."""

# Before TensorFlow, which a benchmark imports first: it switches oneDNN on.
import auto_deeplab  # noqa: F401
