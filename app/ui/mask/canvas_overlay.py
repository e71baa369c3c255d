"""What is drawn over the picture on the canvas: the brush's ring, a lasso under way, a rectangle, a note."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QCursor, QFontMetricsF, QPainter, QPalette, QPen, QPixmap

from app.domain.mask.planes import NOWHERE, Box
from app.ui.mask.canvas_transform import Placement
from app.ui.preview_painting import paint_chip
from app.ui.theme import color

Point = tuple[float, float]

Points = npt.NDArray[np.float64]
"""(n, 2): x and y."""

_DARK: Final = QColor(0, 0, 0, 170)
_LIGHT: Final = QColor(255, 255, 255, 235)
_FAINT: Final = QColor(255, 255, 255, 130)
_FAINT_DARK: Final = QColor(0, 0, 0, 70)
_MARGIN_PX: Final = 3
_SMALLEST_RING_PX: Final = 6.0
"""Less across is not seen as a ring: the cross-hair shows instead."""

_KEPT_RADIUS_PX: Final = 600
_CHIP_HEIGHT_PX: Final = 24
_CHIP_TOP_PX: Final = 10
_CHIP_PADDING_PX: Final = 20


class Overlay:
    """Knows what to draw and where; the canvas asks for the areas that have to be painted again.

    Areas and the painter are in device px, what is told in px of the picture, the note in the widget's.
    """

    def __init__(self) -> None:
        self._ring: tuple[float, float] | None = None
        self._at: Point | None = None
        self._path = _points([])
        self._is_closed = False
        self._rectangle: Box | None = None
        self.note = ""

    @property
    def has_path(self) -> bool:
        """Whether a lasso or a polygon is under way."""
        return len(self._path) > 0

    def set_ring(self, diameter_px: float | None, hardness: float) -> None:
        """The brush's size, or None for a tool without one."""
        self._ring = None if diameter_px is None else (diameter_px, hardness)

    def move_ring(self, at: Point | None) -> None:
        """Where the pointer is; None where it is not over the canvas."""
        self._at = at

    def shows_ring(self, place: Placement) -> bool:
        """Whether the ring is large enough to stand for the pointer."""
        return self._ring is not None and self._ring[0] * place.scale >= _SMALLEST_RING_PX

    def ring_area(self, place: Placement, ratio: float) -> Box:
        """Where the ring is painted."""
        if self._ring is None or self._at is None or not self.shows_ring(place):
            return NOWHERE
        reach = self._ring[0] / 2 * place.scale + _MARGIN_PX * ratio
        return _around(_shown(_points([self._at]), place), reach)

    def set_path(self, points: Sequence[Point], *, closed: bool, place: Placement, ratio: float) -> Box:
        """Another path; returns what of it is new or gone: a lasso grows at its end."""
        old, was_closed = self._path, self._is_closed
        self._path, self._is_closed = _points(points), closed
        shared = min(len(old), len(self._path))
        differs = (old[:shared] != self._path[:shared]).any(axis=1)
        kept = max(int(differs.argmax()) if differs.any() else shared, 1) - 1
        closings = [path[:1] for path, is_shut in ((old, was_closed), (self._path, closed)) if is_shut]
        touched = np.concatenate([old[kept:], self._path[kept:], *closings])
        return _around(_shown(touched, place), _MARGIN_PX * ratio)

    def set_rectangle(self, box: Box | None) -> None:
        """A rectangle of the picture, or none."""
        self._rectangle = box

    def rectangle_area(self, place: Placement, ratio: float) -> Box:
        """Where the rectangle is painted."""
        return _around(_shown(self._corners(), place), _MARGIN_PX * ratio)

    def paint(self, painter: QPainter, place: Placement, ratio: float, area: QRectF) -> None:
        """Draw all but the note; area: what is painted, device px."""
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        _paint_rim(painter, place)
        if self.has_path:
            path = _shown(self._path, place)
            _stroke_twice(painter, _lines_near(path, area, closed=self._is_closed), ratio)
        if self._rectangle is not None:
            _stroke_twice(painter, _lines_near(_shown(self._corners(), place), area, closed=True), ratio)
        if area.intersects(_rect(self.ring_area(place, ratio))):
            self._paint_ring(painter, place, ratio)

    def note_area(self, width_px: float, metrics: QFontMetricsF) -> QRectF:
        """Where the note is, in the widget; empty without one."""
        if not self.note:
            return QRectF()
        width = min(metrics.horizontalAdvance(self.note) + _CHIP_PADDING_PX, width_px - 2)
        return QRectF((width_px - width) / 2, _CHIP_TOP_PX, width, _CHIP_HEIGHT_PX)

    def paint_note(self, painter: QPainter, width_px: float, metrics: QFontMetricsF) -> None:
        """Write the note; the painter's unit is the widget's."""
        area = self.note_area(width_px, metrics)
        if not area.isEmpty():
            paint_chip(painter, area, metrics.elidedText(self.note, Qt.TextElideMode.ElideRight, area.width() - 8))

    def _corners(self) -> Points:
        box = self._rectangle
        if box is None:
            return _points([])
        return _points([(box.x0, box.y0), (box.x1, box.y0), (box.x1, box.y1), (box.x0, box.y1)])

    def _paint_ring(self, painter: QPainter, place: Placement, ratio: float) -> None:
        if self._ring is None or self._at is None:
            return
        diameter, hardness = self._ring
        middle, radius = QPointF(*place.to_room(*self._at)), diameter / 2 * place.scale
        if radius > _KEPT_RADIUS_PX:
            _draw_ring(painter, middle, radius, hardness=hardness, ratio=ratio)
        else:
            ring = _kept_ring(radius, hardness, ratio)
            painter.drawPixmap((middle - QPointF(ring.width() / 2, ring.height() / 2)).toPoint(), ring)


