# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A server in a process of its own, and plain requests to it."""

from collections.abc import Iterator
import contextlib
import dataclasses
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from typing import Any

from tests import import_graph
from tests.tools import tool_runs

# Notes each file that Python opens once the server answers.
_PROGRAM = """
import functools, os, sys
from auto_deeplab.cli import program
from auto_deeplab.cli.verbs import serve
notes = os.open(os.environ['NOTES'], os.O_WRONLY | os.O_CREAT)
def note(event, arguments):
  if event == 'open' and 'tornado.httpserver' in sys.modules:
    os.write(notes, f'{arguments[0]}\\n'.encode())
sys.addaudithook(note)
program.run(serve)
"""
SECONDS = 60


@dataclasses.dataclass
class Server:
  """A server that runs."""

  process: subprocess.Popen
  port: int
  grpc_port: int
  notes: str

  def connect(self) -> http.client.HTTPConnection:
    return http.client.HTTPConnection('localhost', self.port, timeout=SECONDS)

  def request(
    self, method: str, path: str, body: Any = None, headers=None
  ) -> tuple[int, Any]:
    """Returns the status and what the JSON of the answer holds."""
    if isinstance(body, dict):
      body = json.dumps(body).encode()
    connection = self.connect()
    with contextlib.closing(connection):
      connection.request(method, path, body, headers or {})
      response = connection.getresponse()
      content = response.read()
      if content and response.getheader('Content-Type') == 'application/json':
        content = json.loads(content)
      return response.status, content

  def pending(self) -> int:
    _, text = self.request('GET', '/metrics')
    (count,) = re.findall(rb'requests_pending (\d+)', text)
    return int(count)

  def begin(self, size: int) -> socket.socket:
    """Sends the head of a request for labels, of a body of so many bytes."""
    connection = socket.create_connection(('localhost', self.port), SECONDS)
    connection.sendall(
      b'POST /v1/models/tiny:predict HTTP/1.1\r\nHost: localhost\r\n'
      b'Connection: close\r\nContent-Length: %d\r\n\r\n' % size
    )
    return connection

  def terminate(self) -> None:
    self.process.send_signal(signal.SIGTERM)


def read_all(connection: socket.socket) -> bytes:
  """Returns what comes until the other side closes."""
  chunks = []
  with contextlib.suppress(ConnectionResetError):
    while chunk := connection.recv(2**16):
      chunks.append(chunk)
  return b''.join(chunks)


@contextlib.contextmanager
def serving(model_dir, notes, *flags: str) -> Iterator[Server]:
  """Gives a server of a model, named 'tiny', and ends it."""
  command = [
    *(sys.executable, '-c', _PROGRAM, f'--model_dir={model_dir}'),
    *('--name=tiny', '--rest_port=0', '--grpc_port=0', *flags),
  ]
  process = subprocess.Popen(
    command,
    cwd=import_graph.ROOT,
    env={**tool_runs.environment(), 'NOTES': str(notes)},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    assert process.stdout
    line = process.stdout.readline()
    found = re.search(r'http://localhost:(\d+)/ and grpc://.*:(\d+)$', line)
    assert found, process.communicate()
    yield Server(process, int(found[1]), int(found[2]), str(notes))
  finally:
    process.kill()
    process.communicate()
