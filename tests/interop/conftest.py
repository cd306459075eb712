# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the tests of this room share."""

from tests.computing import data_dir, mirrored, process_settings  # noqa: F401
