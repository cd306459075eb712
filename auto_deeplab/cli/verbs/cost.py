# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
r"""Says what a network costs: its parameters and multiply-adds.

Without a genotype, for the published Auto-DeepLab-S, -M and -L. Nothing is
built, so it takes no time.

Examples:
  auto-deeplab cost
  auto-deeplab cost --genotype=runs/search/decoded/genotype.json \
    --filter_multiplier=8 --input_size=360,480 --num_classes=11 --json

With a recipe it is the network that train would train by it, on its crops; with
--data_dir as well, some steps are made to see how long one takes, and how much
memory:

  auto-deeplab cost --gin_file=camvid_train --data_dir=runs/camvid/data

For a search that is to find a network of so many milliseconds, the parts of all
networks that it may find are timed on this machine, which takes minutes:

  auto-deeplab cost --gin_file=my_search --num_classes=11 \
    --measure=milliseconds.json

The search then asks for it by `SearchConfig.target_milliseconds` and
`TargetNetworkConfig.milliseconds_file`.

One multiply and one add are 1 multiply-add. The table counts convolutions
exactly; the line "In paper's count" counts as the paper's numbers were counted
(TensorFlow 1's profiler: atrous convolutions on padded maps, and the pooling
window). --json writes both, operation by operation.
"""

import dataclasses
import json
import os
import tempfile
from typing import Any

from absl import flags

from auto_deeplab import configs
from auto_deeplab.architecture import cost
from auto_deeplab.architecture import genotype as genotype_lib
from auto_deeplab.cli import gin_flags
from auto_deeplab.reporting import cost_table

_GENOTYPE = flags.DEFINE_string(
  'genotype',
  None,
  'Genotype that decode wrote; by default the published genotype.',
)
_FILTER_MULTIPLIER = flags.DEFINE_integer(
  'filter_multiplier',
  None,
  'F. By default 20, 32 and 48 (S, M, L) for the published genotype, 20 for '
  'another.',
)
_INPUT_SIZE = flags.DEFINE_string(
  'input_size', '1025,2049', 'height,width of the image in pixels.'
)
_NUM_CLASSES = flags.DEFINE_integer('num_classes', 19, 'Classes.')
_POOLING_SIZE = flags.DEFINE_string(
  'pooling_size',
  None,
  'height,width in feature pixels of the window of the image pooling, or '
  "`whole`. By default the paper's 97,97, or the whole map where that is "
  'smaller.',
)
_STEM_FILTERS = flags.DEFINE_string(
  'stem_filters', '64,64,128', 'Channels of the three stem convolutions.'
)
_ASPP_FILTERS = flags.DEFINE_integer(
  'aspp_filters', 256, 'Channels of each ASPP branch.'
)
_LOW_LEVEL_FILTERS = flags.DEFINE_integer(
  'low_level_filters', 48, "Channels of the decoder's low-level projection."
)
_DECODER_FILTERS = flags.DEFINE_integer(
  'decoder_filters', 256, "Channels of the decoder's 3x3 convolutions."
)
_DATA_DIR = flags.DEFINE_string(
  'data_dir',
  None,
  'Folder that build_tfrecords wrote, to take classes from and try steps with; '
  'with --gin_file.',
)
_MEASURE = flags.DEFINE_string(
  'measure',
  None,
  'File for the milliseconds of the parts of networks; --gin_file is then the '
  'recipe of a search.',
)
_JSON = flags.DEFINE_bool('json', False, 'Write JSON instead of a table.')


def main() -> None:
  """Prints the cost of one genotype, or of the published networks."""
  if _MEASURE.value is not None:
    _measure(_MEASURE.value)
    return
  if gin_flags.given():
    _of_recipe()
    return
  if _DATA_DIR.value is not None:
    raise ValueError('--data_dir is of use with --gin_file alone.')
  _print(
    {
      name: network(genotype, filter_multiplier)
      for name, genotype, filter_multiplier in named_genotypes()
    },
    {},
  )


def _print(networks: dict[str, cost.Network], step: dict[str, float]) -> None:
  """Prints what is counted, and what was tried."""
  if _JSON.value:
    document = cost_table.to_json(networks)
    print(json.dumps(document | ({'step': step} if step else {}), indent=1))
    return
  print(cost_table.table(networks))
  if step:
    print(
      f'\nA step takes {step["step"]:.2f} s ({step["cpu_step"]:.2f} s of '
      f'processors) after {step["start"]:.0f} s to start, a picture of val '
      f'{step["picture"]:.2f} s; the peak memory is '
      f'{step["peak"] / 2**30:.1f} GiB.'
    )


