"""The tray icon: what one needs in a call while the window is out of sight."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction, QIcon
from PyQt6.QtWidgets import QMenu, QSystemTrayIcon, QWidget

from app.ui.resources import icon
from app.ui.text import tr


class Tray(QObject):
    """Show the window, cover, virtual camera, record, quit; nothing on a desktop without a tray."""

    show_wanted = pyqtSignal()
    cover_wanted = pyqtSignal(bool)
    camera_wanted = pyqtSignal(bool)
    record_wanted = pyqtSignal()
    quit_wanted = pyqtSignal()

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._menu = QMenu(window)
        self._menu.addAction(icon("open"), tr("Show PlateMatch"), self.show_wanted.emit)
        self._menu.addSeparator()
        self.cover = self._toggle("mute-video", tr("Cover my video"))
        self.camera = self._toggle("virtual-camera", tr("Virtual camera"))
        self.cover.triggered.connect(self.cover_wanted)
        self.camera.triggered.connect(self.camera_wanted)
        self.record = QAction(icon("record"), tr("Record"), self._menu)
        self.record.triggered.connect(self.record_wanted.emit)
        self._menu.addAction(self.record)
        self._menu.addSeparator()
        self._menu.addAction(icon("close"), tr("Quit"), self.quit_wanted.emit)
        self._icon = QSystemTrayIcon(icon("match"), window)
        self._icon.setToolTip("PlateMatch")
        self._icon.setContextMenu(self._menu)
        self._icon.activated.connect(self._clicked)
        if QSystemTrayIcon.isSystemTrayAvailable():
            self._icon.show()

    @property
    def is_there(self) -> bool:
        """Whether the desktop shows it."""
        return self._icon.isVisible()

    def show_state(self, *, covered: bool, feeding: bool, recording: bool) -> None:
        """Say what is so."""
        self.cover.setChecked(covered)
        self.camera.setChecked(feeding)
        self.record.setText(tr("Stop recording") if recording else tr("Record"))
        picture: QIcon = icon("record" if recording else "mute-video" if covered else "match")
        self._icon.setIcon(picture)

    def say(self, words: str, hint: str) -> None:
        """Tell something while the window is out of sight."""
        self._icon.showMessage(words, hint, icon("match"))

    def hide(self) -> None:
        """Take it away."""
        self._icon.hide()

    def _toggle(self, name: str, words: str) -> QAction:
        action = QAction(icon(name), words, self._menu)
        action.setCheckable(True)
        self._menu.addAction(action)
        return action

    def _clicked(self, reason: QSystemTrayIcon.ActivationReason) -> None:
        if reason == QSystemTrayIcon.ActivationReason.Trigger:
            self.show_wanted.emit()
