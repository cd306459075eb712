# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The routes of HTTP, and the limits that hold while a request comes in."""

import asyncio
from collections.abc import Callable
import functools
import http.client
from typing import Any, ClassVar

from tornado import httpserver, iostream, web

from auto_deeplab.serving.server import (
  arrays,
  errors,
  kserve,
  metrics,
  page,
  tf_rest,
)
from auto_deeplab.serving.server import (
  house as house_lib,
)

_MAX_HEADER_BYTES = 2**14
_TOO_LARGE = 413
_UNREADABLE = 415
_MODEL = r'/v1/models/([^/:]+)(?:/versions/([^/:]+))?'
_MODEL_V2 = r'/v2/models/([^/]+)(?:/versions/([^/]+))?'


@web.stream_request_body
class Handler(web.RequestHandler):
  """Answers in JSON, and tells errors as TensorFlow Serving does."""

  PROTOCOL: ClassVar[str] = 'http'
  # Of a browser that another page sends here nothing is run or shown.
  SECURITY_HEADERS: ClassVar[dict[str, str]] = {
    'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
  }

  house: house_lib.House

  def initialize(self, house: house_lib.House) -> None:
    self.house = house

  def set_default_headers(self) -> None:
    self.clear_header('Server')
    self.set_header('Content-Type', 'application/json')
    for name, value in self.SECURITY_HEADERS.items():
      self.set_header(name, value)

  def write_error(self, status_code: int, **kwargs: Any) -> None:
    _, error, _ = kwargs.get('exc_info', (None, None, None))
    if isinstance(error, errors.ServingError):
      self.set_status(error.code.value)
      message = error.message
    elif isinstance(error, web.HTTPError) and error.log_message:
      message = error.get_message() or ''
    else:
      message = http.client.responses.get(status_code, 'Unknown')
    # After an error of ours the connection goes on, after others it may not.
    self.finish(arrays.dump_json({'error': message}))

  def data_received(self, chunk: bytes) -> None:
    """Forgets what was not asked for."""

  def head(self, *names: str) -> Any:
    """Answers as GET does; Tornado keeps the body back."""
    return self.get(*names)

  def log_exception(self, kind: Any, value: Any, traceback: Any) -> None:
    # What is wrong with a request is for its sender, and no news here.
    if not isinstance(value, (errors.ServingError, web.HTTPError)):
      super().log_exception(kind, value, traceback)

  def require_model(self, name: str, version: str | None) -> None:
    """Checks that the path of a request means the model that is served."""
    if version is not None and not (version.isascii() and version.isdecimal()):
      raise errors.ServingError(
        errors.Code.NOT_FOUND, f'the version {version[:99]!r} is no number.'
      )
    # Of a longer one Python refuses to make a number.
    number = None if version is None else int(version[:99])
    self.house.model.require(name, number)


class Unknown(Handler):
  """All other paths."""

  def prepare(self) -> None:
    raise web.HTTPError(
      404, 'Malformed request: %s %s', self.request.method, self.request.path
    )


class BodyHandler(Handler):
  """Takes a place before the body comes, and gives it back after all is sent.

  A request that is refused is read to its end, and forgotten: of a connection
  that is closed while the other side still sends, it may not see the answer.
  One that is too large is answered at once, and its connection closed.
  """

  def initialize(self, house: house_lib.House) -> None:
    super().initialize(house)
    self.body = bytearray()
    self._refusal: errors.ServingError | None = None
    self._has_place = False
    self._is_read = False

  def prepare(self) -> None:
    if self.request.method != 'POST':
      raise web.HTTPError(405)
    size = self.request.headers.get('Content-Length', '')
    limit = self.house.config.max_request_bytes
    encoding = self.request.headers.get('Content-Encoding', 'identity')
    if encoding != 'identity':
      raise web.HTTPError(
        _UNREADABLE, 'the Content-Encoding %r is not taken.', encoding
      )
    # Of a larger number int() would tell in an error how long it is.
    if size.isdecimal() and (len(size) > 18 or int(size) > limit):
      connection: Any = self.request.connection
      # Or Tornado, too, would answer.
      connection.set_max_body_size(2**63)
      raise web.HTTPError(
        _TOO_LARGE, 'the request has %s bytes; the limit is %d.', size, limit
      )
    try:
      self.house.gate.enter()
      self._has_place = True
    except errors.ServingError as e:
      self._refusal = e

  def data_received(self, chunk: bytes) -> None:
    if self._has_place:
      self.body += chunk

  def on_connection_close(self) -> None:
    super().on_connection_close()
    if not self._is_read:
      self._leave()

  def _leave(self) -> None:
    if self._has_place:
      self._has_place = False
      self.house.gate.leave()

  async def answer(
    self, compute: Callable[[], tuple[bytes, dict[str, str]]]
  ) -> None:
    """Sends body and headers that a function returns in another thread."""
    self._is_read = True
    try:
      if self._refusal:
        raise self._refusal
      content, headers = await self.house.gate.compute(compute)
      for name, value in headers.items():
        self.set_header(name, value)
      # The place is held as long as the answer takes memory.
      await asyncio.wait_for(
        self.finish(content), self.house.config.timeout_seconds
      )
    except iostream.StreamClosedError:
      pass
    except TimeoutError:
      connection: Any = self.request.connection
      connection.close()
    finally:
      self._leave()


