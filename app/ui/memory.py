"""What the window remembers from one start to the next; written a moment after it changed, and at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.domain.errors import UserError
from app.domain.settings import Settings
from app.pipeline.settings_store import (
    interface_path,
    load_interface,
    load_settings,
    save_interface,
    save_settings,
    settings_path,
)
from app.ui.faults import failure_of

_AFTER_MS: Final = 800


class Memory(QObject):
    """Settings and window state on the disk. failed(Failure): they could not be written; said once."""

    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self.settings, settings_notes = load_settings(settings_path())
        self.interface, interface_notes = load_interface(interface_path())
        self.notes = (*settings_notes, *interface_notes)
        self._saved = self.settings, self.interface
        self._has_failed = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_AFTER_MS)
        self._timer.timeout.connect(self.save)

    def remember(self, settings: Settings) -> None:
        """Keep these settings."""
        self.settings = settings
        self._timer.start()

    def note(self, **changes: Any) -> None:
        """Keep something of the window's state."""
        self.interface = replace(self.interface, **changes)
        self._timer.start()

    def save(self) -> None:
        """Write what changed, now."""
        self._timer.stop()
        try:
            if self.settings != self._saved[0]:
                save_settings(settings_path(), self.settings)
            if self.interface != self._saved[1]:
                save_interface(interface_path(), self.interface)
        except UserError as error:
            if not self._has_failed:
                self._has_failed = True
                self.failed.emit(failure_of(error))
        else:
            self._saved = self.settings, self.interface
