"""What the window has to do with Mask mode; the mode itself is made when it is first wanted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QMenu, QWidget

from app.domain.settings import Settings
from app.ui.choices import Sample, Source
from app.ui.header import Header
from app.ui.message_bar import MessageBar
from app.ui.render_bar import RenderBar
from app.ui.text import tr

if TYPE_CHECKING:
    from app.ui.mask.mask_export import ExportControl
    from app.ui.mask.mask_mode import MaskMode


class MaskSide(QObject):
    """Between header, messages and the mode. made(QWidget): the page that the window is to show in the mode.

    named(str): what the window is called while the mode is chosen; empty without a project.
    """

    made = pyqtSignal(object)
    named = pyqtSignal(str)

    def __init__(
        self, window: QWidget, settings: Callable[[], Settings], *, header: Header, messages: MessageBar
    ) -> None:
        super().__init__(window)
        self._window, self._settings, self._header, self._messages = window, settings, header, messages
        self.bar = RenderBar()
        self.own_plates: list[str] = []
        self._made: tuple[MaskMode, ExportControl] | None = None
        self._is_active = False
        header.save_wanted.connect(lambda: self.mode.save())
        header.export_wanted.connect(self._export)
        header.project.setMenu(self._menu())

    @property
    def mode(self) -> MaskMode:
        """The mode, made now if it was not."""
        return self._parts()[0]

    @property
    def export(self) -> ExportControl:
        """What exports its project."""
        return self._parts()[1]

    @property
    def is_saved(self) -> bool:
        """Whether nothing would be lost without saving."""
        return self._made is None or self._made[0].is_saved

    def enter(self) -> QWidget:
        """The mode is chosen; returns its page."""
        self._is_active = True
        self.mode.enter()
        self._show()
        return self.mode.widget

    def leave(self) -> None:
        """Another mode is chosen."""
        self._is_active = False
        self.mode.leave()

    def open(self, source: Source) -> None:
        """Begin a project of a clip, or go on with a project."""
        self._messages.hide()
        if isinstance(source, Sample) or not _is_project(source):
            self.mode.open_clip(source)
        else:
            self.mode.open_project(source)

    def let_go(self, then: Callable[[], None]) -> None:
        """Ask what is to become of unsaved changes, then go on, unless that is refused."""
        self.mode.let_go(then)

    def close(self) -> None:
        """Stop all; nothing is lost."""
        if self._made is not None:
            mode, export = self._made
            self._made = None
            export.close()
            mode.close()

    def _parts(self) -> tuple[MaskMode, ExportControl]:
        if self._made is None:
            from app.ui.mask.mask_export import ExportControl
            from app.ui.mask.mask_mode import MaskMode

            mode, export = (
                MaskMode(self._window, self._settings),
                ExportControl(self._window, self.bar, self._messages),
            )
            self._made = mode, export
            mode.plates.own_plates = self.own_plates
            mode.changed.connect(self._show)
            mode.noted.connect(self._messages.show_note)
            mode.failed.connect(self._messages.show_failure)
            mode.interrupted.connect(self._offer_interrupted)
            export.busy.connect(self._follow_export)
            self.made.emit(mode.widget)
        return self._made

    def _menu(self) -> QMenu:
        menu = QMenu(self._window)
        for words, work in (
            (tr("Open a project…"), lambda: self.mode.ask_project()),
            (tr("Save as…"), lambda: self.mode.ask_save_as()),
            (tr("Use a mask from a file…"), lambda: self.mode.ask_mask()),
            (tr("Use the model's mask again"), lambda: self.mode.drop_mask()),
            (tr("Close the project"), lambda: self.mode.let_go(lambda: None)),
        ):
            menu.addAction(words, work)
        return menu

    def _export(self) -> None:
        desk = self.mode.desk
        if desk is not None:
            self.export.ask(desk.session, desk.state.document)

    def _follow_export(self, is_busy: bool) -> None:
        """An export needs the whole machine: the look through the clip waits for it."""
        desk = self.mode.desk
        if desk is not None:
            desk.rest(resting=is_busy)
        self._show()

    def _show(self) -> None:
        """Name the project in the header while the mode is chosen."""
        if not self._is_active or self._made is None:
            return
        desk = self.mode.desk
        self._header.save_button.setEnabled(desk is not None)
        self._header.export_button.setEnabled(desk is not None and not self.export.is_busy)
        self._header.show_name(self.mode.name, "" if desk is None else desk.facts)
        self.named.emit(self.mode.name)

    def _offer_interrupted(self, folders: list[Path]) -> None:
        """Say that a project was never saved before the program ended."""
        first = folders[0]
        self._messages.show_done(
            tr("A mask project was not saved before the program ended."),
            tr("It can be gone on with where it was left."),
            action=tr("Open it"),
            do=lambda: self.open(first),
        )


def _is_project(path: Path) -> bool:
    from app.ui.mask.project_worker import is_project

    return is_project(path)
