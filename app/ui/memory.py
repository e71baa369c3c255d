"""What the window remembers from one start to the next; written a moment after it changed, and at the end."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final

from PyQt6.QtCore import QTimer, pyqtSignal

from app.domain.interface_state import Interface
from app.domain.settings import Settings
from app.pipeline.settings_store import (
    interface_path,
    load_interface,
    load_settings,
    save_interface,
    save_settings,
    settings_path,
)
from app.ui.choices import Failure
from app.ui.worker import Worker, guarded

_AFTER_MS: Final = 800


class Memory(Worker):
    """Settings and window state on the disk, written on a thread: making sure of a file can take long.

    failed(Failure): they could not be written; said once.
    """

    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__("memory")
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
        """Have written what changed."""
        self._timer.stop()
        self._mailbox.errand(guarded(partial(self._write, self.settings, self.interface), self._say_failed))

    def stop(self) -> None:
        """Write what changed and end the thread."""
        self.save()
        self._mailbox.finish()
        self._thread.join()

    def _write(self, settings: Settings, interface: Interface) -> None:
        if settings != self._saved[0]:
            save_settings(settings_path(), settings)
        if interface != self._saved[1]:
            save_interface(interface_path(), interface)
        self._saved = settings, interface

    def _say_failed(self, failure: Failure) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.failed.emit(failure)
