"""What a stroke of the brush costs, event by event: its arithmetic, without a window."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Alpha8
from app.domain.mask.brush import BrushSettings, Stroke
from app.domain.mask.planes import Planes, corrected
from app.pipeline.bench.figures import percentiles

EVENT_MS: Final = 8.0
"""From one mouse event to the next: 125 a second."""

_EVENTS: Final = 240
_ROUND_S: Final = 1.2
"""A hand's quick circle, 0.88 of the frame's height across: 2500 px a second on a frame 1080 px high."""


def bench_brush(size: Size, brush_px: float = 200, *, strokes: int = 3) -> dict[str, Any]:
    """ms of wall time a mouse event at (width, height), for a soft brush that paints over an edited frame.

    event_p50_ms, event_p95_ms: the stroke, the planes and the final alpha of what changed. begin_ms: pressing the
    button, with a brush that was never used; end_ms: the whole stroke's planes, as undo wants them; medians.
    """
    events, begins, ends = list[float](), list[float](), list[float]()
    alpha, before = _matte(size)
    for number in range(strokes):
        # Another size each time: a dab that was made before costs nothing.
        settings = BrushSettings(size_px=max(1.0, brush_px - number / 4), hardness=0.3)
        pen = _Pen(size, settings, alpha, before)
        begins.append(_timed_ms(pen.begin))
        events += [_timed_ms(pen.move) for _ in range(_EVENTS)]
        ends.append(_timed_ms(pen.end))
    p50, p95 = percentiles(events, (50, 95))
    return {
        "size": f"{size[0]}x{size[1]}",
        "brush_px": brush_px,
        "events": len(events),
        "event_p50_ms": p50,
        "event_p95_ms": p95,
        "begin_ms": percentiles(begins, (50,))[0],
        "end_ms": percentiles(ends, (50,))[0],
    }


class _Pen:
    """A hand that paints in a circle, and all that follows from it."""

    def __init__(self, size: Size, settings: BrushSettings, alpha: Alpha8, before: Planes) -> None:
        self._size, self._settings = size, settings
        self._alpha, self._before, self._after = alpha, before, before.copy()
        self._events = 0

    def begin(self) -> None:
        self._stroke = Stroke(self._size, self._settings)
        self.move()

    def move(self) -> Alpha8:
        """One event; the final alpha of what it changed."""
        box = self._stroke.extend(*_place(self._events, self._size))
        self._events += 1
        part = self._stroke.applied(self._before, box, "add")
        self._after.value[box.rows_columns], self._after.weight[box.rows_columns] = part.value, part.weight
        return corrected(self._alpha[box.rows_columns], part)

    def end(self) -> Planes:
        return self._stroke.applied(self._before, self._stroke.box, "add")


def _place(index: int, size: Size) -> tuple[float, float]:
    width, height = size
    turn = 2 * math.pi * index * EVENT_MS / 1000 / _ROUND_S
    radius = 0.44 * height
    return width / 2 + radius * math.cos(turn), height / 2 + radius * math.sin(turn)


def _matte(size: Size) -> tuple[Alpha8, Planes]:
    """A matte and a correction with all kinds of values."""
    width, height = size
    rows, columns = np.mgrid[:height, :width]
    alpha, value, weight = (((rows * a + columns * b) % 256).astype(np.uint8) for a, b in ((1, 0), (1, 1), (0, 1)))
    value[weight == 0] = 0
    return alpha, Planes(value, weight)


def _timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)
