"""Choosing the background from a menu, where there is no room for the strip."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtGui import QColor
from PyQt6.QtWidgets import QMenu, QWidget

from app.pipeline.plates import DEFAULT_PLATES
from app.ui import dialogs
from app.ui.text import tr

_FIRST_COLOUR: Final = "#2f6b4f"


class PlateMenu(QMenu):
    """chosen(str): a plate, as `open_plate` takes it."""

    chosen = pyqtSignal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._window = parent
        self.own_plates: list[str] = []
        self._current = ""
        self.aboutToShow.connect(self._fill)

    def show_current(self, spec: str) -> None:
        """Tick this one from now on."""
        self._current = spec

    def _fill(self) -> None:
        self.clear()
        for spec in (*DEFAULT_PLATES, "blur"):
            self._offer(spec, tr("Blurred" if spec == "blur" else spec.replace("-", " ").capitalize()))
        self.addSeparator()
        for spec in self.own_plates:
            self._offer(spec, Path(spec).name)
        self.addAction(tr("Picture or video…"), lambda: dialogs.ask_plate(self._window, self.chosen.emit))
        self.addAction(tr("Colour…"), self._ask_colour)

    def _offer(self, spec: str, words: str) -> None:
        action = self.addAction(words, partial(self.chosen.emit, spec))
        if action is not None:
            action.setCheckable(True)
            action.setChecked(spec == self._current)

    def _ask_colour(self) -> None:
        before = self._current
        start = QColor(before if before.startswith("#") else _FIRST_COLOUR)
        dialogs.ask_colour(self._window, start, changed=self.chosen.emit, dropped=lambda: self.chosen.emit(before))
