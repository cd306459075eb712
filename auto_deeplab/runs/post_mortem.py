# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What is left of a run that ended in a NaN.

    RUN/post_mortem/ckpt-400.*        the state when it was seen, at step 400
    RUN/post_mortem/not_finite.json   the step and the tensor that it came from

A run looks once a loop, so the state may be some steps beyond its origin. The
folder is of the last such end; nothing resumes from it.
"""

import json
import os
import pathlib
import shutil

import tensorflow as tf

from auto_deeplab.architecture import artifact
from auto_deeplab.training import gradient_step
from auto_deeplab.runs import checkpoints


def keep(
  checkpoint: tf.train.Checkpoint,
  folder: str | os.PathLike[str],
  step: int,
  error: gradient_step.NotFiniteError,
  newest: str | None,
) -> gradient_step.NotFiniteError:
  """Writes the folder.

  Args:
    checkpoint: of all of the state.
    folder: RUN/post_mortem.
    step: that the state is of.
    error: what ended the run.
    newest: path prefix of the run's newest checkpoint, if it has one.

  Returns:
    The error, which now says what there is to go on from, and where to look, or
    why nothing could be kept.
  """
  folder = pathlib.Path(folder)
  document = {
    'step': error.step,
    'tensor': error.tensor,
    'message': str(error),
    'state_of_step': step,
  }
  try:
    shutil.rmtree(folder, ignore_errors=True)
    checkpoints.write(checkpoint, folder, step)
    with artifact.writing(folder / 'not_finite.json') as file:
      file.write(json.dumps(document, indent=1).encode())
    where = f'{folder} keeps the state of step {step}.'
  except OSError as e:
    where = f'The state could not be kept: {e}'
  saved = f'{newest} is intact.' if newest else 'No checkpoint is saved yet.'
  return gradient_step.NotFiniteError(
    f'{error} {saved} {where}', error.step, error.tensor
  )
