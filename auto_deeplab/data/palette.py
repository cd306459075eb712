# Copyright 2026 The Auto-DeepLab Authors.
# SPDX-License-Identifier: Apache-2.0
"""Colours for classes that have none of their own.

Each is the one of a grid that is farthest from all before it, and from the
black and the pale grey of what is of no class, to whom it is nearest: people
with all cones, or without those for red, green or blue. So a class
keeps its colour as others are added, and the first few differ most. Greys are
left out: in an overlay they are the picture's own.

`tests/data/palette_test.py` holds the table to this rule and measures it.
"""

from collections.abc import Collection

from auto_deeplab.data import datasets

# Red, green and blue in fifteenths, hexadecimal, of as many classes as may be.
_COLORS = """
b0d 080 3e0 e9f 506 141 9a8 878 a25 cfb bab f34 00b b7b 323 658 9c7 787 e4f
fcf 020 060 bcb 343 113 df8 595 e49 725 249 e80 fed a55 553 856 ff4 96b dcd
c9c 9da f7a 10e 45f 0c4 c67 19d 573 547 8a6 55a 008 866 710 cd7 454 105 422
099 a88 cbe 467 e99 434 377 212 038 4fc 646 224 33b e7f 686 8e9 c50 c7a dbd
36c 093 563 723 432 003 489 56a 6d5 930 b87 8b6 1a4 cac 4b1 868 def 400 de6
102 b9d 523 584 b9a 32f b7d 045 cbc 503 daa 906 b8b b37 642 834 efa db9 d38
845 aed f8b 752 412 0b9 fcb 634 f22 c6a 63c 9de 96d 08f 425 6f0 ffd a0f bad
669 121 029 e88 d89 b66 9ee a49 0a9 a28 c8c d75 405 a45 796 bdc 526 e93 827
664 d2b eb8 304 dfe 8f9 d66 cff c16 632 059 6eb b6c 227 6bb c7c b1a fdc b73
c5a c20 21c 99e a77 dfc 7ef 034 346 872 c97 674 eaf aae ac3 638 9b9 ede 531
065 b69 86c 66b fa7 bfd 306 cea 362 dd6 e5d 8ab 9e8 207 aca 501 0ca c4f aba
45d 9cd 975 882 ef6 da8 004 853 60a 610 9f7 88e 801 c37 201 2cf 698 608 03d
6b5 35b 6a5 ff9 339 a32 424 494 d52 627 fac 7c6 bd4 44b 80a 7aa 95e 109 ca7
abd 025 cb0 b14 fe5 622 b01 64c
"""


def default_colors(
  num_classes: int, beside: Collection[datasets.Color] = ()
) -> tuple[datasets.Color, ...]:
  """Returns colours that can be told apart, also by colour-blind people.

  How well depends on their number, for there are not very many: the nearest two
  of 8 differ by a CIEDE2000 of 20, of 20 by 10, of 150 by 3; from 1 to 2 on, a
  careful look shows it. In each case it is 1 at least.

  Args:
    num_classes: how many, up to `datasets.MAX_CLASSES`.
    beside: colours that are taken.
  """
  colors = [
    color for color in map(_parse, _COLORS.split()) if color not in beside
  ]
  return tuple(colors[:num_classes])


def _parse(text: str) -> datasets.Color:
  red, green, blue = (17 * int(digit, 16) for digit in text)
  return red, green, blue
