# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""One process that serves an exported SavedModel: for desks and tests.

TensorFlow Serving is what to run in production; this takes the same requests,
and is installed with the package. From the wire to the network:

  run         the process: model, ports, and an end that drains
  house       what these two share
  grpc_service  TensorFlow Serving's services, by their protos
  http        routes, and the limits that hold while a request comes in
  tf_rest     what JSON of TensorFlow Serving's form says, and its answers
  kserve      the same of KServe's version 2
  gate        how many requests are held at once, and for how long
  models      which folder is served, and one call of its network
  page        what a person sees who opens the address in a browser
  metrics     what Prometheus asks for
"""
