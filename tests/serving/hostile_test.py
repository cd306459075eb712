# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What strangers send ends in an error that says why, never in a crash.

The calls are made in another process, which they once ended.
"""

import io
import json
import subprocess
import sys

from PIL import Image
import pytest
import tensorflow as tf

# Reads shapes from standard input, and writes what came of each.
CALLS = """
import json, sys
import tensorflow as tf

loaded = tf.saved_model.load(sys.argv[1])
outcomes = []
for shape in json.loads(sys.stdin.read()):
  try:
    outputs = loaded.signatures['serving_default'](
      images=tf.zeros(shape, tf.uint8)
    )
    outcomes.append(outputs['labels'].shape.as_list())
  except tf.errors.InvalidArgumentError as e:
    outcomes.append(e.message)
print(json.dumps(outcomes))
"""

# Reads a small picture and a bomb, and writes what the bomb took, in bytes.
BOMB = """
import pathlib, resource, sys
import tensorflow as tf

loaded = tf.saved_model.load(sys.argv[1])
for name in sys.argv[2:]:
  before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  data = pathlib.Path(name).read_bytes()
  outputs = loaded.signatures['segment'](image_bytes=tf.constant([data]))
  print(outputs['error'][0].numpy())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""

WRONG = [
  *([5] * rank for rank in (0, 1, 2, 3, 5, 6)),
  [1, 5, 5],
  [5, 5, 3],
  [2, 1, 5, 5, 3],
  [1, 5, 5, 3, 7],
  *([1, 5, 5, channels] for channels in (0, 1, 2, 4, 5)),
  [0, 5, 5, 3],
  [1, 0, 5, 3],
  [1, 5, 0, 3],
  [1, 0, 0, 3],
  [0],
]
RIGHT = [[1, 1, 1, 3], [1, 1, 40, 3], [2, 37, 1, 3], [3, 5, 5, 3]]


@pytest.fixture(
  scope='module',
  # Begin with a convolution, which ended the process, and with a padding.
  params=['model_dir', 'real_model_dir'],
)
def outcomes(request):
  """What came of each shape: that of the labels, or a message."""
  model_dir = request.getfixturevalue(request.param)
  result = subprocess.run(
    [sys.executable, '-c', CALLS, str(model_dir)],
    input=json.dumps([*WRONG, *RIGHT]),
    capture_output=True,
    text=True,
  )
  assert result.returncode == 0, result.stderr
  found = json.loads(result.stdout)
  return dict(zip(map(str, [*WRONG, *RIGHT]), found, strict=True))


@pytest.mark.parametrize('shape', WRONG, ids=str)
def test_a_wrong_shape_is_told_with_the_rule(outcomes, shape):
  shown = ' '.join(map(str, shape))
  assert (
    '`images` must be uint8 [batch, height, width, 3], RGB, with at least one '
    f'picture and one pixel; its shape is] [{shown}]'
  ) in outcomes[str(shape)]


@pytest.mark.parametrize('shape', RIGHT, ids=str)
def test_a_side_of_one_pixel_is_a_picture(outcomes, shape):
  assert outcomes[str(shape)] == shape[:3]


def test_a_bomb_is_not_decoded(model_dir, tmp_path):
  file = io.BytesIO()
  Image.new('1', (10_000, 10_000)).save(file, 'png')
  assert len(file.getvalue()) < 20_000
  (tmp_path / 'bomb.png').write_bytes(file.getvalue())
  Image.new('RGB', (9, 9)).save(tmp_path / 'small.png')
  arguments = [model_dir, tmp_path / 'small.png', tmp_path / 'bomb.png']
  result = subprocess.run(
    [sys.executable, '-c', BOMB, *map(str, arguments)],
    capture_output=True,
    text=True,
    check=True,
  )
  fine, told, num_bytes = result.stdout.splitlines()
  assert fine == "b''"
  assert told.startswith("b'10000x10000 pixels are too many; the limit is 1677")
  assert int(num_bytes) < 50e6


def test_the_limit_holds_for_images_as_well(model_dir):
  predict = tf.saved_model.load(str(model_dir)).signatures['serving_default']
  with pytest.raises(
    tf.errors.InvalidArgumentError, match='4096x4097 pixels are too many'
  ):
    predict(images=tf.zeros([1, 4096, 4097, 3], tf.uint8))


@pytest.mark.parametrize('shape', [[], [1, 2], [0, 3]])
def test_files_come_in_a_list(model_dir, shape):
  segment = tf.saved_model.load(str(model_dir)).signatures['segment']
  with pytest.raises(
    tf.errors.InvalidArgumentError, match=r'`image_bytes` must be \[batch\]'
  ):
    segment(image_bytes=tf.fill(shape, b'text'))
