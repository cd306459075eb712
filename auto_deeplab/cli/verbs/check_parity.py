# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Compares our published network with recorded numbers of the authors'.

  auto-deeplab check_parity --variables=vars.npz --reference=io.npz \
    --filter_multiplier=4

--variables holds one array by TF1 variable name, --reference holds `input` (raw
RGB in 0..255, any odd size) and one array `out/<endpoint>` an endpoint. Prints
the largest difference of each endpoint over its largest reference value. The
exit status is 1 if one is above --tolerance.
"""

import sys

from absl import flags

_VARIABLES = flags.DEFINE_string(
  'variables', None, 'The .npz file of variables.', required=True
)
_REFERENCE = flags.DEFINE_string(
  'reference', None, 'The .npz file of input and endpoints.', required=True
)
_FILTER_MULTIPLIER = flags.DEFINE_integer(
  'filter_multiplier', None, 'F of the variables.', required=True
)
_TOLERANCE = flags.DEFINE_float('tolerance', 1e-3, 'Largest error allowed.')


def main() -> None:
  from auto_deeplab.interop import parity

  errors = parity.endpoint_errors(
    parity.load_arrays(_VARIABLES.value),
    parity.load_arrays(_REFERENCE.value),
    _FILTER_MULTIPLIER.value,
  )
  for name, error in errors.items():
    print(f'{name:32s} {error:.2e}')
  worst = max(errors, key=lambda name: errors[name])
  is_equal = errors[worst] <= _TOLERANCE.value
  verdict = 'within' if is_equal else 'ABOVE'
  print(
    f'{len(errors)} endpoints; the largest error, {errors[worst]:.2e} at '
    f'{worst}, is {verdict} the tolerance of {_TOLERANCE.value:g}.'
  )
  if not is_equal:
    sys.exit(1)
