# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Tries what is planned: some steps of it, in a process of its own.

That process begins as a training or a search does, makes a few steps with
their data, evaluates a few pictures, and says what that took. So nothing is
guessed of a network, a machine or how busy it is.

    python -m auto_deeplab.planning.measuring train DATA RECIPE GENOTYPE
    python -m auto_deeplab.planning.measuring search DATA RECIPE
"""

from collections.abc import Callable
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from typing import Any

_BEGIN = time.monotonic()

# Steps that are timed: as many as take about so long, at most these.
_MAX_STEPS, _SECONDS = 12, 10.0
_PICTURES = 3


class OutOfMemory(ValueError):
  """What was tried does not fit into the memory."""


def run(kind: str, *arguments: str) -> dict[str, float]:
  """Tries a recipe in a process of its own.

  Args:
    kind: 'train' or 'search'.
    *arguments: data folder, recipe, and of a training the genotype's file.

  Returns:
    By name, in seconds: 'start', 'step' and, of a training, 'evaluation', to
    begin one, and 'picture'; of a search 'architecture', what such a step adds.
    With `cpu_` before it, the same in those of processors, where it is known.
    And 'peak', in bytes.

  Raises:
    OutOfMemory: the memory did not suffice.
    ValueError: it failed in another way; the message is its last line.
  """
  done = subprocess.run(
    [sys.executable, '-P', '-m', __name__, kind, *arguments],
    capture_output=True,
    text=True,
    check=False,
  )
  if done.returncode:
    text = done.stderr.strip() or f'status {done.returncode}'
    is_memory = 'ResourceExhausted' in text or 'out of memory' in text.lower()
    if done.returncode == -9 or is_memory:
      raise OutOfMemory(f'trying the {kind} needs more memory than there is.')
    raise ValueError(f'trying the {kind} failed: {text.splitlines()[-1]}')
  return json.loads(done.stdout.splitlines()[-1])


def _peak() -> int:
  """Bytes: of the GPU where there is one, else of this process."""
  import tensorflow as tf

  if tf.config.list_physical_devices('GPU'):
    return int(tf.config.experimental.get_memory_info('GPU:0')['peak'])
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _timed(trainer: Any) -> dict[str, float]:
  """Makes the first step, then some in one loop, as runs do, that are timed."""
  import tensorflow as tf

  trainer.train(tf.constant(1))
  begin, cpu_start = time.monotonic(), time.process_time()
  start = begin - _BEGIN
  trainer.train(tf.constant(1))
  one = max(time.monotonic() - begin, 1e-9)
  number = min(max(int(_SECONDS / one), 2), _MAX_STEPS)
  begin, cpu = time.monotonic(), time.process_time()
  trainer.train(tf.constant(number))
  return {
    'start': start,
    'step': (time.monotonic() - begin) / number,
    'cpu_start': cpu_start,
    'cpu_step': (time.process_time() - cpu) / number,
  }


def _try_training(
  data_dir: str, recipe: str, genotype_file: str
) -> dict[str, float]:
  import orbit
  import tensorflow as tf

  from auto_deeplab import configs
  from auto_deeplab.architecture import genotype as genotype_lib
  from auto_deeplab.data.records import tfrecord
  from auto_deeplab.evaluation import evaluator
  from auto_deeplab.experiments import parts, train
  from auto_deeplab.runs import run as run_lib
  from auto_deeplab.training import networks, trainer

  config = configs.load(configs.TrainExperiment, [recipe])
  place = run_lib.Place(data_dir, run_dir='')
  genotype = genotype_lib.Genotype.load(genotype_file)
  info = tfrecord.load_info(data_dir)
  strategy = parts.start(config.runtime, place)
  dataset = parts.distribute(strategy, config, place, 0)
  with strategy.scope():
    model = networks.make_segmenter(config, genotype, info)
    networks.build(model, config.input, strategy, step=tf.constant(0))
    global_step = orbit.utils.create_global_step()
    loss = train.make_pixel_loss(config.loss, info, 'train')
    step = train.make_step(config, model, strategy, global_step, loss)
    evaluated = networks.make_evaluated(config, genotype, info)
  found = _timed(trainer.Trainer(model, step, dataset, global_step))
  evaluate = evaluator.make_evaluator(strategy, evaluated, data_dir, 'val')
  others = min(_PICTURES, info.splits['val'].num_examples - 1)
  found |= _timed_picture(evaluate, others)
  if info.splits['val'].min_size != info.splits['val'].max_size:
    _evaluate_largest(strategy, evaluated, info)
  return found


def _evaluate_largest(strategy: Any, segmenter: Any, info: Any) -> None:
  """Evaluates a picture of the largest height and width, for the peak.

  No picture needs more; of upright and lying ones none needs as much.
  """
  import tensorflow as tf

  from auto_deeplab.evaluation import evaluator
  from auto_deeplab.training import distribution

  size = info.splits['val'].max_size
  picture = {
    'image': tf.zeros([1, *size, 3], tf.uint8),
    'label': tf.zeros([1, *size], tf.uint8),
    'filename': tf.zeros([1, 1], tf.uint8),
  }
  dataset = distribution.distribute(
    strategy,
    lambda context: tf.data.Dataset.from_tensors(picture).repeat(
      context.num_replicas_in_sync
    ),
  )
  evaluator.Evaluator(
    strategy,
    lambda images: segmenter(images, training=False),
    dataset,
    info.class_names,
  ).evaluate(tf.constant(1))


def _timed_picture(evaluate: Any, others: int) -> dict[str, float]:
  """Evaluates one picture, and others: the difference is theirs alone.

  Args:
    evaluate: evaluates so many pictures.
    others: how many there are besides the first. Without any, what is told of
      a picture is of one with all that surrounds it.
  """
  import tensorflow as tf

  clocks = [(time.monotonic(), time.process_time())]
  # The first one traces.
  for number in (1, 1, 1 + others):
    evaluate.evaluate(tf.constant(number))
    clocks.append((time.monotonic(), time.process_time()))
  first, one, some = (
    [after - before for before, after in zip(*pair, strict=True)]
    for pair in itertools.pairwise(clocks)
  )
  wall, cpu = (
    max(b - a, 0.0) / others if others else b
    for a, b in zip(one, some, strict=True)
  )
  return {
    'evaluation': first[0],
    'cpu_evaluation': first[1],
    'picture': wall,
    'cpu_picture': cpu,
  }


def _try_search(data_dir: str, recipe: str) -> dict[str, float]:
  from auto_deeplab import configs
  from auto_deeplab.data.records import tfrecord
  from auto_deeplab.experiments import parts, search
  from auto_deeplab.runs import run as run_lib

  config = configs.load(configs.SearchExperiment, [recipe])
  place = run_lib.Place(data_dir, run_dir='')
  info = tfrecord.load_info(data_dir)
  strategy = parts.start(config.runtime, place)
  halves = search.distribute_halves(strategy, config, place, 0)
  with strategy.scope():
    searcher = search.make_searcher(config, info, strategy, *halves)
  searcher.rehearse()
  # Until the architecture moves, and from then on.
  found = _timed(searcher)
  searcher.global_step.assign(config.schedule.arch_start_step)
  both = _timed(searcher)
  return found | {'architecture': max(both['step'] - found['step'], 0.0)}


def main() -> None:
  """Prints what was measured, as a line of JSON."""
  # Importing TensorFlow is part of the start.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  kind, *arguments = sys.argv[1:]
  tries: dict[str, Callable[..., dict[str, float]]] = {
    'train': _try_training,
    'search': _try_search,
  }
  tried = tries[kind](*arguments)
  print(json.dumps(tried | {'peak': _peak()}), flush=True)


if __name__ == '__main__':
  main()
