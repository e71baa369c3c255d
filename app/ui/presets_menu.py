"""Presets in the window: choosing, saving and handing on what one has set."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QAction, QKeySequence, QShortcut
from PyQt6.QtWidgets import QMenu, QToolButton, QWidget

from app.domain.errors import UserError
from app.pipeline.presets import SLOTS, Preset, PresetStore, presets_folder
from app.ui import dialogs
from app.ui.faults import failure_of
from app.ui.resources import icon
from app.ui.settings_model import SettingsModel
from app.ui.text import tr


class PresetsMenu(QObject):
    """Fills a button's menu and does what it says; the number keys work while the button is to be seen.

    failed(Failure). said(str): something worth knowing.
    """

    failed = pyqtSignal(object)
    said = pyqtSignal(str)

    def __init__(self, window: QWidget, model: SettingsModel, button: QToolButton) -> None:
        super().__init__(window)
        self._window, self._model = window, model
        self.menu = QMenu(window)
        self.menu.setToolTipsVisible(True)
        self.menu.aboutToShow.connect(self._fill)
        button.setMenu(self.menu)
        self._store = PresetStore(presets_folder())
        for slot in SLOTS:
            shortcut = QShortcut(QKeySequence(str(slot)), button)
            shortcut.activated.connect(partial(self.use_slot, slot))

    def use(self, name: str) -> None:
        """Set everything as a preset has it. UserError when there is none of that name."""
        preset = self._store.named(name)
        self._model.replace(preset.applied_to(self._model.settings))
        self.said.emit(tr("Preset “{name}”.").format(name=preset.name))

    def use_slot(self, slot: int) -> None:
        """Use the preset of a number key, if there is one."""
        for preset in self.presets():
            if preset.slot == slot:
                self._guard(partial(self.use, preset.name))

    def save_as(self, name: str) -> None:
        """Keep what is set now under a name, on the first free number key."""
        taken = {preset.slot for preset in self.presets() if preset.name != name}
        known = next((preset.slot for preset in self.presets() if preset.name == name), None)
        slot = known or next((slot for slot in SLOTS if slot not in taken), None)
        self._guard(lambda: self._store.save(Preset(name, self._model.settings, slot)))

    def presets(self) -> tuple[Preset, ...]:
        """All presets, in order; those that can't be read are left out."""
        try:
            presets, _notes = self._store.presets()
        except UserError:
            return ()
        return presets

    def _fill(self) -> None:
        self.menu.clear()
        for sub in self.menu.findChildren(QMenu):  # `clear` takes their entries only
            sub.deleteLater()
        presets = self.presets()
        for preset in presets:
            keys = f"\t{preset.slot}" if preset.slot else ""
            self.menu.addAction(
                preset.name.replace("&", "&&") + keys, partial(self._guard, partial(self.use, preset.name))
            )
        if not presets:
            nothing = QAction(tr("No presets yet"), self.menu)
            nothing.setEnabled(False)
            self.menu.addAction(nothing)
        self.menu.addSeparator()
        self.menu.addAction(icon("plus"), tr("Save as a preset…"), self.ask_name)
        self.menu.addAction(icon("open"), tr("Import…"), self._ask_import)
        for preset in presets:
            self._add_handling(preset)

    def _add_handling(self, preset: Preset) -> None:
        sub = self.menu.addMenu(tr("Edit “{name}”").format(name=preset.name.replace("&", "&&")))
        if sub is None:
            return
        sub.addAction(tr("Overwrite with what is set now"), partial(self.save_as, preset.name))
        sub.addAction(tr("Rename…"), partial(self._ask_rename, preset.name))
        sub.addAction(tr("Export…"), partial(self._ask_export, preset.name))
        keys = sub.addMenu(tr("Key"))
        if keys is not None:
            for slot in (None, *SLOTS):
                action = keys.addAction(tr("None") if slot is None else str(slot))
                if action is not None:
                    action.setCheckable(True)
                    action.setChecked(preset.slot == slot)
                    action.triggered.connect(partial(self._assign, preset.name, slot))
        sub.addSeparator()
        sub.addAction(icon("close"), tr("Delete"), partial(self._guard, partial(self._store.delete, preset.name)))

    def ask_name(self) -> None:
        """Ask for a name and save."""
        start = tr("Preset {number}").format(number=len(self.presets()) + 1)
        dialogs.ask_name(self._window, tr("Save as a preset"), tr("Name"), start=start, chosen=self.save_as)

    def _assign(self, name: str, slot: int | None, _checked: object = None) -> None:
        self._guard(partial(self._store.assign, name, slot))

    def _ask_rename(self, name: str) -> None:
        def rename(new: str) -> None:
            self._guard(partial(self._store.rename, name, new))

        dialogs.ask_name(self._window, tr("Rename the preset"), tr("Name"), start=name, chosen=rename)

    def _ask_export(self, name: str) -> None:
        def export(path: str) -> None:
            self._guard(lambda: self._tell(self._store.export_to(name, Path(path))))

        dialogs.ask_preset_file(self._window, save_as=name, chosen=export)

    def _ask_import(self) -> None:
        def read(path: str) -> None:
            self._guard(lambda: self._tell(self._store.import_from(Path(path))[1]))

        dialogs.ask_preset_file(self._window, chosen=read)

    def _tell(self, notes: tuple[str, ...]) -> None:
        if notes:
            self.said.emit(" ".join(notes))

    def _guard(self, work: Callable[[], object]) -> None:
        try:
            work()
        except UserError as error:
            self.failed.emit(failure_of(error))
