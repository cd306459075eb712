# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""From TFRecords to batches: order, crops, augmentation."""