def _draw_ring(painter: QPainter, middle: QPointF, radius: float, *, hardness: float, ratio: float) -> None:
    if 0 < hardness < 1 and radius * hardness >= _SMALLEST_RING_PX * ratio:
        for colour, style in ((_FAINT_DARK, Qt.PenStyle.SolidLine), (_FAINT, Qt.PenStyle.DotLine)):
            painter.setPen(QPen(colour, ratio, style))
            painter.drawEllipse(middle, radius * hardness, radius * hardness)
    for colour, width in ((_DARK, 3.0), (_LIGHT, 1.2)):
        painter.setPen(QPen(colour, width * ratio))
        painter.drawEllipse(middle, radius, radius)


@lru_cache(maxsize=2)
def _kept_ring(radius: float, hardness: float, ratio: float) -> QPixmap:
    """The ring, drawn once: 800 px across, antialiased, it took 4 ms of every paint."""
    side = 2 * math.ceil(radius + _MARGIN_PX * ratio)
    pixmap = QPixmap(side, side)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    _draw_ring(painter, QPointF(side / 2, side / 2), radius, hardness=hardness, ratio=ratio)
    painter.end()
    return pixmap


@lru_cache(maxsize=4)
def cross_hair(ratio: float) -> QCursor:
    """A pointer for tools without a ring, seen on dark and on bright."""
    side, gap = 25, 4
    pixmap = QPixmap(round(side * ratio), round(side * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    middle = side / 2
    arms = [(0.5, middle - gap), (middle + gap, side - 0.5)]
    lines = [QLineF(a, middle, b, middle) for a, b in arms] + [QLineF(middle, a, middle, b) for a, b in arms]
    _stroke_twice(painter, lines, 1.0)
    painter.end()
    return QCursor(pixmap, side // 2, side // 2)


def _paint_rim(painter: QPainter, place: Placement) -> None:
    """A fine line around the picture: a black matte has no edge on a dark canvas."""
    painter.setPen(QPen(color(QPalette.ColorRole.Mid), 1))
    painter.drawRect(_rect(place.area.grown(1)).adjusted(0.5, 0.5, -0.5, -0.5))


def _stroke_twice(painter: QPainter, lines: list[QLineF], ratio: float) -> None:
    """Lines that are seen on everything: light on a darker, wider one."""
    if lines:
        for colour, width in ((_DARK, 3.0), (_LIGHT, 1.2)):
            painter.setPen(QPen(colour, width * ratio))
            painter.drawLines(*lines)


def _lines_near(points: Points, area: QRectF, *, closed: bool) -> list[QLineF]:
    """From point to point, and back to the first one if closed; one point is a dot.

    Only lines that come near the area: Qt would stroke all of a long lasso to show a few of them.
    """
    follows = np.concatenate([points[1:], points[: int(closed or len(points) == 1)]])
    ends = np.concatenate([points[: len(follows)], follows], axis=1)
    low, high = np.minimum(ends[:, :2], ends[:, 2:]), np.maximum(ends[:, :2], ends[:, 2:])
    reach = 4 * _MARGIN_PX
    is_near = (high[:, 0] >= area.left() - reach) & (low[:, 0] <= area.right() + reach)
    is_near &= (high[:, 1] >= area.top() - reach) & (low[:, 1] <= area.bottom() + reach)
    return [QLineF(*line) for line in ends[is_near].tolist()]


def _points(points: Sequence[Point]) -> Points:
    return np.array(points, np.float64).reshape(-1, 2)


def _shown(points: Points, place: Placement) -> Points:
    """In the room, device px."""
    return np.asarray(points * place.scale + np.array(place.corner))


def _around(points: Points, reach: float) -> Box:
    if not len(points):
        return NOWHERE
    left, top = np.floor(points.min(axis=0) - reach).astype(int).tolist()
    right, bottom = np.ceil(points.max(axis=0) + reach).astype(int).tolist()
    return Box(left, top, right + 1, bottom + 1)


def _rect(box: Box) -> QRectF:
    return QRectF(box.x0, box.y0, *box.size)
