"""The list of cameras in the window, with and without QtMultimedia."""

from __future__ import annotations

import sys
from enum import Enum

import pytest
from PyQt6.QtCore import QObject, QSize, pyqtSignal

from app.pipeline.live.camera_list import Camera
from app.ui.live import camera_devices
from app.ui.live.camera_devices import CameraDevices

DESK, PHONE, OURS = Camera("/dev/video0", "Desk cam"), Camera("/dev/video4", "Phone"), Camera("/dev/video9", "Ours")


class PixelFormat(Enum):
    Format_Jpeg = 1


class Format:
    def resolution(self):
        return QSize(1280, 720)

    def maxFrameRate(self):
        return 29.97

    def pixelFormat(self):
        return PixelFormat.Format_Jpeg


class Device:
    def __init__(self, camera):
        self.camera = camera

    def id(self):
        return self.camera.id.encode()

    def description(self):
        return self.camera.name

    def videoFormats(self):
        return [Format(), Format()]


class Media(QObject):
    videoInputsChanged = pyqtSignal()  # noqa: N815

    def __init__(self, cameras):
        super().__init__()
        self.cameras = cameras

    def videoInputs(self):
        return [Device(camera) for camera in self.cameras]

    def now(self, cameras):
        self.cameras = cameras
        self.videoInputsChanged.emit()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(camera_devices, "POLL_MS", 10)


def names(devices):
    return [camera.name for camera in devices.cameras()]


def test_without_multimedia_cameras_are_looked_for_again_and_again(qtbot, quick):
    listed = [DESK]
    devices = CameraDevices(media=lambda: None, listed=lambda: list(listed), nodes=lambda: tuple(listed))
    assert devices.cameras() == [DESK]
    assert devices.is_polling
    with qtbot.waitSignal(devices.changed, timeout=5000):
        listed.append(PHONE)
    assert devices.cameras() == [DESK, PHONE]
    with qtbot.waitSignal(devices.changed, timeout=5000):
        listed.clear()
    assert devices.cameras() == []


def test_cameras_are_left_asleep_while_no_node_comes_or_goes(qtbot, quick):
    asked, polls = [], []
    devices = CameraDevices(
        media=lambda: None, listed=lambda: asked.append(1) or [DESK], nodes=lambda: polls.append(1) or {"video0"}
    )
    qtbot.waitUntil(lambda: len(polls) > 4)
    assert devices.is_polling
    assert len(asked) == 1


def test_nothing_is_told_while_nothing_changes(qtbot, quick):
    looks = []
    devices = CameraDevices(media=lambda: None, listed=lambda: looks.append(1) or [DESK], nodes=lambda: len(looks))
    told = []
    devices.changed.connect(lambda: told.append(1))
    qtbot.waitUntil(lambda: len(looks) > 4)
    assert told == []


def test_multimedia_tells_formats_and_hot_plug_without_polling(qtbot):
    media = Media([DESK])
    devices = CameraDevices(media=lambda: media, listed=list)
    assert devices.cameras() == [Camera(DESK.id, DESK.name, ("1280 \u00d7 720, 29.97 fps, Jpeg",))]
    assert not devices.is_polling
    with qtbot.waitSignal(devices.changed):
        media.now([DESK, PHONE])
    assert names(devices) == ["Desk cam", "Phone"]


def test_our_own_output_is_no_camera(qtbot):
    media = Media([DESK, OURS])
    assert names(CameraDevices(media=lambda: media, listed=list, without=["Ours"])) == ["Desk cam"]
    assert names(CameraDevices(media=lambda: None, listed=lambda: [OURS, DESK], without=["Ours"])) == ["Desk cam"]


def test_where_multimedia_is_blind_the_system_is_asked(qtbot, monkeypatch):
    media = Media([])
    monkeypatch.setattr(sys, "platform", "linux")
    devices = CameraDevices(media=lambda: media, listed=lambda: [PHONE])
    assert (names(devices), devices.is_polling) == (["Phone"], True)
    media.now([DESK])
    assert (names(devices), devices.is_polling) == (["Desk cam"], False)
    monkeypatch.setattr(sys, "platform", "win32")
    media.now([])
    assert (names(devices), devices.is_polling) == ([], False)


def test_it_starts_on_this_machine_whatever_there_is(qtbot):
    devices = CameraDevices()
    assert all(camera.id and camera.name for camera in devices.cameras())
