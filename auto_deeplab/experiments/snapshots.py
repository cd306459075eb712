# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a search leaves and shows at each snapshot of alphas and betas."""

from collections.abc import Mapping
import sys

import tensorflow as tf
import tqdm

from auto_deeplab import configs
from auto_deeplab.architecture import (
  decode,
  discretization,
  primitives,
  signals,
  within_cost,
)
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.evaluation import one_shot
from auto_deeplab.model import supernet as supernet_lib
from auto_deeplab.reporting import drawings
from auto_deeplab.runs import run as run_lib
from auto_deeplab.training import cluster, cost_target
from auto_deeplab.training import curvature as curvature_lib

_EIGENVALUE = 'hessian/eigenvalue'


class Snapshots:
  """Writes, scores and tells of a snapshot, where one is due.

  A row of `metrics.jsonl` has what `decode.describe` and `signals.describe`
  say, and where there is a probe

    probe/loss, probe/mean_iou                    of the supernet as it is
    probe/decoded_loss, probe/decoded_mean_iou    of the decoded network alone
    hessian/eigenvalue                            `training.curvature`

  and where there is a target `CostTarget.describe`. TensorBoard has the lattice
  and the cell as pictures, at 0.2 to 0.4 CPU-seconds a snapshot. At the last
  step it writes the likeliest genotype of that cost, as `within_cost.FILE`.
  """

  def __init__(
    self,
    schedule: configs.SearchConfig,
    run: run_lib.Run,
    supernet: supernet_lib.Supernet,
    strategy: tf.distribute.Strategy,
    probe: one_shot.OneShot | None = None,
    target: cost_target.CostTarget | None = None,
    curvature: curvature_lib.Curvature | None = None,
  ):
    """Initializes the snapshots.

    Args:
      schedule: says when one is due.
      run: resumed.
      supernet: whose alphas and betas are kept.
      strategy: that the search computes with.
      probe: scores the supernet; None skips that.
      target: the cost that the search is steered to, if it is.
      curvature: of the loss on B; None skips that, and stopping by it.
    """
    self._schedule = schedule
    self._run = run
    self._supernet = supernet
    self._strategy = strategy
    self._probe = probe
    self._target = target
    self._curvature = curvature

  def __call__(self) -> bool:
    """Returns whether the search is to end at this step."""
    step, interval = self._run.step, self._schedule.snapshot_interval
    is_last = step == self._schedule.train_steps
    if step % interval and not is_last:
      return False
    alphas, betas = (v.numpy() for v in self._supernet.arch_variables)
    names = self._supernet.config.primitives
    snapshot = decode.Snapshot(step, alphas, betas, names)
    before = self._before(step)
    decode.save_snapshot(self._run.path, snapshot)
    genotype = snapshot.decode()
    found = signals.describe(snapshot, before) | self._scores(genotype)
    if self._target is not None:
      found |= self._target.describe()
    if self._curvature is not None:
      number = self._schedule.hessian_products
      found[_EIGENVALUE] = self._curvature.eigenvalue(number)
    figures = {
      'lattice': drawings.lattice_figure(betas, genotype.backbone),
      'cell': drawings.cell_figure(genotype),
    }
    self._run.record_pictures(
      {k: drawings.pixels(f) for k, f in figures.items()}
    )
    self._run.record_row(decode.describe(snapshot) | found)
    # Above the bar, where there is one.
    line = _line(step, genotype, found)
    # Before that every genotype is a random one.
    if step > self._schedule.arch_start_step:
      line += _warning(genotype)
    tqdm.tqdm.write(line, file=sys.stderr)
    stops = not is_last and self._is_to_stop()
    if self._target is not None and (is_last or stops):
      self._keep_within_cost(self._target)
    return stops

  def _is_to_stop(self) -> bool:
    """Looks whether the curvature has grown; if so writes where that began."""
    factor = self._schedule.early_stop
    window = self._schedule.early_stop_window
    if not factor:
      return False
    values = [
      row[_EIGENVALUE]
      for row in self._run.rows_with(_EIGENVALUE)
      if row['step'] > self._schedule.arch_start_step
    ]
    # A worker on a new machine has no rows of before.
    if not cluster.first_workers(
      self._strategy, curvature_lib.has_grown(values, factor, window)
    ):
      return False
    step = self._run.step
    before = step - window * self._schedule.snapshot_interval
    stop = decode.EarlyStop(step, before)
    path = decode.save_early_stop(self._run.path, stop)
    tqdm.tqdm.write(
      f'search: the eigenvalue of the Hessian has grown more than {factor:g} '
      f'times over {window} snapshots; stopped at step {stop.step}, the result '
      f'is the snapshot of step {stop.snapshot} ({path})',
      file=sys.stderr,
    )
    return True

  def _keep_within_cost(self, target: cost_target.CostTarget) -> None:
    """Writes the likeliest genotype of the target's cost, and says so.

    By the snapshot that is the result, which after an early stop is not the
    last one.
    """
    path = self._run.path / within_cost.FILE
    result = decode.load_snapshot(decode.latest_snapshot(self._run.path))
    genotype = target.within(result)
    if genotype is None:
      path.unlink(missing_ok=True)  # Of another target, or fewer steps.
      line = (
        f'search: no network near the decoded one costs {_cost(target.target)}'
      )
    else:
      genotype.save(path, {'run': str(self._run.path), 'step': result.step})
      line = (
        f'search: {path} is the likeliest network that costs '
        f'{_cost(target.target)}, or up to {within_cost.TOLERANCE:.0%} more or '
        f'less: {_cost(target.cost_of(genotype))}'
      )
    tqdm.tqdm.write(line, file=sys.stderr)

  def _before(self, step: int) -> decode.Snapshot | None:
    """Returns the snapshot before that of a step, if there is one."""
    interval = self._schedule.snapshot_interval
    path = decode.snapshot_path(
      self._run.path, (step - 1) // interval * interval
    )
    return decode.load_snapshot(path) if path.exists() else None

  def _scores(self, genotype: genotype_lib.Genotype) -> dict[str, float]:
    if self._probe is None:
      return {}
    names = self._supernet.config.primitives
    decoded = self._probe.score(discretization.weights(genotype, names))
    mixed = self._probe.score_mixture()
    return {
      **{f'probe/{key}': value for key, value in mixed.items()},
      **{f'probe/decoded_{key}': value for key, value in decoded.items()},
    }


