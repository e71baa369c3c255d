"""A picture as a camera."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.compositing import BLACK
from app.domain.frame import Frame
from app.pipeline.images import load_image
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_pacing import PaceClock, Ticker
from app.pipeline.live.source_protocol import CaptureWish, fitted

STILL_HZ: Final = 10
"""Often enough for settings to show at once; nothing in the picture moves."""


class StillSource:
    """One picture for ever, transparent parts black. UserError as `load_image` raises it."""

    def __init__(self, path: Path, wish: CaptureWish, *, clock: PaceClock | None = None) -> None:
        self._pixels = fitted(load_image(path).flattened(BLACK), wish.size)
        height, width = self._pixels.shape[:2]
        self.granted = Granted(path.name, (width, height), STILL_HZ, "picture")
        self._ticker = Ticker(STILL_HZ, clock or PaceClock())

    def read(self) -> Captured:
        """The picture again, when it is due."""
        tick = self._ticker.next()
        frame = Frame(self._pixels, pts=tick, time_base=Fraction(1, STILL_HZ), index=tick)
        return Captured(frame, self._ticker.wait())

    def close(self) -> None:
        """Nothing is held."""
