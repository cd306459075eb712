# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Three things are done to each item: beside each other, and in order."""

import threading

import pytest

from auto_deeplab.serving import client

SECONDS = 30


def test_the_next_is_read_and_the_last_written_while_one_is_computed():
  at_once = threading.Barrier(3)
  done = []

  def meet(number: int, wanted: int) -> None:
    if number == wanted:
      at_once.wait(SECONDS)

  def read(item):
    meet(item, 2)
    return item * 10

  def compute(item, content):
    meet(item, 1)
    return content + 1

  def write(item, content, computed):
    meet(item, 0)
    done.append((item, content, computed))

  results = list(client.in_turns(range(4), read, compute, write))
  assert results == [None] * 4
  assert done == [(0, 0, 1), (1, 10, 11), (2, 20, 21), (3, 30, 31)]


def test_what_is_wrong_with_one_is_told_and_the_others_done():
  written = []

  def read(item):
    if item == 1:
      raise ValueError('unreadable')
    return item

  def compute(item, content):
    if item == 2:
      raise ValueError('not computed')

  results = client.in_turns(
    range(4), read, compute, lambda item, *_: written.append(item)
  )
  told = [str(result) for result in results]
  assert told == ['None', 'unreadable', 'not computed', 'None']
  assert written == [0, 3]


def test_what_cannot_be_written_ends_all():
  computed = []

  def write(item, *_):
    raise OSError(f'disk full at {item}')

  with pytest.raises(OSError, match='disk full at 0'):
    list(
      client.in_turns(
        range(9), lambda item: item, lambda i, _: computed.append(i), write
      )
    )
  assert computed == [0, 1]


def test_a_large_one_waits_for_the_one_before_it():
  order = []
  list(
    client.in_turns(
      range(3),
      lambda item: item,
      lambda item, _: order.append(f'compute {item}'),
      lambda item, *_: order.append(f'write {item}'),
      is_large=lambda item: True,
    )
  )
  assert order == [
    f'{verb} {item}' for item in range(3) for verb in ('compute', 'write')
  ]


def test_nothing_is_done_to_nothing():
  assert list(client.in_turns([], int, divmod, print)) == []
