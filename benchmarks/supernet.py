# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Time and memory of the search's two steps.

  python -m benchmarks.supernet --num_threads=1

The defaults are the paper's setting; a smaller one takes a minute:

  python -m benchmarks.supernet --num_layers=6 --num_blocks=3 \
    --filter_multiplier=4 --crop_size=97

Each case runs in a process of its own, for the sake of its peak memory.
Columns, in CPU seconds unless said:

  construct_s, build_s  the layers; their variables, by tracing once
  w_first_s, a_first_s  the first weight and the first architecture step, with
                        their tracing
  ready_wall_s          seconds from the start of the process until both ran
  w_s, a_s              a weight and an architecture step, the median of the
                        rounds
  w_wall_s, a_wall_s    seconds of the same
  w_Gmadds_s            10^9 multiply-adds a CPU second, three forward passes a
                        step; what recomputation adds does not count
  w_share               the same over that of one large convolution in the
                        case's dtype, in the same process
  peak_GiB              the most memory the process held
  w_nodes, a_nodes      nodes of a graph that a weight and an architecture step
                        execute (`benchmarks/graph.py` says what counts); the
                        crop does not matter. 0 where paths are drawn, which
                        have no graph; their steps differ, so take more rounds
"""

from collections.abc import Iterator, Sequence
import contextlib
import dataclasses
import functools
import json
import pathlib
import statistics
import subprocess
import sys
import time

from absl import app, flags
import tensorflow as tf

from auto_deeplab import configs
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.architecture import lattice, primitives
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.training import (
  distribution,
  gradient_step,
  networks,
  optimizers,
)
from benchmarks import convolution, graph, measure

FLAGS = flags.FLAGS
flags.DEFINE_integer('num_layers', 12, 'L.')
flags.DEFINE_integer('num_blocks', 5, 'B.')
flags.DEFINE_integer('filter_multiplier', 8, 'F.')
flags.DEFINE_integer('crop_size', 321, 'Height and width of the pictures.')
flags.DEFINE_integer('batch_size', 2, 'Of a step.')
flags.DEFINE_integer('num_rounds', 3, 'Timed steps of each case.')
flags.DEFINE_integer('num_threads', 0, 'Within and between ops; 0: all cores.')
flags.DEFINE_boolean('json', False, 'Print JSON.')
flags.DEFINE_string('case', None, 'Internal: the one case to run, as JSON.')

NUM_CLASSES = 19
_NUM_PATHS = 8


@dataclasses.dataclass(frozen=True)
class Case:
  """What one process measures."""

  precision: str
  recompute: bool = False
  channel_divisor: int = 1
  draw_primitives: bool = False
  draw_path: bool = False


CASES = (
  Case('float32'),
  Case('float32', recompute=True),
  Case('mixed_bfloat16'),
  Case('float32', channel_divisor=4),
  Case('float32', draw_primitives=True),
  Case('float32', draw_primitives=True, draw_path=True),
)


def measure_case(case: Case) -> dict[str, float]:
  """Builds the supernet, times both steps, and returns the case's columns."""
  for set_threads in (
    tf.config.threading.set_intra_op_parallelism_threads,
    tf.config.threading.set_inter_op_parallelism_threads,
  ):
    set_threads(FLAGS.num_threads)
  distribution.leave_graphs_to_cpu_kernels()
  tf.keras.mixed_precision.set_global_policy(case.precision)
  columns: dict[str, float] = {}
  size = (FLAGS.crop_size, FLAGS.crop_size)
  with _timing(columns, 'construct_s'):
    supernet = supernet_lib.Supernet(
      configs.SupernetConfig(
        num_layers=FLAGS.num_layers,
        num_blocks=FLAGS.num_blocks,
        filter_multiplier=FLAGS.filter_multiplier,
        recompute=case.recompute,
        channel_divisor=case.channel_divisor,
        draw_primitives=case.draw_primitives,
        draw_path=case.draw_path,
      ),
      NUM_CLASSES,
    )
  with _timing(columns, 'build_s'):
    if case.draw_path:
      supernet.make_path_variables()
    else:
      networks.build(
        supernet,
        configs.InputConfig(size, batch_size=FLAGS.batch_size),
        moved='weights',
      )
  batch = _make_batch()
  compiled = _make_steps(supernet)
  steps = {k: functools.partial(_run, v, batch) for k, v in compiled.items()}
  for name, run in steps.items():
    with _timing(columns, f'{name}_first_s'):
      # Of drawn paths so many that all levels were met.
      for _ in range(_NUM_PATHS if case.draw_path else 1):
        run()
  columns['ready_wall_s'] = _seconds_of_this_process()
  walls = measure.alternating_seconds(steps, FLAGS.num_rounds)
  dtype = tf.keras.mixed_precision.global_policy().compute_dtype
  seconds = measure.alternating_seconds(
    steps | {'limit': convolution.large(tf.as_dtype(dtype))},
    FLAGS.num_rounds,
    time.process_time,
  )
  for name in steps:
    columns[f'{name}_s'] = statistics.median(seconds[name])
    columns[f'{name}_wall_s'] = statistics.median(walls[name])
  madds = 3 * FLAGS.batch_size * _multiply_adds()
  columns['w_Gmadds_s'] = madds / columns['w_s'] / 1e9
  share = measure.median_ratio(seconds['limit'], seconds['w'])
  columns['w_share'] = share * madds / convolution.MULTIPLY_ADDS
  columns['peak_GiB'] = measure.peak_rss_bytes() / 2**30
  for name, step in compiled.items():
    columns[f'{name}_nodes'] = 0 if case.draw_path else _num_nodes(step, batch)
  return columns


