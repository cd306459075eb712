# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Serves an exported SavedModel over HTTP and gRPC: for desks and tests.

One process, which takes requests as TensorFlow Serving does, by REST and gRPC,
and as KServe's version 2; TensorFlow Serving is what to run in production. It
answers this machine alone unless --host says otherwise, and has neither
passwords nor TLS.

  POST /v1/models/NAME:predict    GET /v1/models/NAME[/metadata]
  POST /v2/models/NAME/infer      GET /v2/models/NAME
  GET / (a page to drop a picture on)
  GET /healthz                    GET /metrics (Prometheus)
  gRPC: PredictionService and ModelService of TensorFlow Serving

SIGTERM and Ctrl-C end it, after the requests that it has are answered.

Examples:
  auto-deeplab serve --model_dir=runs/demo/saved_model --name=demo

  curl -d "{\"signature_name\": \"segment\", \"instances\": [{\"b64\": \
    \"$(base64 -w0 street.jpg)\"}]}" http://localhost:8501/v1/models/demo:predict
"""

import functools

from absl import flags

from auto_deeplab import configs

FOR_MEMORY = 'take a model of fewer pixels (--max_pixels of export)'

_DEFAULTS = configs.ServerConfig()

_MODEL_DIR = flags.DEFINE_string(
  'model_dir',
  None,
  'SavedModel that export wrote, or a folder of numbered ones, of which the '
  'newest is served.',
  required=True,
)
_NAME = flags.DEFINE_string(
  'name', None, "Of the model, in requests; by default its folder's."
)
_HOST = flags.DEFINE_string(
  'host', 'localhost', "Where to listen; '0.0.0.0' is all networks."
)
_REST_PORT = flags.DEFINE_integer(
  'rest_port', 8501, 'Of HTTP; 0 takes a free one.', 0, 65535
)
_GRPC_PORT = flags.DEFINE_integer(
  'grpc_port', 8500, 'Of gRPC; 0 takes a free one.', 0, 65535
)
_MAX_REQUEST_BYTES = flags.DEFINE_integer(
  'max_request_bytes', _DEFAULTS.max_request_bytes, 'Of a body.', 1
)
_MAX_BATCH_SIZE = flags.DEFINE_integer(
  'max_batch_size', _DEFAULTS.max_batch_size, 'Pictures of a request.', 1
)
_CONCURRENCY = flags.DEFINE_integer(
  'concurrency', _DEFAULTS.concurrency, 'Requests computed at once.', 1
)
_QUEUE_LENGTH = flags.DEFINE_integer(
  'queue_length',
  _DEFAULTS.queue_length,
  'Requests that wait besides; more are refused at once.',
  0,
)
_TIMEOUT_SECONDS = flags.DEFINE_float(
  'timeout_seconds',
  _DEFAULTS.timeout_seconds,
  'A request may take to come, to be computed and to be sent, each.',
)


def main() -> None:
  """Loads the model and serves it until a signal."""
  try:
    from auto_deeplab.serving.server import run
  except ImportError as e:
    raise ValueError(
      f'serve needs {e.name}: pip install "auto_deeplab[serving]".'
    ) from e

  run.serve(
    _MODEL_DIR.value,
    name=_NAME.value,
    address=run.Address(_HOST.value, _REST_PORT.value, _GRPC_PORT.value),
    config=configs.ServerConfig(
      max_request_bytes=_MAX_REQUEST_BYTES.value,
      max_batch_size=_MAX_BATCH_SIZE.value,
      concurrency=_CONCURRENCY.value,
      queue_length=_QUEUE_LENGTH.value,
      timeout_seconds=_TIMEOUT_SECONDS.value,
    ),
    say=functools.partial(print, flush=True),
  )
