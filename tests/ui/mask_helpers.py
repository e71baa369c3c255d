"""Driving Mask mode from tests: a project of a small clip, and the mouse over its canvas."""

from PyQt6.QtCore import QPoint, Qt
from PyQt6.QtTest import QTest

from app.ui.choices import Mode
from tests.ui.helpers import wait_until

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
PLAIN = Qt.KeyboardModifier.NoModifier


def open_mask(window, path):
    """Open a clip or project in Mask mode and wait for its first frame."""
    window.set_mode(Mode.MASK)
    window.open_mask(path)
    wait_until(lambda: is_open(window))
    return window.masking.mode.desk


def is_open(window):
    mode = window.masking.mode
    assert mode.desk is not None, f"{window.messages.message} {window.messages.hint}"
    is_shown(mode.desk)


def is_shown(desk):
    """The frame looked at is on the canvas, with its layers."""
    assert desk.shown is not None
    assert desk.shown.wanted.pts == desk.state.pts


def is_analysed(desk):
    """The clip was looked through."""
    assert len(desk.cache) == len(desk.session.index)


def go(desk, index):
    """Look at a frame by its place in the clip."""
    desk.state.go(desk.session.index.pts_at(index))
    wait_until(lambda: is_shown(desk))


def drag(desk, points, *, button=LEFT, modifiers=PLAIN):
    """Drag the mouse over points of the picture."""
    canvas = desk.page.canvas
    places = [canvas.widget_point(*point).toPoint() for point in points]
    QTest.mousePress(canvas, button, modifiers, places[0])
    for place in places[1:]:
        QTest.mouseMove(canvas, place)
    QTest.mouseRelease(canvas, button, modifiers, places[-1])


def click(desk, point, *, button=LEFT, modifiers=PLAIN):
    """Click a point of the picture."""
    QTest.mouseClick(desk.page.canvas, button, modifiers, desk.page.canvas.widget_point(*point).toPoint())


def press(widget, at=None):
    """Click a button, in its middle."""
    QTest.mouseClick(widget, LEFT, PLAIN, at or QPoint(widget.width() // 2, widget.height() // 2))