def _of_recipe() -> None:
  """Prints the cost of what a recipe trains."""
  config = gin_flags.load(configs.TrainExperiment)
  genotype, num_classes = genotype_lib.PUBLISHED, _classes()
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
  described = cost.Network(
    genotype,
    config.input.crop_size,
    config.segmenter.filter_multiplier,
    num_classes,
    config.segmenter.stem_filters,
    config.segmenter.aspp_filters,
    config.segmenter.low_level_filters,
    config.segmenter.decoder_filters,
  )
  _print({'by recipe': described}, _tried(config, genotype))


def _tried(
  config: configs.TrainExperiment, genotype: genotype_lib.Genotype
) -> dict[str, float]:
  """Returns what some steps take; nothing without pictures."""
  if _DATA_DIR.value is None:
    return {}
  from auto_deeplab.planning import measuring

  with tempfile.TemporaryDirectory() as folder:
    recipe, network = f'{folder}/train.gin', f'{folder}/genotype.json'
    with open(recipe, 'w', encoding='utf-8') as file:
      file.write(configs.to_gin(config))
    genotype.save(network)
    return measuring.run('train', _DATA_DIR.value, recipe, network)


def _measure(path: str) -> None:
  """Times the parts of a search's networks, and says how well they add up."""
  config = gin_flags.load(configs.SearchExperiment)
  from auto_deeplab.architecture import milliseconds
  from auto_deeplab.experiments import search
  from auto_deeplab.planning import timing

  network = search.target_network(config, _classes())
  supernet = config.supernet
  timed = timing.measure(network, supernet.primitives, supernet.num_layers)
  about = {'scale': timed.scale, 'ratios': timed.ratios}
  milliseconds.save(path, timed.table, network, about)
  off = max(abs(ratio - 1) for ratio in timed.ratios)
  print(
    f'Wrote {path}. The sums of it are within {off:.0%} of what '
    f'{len(timed.ratios)} random networks took, after all parts were '
    f'multiplied by {timed.scale:.2f}.'
  )


def _classes() -> int:
  """Returns those of the data set, or of the flag."""
  if _DATA_DIR.value is None:
    return _NUM_CLASSES.value
  from auto_deeplab.data.records import tfrecord

  return tfrecord.load_info(_DATA_DIR.value).num_classes


def named_genotypes() -> list[tuple[str, genotype_lib.Genotype, int]]:
  """Returns (name, genotype, F) of each network that is asked for."""
  if _GENOTYPE.value is not None:
    genotype = genotype_lib.Genotype.load(_GENOTYPE.value)
    filter_multiplier = _FILTER_MULTIPLIER.value
    return [
      (
        os.path.basename(_GENOTYPE.value),
        genotype,
        20 if filter_multiplier is None else filter_multiplier,
      )
    ]
  if _FILTER_MULTIPLIER.value is not None:
    published = genotype_lib.PUBLISHED
    return [('Auto-DeepLab', published, _FILTER_MULTIPLIER.value)]
  return [
    (f'Auto-DeepLab-{size.upper()}', genotype_lib.PUBLISHED, multiplier)
    for size, multiplier in genotype_lib.PUBLISHED_FILTER_MULTIPLIERS.items()
  ]


def network(
  genotype: genotype_lib.Genotype, filter_multiplier: int
) -> cost.Network:
  """Returns the network that the flags describe."""
  described = cost.Network(
    genotype,
    input_size=integers('input_size', _INPUT_SIZE.value, 2),
    filter_multiplier=filter_multiplier,
    num_classes=_NUM_CLASSES.value,
    stem_filters=integers('stem_filters', _STEM_FILTERS.value, 3),
    aspp_filters=_ASPP_FILTERS.value,
    low_level_filters=_LOW_LEVEL_FILTERS.value,
    decoder_filters=_DECODER_FILTERS.value,
  )
  return dataclasses.replace(described, pooling_size=pooling_size(described))


def pooling_size(described: cost.Network) -> cost.Size | None:
  """Returns the window of the image pooling; None is the whole map."""
  if _POOLING_SIZE.value is not None:
    if _POOLING_SIZE.value == 'whole':
      return None
    return integers('pooling_size', _POOLING_SIZE.value, 2)
  paper = cost.PAPER_POOLING_SIZE
  return paper if described.can_pool(paper) else None


def integers(name: str, text: str, number: int) -> Any:
  """Returns the `number` integers that a flag holds, as a tuple."""
  try:
    values = tuple(int(word) for word in text.split(','))
  except ValueError:
    values = ()
  if len(values) != number:
    raise ValueError(
      f'`--{name}` ({text}) must be {number} integers with commas between.'
    )
  return values
