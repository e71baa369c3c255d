"""A test pattern as a camera: it moves, and every frame can be told from the others."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import Final

import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Frame, Pixels
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_pacing import PaceClock, Ticker
from app.pipeline.live.source_protocol import DEFAULT_SIZE, TICKS_HZ, CaptureWish

NUMBER_BITS: Final = 16
"""Cells along the bottom edge that spell the frame's number, highest bit left; white is 1."""

STEP_PX: Final = 4
"""How far the upright white bar moves from frame to frame."""

_BARS: Final = ((191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191))


def pattern_pixels(size: Size, index: int) -> Pixels:
    """The pattern of frame `index`, (H, W, 3): seven colour bars, a white bar that moves, the number below.

    The lowest eighth holds NUMBER_BITS equal cells that say `index` modulo 2 ** NUMBER_BITS.
    """
    width, height = size
    pixels = _still_part(size).copy()
    top = height - height // 8
    bar_px = max(1, width // 40)
    left = index * STEP_PX % width
    pixels[:top, left : left + bar_px] = 255
    bits = [255 * (index >> bit & 1) for bit in reversed(range(NUMBER_BITS))]
    cells = np.arange(width) * NUMBER_BITS // width
    pixels[top:] = np.array(bits, np.uint8)[cells][None, :, None]
    return pixels


@lru_cache(maxsize=2)
def _still_part(size: Size) -> Pixels:
    columns = np.arange(size[0]) * len(_BARS) // size[0]
    row = np.array(_BARS, np.uint8)[columns]
    return np.ascontiguousarray(np.broadcast_to(row, (size[1], *row.shape)))


class PatternSource:
    """`pattern_pixels` of the frame's index, at the size and rate wished for; the clock is true to both."""

    def __init__(self, wish: CaptureWish, *, clock: PaceClock | None = None) -> None:
        self._size = wish.size or DEFAULT_SIZE
        self._rate = Fraction(wish.rate_hz).limit_denominator(1001)
        self.granted = Granted("Test pattern", self._size, float(self._rate), "built in")
        self._ticker = Ticker(float(self._rate), clock or PaceClock())

    def read(self) -> Captured:
        """The next frame, when it is due."""
        tick = self._ticker.next()
        pixels = pattern_pixels(self._size, tick)
        pts = round(tick * TICKS_HZ / self._rate)
        return Captured(Frame(pixels, pts=pts, time_base=Fraction(1, TICKS_HZ), index=tick), self._ticker.wait())

    def close(self) -> None:
        """Nothing is held."""
