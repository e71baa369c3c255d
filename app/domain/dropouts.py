"""Frames in which a segmenter loses somebody for a moment, or finds too much: told by the area of the matte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

AREA_SHARE: Final = 0.6
"""Nobody shrinks to this part of what they cover just before and just after, nor grows by its inverse."""

MAX_FRAMES: Final = 4
MAX_S: Final = 0.2
"""What lasts longer is meant."""

REACH_FRAMES: Final = 2 * (MAX_FRAMES + 1)
"""Whether a frame is a dropout depends on no frame further away."""


class Dropout(NamedTuple):
    """The number of a frame that is to be made out of two others, the good ones before and after it."""

    number: int
    before: int
    after: int


def dropouts(areas: Values, times_s: Values, cuts: Bools) -> list[Dropout]:
    """The frames whose area falls far below, or jumps far above, both that before and that after.

    areas, times_s (T,). cuts (T,): whether something new begins with a frame; there is nothing to compare across it.
    At most MAX_FRAMES in a row, over MAX_S. A jump beside a dropout is what the dropout is measured by, and is none.
    """
    dips = _windows(areas, times_s, cuts, lambda inside, beside: inside.max() < AREA_SHARE * beside.min())
    is_dip = np.zeros(len(areas) + 2, np.bool_)
    for before, after in dips:
        is_dip[before + 2 : after + 1] = True
    jumps = _windows(areas, times_s, cuts, lambda inside, beside: AREA_SHARE * inside.min() > beside.max())
    alone = [(before, after) for before, after in jumps if not is_dip[before + 1 : after + 2].any()]
    found = [Dropout(i, before, after) for before, after in dips + alone for i in range(before + 1, after)]
    return sorted(found)


def _windows(
    areas: Values, times_s: Values, cuts: Bools, stands_out: Callable[[Values, Values], np.bool_]
) -> list[tuple[int, int]]:
    """Good frames (before, after) around stretches that stand out; of two that share a frame the longer.

    Such two always lie within each other: the end of one would have to be both good and bad.
    """
    windows: list[tuple[int, int]] = []
    for before, after in _candidates(times_s, cuts):
        inside = windows and after <= windows[-1][1]
        if not inside and stands_out(areas[before + 1 : after], areas[[before, after]]):
            windows.append((before, after))
    return windows


def _candidates(times_s: Values, cuts: Bools) -> Iterator[tuple[int, int]]:
    """Pairs of frames with few enough between them, earlier ones first, longer ones first."""
    for before in range(len(times_s) - 2):
        for after in range(min(before + MAX_FRAMES + 1, len(times_s) - 1), before + 1, -1):
            if times_s[after] - times_s[before + 1] <= MAX_S and not cuts[before + 1 : after + 1].any():
                yield before, after
