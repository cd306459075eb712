# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The process: a model, its ports, and an end that drains."""

import asyncio
from collections.abc import Callable
import dataclasses
import gc
import os
import signal

from absl import logging
from tornado import httpserver, netutil

from auto_deeplab.configs import ServerConfig
from auto_deeplab.serving.server import (
  gate,
  grpc_service,
  http,
  metrics,
  models,
)
from auto_deeplab.serving.server import (
  house as house_lib,
)


@dataclasses.dataclass(frozen=True)
class Address:
  """Where the server listens.

  Attributes:
    host: a name or number of this machine.
    rest_port: of HTTP; 0 takes one that is free.
    grpc_port: of gRPC, likewise.
  """

  host: str
  rest_port: int
  grpc_port: int


def serve(
  model_dir: str | os.PathLike,
  *,
  address: Address,
  config: ServerConfig,
  name: str | None = None,
  say: Callable[[str], None] = print,
) -> None:
  """Serves a model until SIGTERM or Ctrl-C, and then drains.

  Args:
    model_dir: a SavedModel, or a folder of numbered versions.
    address: where it listens.
    config: the limits.
    name: of the model; by default that of its folder.
    say: is told where the server is, once it answers, and when it ends.

  Raises:
    FileNotFoundError: there is no such folder.
    ValueError: it holds no SavedModel of this project.
    OSError: the port is taken.
  """
  model = models.ServedModel(models.find(model_dir, name))
  # JSON of pixels makes a list of each. That has Python look for garbage again
  # and again, which takes ten times as long among all that TensorFlow loaded.
  gc.collect()
  gc.freeze()
  asyncio.run(_serve(model, address, config, say))


async def _serve(
  model: models.ServedModel,
  address: Address,
  config: ServerConfig,
  say: Callable[[str], None],
) -> None:
  shown = f'[{address.host}]' if ':' in address.host else address.host
  house = house_lib.House(model, config, gate.Gate(config), metrics.Metrics())
  stop = asyncio.Event()
  for number in (signal.SIGTERM, signal.SIGINT):
    asyncio.get_running_loop().add_signal_handler(number, stop.set)
  server = http.server(house)
  port = listen(server, address)
  grpc_server, grpc_port = await grpc_service.start(
    house, shown, address.grpc_port
  )
  say(
    f'Serving version {model.place.version} of {model.place.name} at '
    f'http://{shown}:{port}/ and grpc://{shown}:{grpc_port}'
  )
  await stop.wait()
  say('Draining: no request is let in any more.')
  server.stop()
  # Besides, it goes on to answer; nobody is let in, here or there.
  draining = asyncio.create_task(house.gate.drain())
  await grpc_server.stop(config.timeout_seconds)
  if not await draining:
    logging.warning('%d requests were not answered.', house.gate.pending)
  await server.close_all_connections()


def listen(server: httpserver.HTTPServer, address: Address) -> int:
  """Opens the port of HTTP, and returns which.

  Args:
    server: that will answer there.
    address: where.

  Raises:
    OSError: the port is taken, or the host is none of this machine's.
  """
  try:
    sockets = netutil.bind_sockets(address.rest_port, address.host)
  except OSError as e:
    raise OSError(
      f'HTTP cannot listen at {address.host}:{address.rest_port}: {e.strerror}.'
    ) from e
  server.add_sockets(sockets)
  return sockets[0].getsockname()[1]
