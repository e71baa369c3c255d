"""Driving the live window: what it is set to, what it shows, and waiting for both."""

import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from PyQt6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PyQt6.QtGui import QDropEvent, QWheelEvent
from PyQt6.QtWidgets import QAbstractButton, QApplication

from app.domain.settings import CameraOptions, OutputOptions, Settings
from app.pipeline.live.capture import CaptureState
from app.ui.choices import Mode, View
from tests.ui.helpers import GREEN, GREEN_SPEC, WALL, color_at, picture, shown_window, wait_until

FACE, ROOM = (0.20, 0.35), (0.9, 0.3)
"""Shares of the picture: on the person in every frame, and far away from them."""


@contextmanager
def shown_live(qapp, source, folder):
    """A window on a live source, matched on plain green."""
    with shown_window(qapp, Mode.LIVE, source=str(source)) as window:
        window.model.replace(plain_settings(source, folder))
        wait_until(lambda: is_matched(window))
        # The queue is made when Render is first opened, with menus that stay: made here, they are no test's leak.
        window.set_mode(Mode.RENDER)
        window.set_mode(Mode.LIVE)
        wait_until(lambda: is_matched(window))
        yield window


def plain_settings(source, folder):
    """Defaults, on green, without sound."""
    output = OutputOptions(folder=str(folder), microphone="")
    return Settings(plate=GREEN_SPEC, camera=CameraOptions(source=str(source)), output=output)


def reset_live(window, settings):
    """Undo what a test may have changed, and wait for the picture."""
    desk = window.live.desk
    window.showNormal()
    window.activateWindow()  # a dialog that was closed leaves no window active here
    window.resize(1280, 720)
    window.set_mode(Mode.LIVE)
    window.messages.hide()
    window.header.choose_view(View.MATCHED)
    window.workspace.inspector.show_page("camera")
    window.workspace.preview.set_divider(0.5)
    window.workspace.preview.peek(before=False)
    desk.cover(on=False)
    desk.freeze(frozen=False)
    if desk.is_recording:
        desk.toggle_recording()
    desk.feed_camera(on=False)
    wait_until(lambda: not desk.is_recording and not desk.is_feeding)
    window.messages.hide()
    window.model.replace(settings)
    await_new_picture(window)
    wait_until(lambda: is_matched(window))


def await_new_picture(window):
    """Wait until what is shown was captured after this call, and so made with what is set now."""
    runner, preview = window.live.desk.runner, window.workspace.preview
    since_s, painted = time.monotonic(), []
    wait_until(lambda: runner.latest is not None and runner.latest.finished.captured_s > since_s)
    connection = preview.painted.connect(lambda: painted.append(1))
    # One picture may be on its way to the screen already, and one wait there.
    wait_until(lambda: len(painted) > 2)
    preview.disconnect(connection)


def is_matched(window):
    """The person is there, before the plate, in matched colours; the room is not."""
    latest = window.live.desk.runner.latest
    assert window.live.desk.status.state is CaptureState.LIVE, window.messages.message
    assert latest is not None
    assert latest.rendered is not None
    assert latest.rendered.table is not None
    assert window.workspace.preview.has_picture
    assert near(color_at(window, *ROOM), GREEN)
    assert not near(color_at(window, *FACE), GREEN, within=20)


def near(colour, wanted, within=3):
    return bool(np.abs(np.asarray(colour, int) - wanted).max() <= within)


def has(pixels, colour, within=12):
    """How much of a picture has a colour, 0..1."""
    return float((np.abs(pixels.astype(int) - colour).max(axis=-1) <= within).mean())


def person_share(window):
    """How much of the shown picture is not the green plate."""
    return 1 - has(picture(window), GREEN, 24)


def person_centre(window):
    """(x, y) of the person's middle, in shares of the shown picture."""
    there = np.abs(picture(window).astype(int) - GREEN).max(axis=2) > 24
    rows, columns = np.nonzero(there)
    return float(columns.mean() / there.shape[1]), float(rows.mean() / there.shape[0])


def room_share(window):
    """How much of the shown picture has the room's colour."""
    return has(picture(window), WALL, 24)


def until_shown(window, is_so):
    """Wait until what is shown now is so."""
    wait_until(lambda: bool(is_so(window)) or _fail("not shown yet"))


def shown_table(runner):
    """The look-up table of the picture shown last; the cover that a busy machine brings is waited over."""
    found = []

    def is_matched():
        rendered = runner.latest.rendered
        assert rendered is not None, "the plate covers everything"
        found.append(rendered.table)

    wait_until(is_matched)
    return found[-1]


def _fail(words):
    raise AssertionError(words)


def set_value(window, group, name, value):
    """By the inspector's control, as a hand would."""
    work = window.workspace
    work.inspector.show_page(group)
    control = work.inspector.control(group, name)
    if hasattr(control, "field"):
        factor = 100 if control.kind.unit == "%" else 1
        control.field.setValue(value * factor)
    elif hasattr(control, "box"):
        control.box.setChecked(not value)
        control.box.click()
    else:
        index = control.combo.findData(value)
        control.combo.setCurrentIndex(index)
        control.combo.activated.emit(index)
    assert getattr(getattr(window.model.settings, group), name) == value


def drop(window, *paths, on=None):
    """Let files go over a part of the window; over the preview when none is named."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    widget = on or window.workspace.preview
    place = QPointF(widget.mapTo(window, widget.rect().center()))
    window.dropEvent(
        QDropEvent(place, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    )


def wheel(widget, notches):
    """Turn the wheel over the middle of a widget."""
    centre = QPointF(widget.rect().center())
    there = QPointF(widget.mapToGlobal(centre.toPoint()))
    none = Qt.KeyboardModifier.NoModifier
    event = QWheelEvent(
        centre, there, QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton, none, Qt.ScrollPhase.NoScrollPhase,
        False,
    )  # fmt: skip
    QApplication.sendEvent(widget, event)


def button(parent, words):
    """The visible button with these words."""
    return next(b for b in parent.findChildren(QAbstractButton) if b.text() == words and b.isVisible())


def with_camera(settings, source):
    return replace(settings, camera=replace(settings.camera, source=str(source)))
