"""Plates that only make sense live: none, transparent, another camera or the screen."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Rgb, Size, fit_plate, solid_plate
from app.domain.frame import Frame, Pixels
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture import Capture
from app.pipeline.live.pictures import Captured
from app.pipeline.live.sources import CaptureWish
from app.pipeline.plate_kinds import ColourPlate, OpenPlate, PlateBase
from app.pipeline.plates import open_plate

COVER_RGB: Final[Rgb] = (27, 30, 36)
"""What covers the picture where there is no plate to do it."""

KEY_GREEN: Final[Rgb] = (0, 177, 64)
"""What stands for transparency in outputs that can't carry it."""

NONE: Final = "none"
TRANSPARENT: Final = "transparent"
_SOURCE_PREFIXES: Final = ("camera:", "screen:", "rtsp://", "rtsps://", "http://", "https://", "pattern")
_CHECKER_PX: Final = 16


class NonePlate(ColourPlate):
    """Nothing is replaced: the frame is shown as it is. Its own colour is seen around a frame made smaller."""

    def __init__(self) -> None:
        super().__init__(COVER_RGB)


class TransparentPlate(ColourPlate):
    """Nothing stands behind the person: green where an output knows no transparency."""

    def __init__(self) -> None:
        super().__init__(KEY_GREEN)


class SourcePlate(PlateBase):
    """The latest picture of a live source; dark until the first."""

    is_static = False

    def __init__(self, spec: str) -> None:
        self._slot: LatestSlot[Captured] = LatestSlot()
        self._capture = Capture(self._slot, lambda _status: None)
        self._picture: Pixels | None = None
        self._shown: tuple[int, Size] = (0, (0, 0))
        self._fitted: Pixels | None = None
        self._count = 0
        self._is_resting = False
        self._capture.start(spec, CaptureWish(size=None, rate_hz=30))

    @property
    def key(self) -> Hashable:
        """New with every picture of the source."""
        return "source", id(self), self._shown

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """What the source shows now, fitted."""
        if self._is_resting:
            self._is_resting = False
            self._capture.resume()
        latest = self._slot.take(0)
        if latest is not None:
            self._picture, self._count = latest.frame.pixels, self._count + 1
        if self._picture is None:
            return solid_plate(size, COVER_RGB)
        if self._fitted is None or self._shown != (self._count, size):
            self._fitted = fit_plate(self._picture, size)
            self._fitted.setflags(write=False)
            self._shown = self._count, size
        return self._fitted

    def rest(self) -> None:
        """Let go of the source until the next picture is asked for."""
        self._is_resting = True
        self._capture.pause()

    def close(self) -> None:
        """Release the source."""
        self._capture.stop()


def is_live_source(spec: str) -> bool:
    """Whether a plate's name means a live source."""
    return spec.startswith(_SOURCE_PREFIXES)


def open_live_plate(spec: str) -> OpenPlate:
    """Open a plate for the live picture; beside those of `open_plate` "none", "transparent" and live sources."""
    if spec == NONE:
        return NonePlate()
    if spec == TRANSPARENT:
        return TransparentPlate()
    if is_live_source(spec):
        return SourcePlate(spec)
    return open_plate(spec)


def checkerboard(size: Size) -> Pixels:
    """The usual sign for nothing, (height, width, 3)."""
    width, height = size
    rows, columns = np.arange(height) // _CHECKER_PX, np.arange(width) // _CHECKER_PX
    squares = np.where((rows[:, None] + columns[None, :]) % 2, 204, 160).astype(np.uint8)
    return np.asarray(cv2.cvtColor(squares, cv2.COLOR_GRAY2RGB), np.uint8)
