# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Studies: is what a search finds better than chance, and by how much?"""
