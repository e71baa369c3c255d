"""Driving the window from tests: waiting, looking at pixels, a clip with a real person."""

import threading
import time
from contextlib import contextmanager
from functools import cache

import cv2
import numpy as np
from PyQt6.QtCore import QCoreApplication, QEvent
from PyQt6.QtTest import QTest

from app.domain.settings import Settings
from app.pipeline.demo_source import portrait_path
from app.pipeline.images import load_image
from app.ui.choices import Mode, View
from app.ui.main_window import MainWindow
from app.ui.theme import apply_theme

WAIT_S = 60
"""For the first picture: the networks are imported and loaded, on a machine that may be busy."""

GREEN = (32, 160, 64)
GREEN_SPEC = "#20a040"

WALL = (200, 60, 160)
"""The colour of the room in `portrait`, one that no plate here has."""


@cache
def _person(height):
    photo = load_image(portrait_path()).pixels[:400, 60:400]
    return cv2.resize(photo, (height * 340 // 400, height), interpolation=cv2.INTER_AREA)


def portrait(width, height, index):
    """A person, real enough for the segmenter, at the left of a plain wall; moves a little."""
    person = _person(height)
    pixels = np.full((height, width, 3), WALL, np.uint8)
    left = index % 8
    pixels[:, left : left + person.shape[1]] = person
    return pixels


@contextmanager
def shown_window(qapp, mode=Mode.RENDER, source=None):
    """A window for the time of the block; its threads are gone after it."""
    apply_theme(qapp, "dark")
    before = set(threading.enumerate())
    window = MainWindow(mode, source=source)
    window.resize(1280, 720)
    window.show()
    try:
        yield window
    finally:
        window.close()
        window.deleteLater()
        drop_deleted()
    assert left_of(before) == []


def left_of(before):
    """Names of threads that are still there though they were not before; who is about to end is waited for."""
    left = [thread for thread in threading.enumerate() if thread not in before]
    ends_s = time.monotonic() + 60
    for thread in left:
        thread.join(max(0.0, ends_s - time.monotonic()))
    return [thread.name for thread in left if thread.is_alive()]


def reset(window):
    """Undo what a test may have changed, and wait for the picture."""
    work = window.workspace
    window.resize(1280, 720)
    window.messages.hide()
    window.header.choose_view(View.SPLIT)
    work.preview.set_divider(0.5)
    work.transport.slider.setValue(0)
    work.plates.set_colour(GREEN_SPEC)
    window.model.replace(Settings(plate=GREEN_SPEC))
    settle(window)


def drop_deleted():
    """Let Qt finish what `deleteLater` was called for."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def wait_until(condition, timeout_s=WAIT_S):
    """Let the window work until the condition holds; its own assertion says what is missing."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            assert condition() in (None, True)
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            QTest.qWait(10)


def settle(window):
    """Wait until the preview shows what was chosen last."""
    session, work, desk = window.session, window.workspace, window.render_desk

    def is_shown():
        assert session.clip is not None, window.messages.message
        assert desk.shown is not None
        assert desk.shown.has_person is not None
        assert desk.shown.request is session.asked
        assert session.asked.settings == window.model.settings
        assert session.asked.size_px == work.preview.area_px()
        assert work.preview.has_picture

    wait_until(is_shown)


def color_at(window, x, y):
    """RGB of the shown picture at a share of its width and height."""
    preview = window.workspace.preview
    area = preview.picture_rect()
    image = preview.grab().toImage()
    scale = image.devicePixelRatio()
    point = (area.left() + x * area.width()) * scale, (area.top() + y * area.height()) * scale
    colour = image.pixelColor(int(point[0]), int(point[1]))
    return np.array([colour.red(), colour.green(), colour.blue()], int)


def picture(window):
    """The shown picture, (H, W, 3) uint8, as painted."""
    preview = window.workspace.preview
    image = preview.grab(preview.picture_rect().toAlignedRect()).toImage()
    image = image.convertToFormat(image.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits().asarray(image.sizeInBytes()), np.uint8)
    rows = rows.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()]
    return rows.reshape(image.height(), image.width(), 3).copy()
