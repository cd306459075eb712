# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The command `auto-deeplab`, and what its verbs share; tools/ starts them too.

Flags are read here and nowhere else in the package.
"""
