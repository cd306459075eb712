# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The published network once more, in plain NumPy and float64.

Written from the description of the authors' code alone, with its variable
names and its order of states, and nothing of the package. It knows input sizes
of 32m + 1 only, where all maps nest.
"""

from collections.abc import Mapping

import numpy as np

LEVELS = (0, 0, 0, 1, 2, 1, 2, 2, 3, 3, 2, 1)

# (operation, side of the kernel, state) left and right; state 0 is the cell's
# input, state 1 the output of the cell before the previous one.
BLOCKS = (
  (('atrous', 5, 1), ('separable', 3, 0)),
  (('separable', 3, 1), ('atrous', 3, 0)),
  (('separable', 3, 3), ('separable', 3, 1)),
  (('separable', 5, 4), ('separable', 5, 2)),
  (('separable', 5, 3), ('atrous', 5, 5)),
)

ASPP_RATES = (12, 24, 36)
BACKBONE_EPSILON = 1e-3
HEAD_EPSILON = 1e-5


def relu(x: np.ndarray) -> np.ndarray:
  return np.maximum(x, 0)


def half(n: int) -> int:
  """Pixels after a stride of 2."""
  return (n - 1) // 2 + 1


def double(n: int) -> int:
  """Pixels on the next finer level."""
  return 2 * n - 1


def resize(x: np.ndarray, height: int, width: int) -> np.ndarray:
  """Bilinear, corner pixels on corner pixels."""
  rows, columns = _weights(x.shape[1], height), _weights(x.shape[2], width)
  return np.einsum('ih,jw,nhwc->nijc', rows, columns, x, optimize=True)


def _weights(old: int, new: int) -> np.ndarray:
  """`[new, old]`: what each new pixel takes of each old one."""
  places = np.linspace(0, old - 1, new)
  return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(old)))


def _taps(x: np.ndarray, size: int, stride: int, rate: int):
  """Yields (row, column, what lies under that tap of the kernel)."""
  pad = (size - 1) // 2 * rate
  padded = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
  height, width = x.shape[1:3]
  for i in range(size):
    for j in range(size):
      rows = slice(i * rate, i * rate + height, stride)
      columns = slice(j * rate, j * rate + width, stride)
      yield i, j, padded[:, rows, columns]


def convolve(x: np.ndarray, kernel: np.ndarray, stride=1, rate=1):
  """A full convolution, `kernel` `[k, k, channels, filters]`."""
  taps = _taps(x, len(kernel), stride, rate)
  return sum(part @ kernel[i, j] for i, j, part in taps)


def convolve_depthwise(x: np.ndarray, kernel: np.ndarray, stride=1):
  """A convolution of each channel, `kernel` `[k, k, channels, 1]`."""
  taps = _taps(x, len(kernel), stride, 1)
  return sum(part * kernel[i, j, :, 0] for i, j, part in taps)


class ReferenceNetwork:
  """The network with given variables.

  Attributes:
    moved: in training, moving statistics after the run, by name.
  """

  def __init__(
    self,
    variables: Mapping[str, np.ndarray],
    training: bool = False,
    decay: float = 0.9997,
  ):
    self.variables = {k: v.astype(np.float64) for k, v in variables.items()}
    self.training = training
    self.decay = decay
    self.moved: dict[str, np.ndarray] = {}

  def run(self, images: np.ndarray) -> dict[str, np.ndarray]:
    """Every endpoint by the authors' name, of raw RGB in 0..255."""
    x = images.astype(np.float64) * 2 / 255 - 1
    x = relu(self._conv_bn(x, 'hnasnet/conv0', stride=2))
    x = self._conv_bn(x, 'hnasnet/conv1')
    outputs = [x, self._conv_bn(relu(x), 'hnasnet/conv2', stride=2)]
    level = 0
    for index, target in enumerate(LEVELS):
      scope = f'hnasnet/cell_{index}'
      before, last = outputs[-2:]
      outputs.append(self._cell(scope, before, last, target - level))
      level = target
    _, stem, *cells = outputs
    endpoints = {'Stem': stem}
    endpoints |= {f'Cell_{i}': cell for i, cell in enumerate(cells)}
    endpoints['features'] = relu(cells[-1])
    endpoints |= self._aspp(endpoints['features'])
    endpoints |= self._decoder(endpoints['concat_projection'], cells[2])
    endpoints['logits_upsampled'] = resize(
      endpoints['logits'], *images.shape[1:3]
    )
    return endpoints

  def _cell(
    self, scope: str, before: np.ndarray, x: np.ndarray, step: int
  ) -> np.ndarray:
    """`before` and `x` are the outputs of the last but one and the last."""
    if step == -1:
      x = resize(x, double(x.shape[1]), double(x.shape[2]))
    if before.shape[2] != x.shape[2]:
      before = resize(before, *x.shape[1:3])
    filters = self.variables[f'{scope}/1x1/weights'].shape[-1]
    if before.shape[3] != filters:
      before = self._conv_bn(
        relu(before), f'{scope}/prev_1x1', bn=f'{scope}/prev_bn'
      )
    x = self._conv_bn(relu(x), f'{scope}/1x1', bn=f'{scope}/beginning_bn')
    states = [x, before]
    for index, block in enumerate(BLOCKS):
      left, right = (
        self._operation(
          f'{scope}/comb_iter_{index}/{side}',
          kind,
          size,
          states[state],
          stride=2 if step == 1 and state < 2 else 1,
        )
        for side, (kind, size, state) in zip(('left', 'right'), block)
      )
      states.append(left + right)
    return np.concatenate(states[2:], axis=-1)

  def _operation(
    self, scope: str, kind: str, size: int, x: np.ndarray, stride: int
  ) -> np.ndarray:
    name = f'{size}x{size}'
    if kind == 'atrous':
      x, rate = relu(x), 2
      if stride == 2:
        x, rate = resize(x, half(x.shape[1]), half(x.shape[2])), 1
      return self._conv_bn(
        x, f'{scope}/atrous_{name}', bn=f'{scope}/bn_atr_{name}', rate=rate
      )
    for layer in (1, 2):
      conv = f'{scope}/separable_{name}_{layer}'
      x = convolve_depthwise(
        relu(x), self.variables[f'{conv}/depthwise_weights'], stride
      )
      x = convolve(x, self.variables[f'{conv}/pointwise_weights'])
      x = self._norm(x, f'{scope}/bn_sep_{name}_{layer}', BACKBONE_EPSILON)
      stride = 1
    return x

  def _aspp(self, x: np.ndarray) -> dict[str, np.ndarray]:
    pooled = self._head(x.mean(axis=(1, 2), keepdims=True), 'image_pooling')
    outputs = {'image_pooling': pooled}
    for index, rate in enumerate((1, *ASPP_RATES)):
      outputs[f'aspp{index}'] = self._head(x, f'aspp{index}', rate)
    branches = [resize(y, *x.shape[1:3]) for y in outputs.values()]
    stacked = np.concatenate(branches, axis=-1)
    return outputs | {
      'concat_projection': self._head(stacked, 'concat_projection')
    }

  def _decoder(
    self, encoded: np.ndarray, low_level: np.ndarray
  ) -> dict[str, np.ndarray]:
    skipped = self._head(low_level, 'decoder/feature_projection0')
    outputs = {'decoder/feature_projection0': skipped}
    encoded = resize(encoded, *low_level.shape[1:3])
    x = np.concatenate([encoded, skipped], axis=-1)
    for index in (1, 2):
      x = self._head(x, f'decoder/decoder_conv0/decoder_conv0_{index}')
      outputs[f'decoder/decoder_conv0_{index}'] = x
    x = convolve(x, self.variables['logits/semantic/weights'])
    return outputs | {'logits': x + self.variables['logits/semantic/biases']}

  def _head(self, x: np.ndarray, scope: str, rate: int = 1) -> np.ndarray:
    x = convolve(x, self.variables[f'{scope}/weights'], rate=rate)
    return relu(self._norm(x, f'{scope}/BatchNorm', HEAD_EPSILON))

  def _conv_bn(
    self, x: np.ndarray, scope: str, bn: str = '', stride=1, rate=1
  ) -> np.ndarray:
    x = convolve(x, self.variables[f'{scope}/weights'], stride, rate)
    return self._norm(x, bn or f'{scope}_bn', BACKBONE_EPSILON)

  def _norm(self, x: np.ndarray, scope: str, epsilon: float) -> np.ndarray:
    gamma, beta, mean, variance = (
      self.variables[f'{scope}/{name}']
      for name in ('gamma', 'beta', 'moving_mean', 'moving_variance')
    )
    if self.training:
      rows = x.reshape(-1, x.shape[-1])
      self._move(f'{scope}/moving_mean', mean, rows.mean(axis=0))
      # Of a sample, as TensorFlow's fused batch norm has it.
      self._move(f'{scope}/moving_variance', variance, rows.var(axis=0, ddof=1))
      mean, variance = rows.mean(axis=0), rows.var(axis=0)
    return (x - mean) / np.sqrt(variance + epsilon) * gamma + beta

  def _move(self, name: str, old: np.ndarray, new: np.ndarray) -> None:
    self.moved[name] = self.decay * old + (1 - self.decay) * new
