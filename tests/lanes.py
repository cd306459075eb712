# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What one lane leaves for another, and what a lane finds there: a program.

    python -m tests.lanes leave FOLDER           writes it all
    python -m tests.lanes find FOLDER FOUND.npz  reads it all
    python -m tests.lanes go_on FOLDER ELSEWHERE goes on from its checkpoints

A lane is a Python with its TensorFlow, and `lanes_test.py` starts this on two.
"""

import pathlib
import shutil
import sys
from typing import Any

import numpy as np
import tensorflow as tf

from auto_deeplab.architecture import decode
from auto_deeplab.architecture.genotype import Genotype
from auto_deeplab.data.input import input_pipeline
from auto_deeplab.data.records import info_file, tfrecord
from auto_deeplab.evaluation import evaluation
from auto_deeplab.model import pixels
from auto_deeplab.runs import run as run_lib
from auto_deeplab.runs import trained_network
from auto_deeplab.serving import client, exporter
from tests import tiny
from tests.experiments import runs

# The last checkpoint, and the one before it, of a run.
STEPS = {'search': (4, 2), 'train': (80, 60)}


def _search(folder: pathlib.Path, run_dir: pathlib.Path) -> None:
  runs.search(folder / 'data', run_dir)


def _train(folder: pathlib.Path, run_dir: pathlib.Path) -> None:
  """Until it tells classes apart, with averaged weights."""
  runs.train(
    folder / 'data',
    run_dir,
    runtime={'steps_per_loop': 20, 'checkpoint_interval': 60},
    segmenter={'batch_norm_momentum': 0.9},
    weight_optimizer={'learning_rate': 0.1},
    schedule={'train_steps': 80, 'ema_momentum': 0.5},
  )


def leave(folder: pathlib.Path) -> None:
  """Writes a data set, a search, a genotype, a training and a SavedModel."""
  tiny.write_data(folder)
  _search(folder, folder / 'search')
  snapshot = decode.load_snapshot(decode.latest_snapshot(folder / 'search'))
  snapshot.decode().save(folder / 'genotype.json')
  _train(folder, folder / 'train')
  loaded = trained_network.load_segmenter(folder / 'train')
  exporter.export(
    loaded.model,
    dataset_info=loaded.dataset_info,
    genotype=loaded.genotype,
    output_dir=folder / 'saved_model',
    step=loaded.step,
  )


def find(folder: pathlib.Path) -> dict[str, Any]:
  """Reads all that `leave` wrote; texts are arrays of one string."""
  snapshot = decode.load_snapshot(decode.latest_snapshot(folder / 'search'))
  (pictures,) = input_pipeline.eval_dataset(
    folder / 'data', 'val', batch_size=3
  )
  crops = next(
    iter(
      input_pipeline.train_dataset(
        folder / 'data', 'train', tiny.train_config().input, seed=0
      )
    )
  )
  images = pictures['image'].numpy()
  loaded = trained_network.load_segmenter(folder / 'train')
  found = evaluation.run(
    run_lib.Place(str(folder / 'data'), str(folder / 'train'))
  )
  served = client.SavedModelClient(folder / 'saved_model')
  predictions = [served.predict(image, probabilities=True) for image in images]
  return {
    'tensorflow': np.array(tf.__version__),
    'data set': np.array(
      info_file.to_text(tfrecord.load_info(folder / 'data'))
    ),
    'names': pictures['filename'].numpy().astype(str),
    'images': images,
    'labels': pictures['label'].numpy(),
    'crops': crops['image'].numpy(),
    'labels of crops': crops['label'].numpy(),
    'alphas': snapshot.alphas,
    'betas': snapshot.betas,
    'decoded': np.array(str(snapshot.decode())),
    'genotype': np.array(str(Genotype.load(folder / 'genotype.json'))),
    'logits': loaded.model(pixels.normalize(images), training=False).numpy(),
    'confusion matrix': found.confusion_matrix,
    'mean IoU': np.array(found.scores['mean_iou']),
    'served labels': np.stack([p.labels for p in predictions]),
    'served probabilities': np.stack(
      [p.probabilities for p in predictions if p.probabilities is not None]
    ),
  }


def go_on(folder: pathlib.Path, elsewhere: pathlib.Path) -> None:
  """Makes the last steps of the search and of the training again."""
  for kind, run in (('search', _search), ('train', _train)):
    shutil.copytree(folder / kind, elsewhere / kind)
    for path in (elsewhere / kind / 'checkpoints').glob(
      f'*-{STEPS[kind][0]}.*'
    ):
      path.unlink()
    run(folder, elsewhere / kind)


def main(verb: str, folder: str, target: str = '') -> None:
  place = pathlib.Path(folder)
  if verb == 'leave':
    leave(place)
  elif verb == 'find':
    np.savez(target, **find(place))
  elif verb == 'go_on':
    go_on(place, pathlib.Path(target))


if __name__ == '__main__':
  main(*sys.argv[1:])
