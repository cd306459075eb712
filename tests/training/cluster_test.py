# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""TF_CONFIG, and what is refused of it; `multi_worker_test` has two workers."""

import json

import pytest
import tensorflow as tf

from auto_deeplab.training import cluster, distribution

WORKERS = {'worker': ['host0:2222', 'host1:2222']}


def tf_config(**task):
  return json.dumps({'cluster': WORKERS, 'task': task})


def test_a_task_of_the_cluster_is_accepted():
  cluster.check_tf_config(tf_config(type='worker', index=1))


@pytest.mark.parametrize(
  'text, message',
  [
    (None, '`distribution` multi_worker needs TF_CONFIG, such as'),
    ('{"cluster": ', 'TF_CONFIG (\'{"cluster": \') does not parse: JSON'),
    ('{"cluster": {}}', "does not parse: KeyError: 'task'. It is to look"),
    ('[1]', 'does not parse: TypeError: '),
    (tf_config(type='chief', index=0), "does not parse: KeyError: 'chief'."),
    (
      tf_config(type='worker', index=2),
      'TF_CONFIG has the task worker 2, but its cluster has 2 of that type: '
      "['host0:2222', 'host1:2222'].",
    ),
  ],
)
def test_a_bad_tf_config_is_refused(text, message):
  with pytest.raises(ValueError) as error:
    cluster.check_tf_config(text)
  assert message in str(error.value)


def test_the_strategy_looks_at_tf_config(monkeypatch):
  monkeypatch.delenv('TF_CONFIG', raising=False)
  with pytest.raises(ValueError, match='multi_worker needs TF_CONFIG'):
    distribution.make_strategy('multi_worker')


def test_one_process_agrees_with_itself(mirrored):
  cluster.require_agreement(mirrored, {'configuration': 'a = 1'})
  for answer in (True, False):
    assert cluster.first_workers(mirrored, answer) is answer


def test_errors_of_one_process_stay_what_they_are(mirrored):
  with (
    pytest.raises(tf.errors.AbortedError),
    cluster.naming_lost_workers(mirrored),
  ):
    raise tf.errors.AbortedError(None, None, 'no worker')
