"""What one does in a call, under the picture: record, feed the virtual camera, cover oneself."""

from __future__ import annotations

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QIcon, QPalette
from PyQt6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.ui.buttons import icon_button
from app.ui.resources import icon
from app.ui.text import tr

_ICON_PX = (30, 20)  # wider than high: a distance to the words


class ControlBar(QWidget):
    """Buttons with a key each. The signals say what was asked for; `show_...` says what is so."""

    record_wanted = pyqtSignal()
    pause_wanted = pyqtSignal()
    snapshot_wanted = pyqtSignal()
    camera_wanted = pyqtSignal(bool)
    cover_wanted = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("controlBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.record = _button("record", tr("Record"), tr("Record the finished picture with sound"), "R")
        self.pause = _button("pause", tr("Pause"), tr("Stop recording for a while, in the same file"), "Shift+R")
        self.snapshot = _button("snapshot", tr("Snapshot"), tr("Save the picture as it is now"), "S")
        self.camera = _button(
            "virtual-camera", tr("Virtual camera"), tr("Offer the finished picture to call programs as a camera"), "V"
        )
        self.cover = _button(
            "mute-video", tr("Cover"), tr("Show only the background, at once: nobody sees you or your room"), "C"
        )
        self.pause.hide()
        self.record.setIcon(_record_sign())
        for button in (self.camera, self.cover, self.pause):
            button.setCheckable(True)
        self._lay_out()
        self._connect()

    def show_recording(self, *, is_on: bool, is_paused: bool) -> None:
        """Say whether a recording runs."""
        self.record.setText(tr("Stop") if is_on else tr("Record"))
        self.record.setIcon(icon("stop") if is_on else _record_sign())
        self.record.setProperty("live", is_on)
        style = self.record.style()
        if style is not None:  # a style sheet looks at a property once, when it is applied
            style.unpolish(self.record)
            style.polish(self.record)
        self.pause.setVisible(is_on)
        self.pause.setChecked(is_paused)

    def show_camera(self, *, is_on: bool) -> None:
        """Say whether the virtual camera is fed."""
        self.camera.setChecked(is_on)

    def show_cover(self, *, is_on: bool) -> None:
        """Say whether everything is covered."""
        self.cover.setChecked(is_on)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 7, 14, 7)
        row.setSpacing(6)
        for button in (self.record, self.pause, self.snapshot, self.camera, self.cover):
            row.addWidget(button)
        row.addStretch(1)

    def _connect(self) -> None:
        self.record.clicked.connect(self.record_wanted)
        self.pause.clicked.connect(self.pause_wanted)
        self.snapshot.clicked.connect(self.snapshot_wanted)
        self.camera.clicked.connect(self.camera_wanted)
        self.cover.clicked.connect(self.cover_wanted)


def _record_sign() -> QIcon:
    """The dot in the colour of alarm, as everywhere."""
    return icon("record", ink=QPalette.ColorRole.BrightText)


def _button(name: str, words: str, hint: str, keys: str) -> QToolButton:
    button = icon_button(name, words, hint, keys=keys, size_px=QSize(*_ICON_PX))
    button.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
    return button
