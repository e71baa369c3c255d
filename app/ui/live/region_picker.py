"""Choosing a part of a screen by drawing a box on it."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QPoint, QRect, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QCursor, QGuiApplication, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QScreen
from PyQt6.QtWidgets import QWidget

from app.ui.preview_painting import paint_chip
from app.ui.text import tr

MIN_SIDE_PX: Final = 32
_SHADE: Final = QColor(10, 12, 16, 150)
_CHIP_PX: Final = (360, 28)


class RegionPicker(QWidget):
    """Covers a screen with its own picture until a box is drawn or Esc is pressed; then it is gone.

    picked(spec): `screen:N:x,y,w,h` in the screen's own pixels.
    """

    picked = pyqtSignal(str)

    def __init__(self, screen: QScreen, number: int) -> None:
        super().__init__(None, Qt.WindowType.FramelessWindowHint | Qt.WindowType.WindowStaysOnTopHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAccessibleName(tr("Draw a box around the part of the screen to show"))
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setGeometry(screen.geometry())
        self._number = number
        # A picture of the screen, since not every desktop lets windows be see-through.
        self._picture = screen.grabWindow()
        self._from: QPoint | None = None
        self._box = QRect()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a box."""
        if event is not None:
            self._from, self._box = event.position().toPoint(), QRect()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Draw it."""
        if event is not None and self._from is not None:
            self._box = QRect(self._from, event.position().toPoint()).normalized()
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take it, unless it is too small to have been meant."""
        box, self._from = _in_pixels(self._box, self.devicePixelRatioF()), None
        if min(box.width(), box.height()) >= MIN_SIDE_PX:
            self.picked.emit(f"screen:{self._number}:{box.x()},{box.y()},{box.width()},{box.height()}")
            self.close()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Esc gives up."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.close()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Shade everything but the box."""
        painter = QPainter(self)
        painter.drawPixmap(self.rect(), self._picture)
        painter.fillRect(self.rect(), _SHADE)
        if not self._box.isEmpty():
            scale = self._picture.devicePixelRatio()
            source = QRect(self._box.topLeft() * scale, self._box.size() * scale)
            painter.drawPixmap(self._box, self._picture, source)
            painter.setPen(QPen(QColor(255, 255, 255), 2))
            painter.drawRect(self._box)
        chip = QRect(QPoint(0, 0), QSize(*_CHIP_PX))
        chip.moveCenter(QPoint(self.rect().center().x(), 40))
        paint_chip(painter, chip.toRectF(), tr("Draw a box around what shall be shown; Esc gives up"))


def pick_region() -> RegionPicker | None:
    """Let a box be drawn on the screen the pointer is on; None without one."""
    screen = QGuiApplication.screenAt(QCursor.pos()) or QGuiApplication.primaryScreen()
    if screen is None:
        return None
    picker = RegionPicker(screen, QGuiApplication.screens().index(screen))
    picker.show()
    picker.activateWindow()
    return picker


def _in_pixels(box: QRect, scale: float) -> QRect:
    return QRect(
        round(box.x() * scale), round(box.y() * scale), round(box.width() * scale), round(box.height() * scale)
    )