def _line(
  step: int, genotype: genotype_lib.Genotype, found: Mapping[str, float]
) -> str:
  """Returns what a person wants to know of a snapshot, in one line."""
  parts = [f'search: snapshot of step {step}']
  if 'probe/loss' in found:
    parts.append(
      f'mIoU on B {found["probe/mean_iou"]:.3f}, of the decoded network alone '
      f'{found["probe/decoded_mean_iou"]:.3f}'
    )
  parts.append(
    f'margins alpha {found["margin/alpha"]:.3f} beta {found["margin/beta"]:.3f}'
  )
  if _EIGENVALUE in found:
    parts.append(f'eigenvalue {found[_EIGENVALUE]:.3g}')
  num_edges = genotype_lib.EDGES_PER_BLOCK * genotype.num_blocks
  if 'cost/target' in found:
    ratio = found['cost/decoded'] / found['cost/target']
    parts.append(f'costs {ratio:.2f} of the target')
  if 'changed/edges' in found:
    parts.append(
      f'{found["changed/edges"]:.0f} of {num_edges} edges and '
      f'{found["changed/layers"]:.0f} of {genotype.num_layers} layers changed'
    )
  return '; '.join(parts)


def _warning(genotype: genotype_lib.Genotype) -> str:
  """Returns the end of that line for a cell of skip connections."""
  if not signals.is_collapsed(genotype):
    return ''
  share = signals.shares(genotype)[primitives.SKIP_CONNECT]
  return f'; {share:.0%} of the edges are skip_connect, the known collapse'


def _cost(value: float) -> str:
  """Writes multiply-adds and parameters in full, milliseconds to a digit."""
  return f'{value:,.0f}' if value >= 1000 else f'{value:.3g}'
