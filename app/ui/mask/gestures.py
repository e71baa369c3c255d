"""Mouse and pen on the canvas, as typed gestures in px of the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from PyQt6.QtCore import QCoreApplication, QObject, QPointF, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QPointingDevice, QTabletEvent


class Button(Enum):
    """Which button began it; the eraser's end of a pen is the right one."""

    LEFT = auto()
    RIGHT = auto()


@dataclass(frozen=True, slots=True)
class Gesture:
    """One moment of a gesture. x, y: px of the picture, may lie outside of it. pressure: 0..1, 1 for mice."""

    x: float
    y: float
    pressure: float = 1.0
    button: Button = Button.LEFT
    alt: bool = False
    shift: bool = False
    ctrl: bool = False
    is_tablet: bool = False


@dataclass(frozen=True, slots=True)
class Touch:
    """A mouse's or a pen's event. position: in the widget. button: the one that was pressed or released."""

    position: QPointF
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    pressure: float
    is_tablet: bool


def touch_of_mouse(event: QMouseEvent) -> Touch:
    """What a mouse did."""
    return Touch(event.position(), event.button(), event.modifiers(), 1.0, is_tablet=False)


def touch_of_pen(event: QTabletEvent) -> Touch:
    """What a pen did."""
    button = event.button()
    if event.pointerType() == QPointingDevice.PointerType.Eraser and button == Qt.MouseButton.LeftButton:
        button = Qt.MouseButton.RightButton
    return Touch(event.position(), button, event.modifiers(), event.pressure(), is_tablet=True)


class _Hold(Enum):
    """What is being done with a button down."""

    TOOL = auto()
    PAN = auto()
    RESIZE = auto()


_COMPRESSION: Final = Qt.ApplicationAttribute.AA_CompressHighFrequencyEvents
_BUTTONS: Final = {Qt.MouseButton.LeftButton: Button.LEFT, Qt.MouseButton.RightButton: Button.RIGHT}


class Hand(QObject):
    """Tells panning, changing the brush's size and a tool's gesture apart; `to_picture` gives px of the picture.

    pressed, moved, released, double_clicked(Gesture): a double click comes right after its own press. cancelled:
    forget what was begun. panned(dx, dy): in the widget. resized(dx_px, dy_px): in px of the picture across, of the
    widget down. changed: `is_panning` may have.
    """

    pressed = pyqtSignal(object)
    moved = pyqtSignal(object)
    released = pyqtSignal(object)
    double_clicked = pyqtSignal(object)
    cancelled = pyqtSignal()
    panned = pyqtSignal(float, float)
    resized = pyqtSignal(float, float)
    changed = pyqtSignal()

    def __init__(self, to_picture: Callable[[QPointF], tuple[float, float]], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._to_picture = to_picture
        self._hold: _Hold | None = None
        self._begun_by: Touch | None = None
        self._last = QPointF()
        self._pans_by_key = self._compressed = False

    @property
    def is_holding(self) -> bool:
        """Whether a button is down that began something."""
        return self._hold is not None

    @property
    def is_drawing(self) -> bool:
        """Whether a tool's gesture is under way."""
        return self._hold is _Hold.TOOL

    @property
    def is_panning(self) -> bool:
        """Whether the picture is being moved."""
        return self._hold is _Hold.PAN

    @property
    def would_pan(self) -> bool:
        """Whether a press would begin to move the picture."""
        return self._pans_by_key

    @property
    def is_resizing(self) -> bool:
        """Whether the brush's size is being changed."""
        return self._hold is _Hold.RESIZE

    def hold_to_pan(self, is_down: bool) -> None:
        """The key for panning went down or up."""
        self._pans_by_key = is_down
        self.changed.emit()

    def press(self, touch: Touch, *, is_double: bool = False) -> None:
        """A button went down; a second one during a gesture says nothing."""
        if self._begun_by is not None:
            return
        hold = self._hold_for(touch)
        if hold is None:
            return
        self._hold, self._begun_by, self._last = hold, touch, touch.position
        self.changed.emit()
        if hold is _Hold.TOOL:
            # Qt on X11 leaves out moves that others follow already: a fast stroke would become a polygon.
            self._compressed = QCoreApplication.testAttribute(_COMPRESSION)
            QCoreApplication.setAttribute(_COMPRESSION, False)
            self.pressed.emit(self._gesture(touch))
            if is_double:
                self.double_clicked.emit(self._gesture(touch))

    def move(self, touch: Touch) -> None:
        """The pointer moved, with a button down."""
        if self._begun_by is None or touch.is_tablet != self._begun_by.is_tablet:
            return
        way, self._last = touch.position - self._last, touch.position
        if self._hold is _Hold.TOOL:
            self.moved.emit(self._gesture(touch))
        elif self._hold is _Hold.PAN:
            self.panned.emit(way.x(), way.y())
        elif self._hold is _Hold.RESIZE:
            from_x, to_x = (self._to_picture(point)[0] for point in (touch.position - way, touch.position))
            self.resized.emit(to_x - from_x, way.y())

    def release(self, touch: Touch) -> None:
        """A button went up."""
        begun_by = self._begun_by
        if begun_by is None or (touch.button, touch.is_tablet) != (begun_by.button, begun_by.is_tablet):
            return
        gesture = self._gesture(touch) if self.is_drawing else None
        self._let_go()
        if gesture is not None:
            self.released.emit(gesture)

    def cancel(self) -> None:
        """Give up what is under way; what the buttons still do then says nothing."""
        self._pans_by_key, was_drawing = False, self.is_drawing
        self._let_go()
        if was_drawing:
            self.cancelled.emit()

    def _hold_for(self, touch: Touch) -> _Hold | None:
        if touch.button == Qt.MouseButton.MiddleButton or (self._pans_by_key and touch.button in _BUTTONS):
            return _Hold.PAN
        if touch.button not in _BUTTONS:
            return None
        return _Hold.RESIZE if touch.modifiers & Qt.KeyboardModifier.AltModifier else _Hold.TOOL

    def _let_go(self) -> None:
        if self.is_drawing:
            QCoreApplication.setAttribute(_COMPRESSION, self._compressed)
        self._hold = self._begun_by = None
        self.changed.emit()

    def _gesture(self, touch: Touch) -> Gesture:
        x, y = self._to_picture(touch.position)
        keys, begun_by = touch.modifiers, self._begun_by or touch
        return Gesture(
            x,
            y,
            touch.pressure,
            _BUTTONS[begun_by.button],
            alt=bool(keys & Qt.KeyboardModifier.AltModifier),
            shift=bool(keys & Qt.KeyboardModifier.ShiftModifier),
            ctrl=bool(keys & Qt.KeyboardModifier.ControlModifier),
            is_tablet=touch.is_tablet,
        )
