"""How a video plate keeps time with the clip in front of it: pure arithmetic on whole ticks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal

PlayMode = Literal["loop", "ping-pong", "hold"]
"""loop: round and round. ping-pong: to the end and back, the frames at the ends once. hold: the last frame stays."""

SAME_TIME_S: Final = Fraction(1, 1000)
"""Containers round times to their own ticks, Matroska to 1 ms: a plate's frame that begins this much later is on the
screen already. Without it a clip at the plate's own rate showed some of its frames twice and left others out."""


@dataclass(frozen=True, slots=True)
class PlateSync:
    """How a video plate keeps time with the clip.

    offset_s: of the plate that is shown with the clip's first frame; where it is negative, the plate's first frame
    waits for so long. clip_start_s: the time of the clip's first frame, which need not be 0.
    """

    mode: PlayMode = "loop"
    offset_s: float = 0.0
    clip_start_s: float = 0.0

    def elapsed_s(self, time_s: Fraction) -> Fraction:
        """How long the plate has been running when the clip is at `time_s`; at least 0."""
        return max(Fraction(0), time_s - Fraction(self.clip_start_s) + Fraction(self.offset_s) + SAME_TIME_S)


PLAIN_LOOP: Final = PlateSync()


def shown_place(pts: Sequence[int], step: int, elapsed: Fraction, mode: PlayMode) -> int:
    """0-based place of the frame that is shown `elapsed` ticks after the first one was.

    pts: of every frame, increasing, the first one's counted as 0. step: ticks that the last frame is shown for.
    Depends on nothing else, so that it doesn't matter where reading began.
    """
    end = pts[-1] + step
    if mode == "hold":
        return _shown_at(pts, elapsed)
    if mode == "loop":
        return _shown_at(pts, elapsed % end)
    back = max(0, pts[-1] - pts[1]) if len(pts) > 1 else 0
    at = elapsed % (end + back)
    # On the way back a frame is shown for as long as on the way there, so it gives way where it began.
    return _shown_at(pts, at) if at < end else bisect_left(pts, ceil(pts[-1] - (at - end))) - 1


def _shown_at(pts: Sequence[int], at: Fraction) -> int:
    return bisect_right(pts, floor(at)) - 1
