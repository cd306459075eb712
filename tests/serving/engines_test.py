# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A file of another runtime says what the SavedModel says, or is not there."""

import shutil
import sys

import numpy as np
import pytest

from auto_deeplab.serving import client, comparison, conversions, engines
from auto_deeplab.serving.engines import base
from tests.serving import real_segmenter as real_segmenter_lib
from tests.serving import tiny_segmenter

# What each format is written and run with.
NEEDED = {
  'tflite': (),
  'onnx': ('tf2onnx', 'onnx', 'onnxruntime'),
  'openvino': ('openvino',),
}
FORMATS = sorted(NEEDED)


def need(name: str) -> None:
  for module in NEEDED[name]:
    pytest.importorskip(module, reason=f'the extra {name} is not installed')


def random_images(*shape: int) -> np.ndarray:
  generator = np.random.default_rng(sum(shape))
  return generator.integers(0, 256, [*shape, 3], np.uint8)


@pytest.fixture(scope='module')
def model():
  return real_segmenter_lib.make_decided(
    tiny_segmenter.DATASET_INFO.num_classes
  )


@pytest.fixture(scope='module')
def saved_model_dir(model, tmp_path_factory):
  path = tmp_path_factory.mktemp('engines') / 'saved_model'
  return tiny_segmenter.export(path, model)


@pytest.fixture(scope='module')
def reference(saved_model_dir):
  return client.SavedModelClient(saved_model_dir)


@pytest.fixture(scope='module')
def files(model, saved_model_dir):
  """Writes each format once, when it is first asked for."""
  written = {}

  def write(name: str):
    need(name)
    if name not in written:
      written[name], _ = conversions.convert(
        model, saved_model_dir, name, pictures=comparison.drawn_pictures()
      )
    return written[name]

  return write


