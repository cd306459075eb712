# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""A run says how far it is."""

import io
import sys

from auto_deeplab.runs import progress as progress_lib


def test_progress_is_plain_lines_where_there_is_no_terminal(
  monkeypatch, capsys
):
  clock = iter([0.0, 4.0])
  monkeypatch.setattr(progress_lib.time, 'monotonic', lambda: next(clock))
  progress = progress_lib.Progress('train', 10, 100)
  progress.update(30, {'loss': 0.123456})
  progress.close()
  line = capsys.readouterr().err
  assert line == 'train 30/100 | 5.00 steps/s | 14 s left | loss 0.1235\n'


SCORES = {'mean_iou': 0.45678, 'pixel_accuracy': 0.9, 'iou/sky': 0.5}


def test_the_scores_of_an_evaluation_are_a_line(capsys):
  progress = progress_lib.Progress('train', 0, 100)
  progress.show_scores(40, SCORES)
  progress.close()
  assert capsys.readouterr().err == (
    'train 40/100 | eval mean_iou 0.4568 pixel_accuracy 0.9000\n'
  )


def test_progress_is_a_bar_on_a_terminal(monkeypatch):
  class Terminal(io.StringIO):
    def isatty(self):
      return True

  terminal = Terminal()
  monkeypatch.setattr(sys, 'stderr', terminal)
  progress = progress_lib.Progress('train', 10, 100)
  progress.show_scores(40, SCORES)
  progress.update(100, {'loss': 0.5})
  progress.close()
  assert '100/100' in terminal.getvalue()
  assert 'loss=0.5, eval/mean_iou=0.4568]' in terminal.getvalue()
  assert '\rtrain 40/100 | eval mean_iou 0.4568 ' in terminal.getvalue()
