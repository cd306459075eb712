# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Pictures and labels as their makers lay them out: one file a data set."""
