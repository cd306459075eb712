# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Export to a SavedModel, and a client that needs nothing of the package."""
