"""The canvas: a frame with its mask, zoomed and panned, painted again only where it changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from PyQt6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, pyqtSignal
from PyQt6.QtGui import (
    QEnterEvent,
    QFocusEvent,
    QFontMetricsF,
    QHideEvent,
    QInputDevice,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QTabletEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QAbstractButton, QApplication, QSizePolicy, QWidget

from app.domain.compositing import Size
from app.domain.mask.planes import Box, Planes, everywhere
from app.domain.mask.views import PLAIN_OPTIONS, Layers, MaskView, ViewOptions, shown_view
from app.ui.focus import came_by_keyboard
from app.ui.mask.canvas_overlay import Overlay, Point, cross_hair
from app.ui.mask.canvas_picture import DisplayBuffer, Scene, with_box
from app.ui.mask.canvas_transform import Placement, wheel_factor
from app.ui.mask.gestures import Hand, Touch, touch_of_mouse, touch_of_pen
from app.ui.preview_painting import paint_focus
from app.ui.text import tr
from app.ui.theme import color

MARGIN_PX: Final = 14
_ZOOM_MODIFIER: Final = Qt.KeyboardModifier.ControlModifier
_NOWHERE_YET: Final = Placement((1, 1), (1, 1))


class Canvas(QWidget):
    """Shows a frame and its mask, and tells what mouse and pen do over them; it knows no tools.

    Gestures are `Gesture`s in px of the picture. pressed, moved, released: with the left or right button, or a pen.
    cancelled: what was begun is to be undone whole; Esc says so too while a path is shown. double_clicked: right after
    its own `pressed`. hovered(x, y), left: the pointer without a button. brush_resized(dx_px, dy_px): dragged with
    Alt; across in px of the picture, so that the ring keeps up, down in px of the widget. zoomed(percent): another
    zoom. painted: what was shown last is on the screen.
    """

    pressed = pyqtSignal(object)
    moved = pyqtSignal(object)
    released = pyqtSignal(object)
    double_clicked = pyqtSignal(object)
    cancelled = pyqtSignal()
    hovered = pyqtSignal(float, float)
    left = pyqtSignal()
    brush_resized = pyqtSignal(float, float)
    zoomed = pyqtSignal(float)
    painted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Scene | None = None
        self._place = _NOWHERE_YET
        self._buffer = DisplayBuffer((1, 1))
        self._stale: list[Box] = []
        self._overlay = Overlay()
        self._view, self._options, self._has_ghosts = MaskView.RUBYLITH, PLAIN_OPTIONS, False
        self._show_focus = False
        self._hand = self._listening(Hand(self._point, self))
        self.setAccessibleName(tr("Mask canvas"))
        self.setAccessibleDescription(tr(self._view.hint))
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 180)
        self._show_pointer()

    @property
    def view(self) -> MaskView:
        """What is asked for."""
        return self._view

    @property
    def shown_view(self) -> MaskView:
        """What is shown: rubylith while a layer is missing for the view asked for."""
        return self._view if self._scene is None else shown_view(self._view, self._scene.layers)

    @property
    def percent(self) -> float:
        """The zoom; 100 is one pixel of the picture on one of the screen."""
        return self._place.percent

    @property
    def is_fitted(self) -> bool:
        """Whether the picture follows the canvas's size."""
        return self._place.is_fitted

    @property
    def note(self) -> str:
        """The sentence over the picture."""
        return self._overlay.note

    def picture_point(self, position: QPointF) -> Point:
        """A point of the widget in px of the picture; the first pixel reaches from 0 to 1."""
        return self._point(position)

    def widget_point(self, x: float, y: float) -> QPointF:
        """A point of the picture in the widget."""
        return QPointF(*self._place.to_room(x, y)) / self.devicePixelRatioF()

    def show_layers(self, layers: Layers, planes: Planes) -> None:
        """Another frame, or other layers of it. ValueError when the planes are of another size."""
        if planes.size != layers.size:
            raise ValueError(f"planes of {planes.size} for a frame of {layers.size}")
        is_first, old = self._scene is None, self._place
        self._scene = Scene(layers, planes)
        if is_first:
            self._place = Placement(layers.size, self._room(), margin_px=self._margin()).fitted()
        elif layers.size != self._place.picture:
            self._place = self._place.of_picture(layers.size)
        self._renew()
        self._tell_zoom(old)

    def show_planes(self, planes: Planes, box: Box) -> None:
        """The mask changed within a box of the picture; all else is left as it is on the screen.

        The planes are read when they are painted, so that several changes cost one. ValueError as above, or without
        a frame.
        """
        if self._scene is None or planes.size != self._scene.layers.size:
            raise ValueError(f"planes of {planes.size} without a frame of that size")
        self._scene = replace(self._scene, planes=planes)
        box = box.within(planes.size)
        if not box.is_empty:
            self._renew(self._place.area_of(box).grown(self._styled(self._scene).reach_px))

    def clear(self) -> None:
        """Show nothing."""
        self._hand.cancel()
        self._scene = None
        self._renew()

    def set_view(self, view: MaskView) -> None:
        """Choose what is shown."""
        if view is not self._view:
            self._view = view
            self.setAccessibleDescription(tr(view.hint))
            self._renew()

    def set_options(self, options: ViewOptions) -> None:
        """Colour and strength of the rubylith; the checks' size is the canvas's own."""
        if options != self._options:
            self._options = options
            self._renew()

    def set_onion(self, is_on: bool) -> None:
        """Show or hide the outlines of the edited frames before and after."""
        if is_on != self._has_ghosts:
            self._has_ghosts = is_on
            self._renew()

    def set_note(self, text: str) -> None:
        """Say something over the picture; an empty text takes it away."""
        if text != self._overlay.note:
            before = self._note_area()
            self._overlay.note = text
            self.update(before.united(self._note_area()).toAlignedRect())

    def fit(self) -> None:
        """Show the whole picture, and keep it so when the canvas is resized."""
        self._move_to(self._place.fitted())

    def zoom_to(self, percent: float, at: QPointF | None = None) -> None:
        """Zoom, 5 to 3200 %; what is at `at` of the widget (its middle without) stays there."""
        ratio = self.devicePixelRatioF()
        self._move_to(self._place.zoomed(percent, None if at is None else (at.x() * ratio, at.y() * ratio)))

    def one_to_one(self) -> None:
        """One pixel of the picture on one of the screen."""
        self.zoom_to(100.0)

    def set_brush_ring(self, diameter_px: float | None, hardness: float = 1.0) -> None:
        """The brush's ring, px of the picture; None for tools without, which get a cross-hair."""
        self._change_ring(lambda: self._overlay.set_ring(diameter_px, hardness))
        self._show_pointer()

    def show_path(self, points: Sequence[Point], closed: bool = False) -> None:
        """A lasso or polygon under way, px of the picture; no points: none."""
        ratio = self.devicePixelRatioF()
        self._update_device(self._overlay.set_path(points, closed=closed, place=self._place, ratio=ratio))

    def show_rectangle(self, box: Box | None) -> None:
        """A rectangle under way, or none."""
        before = self._overlay.rectangle_area(self._place, self.devicePixelRatioF())
        self._overlay.set_rectangle(box)
        self._update_device(before.united(self._overlay.rectangle_area(self._place, self.devicePixelRatioF())))

    def event(self, event: QEvent | None) -> bool:
        """Claim the keys that are the canvas's, follow the screen's density, zoom by pinching."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.DevicePixelRatioChange:
            self._follow_room()
        elif kind in (QEvent.Type.PaletteChange, QEvent.Type.ApplicationPaletteChange):
            self._renew()
        elif kind == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._wants(event):
            event.accept()
            return True
        elif isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom_to(self.percent * (1 + event.value()), event.position())
            return True
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Fit again, or keep what is in the middle there."""
        super().resizeEvent(event)
        self._follow_room()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a gesture."""
        if event is not None and self._scene is not None:
            self._hand.press(touch_of_mouse(event))

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Begin a gesture again: who dabs quickly does not double-click."""
        if event is not None and self._scene is not None:
            self._hand.press(touch_of_mouse(event), is_double=True)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Go on with it, or hover."""
        if event is not None:
            self._move(touch_of_mouse(event), is_hovering=event.buttons() == Qt.MouseButton.NoButton)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """End it."""
        if event is not None:
            self._hand.release(touch_of_mouse(event))

    def tabletEvent(self, event: QTabletEvent | None) -> None:  # noqa: N802
        """The same with a pen; Qt makes no mouse events of what is accepted."""
        if event is None or self._scene is None:
            return
        event.accept()
        touch = touch_of_pen(event)
        if event.type() == QEvent.Type.TabletPress:
            self.setFocus(Qt.FocusReason.MouseFocusReason)
            self._hand.press(touch)
        elif event.type() == QEvent.Type.TabletRelease:
            self._hand.release(touch)
        else:
            self._move(touch, is_hovering=event.buttons() == Qt.MouseButton.NoButton)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom at the pointer; two fingers on a touchpad pan."""
        if event is None or self._scene is None:
            return
        way, ratio = event.pixelDelta(), self.devicePixelRatioF()
        if _is_touchpad(event) and not event.modifiers() & _ZOOM_MODIFIER:
            way = way if not way.isNull() else event.angleDelta() / 2
            self._move_to(self._place.panned(way.x() * ratio, way.y() * ratio))
        elif event.angleDelta().y():
            self.zoom_to(self.percent * wheel_factor(event.angleDelta().y()), event.position())
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Space makes the mouse pan, Esc gives up what is under way."""
        if event is None or not self._wants(event):
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Space:
            self._hand.hold_to_pan(True)
        elif self._hand.is_holding:
            self._hand.cancel()
        else:
            self.cancelled.emit()

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Let the mouse draw again."""
        if event is None or event.key() != Qt.Key.Key_Space:
            super().keyReleaseEvent(event)
        elif not event.isAutoRepeat():
            self._hand.hold_to_pan(False)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Frame the canvas when the keyboard brought the focus here."""
        super().focusInEvent(event)
        self._show_focus = came_by_keyboard(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Give up what is under way: its end may never be told."""
        super().focusOutEvent(event)
        self._show_focus = False
        self._hand.cancel()
        self.update()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Give up what is under way."""
        super().hideEvent(event)
        self._hand.cancel()

    def enterEvent(self, event: QEnterEvent | None) -> None:  # noqa: N802
        """Take the keys from a button that was clicked: Space is to pan now, not to click it again."""
        super().enterEvent(event)
        if isinstance(QApplication.focusWidget(), QAbstractButton):
            self.setFocus(Qt.FocusReason.MouseFocusReason)

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Take the ring away."""
        super().leaveEvent(event)
        self._change_ring(lambda: self._overlay.move_ring(None))
        self.left.emit()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Make what is stale, copy what is asked for, draw over it."""
        if event is None:
            return
        self._refresh()
        ratio, area = self.devicePixelRatioF(), self._device(event.rect())
        painter = QPainter(self)
        painter.scale(1 / ratio, 1 / ratio)
        self._buffer.paint(painter, area)
        if self._scene is not None:
            self._overlay.paint(painter, self._place, ratio, QRectF(area.x0, area.y0, *area.size))
        painter.scale(ratio, ratio)
        self._overlay.paint_note(painter, self.width(), QFontMetricsF(self.font()))
        if self._show_focus:
            paint_focus(painter, QRectF(self.rect()).adjusted(3, 3, -3, -3), color(QPalette.ColorRole.Highlight))
        painter.end()
        self.painted.emit()

    def _listening(self, hand: Hand) -> Hand:
        for told, telling in (
            (hand.pressed, self.pressed),
            (hand.moved, self.moved),
            (hand.released, self.released),
            (hand.double_clicked, self.double_clicked),
            (hand.cancelled, self.cancelled),
            (hand.resized, self.brush_resized),
        ):
            told.connect(telling)
        hand.panned.connect(self._pan)
        hand.changed.connect(self._show_pointer)
        return hand

    def _wants(self, event: QKeyEvent) -> bool:
        if event.key() == Qt.Key.Key_Escape:
            return self._hand.is_holding or self._overlay.has_path
        return event.key() == Qt.Key.Key_Space and not event.modifiers()

    def _room(self) -> Size:
        ratio = self.devicePixelRatioF()
        return max(1, math.ceil(self.width() * ratio)), max(1, math.ceil(self.height() * ratio))

    def _margin(self) -> int:
        return round(MARGIN_PX * self.devicePixelRatioF())

    def _point(self, position: QPointF) -> Point:
        ratio = self.devicePixelRatioF()
        return self._place.to_picture(position.x() * ratio, position.y() * ratio)

    def _follow_room(self) -> None:
        old = self._place
        if self._scene is not None:
            self._place = replace(self._place, margin_px=self._margin()).in_room(self._room())
        self._renew()
        self._tell_zoom(old)

    def _pan(self, dx: float, dy: float) -> None:
        ratio = self.devicePixelRatioF()
        self._move_to(self._place.panned(dx * ratio, dy * ratio))

    def _move_to(self, place: Placement) -> None:
        """Zoom or pan; what was painted already is moved along where the zoom is the same."""
        if self._scene is None:
            return
        old, self._place = self._place, place
        if old.scale != place.scale or self._stale:
            self._renew()
        elif old.corner != place.corner:
            dx, dy = place.corner[0] - old.corner[0], place.corner[1] - old.corner[1]
            self._stale = self._buffer.scroll(dx, dy)
            self.update()
        self._tell_zoom(old)
        self._show_pointer()

    def _tell_zoom(self, old: Placement) -> None:
        if old.scale != self._place.scale:
            self.zoomed.emit(self.percent)

    def _move(self, touch: Touch, *, is_hovering: bool) -> None:
        point = self._point(touch.position)
        # While its size is dragged the ring stays where it was.
        if not self._hand.is_resizing:
            self._change_ring(lambda: self._overlay.move_ring(point))
        if is_hovering:
            self.hovered.emit(*point)
        self._hand.move(touch)

    def _change_ring(self, change: Callable[[], None]) -> None:
        ratio = self.devicePixelRatioF()
        before = self._overlay.ring_area(self._place, ratio)
        change()
        self._update_device(before.united(self._overlay.ring_area(self._place, ratio)))

    def _show_pointer(self) -> None:
        if self._hand.is_panning:
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self._hand.would_pan:
            self.setCursor(Qt.CursorShape.OpenHandCursor)
        elif self._overlay.shows_ring(self._place):
            self.setCursor(Qt.CursorShape.BlankCursor)
        else:
            self.setCursor(cross_hair(self.devicePixelRatioF()))

    def _styled(self, scene: Scene) -> Scene:
        ratio = self.devicePixelRatioF()
        return replace(scene, view=self._view, options=self._options, has_ghosts=self._has_ghosts, ratio=ratio)

    def _renew(self, area: Box | None = None) -> None:
        """Make an area of the buffer (device px) new at the next paint, or all of it."""
        area = (everywhere(self._room()) if area is None else area).within(self._room())
        if not area.is_empty:
            self._stale = with_box(self._stale, area)
            self._update_device(area)

    def _refresh(self) -> None:
        if self._buffer.size != self._room():
            self._buffer, self._stale = DisplayBuffer(self._room()), [everywhere(self._room())]
        scene = None if self._scene is None else self._styled(self._scene)
        for area in self._stale:
            self._buffer.draw(area, color(QPalette.ColorRole.Base), scene=scene, place=self._place)
        self._stale = []

    def _note_area(self) -> QRectF:
        return self._overlay.note_area(self.width(), QFontMetricsF(self.font()))

    def _device(self, rect: QRect) -> Box:
        """A rectangle of the widget in device px, outwards."""
        ratio = self.devicePixelRatioF()
        left, top = math.floor(rect.left() * ratio), math.floor(rect.top() * ratio)
        return Box(left, top, math.ceil((rect.right() + 1) * ratio), math.ceil((rect.bottom() + 1) * ratio))

    def _update_device(self, area: Box) -> None:
        area, ratio = area.within(self._room()), self.devicePixelRatioF()
        if not area.is_empty:
            left, top = math.floor(area.x0 / ratio), math.floor(area.y0 / ratio)
            self.update(left, top, math.ceil(area.x1 / ratio) - left, math.ceil(area.y1 / ratio) - top)


def _is_touchpad(event: QWheelEvent) -> bool:
    device = event.device()
    is_pad = device is not None and device.type() == QInputDevice.DeviceType.TouchPad
    return is_pad or event.phase() != Qt.ScrollPhase.NoScrollPhase
