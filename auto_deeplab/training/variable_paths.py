# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Variables by their path within an object, as checkpoints name them.

`logits/kernel` is `model.logits.kernel`. Unlike the names of variables, which
count the layers that a process has made, paths are the same in every process.
"""

import collections
from collections.abc import Hashable

import tensorflow as tf

_SUFFIX = '/.ATTRIBUTES/VARIABLE_VALUE'


def by_path(root: tf.Module) -> dict[str, tf.Variable]:
  """Returns every variable of an object, by its shortest path."""
  view = tf.train.TrackableView(root)
  found: dict[str, tf.Variable] = {}
  seen, queue = {id(root)}, collections.deque([('', root)])
  while queue:
    prefix, parent = queue.popleft()
    for name, child in view.children(parent).items():
      if id(child) in seen:
        continue
      seen.add(id(child))
      if isinstance(child, tf.Variable):
        found[prefix + name] = child
      queue.append((f'{prefix}{name}/', child))
  return found


def by_variable(root: tf.Module) -> dict[Hashable, str]:
  """Returns the paths by the reference (`ref()`) of their variable."""
  return {variable.ref(): path for path, variable in by_path(root).items()}


def in_checkpoint(path: str, name: str) -> dict[str, tuple[str, list[int]]]:
  """Returns key and shape of what a checkpoint holds under a name, by path.

  Args:
    path: prefix of the checkpoint.
    name: of the object, such as 'model'.
  """
  shapes = tf.train.load_checkpoint(path).get_variable_to_shape_map()
  return {
    _unescaped(key[len(name) + 1 : -len(_SUFFIX)]): (key, shape)
    for key, shape in shapes.items()
    if key.startswith(f'{name}/') and key.endswith(_SUFFIX)
  }


def _unescaped(name: str) -> str:
  """Undoes how checkpoints write names that hold slashes."""
  return name.replace('.S', '/').replace('..', '.')