@contextlib.contextmanager
def _timing(columns: dict[str, float], name: str) -> Iterator[None]:
  start = time.process_time()
  yield
  columns[name] = time.process_time() - start


def _seconds_of_this_process() -> float:
  """Seconds since the process began, its imports included (Linux)."""
  ticks = float(pathlib.Path('/proc/self/stat').read_text().split()[21])
  return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / 100


def _make_batch() -> gradient_step.Batch:
  shape = [FLAGS.batch_size, FLAGS.crop_size, FLAGS.crop_size]
  return {
    'image': tf.random.uniform([*shape, 3], -1, 1),
    'label': tf.random.uniform(shape, 0, NUM_CLASSES, tf.int32),
  }


def _make_steps(
  supernet: supernet_lib.Supernet,
) -> dict[str, gradient_step.GradientStep]:
  """Returns both steps, as `tools/search.py` makes them."""

  def make(
    moved: str,
    variables: Sequence[tf.Variable],
    config: configs.OptimizerConfig,
  ) -> gradient_step.GradientStep:
    optimizer = optimizers.make_optimizer(config, train_steps=1000)

    def forward(images: tf.Tensor) -> tf.Tensor:
      draw = optimizer.iterations
      return supernet(images, training=True, draw=draw, moved=moved)

    return gradient_step.GradientStep(
      tf.distribute.get_strategy(),
      forward,
      variables,
      optimizer,
      config.weight_decay,
      is_compiled=not supernet.config.draw_path,
    )

  return {
    'w': make(
      'weights', supernet.weight_variables, configs.WeightOptimizerConfig()
    ),
    'a': make(
      'architecture',
      supernet.arch_variables,
      configs.ArchitectureOptimizerConfig(),
    ),
  }


def _run(
  step: gradient_step.GradientStep, batch: gradient_step.Batch
) -> object:
  return step(batch)['loss'].numpy()


def _num_nodes(
  step: gradient_step.GradientStep, batch: gradient_step.Batch
) -> int:
  function = tf.function(step, autograph=False).get_concrete_function(batch)
  return graph.executed_nodes(function).total()


def _multiply_adds() -> int:
  """Those of the cells' convolutions, for one picture; the rest is little."""
  num_edges = len(genotype_lib.edges(FLAGS.num_blocks))
  total = 0
  for layer in range(FLAGS.num_layers):
    for level in lattice.reachable_levels(layer):
      pixels = (-(-FLAGS.crop_size // (4 * 2**level))) ** 2
      filters = lattice.block_filters(level, FLAGS.filter_multiplier)
      edge = sum(
        primitives.get(name).count((1, 1), filters, False).multiply_adds
        for name in primitives.PAPER
      )
      num_transitions = len(lattice.incoming(layer, level))
      # The edges that leave H[l-2] are computed once for all transitions.
      num_shared = FLAGS.num_blocks * (num_transitions - 1)
      total += pixels * edge * (num_edges * num_transitions - num_shared)
  return total


def _run_apart(case: Case) -> dict[str, float]:
  """Runs this module in another process, with the same flags."""
  result = subprocess.run(
    [
      *(sys.executable, '-m', 'benchmarks.supernet', *sys.argv[1:]),
      f'--case={json.dumps(dataclasses.asdict(case))}',
    ],
    stdout=subprocess.PIPE,
    check=True,
  )
  return json.loads(result.stdout)


def main(argv: Sequence[str]) -> None:
  del argv
  if FLAGS.case:
    print(json.dumps(measure_case(Case(**json.loads(FLAGS.case)))))
    return
  rows = [dataclasses.asdict(case) | _run_apart(case) for case in CASES]
  measure.report(rows, as_json=FLAGS.json)


if __name__ == '__main__':
  app.run(main)
