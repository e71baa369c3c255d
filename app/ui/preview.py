"""The large picture, with a divider to drag between pasted and matched."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.domain.compositing import Size
from app.ui.choices import View
from app.ui.preview_painting import GRIP_PX, paint_chip, paint_divider, paint_focus
from app.ui.theme import color

MARGIN_PX: Final = 14
_CHIP_HEIGHT_PX: Final = 24
_CHIP_GAP_PX: Final = 10
_KEY_STEP: Final = 0.02


class Preview(QWidget):
    """Shows one of the views it has pictures of; all pictures are of the same moment and size.

    area_changed: there is more or less room now; `area_px` says how much.
    """

    area_changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: dict[View, QImage] = {}
        self._view = View.SPLIT
        self._divider = 0.5
        self._note = ""
        self._show_focus = False
        self.setAccessibleName("Preview")
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 180)

    @property
    def view(self) -> View:
        """What is asked for; shown as soon as there is a picture of it."""
        return self._view

    @property
    def divider(self) -> float:
        """Where the divider stands, 0 (all matched) to 1 (all pasted) of the picture's width."""
        return self._divider

    @property
    def note(self) -> str:
        """The sentence over the picture."""
        return self._note

    @property
    def has_picture(self) -> bool:
        """Whether the view asked for is on the screen."""
        return all(view in self._images for view in self._parts())

    def area_px(self) -> Size:
        """(width, height) in device px that a picture can fill."""
        scale = self.devicePixelRatioF()
        room = self.size() - QSize(2 * MARGIN_PX, 2 * MARGIN_PX)
        return max(1, round(room.width() * scale)), max(1, round(room.height() * scale))

    def picture_rect(self) -> QRectF:
        """Where the picture is, in this widget's coordinates; empty without one."""
        image = next(iter(self._images.values()), None)
        if image is None:
            return QRectF()
        scale = self.devicePixelRatioF()
        room = self.area_px()
        factor = min(room[0] / image.width(), room[1] / image.height())
        width, height = round(image.width() * factor), round(image.height() * factor)
        # Whole device pixels, so that a picture made for this room is copied and not filtered.
        left = MARGIN_PX * scale + (room[0] - width) // 2
        top = MARGIN_PX * scale + (room[1] - height) // 2
        return QRectF(round(left) / scale, round(top) / scale, width / scale, height / scale)

    def show_pictures(self, images: dict[View, QImage]) -> None:
        """Replace what is shown."""
        self._images = images
        self.update()

    def set_view(self, view: View) -> None:
        """Choose what is shown."""
        self._view = view
        self.setAccessibleDescription(view.hint)
        self.unsetCursor()
        self.update()

    def set_divider(self, position: float) -> None:
        """Move the divider, within 0..1."""
        self._divider = min(max(position, 0.0), 1.0)
        self.update()

    def set_note(self, text: str) -> None:
        """Say something over the picture; an empty text takes it away."""
        if text != self._note:
            self._note = text
            self.update()

    def event(self, event: QEvent | None) -> bool:
        """Ask for new pictures when the window moves to a screen of another density."""
        if event is not None and event.type() == QEvent.Type.DevicePixelRatioChange:
            self.area_changed.emit()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Tell that the room changed."""
        super().resizeEvent(event)
        self.area_changed.emit()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Move the divider to where it was clicked."""
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self._drag_to(event.position())

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag the divider, or show that it can be dragged."""
        if event is None:
            return
        if event.buttons() & Qt.MouseButton.LeftButton:
            self._drag_to(event.position())
        can_drag = self._is_split() and self.picture_rect().contains(event.position())
        self.setCursor(Qt.CursorShape.SplitHCursor if can_drag else Qt.CursorShape.ArrowCursor)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Move the divider by the arrow keys."""
        step = {Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP}.get(Qt.Key(event.key())) if event else None
        if step is None or not self._is_split():
            super().keyPressEvent(event)
        else:
            self.set_divider(self._divider + step)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Frame the picture when the keyboard brought the focus here; to a mouse the frame says nothing."""
        reasons = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._show_focus = event is not None and event.reason() in reasons
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Take the frame away."""
        self._show_focus = False
        super().focusOutEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint picture, divider and what is said over them."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), color(QPalette.ColorRole.Base))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        area = self.picture_rect()
        if not area.isEmpty():
            self._paint_picture(painter, area)
        if self._note:
            self._paint_note(painter, area if not area.isEmpty() else QRectF(self.rect()))
        if self._show_focus:
            paint_focus(painter, area, color(QPalette.ColorRole.Highlight))

    def _is_split(self) -> bool:
        return self._view is View.SPLIT and self.has_picture

    def _parts(self) -> tuple[View, ...]:
        return (View.PASTED, View.MATCHED) if self._view is View.SPLIT else (self._view,)

    def _drag_to(self, position: QPointF) -> None:
        area = self.picture_rect()
        if self._is_split() and not area.isEmpty():
            self.set_divider((position.x() - area.left()) / area.width())

    def _paint_picture(self, painter: QPainter, area: QRectF) -> None:
        if not self.has_picture:
            painter.drawImage(area, self._images[View.ORIGINAL])
        elif self._view is not View.SPLIT:
            painter.drawImage(area, self._images[self._view])
        else:
            self._paint_split(painter, area)

    def _paint_split(self, painter: QPainter, area: QRectF) -> None:
        scale = self.devicePixelRatioF()
        x = area.left() + round(self._divider * area.width() * scale) / scale
        painter.drawImage(area, self._images[View.MATCHED])
        left = QRectF(area.left(), area.top(), x - area.left(), area.height())
        painter.setClipRect(left)
        painter.drawImage(area, self._images[View.PASTED])
        painter.setClipping(False)
        self._paint_side_names(painter, area, x)
        paint_divider(painter, area, x)

    def _paint_side_names(self, painter: QPainter, area: QRectF, x: float) -> None:
        """Name both sides in the lower corners, unless a side is too narrow for its name."""
        bottom = area.bottom() - _CHIP_GAP_PX - _CHIP_HEIGHT_PX
        for view, from_left in ((View.PASTED, True), (View.MATCHED, False)):
            width = self._chip_width(view.value)
            room = (x - area.left() if from_left else area.right() - x) - GRIP_PX
            if room > width + 2 * _CHIP_GAP_PX:
                left = area.left() + _CHIP_GAP_PX if from_left else area.right() - _CHIP_GAP_PX - width
                paint_chip(painter, QRectF(left, bottom, width, _CHIP_HEIGHT_PX), view.value)

    def _paint_note(self, painter: QPainter, area: QRectF) -> None:
        width = min(self._chip_width(self._note), self.width() - 2.0)
        left = area.center().x() - width / 2
        paint_chip(painter, QRectF(left, area.top() + _CHIP_GAP_PX, width, _CHIP_HEIGHT_PX), self._note)

    def _chip_width(self, text: str) -> float:
        return self.fontMetrics().horizontalAdvance(text) + 20.0
