"""Choosing where the live picture comes from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QMenu, QWidget

from app.pipeline.live.sources import words_for
from app.ui import dialogs
from app.ui.live.camera_devices import CameraDevices
from app.ui.live.region_picker import pick_region
from app.ui.resources import icon
from app.ui.text import tr

_NAMES = {"": "First camera", "sample": "Sample", "pattern": "Test pattern"}


class SourceMenu(QObject):
    """Fills a menu with cameras, screens and the rest. chosen(spec): as `open_source` takes it.

    changed: other cameras are there now; `sources` lists them. recent: files and streams chosen before.
    """

    chosen = pyqtSignal(str)
    changed = pyqtSignal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.recent: tuple[str, ...] = ()
        self._window = window
        self.devices = CameraDevices()
        self.devices.changed.connect(self.changed)
        self.menu = QMenu(window)
        self.menu.aboutToShow.connect(self._fill)

    def cameras(self) -> list[tuple[str, str]]:
        """(spec, name) of every camera."""
        return [(f"camera:{camera.id}", camera.name) for camera in self.devices.cameras()]

    def sources(self) -> list[tuple[str, str]]:
        """(spec, name) of cameras and screens: what can also stand behind a person."""
        return [*self.cameras(), *screens()]

    def name_of(self, spec: str) -> str:
        """What people call a source."""
        if spec in _NAMES:
            return tr(_NAMES[spec])
        if spec.startswith("screen:") and spec.count(":") == 2:
            return tr("Part of screen {number}").format(number=int(spec.split(":")[1]) + 1)
        known = dict(self.sources()).get(spec)
        if known is not None:
            return known
        if "://" in spec:
            return tr("Network stream")
        return Path(spec.partition(":")[2] if spec.startswith(("camera:", "screen:")) else spec).name or spec

    def ask_file(self) -> None:
        """Ask for a video or picture to play as if it were a camera."""
        dialogs.ask_plate(self._window, lambda name: self.chosen.emit(str(Path(name).absolute())))

    def ask_region(self) -> None:
        """Let a box be drawn on the screen."""
        picker = pick_region()
        if picker is not None:
            picker.picked.connect(self.chosen)

    def ask_stream(self) -> None:
        """Ask for the address of a network camera."""
        dialogs.ask_name(
            self._window,
            tr("Network stream"),
            tr("Address (rtsp:// or http://)"),
            start="rtsp://",
            chosen=lambda words: self.chosen.emit(words.strip()),
        )

    def _fill(self) -> None:
        self.menu.clear()
        self.menu.addAction(icon("camera"), tr("First camera"), partial(self.chosen.emit, ""))
        for spec, name in self.sources():
            picture = "screen" if spec.startswith("screen") else "camera"
            self.menu.addAction(icon(picture), name, partial(self.chosen.emit, spec))
        self.menu.addAction(icon("screen"), tr("Part of a screen…"), self.ask_region)
        self.menu.addSeparator()
        self.menu.addAction(icon("open"), tr("Video or picture…"), self.ask_file)
        self.menu.addAction(icon("live"), tr("Network stream…"), self.ask_stream)
        for spec in self.recent:
            words = words_for(spec) if "://" in spec else self.name_of(spec)
            self.menu.addAction(icon("render"), words.replace("&", "&&"), partial(self.chosen.emit, spec))
        self.menu.addSeparator()
        self.menu.addAction(icon("person"), tr("Sample"), partial(self.chosen.emit, "sample"))
        self.menu.addAction(icon("render"), tr("Test pattern"), partial(self.chosen.emit, "pattern"))


def screens() -> list[tuple[str, str]]:
    """(spec, name) of every screen."""
    found = QGuiApplication.screens()
    return [(f"screen:{i}", tr("Screen {number}").format(number=i + 1)) for i in range(len(found))]
