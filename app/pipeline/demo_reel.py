"""The demo's look: one plate after another, a divider sweeping between pasted and matched."""

from __future__ import annotations

import math
from collections.abc import Hashable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import cv2

from app.domain.compositing import Size
from app.domain.frame import Frame, Pixels
from app.pipeline.looks import Rendered
from app.pipeline.plates import Plate, open_plate

DEMO_PLATES: Final = ("library", "mountains", "studio", "sunset")
"""Lamp light, snow light, a dim wall and an evening sky: four lights the match is asked for."""

_LINE_PX: Final = 3
_MARGIN_PX: Final = 18
_WHITE: Final = (255, 255, 255)
_SHADOW: Final = (30, 30, 30)


class PlateReel:
    """A plate that changes to the next at equal parts of the running time; a context manager."""

    is_static = True

    def __init__(self, names: tuple[str, ...], *, seconds: float) -> None:
        self.plate_seconds = seconds / len(names)
        self._names = names
        self._stack = ExitStack()
        self._plates: list[Plate] = []
        self._current = 0

    def __enter__(self) -> Self:
        """Open all plates."""
        self._plates = [self._stack.enter_context(open_plate(name)) for name in self._names]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all plates."""
        self._stack.close()

    @property
    def key(self) -> Hashable:
        """The current plate's key."""
        return self._names[self._current], self._plates[self._current].key

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """The plate of this moment, fitted to `size`."""
        self._current = min(int(frame.time_s / self.plate_seconds), len(self._plates) - 1)
        return self._plates[self._current].pixels(frame, size)


def divider_x(time_s: float, width: int, *, plate_seconds: float) -> int:
    """Where the divider stands: from right to left and back once a plate."""
    phase = math.tau * (time_s % plate_seconds) / plate_seconds
    return round(width * (0.5 + 0.38 * math.cos(phase)))


def wipe(rendered: Rendered, *, plate_seconds: float) -> Pixels:
    """Pasted left of the divider, matched right of it, both named: (H, W, 3)."""
    out = rendered.composite.copy()
    height, width = out.shape[:2]
    x = divider_x(rendered.frame.time_s, width, plate_seconds=plate_seconds)
    out[:, :x] = rendered.pasted[:, :x]
    out[:, max(0, x - _LINE_PX // 2) : x + _LINE_PX // 2 + 1] = 255
    scale = height / 720
    _label(out, "pasted", x - round(scale * (90 + _MARGIN_PX)), scale)
    _label(out, "matched", x + round(scale * _MARGIN_PX), scale)
    return out


def _label(pixels: Pixels, text: str, x: int, scale: float) -> None:
    at = (x, round(pixels.shape[0] - scale * 2 * _MARGIN_PX))
    for colour, thickness in ((_SHADOW, 4), (_WHITE, 1)):
        cv2.putText(
            pixels,
            text,
            at,
            cv2.FONT_HERSHEY_DUPLEX,
            0.75 * scale,
            colour,
            max(1, round(thickness * scale)),
            lineType=cv2.LINE_AA,
        )
