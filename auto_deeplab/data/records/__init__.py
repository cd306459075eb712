# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Data sets as TFRecords: conversion, reading, inspection."""
