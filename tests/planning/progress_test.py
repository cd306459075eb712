# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""What a user sees of a chain while it runs."""

import pytest

from auto_deeplab.planning import progress, standing

_FOUND = standing.Standing(0.25, 120.0, 0.5, 2.0)


def test_without_a_terminal_a_line_comes_now_and_then(capsys, monkeypatch):
  clock = [100.0]
  monkeypatch.setattr(progress.time, 'monotonic', lambda: clock[0])
  with progress.Progress() as shows:
    shows.tell('+ auto-deeplab train')
    for clock[0] in (105.0, 120.0, 125.0, 140.0):
      shows.show('train', _FOUND)
  line = 'train: 25% done, 2 steps/s, 2 min left, mIoU 0.500'
  assert capsys.readouterr().out.splitlines() == [
    '+ auto-deeplab train',
    line,
    line,
  ]


def test_a_terminal_has_one_bar_below_all_lines(capsys, monkeypatch):
  monkeypatch.setattr('sys.stderr.isatty', lambda: True)
  with progress.Progress() as shows:
    shows.show('train', _FOUND)
    shows.tell('+ auto-deeplab evaluate')
    shows.show('evaluate', standing.Standing(1.0, 0.0, None))
  out, err = capsys.readouterr()
  assert out == '+ auto-deeplab evaluate\n'
  assert ' 25 % |' in err
  assert 'train: 2 steps/s, 2 min left, mIoU 0.500' in err
  assert err.rstrip().endswith('| evaluate: 0 min left')


def test_a_bar_never_goes_back_nor_ends_before_all_is_done(monkeypatch):
  monkeypatch.setattr('sys.stderr.isatty', lambda: True)
  shown = []
  with progress.Progress() as shows:
    for share in (0.25, 0.34, 0.03, 0.5, 1.0):
      shows.show('train', standing.Standing(share, 60.0, None))
      assert shows._bar is not None
      shown.append(shows._bar.n)
  assert shown == [0.25, 0.34, 0.34, 0.5, 0.99]


def test_a_bar_is_closed_by_what_goes_wrong(monkeypatch):
  monkeypatch.setattr('sys.stderr.isatty', lambda: True)
  shows = progress.Progress()
  with pytest.raises(ValueError, match='failed'), shows:
    shows.show('train', _FOUND)
    raise ValueError('train failed')
  assert shows._bar is None
