# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Files are predicted into files, the large ones in windows."""

import dataclasses
import math

import numpy as np
from PIL import Image
import pytest

from auto_deeplab.serving import client

RULE = client.Rule(alignment=8, overlap=8)


@dataclasses.dataclass
class Dark:
  """Tells dark pixels from light ones, and remembers what it was given."""

  max_pixels: int
  sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
  colors: tuple = ((0, 0, 0), (255, 255, 255))
  values: tuple = (3, 7)
  parts: client.Rule | None = RULE

  def predict(self, image, *, probabilities=False, context=None):
    self.sizes.append(image.shape[:2])
    return client.Prediction((image[..., 0] > 99).astype(np.uint8))


@pytest.fixture
def jobs(tmp_path):
  generator = np.random.default_rng(0)
  for name, size in (('a.png', (60, 70)), ('b.png', (40, 40))):
    pixels = generator.integers(0, 256, [*size, 3], np.uint8)
    Image.fromarray(pixels).save(tmp_path / name)
  (tmp_path / 'c.png').touch()
  return client.jobs(client.find_pictures([str(tmp_path)])[0], tmp_path / 'out')


@pytest.mark.parametrize(
  'limit, window, longest, num_calls',
  [
    (10_000, 0, 70, 2),
    (10_000, 45, 45, 6 + 1),
    # Beyond the limit of the model, though nobody asks for windows.
    (2_000, 0, math.isqrt(2_000), 6 + 1),
  ],
)
def test_what_is_too_large_is_parted(jobs, limit, window, longest, num_calls):
  model = Dark(limit)
  predictor = client.Predictor(
    model, client.Settings(window=window, own_values=True)
  )
  results = list(predictor.run(jobs))
  assert results[:2] == [None, None]
  assert str(results[2]).endswith("c.png': the file is empty.")
  assert max(max(size) for size in model.sizes) == longest
  assert len(model.sizes) == num_calls
  assert predictor.network_seconds > 0
  for job in jobs[:2]:
    expected = np.where(client.load_image(job.path)[..., 0] > 99, 7, 3)
    with Image.open(f'{job.stem}.png') as labels:
      np.testing.assert_array_equal(np.asarray(labels), expected)


def test_a_picture_beyond_the_limit_is_left_out(jobs):
  predictor = client.Predictor(Dark(9_999), client.Settings(max_pixels=2_000))
  results = list(predictor.run(jobs))
  assert '60x70 pixels are too many; the limit is 2000' in str(results[0])
  assert results[1] is None


def test_what_cannot_be_is_told_with_the_picture_once(jobs):
  model = Dark(max_pixels=10_000)
  settings = client.Settings(window=45, probabilities=True)
  large, _, empty = client.Predictor(model, settings).run(jobs)
  settings = client.Settings(window=20)
  narrow, *_ = client.Predictor(model, settings).run(jobs)
  assert str(narrow).startswith(f'{jobs[0].path!r}: a window of 20 pixels is')
  for job, error in ((jobs[0], large), (jobs[0], narrow), (jobs[2], empty)):
    assert str(error).count(job.path) == 1


def test_what_resizes_whole_pictures_takes_no_windows(jobs):
  model = Dark(max_pixels=10_000, parts=None)
  predictor = client.Predictor(model, client.Settings(window=48))
  large, small, _ = predictor.run(jobs)
  assert str(large).startswith(
    f'{jobs[0].path!r}: the model resizes each picture to one length'
  )
  assert small is None
  assert model.sizes == [(40, 40)]
