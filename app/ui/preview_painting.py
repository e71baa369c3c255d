"""What is painted over the picture: names, the divider, the focus."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QPainter, QPen, QPolygonF

GRIP_PX: Final = 13
_SHADE: Final = QColor(12, 13, 16, 190)
_WHITE: Final = QColor(255, 255, 255)


def paint_chip(painter: QPainter, area: QRectF, text: str) -> None:
    """Write a word on a dark plate, readable on any picture."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_SHADE)
    painter.drawRoundedRect(area, 5, 5)
    painter.setPen(_WHITE)
    painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)


def paint_divider(painter: QPainter, area: QRectF, x: float) -> None:
    """Draw the line at `x`, and the grip that says it can be dragged."""
    painter.setPen(QPen(QColor(0, 0, 0, 90), 4))
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    painter.setPen(QPen(_WHITE, 2))
    painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
    centre = QPointF(x, area.center().y())
    painter.setPen(QPen(_WHITE, 2))
    painter.setBrush(_SHADE)
    painter.drawEllipse(centre, GRIP_PX, GRIP_PX)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_WHITE)
    for side in (-1, 1):
        tip, back = centre.x() + side * 8, centre.x() + side * 3.5
        painter.drawPolygon(
            QPolygonF([QPointF(tip, centre.y()), QPointF(back, centre.y() - 4), QPointF(back, centre.y() + 4)])
        )


def paint_focus(painter: QPainter, area: QRectF, colour: QColor) -> None:
    """Frame the picture."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(colour, 2))
    painter.drawRect(area.adjusted(-2, -2, 2, 2))
