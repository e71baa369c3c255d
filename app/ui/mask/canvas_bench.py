"""How long it takes from the mouse to the painted pixel: real events, a real brush, the real canvas, at three zooms."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent, QEventLoop, QPointF, Qt
from PyQt6.QtGui import QGuiApplication, QMouseEvent

from app.domain.compositing import IDENTITY_TABLE, Size, as_uint8
from app.domain.mask.brush import BrushSettings, Stroke
from app.domain.mask.planes import Box, Planes
from app.domain.mask.views import Layers, MaskView
from app.ui.mask.canvas import Canvas
from app.ui.mask.gestures import Gesture

ROOM_PX: Final[Size] = (1280, 800)
"""Of the canvas in a window of a full HD screen."""

ZOOMS: Final = {"fit": None, "100": 100.0, "400": 400.0}
_EVENTS: Final = 150
_STEP_PX: Final = 9.0
"""On the screen between two events: a stroke across it in about a second."""

_LIMIT_S: Final = 5.0


def bench_canvas(
    size: Size, brush_px: float, view: MaskView, *, room: Size = ROOM_PX, events: int = _EVENTS
) -> dict[str, Any]:
    """Paint over a frame of (width, height) and measure; needs a QApplication.

    Each zoom: p50 and p95 in ms from handing the event to Qt to the end of the `paintEvent` that shows it, wall clock
    and CPU of this thread; every event waits for the one before. The brush is soft, its work counts; moves too short
    for a dab, which only move the ring, don't.
    """
    canvas = Canvas()
    canvas.resize(*room)
    canvas.show()
    painter = _Painter(canvas, size, brush_px, view)
    report: dict[str, Any] = {"platform": QGuiApplication.platformName(), "size": list(size), "brush_px": brush_px}
    try:
        for name, percent in ZOOMS.items():
            canvas.fit() if percent is None else canvas.zoom_to(percent)
            report[name] = painter.measured(events)
    finally:
        canvas.close()
        canvas.deleteLater()
    return report | {"view": view.value}


class _Painter:
    """The tool on the canvas: paints away what the model found, and looks at the clock."""

    def __init__(self, canvas: Canvas, size: Size, brush_px: float, view: MaskView) -> None:
        self._canvas, self._settings = canvas, BrushSettings(size_px=brush_px, hardness=0.3, opacity=0.8)
        self._before = self._planes = Planes.empty(size)
        self._stroke: Stroke | None = None
        self._is_painted = self._has_changed = False
        canvas.set_brush_ring(brush_px, 0.3)
        canvas.set_view(view)
        canvas.show_layers(_layers(size), self._planes)
        canvas.pressed.connect(self._begin)
        canvas.moved.connect(self._go_on)
        canvas.painted.connect(self._note_painted)

    def measured(self, events: int) -> dict[str, Any]:
        """Draw one stroke; ms."""
        self._settle()
        places = list(_path(self._canvas, events))
        self._send(QEvent.Type.MouseButtonPress, places[0])
        times = [(self._send(QEvent.Type.MouseMove, place), self._has_changed) for place in places[1:]]
        self._send(QEvent.Type.MouseButtonRelease, places[-1])
        wall_ms, cpu_ms = 1000 * np.array([spent for spent, has_changed in times if has_changed]).T
        return {
            f"{clock}_{share}_ms": round(float(np.percentile(spent, percentile)), 2)
            for clock, spent in (("wall", wall_ms), ("cpu", cpu_ms))
            for share, percentile in (("p50", 50), ("p95", 95))
        }

    def _send(self, kind: QEvent.Type, place: QPointF) -> tuple[float, float]:
        """Post one event and wait for its paint; seconds of wall clock and of CPU."""
        left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
        button = none if kind == QEvent.Type.MouseMove else left
        held = none if kind == QEvent.Type.MouseButtonRelease else left
        at = QPointF(self._canvas.mapToGlobal(place.toPoint()))
        event = QMouseEvent(kind, place, at, button, held, Qt.KeyboardModifier.NoModifier)
        self._is_painted = kind == QEvent.Type.MouseButtonRelease
        wall_s, cpu_s = time.perf_counter(), time.thread_time()
        QCoreApplication.postEvent(self._canvas, event)
        self._wait()
        return time.perf_counter() - wall_s, time.thread_time() - cpu_s

    def _wait(self) -> None:
        until_s = time.monotonic() + _LIMIT_S
        while not self._is_painted and time.monotonic() < until_s:
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents)
        if not self._is_painted:
            raise RuntimeError("the canvas was not painted")

    def _settle(self) -> None:
        """Wait for what is still to be painted, so that no stroke pays for it."""
        self._is_painted = False
        self._canvas.update()
        self._wait()
        QCoreApplication.processEvents()

    def _begin(self, gesture: Gesture) -> None:
        self._before = self._planes.copy()
        self._stroke = Stroke(self._planes.size, self._settings)
        self._go_on(gesture)

    def _go_on(self, gesture: Gesture) -> None:
        if self._stroke is not None:
            box = self._stroke.extend(gesture.x, gesture.y, gesture.pressure)
            self._has_changed = not box.is_empty
            self._lay(self._stroke.applied(self._before, box, "remove"), box)

    def _lay(self, part: Planes, box: Box) -> None:
        self._planes.value[box.rows_columns] = part.value
        self._planes.weight[box.rows_columns] = part.weight
        self._canvas.show_planes(self._planes, box)

    def _note_painted(self) -> None:
        self._is_painted = True


def _path(canvas: Canvas, count: int) -> Iterator[QPointF]:
    """A wave over the middle of the canvas, a step each."""
    left, width, middle = canvas.width() * 0.2, canvas.width() * 0.6, canvas.height() / 2
    for index in range(count):
        way = index * _STEP_PX
        turn, along = divmod(way, width)
        x = left + (along if turn % 2 == 0 else width - along)
        yield QPointF(x, middle + canvas.height() * 0.25 * float(np.sin(way / 90)))


def _layers(size: Size) -> Layers:
    """Noise and a blob: nothing is cheaper for being flat."""
    width, height = size
    draw = np.random.default_rng(7)
    noise = as_uint8(draw.integers(0, 256, (height, width, 3), dtype=np.uint8))
    alpha = np.zeros((height, width), np.uint8)
    cv2.ellipse(alpha, (width // 2, height // 2), (width // 4, height * 9 // 20), 0, 0, 360, (255,), -1)
    alpha = as_uint8(cv2.blur(alpha, (9, 9)))
    return Layers(noise, alpha, noise, as_uint8(255 - noise), IDENTITY_TABLE, (alpha, alpha))
