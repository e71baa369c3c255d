"""What is painted over the picture: names, the divider, the focus."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QPixmap, QPolygonF

GRIP_PX: Final = 13
_SHADE: Final = QColor(12, 13, 16, 190)
_WHITE: Final = QColor(255, 255, 255)
_LINE_SHADE: Final = QColor(0, 0, 0, 90)


def paint_chip(painter: QPainter, area: QRectF, text: str) -> None:
    """Write a word on a dark plate, readable on any picture."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_SHADE)
    painter.drawRoundedRect(area, 5, 5)
    painter.setPen(_WHITE)
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)


def paint_divider(painter: QPainter, area: QRectF, x: float) -> None:
    """Draw the line at `x`, and the grip that says it can be dragged."""
    painter.fillRect(QRectF(x - 2, area.top(), 4, area.height()), _LINE_SHADE)
    painter.fillRect(QRectF(x - 1, area.top(), 2, area.height()), _WHITE)
    device = painter.device()
    grip = _grip(1.0 if device is None else device.devicePixelRatio())
    side = grip.width() / grip.devicePixelRatio() / 2
    painter.drawPixmap(QPointF(x - side, area.center().y() - side), grip)


@lru_cache(maxsize=4)
def _grip(ratio: float) -> QPixmap:
    """The round grip, drawn once: antialiased, it took 0.9 ms of every paint."""
    side = 2 * (GRIP_PX + 2)
    pixmap = QPixmap(round(side * ratio), round(side * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = QPointF(side / 2, side / 2)
    painter.setPen(QPen(_WHITE, 2))
    painter.setBrush(_SHADE)
    painter.drawEllipse(centre, GRIP_PX, GRIP_PX)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_WHITE)
    for way in (-1, 1):
        tip, back = centre.x() + way * 8, centre.x() + way * 3.5
        painter.drawPolygon(
            QPolygonF([QPointF(tip, centre.y()), QPointF(back, centre.y() - 4), QPointF(back, centre.y() + 4)])
        )
    painter.end()
    return pixmap


def paint_focus(painter: QPainter, area: QRectF, colour: QColor) -> None:
    """Frame the picture."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 2))
    painter.drawRect(area.adjusted(-2, -2, 2, 2))
