"""The large picture: views of it, a divider between two of them, and the person moved by hand."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.domain.compositing import Size
from app.ui.choices import View
from app.ui.focus import came_by_keyboard
from app.ui.preview_painting import GRIP_PX, paint_chip, paint_divider, paint_focus
from app.ui.text import tr
from app.ui.theme import color

MARGIN_PX: Final = 14
_CHIP_HEIGHT_PX: Final = 24
_CHIP_GAP_PX: Final = 10
_KEY_STEP: Final = 0.02
_ZOOM_STEP: Final = 1.06
_GRAB_PX: Final = 16
_SIDE_GAP_PX: Final = 6


class Preview(QWidget):
    """Shows one of the views it has pictures of; all pictures are of the same moment.

    area_changed: there is more or less room now; `area_px` says how much. wants_changed: other pictures are needed
    to show what is asked for. painted: what was shown last is on the screen. dragged(dx, dy, is_dragging): the
    person was pulled by so much, in shares of the picture. zoomed(factor): the wheel was turned.
    """

    area_changed = pyqtSignal()
    wants_changed = pyqtSignal()
    painted = pyqtSignal()
    dragged = pyqtSignal(float, float, bool)
    zoomed = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._images: dict[View, QImage] = {}
        self._view = View.SPLIT
        self._divider = 0.5
        self._note = ""
        self._show_focus = self._is_peeking = False
        self._pulled_from: QPointF | None = None
        self._pulls_divider = False
        self.setAccessibleName(tr("Preview"))
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 180)

    @property
    def view(self) -> View:
        """What is asked for; shown as soon as there is a picture of it."""
        return self._view

    @property
    def shown_view(self) -> View:
        """What is shown now: the view, or the pasted picture while the key for "before" is held."""
        return View.PASTED if self._is_peeking else self._view

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
        image = next((self._images[view] for view in self.shown_view.parts if view in self._images), None)
        image = image or next(iter(self._images.values()), None)
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
        self.wants_changed.emit()
        self.update()

    def peek(self, *, before: bool) -> None:
        """Show the picture without the match for as long as a key is held."""
        if before != self._is_peeking:
            self._is_peeking = before
            self.wants_changed.emit()
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
        """Take hold of the divider, or of the person."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        self._pulls_divider = self._is_on_divider(event.position())
        if self.picture_rect().contains(event.position()):
            self._pulled_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag what was taken hold of, or show what could be."""
        if event is None:
            return
        if self._pulls_divider:
            self._drag_divider(event.position())
        elif self._pulled_from is not None:
            self._pull(event.position(), is_dragging=True)
        else:
            self._show_cursor(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Let go."""
        if event is not None and self._pulled_from is not None and not self._pulls_divider:
            self._pull(event.position(), is_dragging=False)
        self._pulled_from, self._pulls_divider = None, False

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Make the person larger or smaller."""
        if event is not None and event.angleDelta().y():
            self.zoomed.emit(_ZOOM_STEP ** (event.angleDelta().y() / 120))
            event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Move the divider by the arrow keys."""
        step = {Qt.Key.Key_Left: -_KEY_STEP, Qt.Key.Key_Right: _KEY_STEP}.get(Qt.Key(event.key())) if event else None
        if step is None or not self._is_split():
            super().keyPressEvent(event)
        else:
            self.set_divider(self._divider + step)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Frame the picture when the keyboard brought the focus here; to a mouse the frame says nothing."""
        self._show_focus = came_by_keyboard(event)
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
        self.painted.emit()

    def _is_split(self) -> bool:
        return self.shown_view is View.SPLIT and self.has_picture

    def _parts(self) -> tuple[View, ...]:
        return self.shown_view.parts

    def _is_on_divider(self, position: QPointF) -> bool:
        area = self.picture_rect()
        return self._is_split() and abs(position.x() - area.left() - self._divider * area.width()) <= _GRAB_PX

    def _show_cursor(self, position: QPointF) -> None:
        shape = Qt.CursorShape.ArrowCursor
        if self._is_on_divider(position):
            shape = Qt.CursorShape.SplitHCursor
        elif self.picture_rect().contains(position):
            shape = Qt.CursorShape.OpenHandCursor
        self.setCursor(shape)

    def _drag_divider(self, position: QPointF) -> None:
        area = self.picture_rect()
        if not area.isEmpty():
            self.set_divider((position.x() - area.left()) / area.width())

    def _pull(self, position: QPointF, *, is_dragging: bool) -> None:
        area = self.picture_rect()
        if self._pulled_from is None or area.isEmpty():
            return
        way, self._pulled_from = position - self._pulled_from, position
        if way.manhattanLength() > 0 or not is_dragging:
            self.setCursor(Qt.CursorShape.ClosedHandCursor if is_dragging else Qt.CursorShape.OpenHandCursor)
            self.dragged.emit(way.x() / area.width(), way.y() / area.height(), is_dragging)

    def _paint_picture(self, painter: QPainter, area: QRectF) -> None:
        view = self.shown_view
        if not self.has_picture:
            painter.drawImage(area, next(iter(self._images.values())))
        elif view is View.SPLIT:
            self._paint_split(painter, area)
        elif view is View.SIDE_BY_SIDE:
            self._paint_side_by_side(painter, area)
        else:
            painter.drawImage(area, self._images[view])

    def _paint_side_by_side(self, painter: QPainter, area: QRectF) -> None:
        width, gap = area.width() / 2, _SIDE_GAP_PX / 2
        for number, view in enumerate(View.SIDE_BY_SIDE.parts):
            room = QRectF(area.left() + number * width, area.top(), width, area.height()).adjusted(gap, 0, -gap, 0)
            size = self._images[view].size().toSizeF().scaled(room.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRectF(room.center() - QPointF(size.width() / 2, size.height() / 2), size)
            painter.drawImage(place, self._images[view])
            name = QRectF(place.left() + _CHIP_GAP_PX, place.bottom() - _CHIP_GAP_PX - _CHIP_HEIGHT_PX, 0, 0)
            name.setSize(QSizeF(self._chip_width(view.value), _CHIP_HEIGHT_PX))
            paint_chip(painter, name, view.value)

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
