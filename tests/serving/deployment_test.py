# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""The files for servers are what those servers read."""

import json
import re
from typing import Any

from google.protobuf import (
  descriptor_pb2,
  descriptor_pool,
  message_factory,
  text_format,
  wrappers_pb2,
)
import kubernetes_validate
import pytest
from tensorflow_serving.config import model_server_config_pb2
import yaml

from tests import import_graph

FOLDER = import_graph.ROOT / 'serving'
CONFIGS = ('models.config', 'batching_parameters.txt', 'monitoring.config')
INT64 = '.google.protobuf.Int64Value'
# Two messages of TensorFlow Serving's that its package for Python has not: of
# servables/tensorflow/session_bundle_config.proto and
# config/monitoring_config.proto. Type, number, and whether it is a list.
MESSAGES: dict[str, dict[str, tuple[str, int, bool]]] = {
  'BatchingParameters': {
    'max_batch_size': (INT64, 1, False),
    'batch_timeout_micros': (INT64, 2, False),
    'max_enqueued_batches': (INT64, 3, False),
    'num_batch_threads': (INT64, 4, False),
    'thread_pool_name': ('.google.protobuf.StringValue', 5, False),
    'allowed_batch_sizes': ('int64', 6, True),
    'pad_variable_length_inputs': ('bool', 7, False),
  },
  'PrometheusConfig': {
    'enable': ('bool', 1, False),
    'path': ('string', 2, False),
  },
  'MonitoringConfig': {
    'prometheus_config': ('.tensorflow.serving.PrometheusConfig', 1, False)
  },
}


def read_yaml(name: str) -> Any:
  return yaml.safe_load((FOLDER / name).read_text())


def read_proto(name: str, kind: str) -> Any:
  fields = descriptor_pb2.FieldDescriptorProto
  file = descriptor_pb2.FileDescriptorProto(
    name='serving.proto', package='tensorflow.serving', syntax='proto3'
  )
  file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
  for message, content in MESSAGES.items():
    described = file.message_type.add(name=message)
    for field, (type_, number, is_list) in content.items():
      label = fields.LABEL_REPEATED if is_list else fields.LABEL_OPTIONAL
      added = described.field.add(name=field, number=number, label=label)
      if type_.startswith('.'):
        added.type, added.type_name = fields.TYPE_MESSAGE, type_
      else:
        added.type = getattr(fields, f'TYPE_{type_.upper()}')
  pool = descriptor_pool.DescriptorPool()
  pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
  pool.Add(file)
  found = pool.FindMessageTypeByName(f'tensorflow.serving.{kind}')
  message = message_factory.GetMessageClass(found)()
  return text_format.Parse((FOLDER / name).read_text(), message)


def test_models_are_configured_as_tensorflow_serving_reads_them():
  (model,) = text_format.Parse(
    (FOLDER / 'models.config').read_text(),
    model_server_config_pb2.ModelServerConfig(),
  ).model_config_list.config
  assert (model.name, model.base_path) == ('demo', '/models/demo')
  assert model.model_platform == 'tensorflow'
  assert model.model_version_policy.latest.num_versions == 2
  assert dict(model.version_labels) == {'stable': 1}


def test_batches_are_of_allowed_sizes_and_nothing_is_padded():
  found = read_proto('batching_parameters.txt', 'BatchingParameters')
  sizes = list(found.allowed_batch_sizes)
  assert sizes == sorted(sizes)
  # TensorFlow Serving refuses another last one.
  assert sizes[-1] == found.max_batch_size.value
  assert not found.pad_variable_length_inputs


def test_metrics_are_where_the_pods_say():
  found = read_proto('monitoring.config', 'MonitoringConfig')
  assert found.prometheus_config.enable
  pod = read_yaml('kubernetes/deployment.yaml')['spec']['template']
  annotations = pod['metadata']['annotations']
  assert annotations['prometheus.io/path'] == found.prometheus_config.path


@pytest.mark.parametrize('name', ['configmap', 'deployment', 'service'])
@pytest.mark.parametrize('version', ['1.29', '1.34'])
def test_kubernetes_takes_each_file(name, version):
  kubernetes_validate.validate(
    read_yaml(f'kubernetes/{name}.yaml'), version, strict=True
  )


def test_the_config_map_has_the_files():
  data = read_yaml('kubernetes/configmap.yaml')['data']
  assert data == {name: (FOLDER / name).read_text() for name in CONFIGS}


def test_all_servers_are_started_alike():
  service = read_yaml('docker-compose.yaml')['services']['serving']
  pod = read_yaml('kubernetes/deployment.yaml')['spec']['template']['spec']
  (container,) = pod['containers']
  assert service['command'] == container['args']
  assert service['image'] == container['image']
  variables = {each['name']: each['value'] for each in container['env']}
  assert service['environment'] == variables
  assert variables['ONEDNN_PRIMITIVE_CACHE_CAPACITY'] == '100000'
  for name in CONFIGS:
    assert f'./{name}:/config/{name}:ro' in service['volumes']
    assert any(arg.endswith(f'=/config/{name}') for arg in container['args'])


def test_names_of_parts_meet():
  deployment = read_yaml('kubernetes/deployment.yaml')
  labels = deployment['spec']['template']['metadata']['labels']
  service = read_yaml('kubernetes/service.yaml')['spec']
  assert service['selector'] == labels
  assert deployment['spec']['selector']['matchLabels'] == labels
  pod = deployment['spec']['template']['spec']
  ports = {port['name'] for port in pod['containers'][0]['ports']}
  assert {port['targetPort'] for port in service['ports']} == ports
  config_map = read_yaml('kubernetes/configmap.yaml')['metadata']['name']
  volumes = {volume['name']: volume for volume in pod['volumes']}
  assert volumes['config']['configMap']['name'] == config_map
  mounts = {mount['name'] for mount in pod['containers'][0]['volumeMounts']}
  assert mounts == set(volumes)


def test_other_servers_are_told_the_same_model():
  (model,) = json.loads((FOLDER / 'openvino' / 'config.json').read_text())[
    'model_config_list'
  ]
  assert model['config']['name'] == 'demo'
  triton = (FOLDER / 'triton' / 'config.pbtxt').read_text()
  assert re.search(r'^name: "demo"$', triton, re.MULTILINE)
  kserve = read_yaml('kserve/inference_service.yaml')
  assert kserve['apiVersion'] == 'serving.kserve.io/v1beta1'
  model = kserve['spec']['predictor']['model']
  assert model['storageUri'] == 'pvc://models/demo'
