# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Whether `serve` answers all, in steady memory, and refuses at once.

    python -m benchmarks.serving --model_dir=runs/demo/saved_model

First one client asks for a picture of 513x513, again and again: `images` and
`files` are the time of an answer by gRPC, to an array and to a PNG file, over
that of the model alone, called in turns in the client's process. Then many send
pictures of random sizes for minutes, half of them by REST and half by gRPC:
`growth` is the server's memory at the end over that after the first minute. At
last many more come at once: of those that are refused, `refusal_seconds` is the
longest that one was left to wait.
"""

from concurrent import futures
import io
import re
import statistics
import subprocess
import sys
import threading
import time

from absl import app, flags
import numpy as np
from PIL import Image

from auto_deeplab.serving import client
from auto_deeplab.serving.client import grpc_server, servers
from benchmarks import measure

_MODEL_DIR = flags.DEFINE_string(
  'model_dir', None, 'SavedModel that export wrote.', required=True
)
_MINUTES = flags.DEFINE_float('minutes', 10, 'Of requests.', lower_bound=1.1)
_CLIENTS = flags.DEFINE_integer('clients', 8, 'That send at once.')
_SIDES = flags.DEFINE_list('sides', ['33', '500'], 'Shortest and longest side.')
_FLOOD = flags.DEFINE_integer('flood', 64, 'Clients that come at once.')
_ROUNDS = flags.DEFINE_integer('rounds', 40, 'Of the first client.')
_JSON = flags.DEFINE_bool('json', False, 'Print JSON.')

_FIRST_MINUTE = 60
_SIDE = 513
_FLOOD_SIDE = 1500


def main(_) -> None:
  command = [sys.executable, '-m', 'auto_deeplab.cli', 'serve']
  command += [f'--model_dir={_MODEL_DIR.value}', '--name=served']
  command += ['--rest_port=0', '--grpc_port=0']
  with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
    try:
      assert process.stdout
      found = re.search(r'http://(\S+)/ and (\S+)', process.stdout.readline())
      assert found
      urls = [f'http://{found[1]}/served', f'{found[2]}/served']
      row: dict[str, object] = {**_round_trips(urls[1])}
      row |= _many_minutes(urls, process.pid) | _flood(urls[1])
      # It drains, and says so by its status.
      process.terminate()
      row['exit_status'] = process.wait(60)
    finally:
      process.kill()
  measure.report([row], as_json=_JSON.value)


def _round_trips(url: str) -> dict[str, float]:
  import tensorflow as tf

  rng = np.random.default_rng(0)
  # Blocks, for noise is no picture: as a PNG it would be as large as it is.
  blocks = rng.integers(0, 256, [1, 1 + _SIDE // 16, 1 + _SIDE // 16, 3])
  image = blocks.repeat(16, 1).repeat(16, 2)[:, :_SIDE, :_SIDE].astype(np.uint8)
  buffer = io.BytesIO()
  Image.fromarray(image[0]).save(buffer, 'PNG')
  file = np.array([buffer.getvalue()], object)
  server = grpc_server.TensorFlowGrpc(servers.parse_address(url), 300)
  model = tf.saved_model.load(_MODEL_DIR.value)
  images, files = (
    model.signatures[name]
    for name in (client.LABELS_SIGNATURE, client.FILES_SIGNATURE)
  )
  seconds = measure.alternating_seconds(
    {
      'images': lambda: images(images=tf.constant(image)),
      'images_asked': lambda: server.call(
        client.LABELS_SIGNATURE, {client.IMAGES: image}, [client.LABELS]
      ),
      'files': lambda: files(image_bytes=tf.constant(file)),
      'files_asked': lambda: server.call(
        client.FILES_SIGNATURE, {client.FILES: file}, ['label_png_bytes']
      ),
    },
    _ROUNDS.value,
  )
  return {
    'model_seconds': statistics.median(seconds['images']),
    **{
      name: measure.median_ratio(seconds[f'{name}_asked'], seconds[name])
      for name in ('images', 'files')
    },
  }


def _many_minutes(urls: list[str], pid: int) -> dict[str, object]:
  end = time.monotonic() + 60 * _MINUTES.value
  counts = [0] * _CLIENTS.value
  errors: list[Exception] = []

  def ask(number: int) -> None:
    model = client.connect(urls[number % len(urls)], patience=_once())
    rng = np.random.default_rng(number)
    shortest, longest = map(int, _SIDES.value)
    while time.monotonic() < end:
      size = rng.integers(shortest, longest + 1, 2)
      image = rng.integers(0, 256, [*size, 3], np.uint8)
      try:
        assert model.predict(image).labels.shape == tuple(size)
      except (OSError, ValueError, AssertionError) as e:
        errors.append(e)
      counts[number] += 1

  memory: list[float] = []
  with futures.ThreadPoolExecutor(_CLIENTS.value) as pool:
    asking = [pool.submit(ask, number) for number in range(_CLIENTS.value)]
    while time.monotonic() < end:
      time.sleep(min(_FIRST_MINUTE / 2, max(0, end - time.monotonic())))
      memory.append(_rss_megabytes(pid))
      print(f'{sum(counts)} answers, {memory[-1]:.0f} MB', file=sys.stderr)
  for each in asking:
    each.result()
  if errors:
    print(f'the first error: {errors[0]!r}', file=sys.stderr)
  return {
    'answers': sum(counts),
    'errors': len(errors),
    'MB_after_a_minute': memory[1],
    'MB_at_the_end': memory[-1],
    'growth': memory[-1] / memory[1],
  }


def _flood(url: str) -> dict[str, object]:
  buffer = io.BytesIO()
  Image.new('RGB', (_FLOOD_SIDE, _FLOOD_SIDE)).save(buffer, 'PNG')
  file = np.array([buffer.getvalue()], object)
  address = servers.parse_address(url)
  at_once = threading.Barrier(_FLOOD.value)

  def ask(_) -> tuple[str, float]:
    server = grpc_server.TensorFlowGrpc(address, 300)
    at_once.wait()
    start = time.monotonic()
    try:
      server.call('segment', {'image_bytes': file}, ['error'])
      code = 'OK'
    except client.ServerError as e:
      code = e.code
    return code, time.monotonic() - start

  with futures.ThreadPoolExecutor(_FLOOD.value) as pool:
    answers = list(pool.map(ask, range(_FLOOD.value)))
  refused = [s for code, s in answers if code == 'RESOURCE_EXHAUSTED']
  return {
    'flood': _FLOOD.value,
    'answered': sum(code == 'OK' for code, _ in answers),
    'refused': len(refused),
    'refusal_seconds': max(refused, default=0.0),
    'flood_seconds': max(seconds for _, seconds in answers),
  }


def _once() -> client.Patience:
  return client.Patience(seconds=300, attempts=1)


def _rss_megabytes(pid: int) -> float:
  with open(f'/proc/{pid}/statm') as file:
    pages = int(file.read().split()[1])
  return pages * 4096 / 1e6


if __name__ == '__main__':
  app.run(main)