class Predict(BodyHandler):
  """POST /v1/models/NAME[/versions/N]:predict."""

  PROTOCOL = 'rest'

  async def post(self, name: str, version: str | None) -> None:
    def compute() -> tuple[bytes, dict[str, str]]:
      self.require_model(name, version)
      return tf_rest.predict(
        self.house.model, self.body, self.house.config.max_batch_size
      )

    await self.answer(compute)


class Status(Handler):
  """GET /v1/models/NAME[/versions/N]."""

  def get(self, name: str, version: str | None) -> None:
    self.require_model(name, version)
    self.finish(tf_rest.status(self.house.model, not self.house.gate.is_closed))


class Metadata(Handler):
  """GET /v1/models/NAME[/versions/N]/metadata."""

  def get(self, name: str, version: str | None) -> None:
    self.require_model(name, version)
    self.finish(tf_rest.metadata(self.house.model))


class Infer(BodyHandler):
  """POST /v2/models/NAME[/versions/N]/infer."""

  PROTOCOL = 'kserve'

  async def post(self, name: str, version: str | None) -> None:
    def compute() -> tuple[bytes, dict[str, str]]:
      self.require_model(name, version)
      return kserve.infer(
        self.house.model,
        self.body,
        self.request.headers.get(kserve.HEADER_LENGTH),
        self.house.config.max_batch_size,
      )

    await self.answer(compute)


class ModelMetadata(Handler):
  """GET /v2/models/NAME[/versions/N]."""

  def get(self, name: str, version: str | None) -> None:
    self.require_model(name, version)
    self.finish(arrays.dump_json(kserve.metadata(self.house.model)))


class ServerMetadata(Handler):
  """GET /v2."""

  def get(self) -> None:
    self.finish(arrays.dump_json(kserve.server_metadata()))


class Live(Handler):
  """GET /v2/health/live: 200 while the process lives."""

  def get(self) -> None:
    self.finish(arrays.dump_json({'live': True}))


class Ready(Handler):
  """GET /healthz and others: 200 while requests are let in."""

  def get(self, name: str | None = None, version: str | None = None) -> None:
    if name is not None:
      self.require_model(name, version)
    if self.house.gate.is_closed:
      self.set_status(errors.Code.UNAVAILABLE.value)
    self.finish(arrays.dump_json({'ready': not self.house.gate.is_closed}))


class Page(Handler):
  """GET /: for a browser."""

  def initialize(  # type: ignore[override]
    self, house: house_lib.House, rendered: tuple[str, str]
  ) -> None:
    super().initialize(house)
    self._rendered = rendered

  def get(self) -> None:
    text, policy = self._rendered
    self.set_header('Content-Type', 'text/html; charset=utf-8')
    self.set_header('Content-Security-Policy', policy)
    self.finish(text)


class MetricsPage(Handler):
  """GET /metrics."""

  def get(self) -> None:
    self.set_header('Content-Type', metrics.CONTENT_TYPE)
    self.finish(self.house.metrics.text(self.house.gate.pending))


def server(house: house_lib.House) -> httpserver.HTTPServer:
  """Returns the server, which listens nowhere yet."""
  # Read now: no request opens a file.
  rendered = page.render(house.model.place)
  routes: list[Any] = [
    (f'{_MODEL}:predict', Predict),
    (_MODEL, Status),
    (f'{_MODEL}/metadata', Metadata),
    ('/healthz', Ready),
    ('/v2', ServerMetadata),
    ('/v2/health/live', Live),
    ('/v2/health/ready', Ready),
    (_MODEL_V2, ModelMetadata),
    (f'{_MODEL_V2}/ready', Ready),
    (f'{_MODEL_V2}/infer', Infer),
    ('/metrics', MetricsPage),
  ]
  shared = {'house': house}
  application = web.Application(
    [
      ('/', Page, {**shared, 'rendered': rendered}),
      *((path, handler, shared) for path, handler in routes),
    ],
    default_handler_class=Unknown,
    default_handler_args=shared,
    log_function=functools.partial(_observe, house.metrics),
    # A page that a browser shows beside may not have it send requests here.
    cross_origin_protection=True,
  )
  return _Server(
    application,
    max_connections=house.config.max_connections,
    max_header_size=_MAX_HEADER_BYTES,
    max_body_size=house.config.max_request_bytes,
    body_timeout=house.config.timeout_seconds,
    idle_connection_timeout=house.config.timeout_seconds,
  )


def _observe(counts: metrics.Metrics, handler: web.RequestHandler) -> None:
  counts.observe(
    getattr(handler, 'PROTOCOL', Handler.PROTOCOL),
    str(handler.get_status()),
    handler.request.request_time(),
  )


class _Server(httpserver.HTTPServer):
  """Closes at once the connections beyond a number."""

  def initialize(  # type: ignore[override]
    self, *args: Any, max_connections: int, **kwargs: Any
  ) -> None:
    super().initialize(*args, **kwargs)
    self._places = max_connections

  def handle_stream(self, stream: iostream.IOStream, address: tuple) -> None:
    if not self._places:
      stream.close()
      return
    self._places -= 1
    super().handle_stream(stream, address)

  def on_close(self, server_conn: object) -> None:
    super().on_close(server_conn)
    self._places += 1