@pytest.mark.parametrize('name', FORMATS)
class TestFile:
  @pytest.mark.parametrize(
    'shape', [(1, 33, 65), (2, 40, 51), (1, 7, 5), (3, 97, 34)]
  )
  def test_says_what_the_saved_model_says(self, files, reference, name, shape):
    images = random_images(*shape)
    found = engines.open_file(files(name)).run(images)
    expected = [reference.predict(each, probabilities=True) for each in images]
    assert found['labels'].dtype == np.uint8
    assert found['probabilities'].dtype == np.float32
    labels = np.stack([each.labels for each in expected])
    assert np.mean(found['labels'] == labels) > 0.998
    np.testing.assert_allclose(
      found['probabilities'],
      np.stack([each.probabilities for each in expected]),
      atol=1e-4,
    )

  def test_needs_nothing_beside_it(self, files, reference, name, tmp_path):
    path = files(name)
    for part in path.parent.glob(f'{path.stem}.*'):
      if part.suffix in (path.suffix, '.bin'):
        shutil.copy(part, tmp_path / part.name)
    model = engines.load(tmp_path / path.name, num_threads=1)
    for attribute in ('class_names', 'colors', 'values', 'max_pixels'):
      assert getattr(model, attribute) == getattr(reference, attribute)
    assert model.metadata['step'] == tiny_segmenter.STEP
    assert model.metadata['compute_dtype'] == 'float32'
    image = random_images(40, 50)
    found = model.predict(image)
    assert found.probabilities is None
    np.testing.assert_array_equal(found.labels, reference.predict(image).labels)

  def test_of_one_size_takes_that_alone(
    self, model, reference, saved_model_dir, name, tmp_path
  ):
    need(name)
    shutil.copytree(saved_model_dir, tmp_path / 'fixed')
    path, share = conversions.convert(
      model,
      tmp_path / 'fixed',
      name,
      pictures=comparison.drawn_pictures(),
      size=(65, 97),
    )
    assert share > 0.999
    engine = engines.open_file(path)
    assert engine.size == (65, 97)
    image = random_images(65, 97)
    np.testing.assert_array_equal(
      engine.predict(image).labels, reference.predict(image).labels
    )
    with pytest.raises(ValueError, match=r'97x65.* exported for: 65x97'):
      engine.predict(random_images(97, 65))

  def test_that_says_something_else_is_refused(
    self, saved_model_dir, name, tmp_path
  ):
    need(name)
    shutil.copytree(saved_model_dir, tmp_path / 'other')
    other = real_segmenter_lib.make_decided(4)
    other.logits.bias.assign_add([0.3, 0, 0, 0])
    with pytest.raises(
      ValueError,
      match=r'other\.\w+ is refused: its labels .* on \d\d\.\d+% of the pixels '
      r'of 4 pictures, and must be on 99\.9%',
    ):
      conversions.convert(
        other,
        tmp_path / 'other',
        name,
        pictures=comparison.drawn_pictures(),
      )
    assert [path.name for path in tmp_path.iterdir()] == ['other']

  @pytest.mark.parametrize(
    ('shape', 'dtype'),
    [((4, 4, 3), 'uint8'), ((1, 4, 4, 4), 'uint8'), ((1, 0, 4, 3), 'uint8')]
    + [((1, 4, 4, 3), 'float32')],
  )
  def test_refuses_other_images(self, files, name, shape, dtype):
    model = engines.open_file(files(name))
    with pytest.raises(ValueError, match=r'`images` .* must be uint8 \[batch'):
      model.run(np.zeros(shape, dtype))

  def test_refuses_too_large_images(self, files, name):
    model = engines.open_file(files(name))
    with pytest.raises(ValueError, match='5000x4000 pixels are too many'):
      model.predict(np.zeros([5000, 4000, 3], np.uint8))

  def test_that_is_there_stays(self, files, model, saved_model_dir, name):
    path = files(name)
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match='exists already'):
      conversions.convert(model, saved_model_dir, name, pictures=[])
    assert path.read_bytes() == before

  def test_damaged_is_named(self, files, name, tmp_path):
    whole = files(name).read_bytes()
    path = tmp_path / f'damaged{files(name).suffix}'
    for damaged in (b'', whole[: len(whole) // 2], b'nothing of the kind'):
      path.write_bytes(damaged)
      with pytest.raises(ValueError, match=r'damaged\.\w+. is not a network'):
        engines.load(path)


@pytest.mark.parametrize('name', ['tflite', 'openvino'])
class TestIntegers:
  def write(self, model, saved_model_dir, name, accept):
    need(name)
    if name == 'openvino':
      pytest.importorskip('nncf', reason='the extra int8 is not installed')
    pictures = comparison.drawn_pictures()
    return conversions.convert(
      model,
      saved_model_dir,
      name,
      pictures=pictures,
      precision='int8',
      calibration=pictures,
      accept=accept,
    )

  def test_say_nearly_the_same(self, model, saved_model_dir, name):
    judged: list[base.Engine] = []
    path, share = self.write(model, saved_model_dir, name, judged.append)
    assert path.name == f'saved_model-int8{path.suffix}'
    (engine,) = judged
    assert engine.metadata['compute_dtype'] == 'int8'
    assert 0.9 < share < 1

  def test_that_are_not_accepted_are_not_written(
    self, model, saved_model_dir, name, tmp_path
  ):
    shutil.copytree(saved_model_dir, tmp_path / 'model')

    def refuse(engine):
      raise ValueError('too bad')

    with pytest.raises(ValueError, match='too bad'):
      self.write(model, tmp_path / 'model', name, refuse)
    assert [path.name for path in tmp_path.iterdir()] == ['model']


def test_what_a_killed_conversion_left_is_removed(
  model, saved_model_dir, tmp_path
):
  shutil.copytree(saved_model_dir, tmp_path / 'model')
  left = tmp_path / '.model.tflite.99999999.tmp'
  left.mkdir()
  (left / 'model.tflite').touch()
  conversions.convert(
    model,
    tmp_path / 'model',
    'tflite',
    pictures=comparison.drawn_pictures(),
  )
  names = sorted(path.name for path in tmp_path.iterdir())
  assert names == ['model', 'model.tflite']


def test_what_cannot_run_is_refused(model, saved_model_dir, tmp_path):
  shutil.copytree(saved_model_dir, tmp_path / 'model')

  def fail(engine):
    raise RuntimeError('no kernel')

  with pytest.raises(ValueError, match=r'model-int8.tflite .* run: no kernel'):
    conversions.convert(
      model,
      tmp_path / 'model',
      'tflite',
      pictures=[],
      precision='int8',
      calibration=comparison.drawn_pictures(),
      accept=fail,
    )


@pytest.mark.parametrize(
  ('name', 'module', 'extra'),
  [
    ('onnx', 'onnxruntime', 'onnx'),
    ('openvino', 'openvino', 'openvino'),
  ],
)
def test_an_engine_that_is_missing_is_named(
  monkeypatch, tmp_path, name, module, extra
):
  monkeypatch.setitem(sys.modules, module, None)
  path = tmp_path / f'model{engines.FORMATS[name].SUFFIX}'
  path.touch()
  with pytest.raises(
    ValueError, match=rf'needs {module}: pip install "auto_deeplab\[{extra}\]"'
  ):
    engines.load(path)


@pytest.mark.parametrize(
  ('name', 'precision', 'module', 'extra'),
  [
    ('onnx', 'float32', 'onnx', 'onnx'),
    ('onnx', 'float32', 'onnxruntime', 'onnx'),
    ('openvino', 'float32', 'openvino', 'openvino'),
    ('openvino', 'int8', 'nncf', 'int8'),
  ],
)
def test_what_writes_a_file_is_asked_for_beforehand(
  monkeypatch, name, precision, module, extra
):
  need(name)
  monkeypatch.setitem(sys.modules, module, None)
  with pytest.raises(
    ValueError, match=rf'pip install "auto_deeplab\[{extra}\]"'
  ):
    engines.FORMATS[name].require_installed(precision)


def test_a_file_that_is_missing_is_named(tmp_path):
  with pytest.raises(FileNotFoundError, match=r'no.tflite. does not exist'):
    engines.load(tmp_path / 'no.tflite')


def test_a_folder_is_a_saved_model(saved_model_dir):
  assert isinstance(engines.load(saved_model_dir), client.SavedModelClient)


@pytest.mark.parametrize(
  ('name', 'precision', 'message'),
  [
    ('torch', 'float32', r"`format` \('torch'\) must be one of \['onnx', "),
    ('onnx', 'int8', 'onnx is written in float32, not in int8'),
    ('tflite', 'bfloat16', 'written in float32, int8, not in bfloat16'),
  ],
)
def test_refuses_other_formats(name, precision, message):
  with pytest.raises(ValueError, match=message):
    conversions.file_of('model', name, precision)


def test_bfloat16_is_nearly_the_same(model, saved_model_dir):
  need('openvino')
  judged: list[base.Engine] = []
  path, share = conversions.convert(
    model,
    saved_model_dir,
    'openvino',
    pictures=comparison.drawn_pictures(),
    precision='bfloat16',
    accept=judged.append,
  )
  assert path.name == 'saved_model-bfloat16.xml'
  assert judged[0].metadata['compute_dtype'] == 'bfloat16'
  assert share > 0.95


class TestComparison:
  def test_counts_pixels_of_all_pictures_alike(self):
    pictures = [np.zeros([1, 1, 3], np.uint8), np.zeros([1, 3, 3], np.uint8)]
    share = comparison.equal_share(
      lambda picture: picture[..., 0],
      lambda picture: np.full(picture.shape[:2], picture.shape[1] == 1),
      pictures,
    )
    assert share == 0.75

  def test_integers_may_cost_a_little(self):
    comparison.require_no_worse(0.849, 0.86)
    comparison.require_no_worse(0.9, 0.86)
    with pytest.raises(
      ValueError, match=r'mIoU 0\.8400 is more than 0\.015 below'
    ):
      comparison.require_no_worse(0.84, 0.86)

  def test_brings_pictures_and_labels_to_a_size(self):
    picture = np.zeros([4, 6, 3], np.uint8)
    picture[:, 3:] = 200

    def label(resized):
      assert resized.shape == (8, 12, 3)
      return (resized[..., 0] > 100).astype(np.uint8)

    labels = comparison.at_size(label, (8, 12))(picture)
    np.testing.assert_array_equal(labels, picture[..., 0] > 100)

  def test_pictures_are_cut_to_what_a_picture_may_have(self):
    pictures = [np.zeros([h, w, 3]) for h, w in [(40, 50), (60, 40), (20, 70)]]
    found = comparison.fitting(pictures, 2000)
    assert [each.shape[:2] for each in found] == [(40, 50), (44, 40), (20, 44)]
    with pytest.raises(ValueError, match=r'\(1000\) must be at least 1089'):
      comparison.fitting(pictures, 1000)

  def test_drawn_pictures_are_always_the_same(self):
    first, second = comparison.drawn_pictures(), comparison.drawn_pictures()
    for one, other in zip(first, second, strict=True):
      np.testing.assert_array_equal(one, other)
      assert one.std() > 10


def test_a_saved_model_that_says_something_else_is_refused(
  segmenter, tmp_path, monkeypatch
):
  monkeypatch.setattr(
    client.SavedModelClient,
    'predict',
    lambda self, image: client.Prediction(np.zeros(image.shape[:2], np.uint8)),
  )
  with pytest.raises(ValueError, match='the SavedModel is refused'):
    tiny_segmenter.export(
      tmp_path / 'model', segmenter, pictures=comparison.drawn_pictures()
    )
  assert list(tmp_path.iterdir()) == []
