# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One module a verb of the command: its help, its flags, and its `main()`.

A verb imports TensorFlow, and what imports TensorFlow, within its functions: it
takes seconds, which neither `--help` nor a mistyped flag or recipe should cost.
"""
