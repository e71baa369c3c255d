"""The settings the window works on, with undo; everything that shows or uses them listens here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.history import History
from app.domain.settings import Settings


class SettingsModel(QObject):
    """One `Settings` and what it was before. changed(Settings): it is another one now, by whatever way."""

    changed = pyqtSignal(object)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._history = History(settings)

    @property
    def settings(self) -> Settings:
        """What is set now."""
        return self._history.current

    @property
    def can_undo(self) -> bool:
        """Whether a change can be taken back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a change that was taken back can be made again."""
        return self._history.can_redo

    def set_value(self, group: str, name: str, value: Any, *, is_dragging: bool = False) -> None:
        """Set one setting of a group, "" for the plate. All values of one drag are one step of undo."""
        self.set_values(group, {name: value}, is_dragging=is_dragging)

    def set_values(self, group: str, values: Mapping[str, Any], *, is_dragging: bool = False) -> None:
        """Set some settings of a group that belong together, as one step of undo."""
        settings = self.settings
        for name, value in values.items():
            settings = settings.with_value(group, name, value)
        self._push(settings, merge_key=(group, *values))
        if not is_dragging:
            self._history.settle()

    def replace(self, settings: Settings, *, merge_key: str | None = None) -> None:
        """Set everything at once, as a preset does."""
        self._push(settings, merge_key=merge_key)

    def undo(self) -> None:
        """Take the last change back."""
        if self._history.undo() is not None:
            self.changed.emit(self.settings)

    def redo(self) -> None:
        """Make it again."""
        if self._history.redo() is not None:
            self.changed.emit(self.settings)

    def _push(self, settings: Settings, *, merge_key: object) -> None:
        if settings != self.settings:
            self._history.push(settings, merge_key=merge_key)
            self.changed.emit(self.settings)
