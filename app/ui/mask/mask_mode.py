"""Mask mode as the window sees it: a start page, or the project that is open and all that works on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtGui import QImage
from PyQt6.QtWidgets import QStackedWidget, QWidget

from app.domain.mask.document import MaskDocument, MediaRef, Meta
from app.domain.settings import Settings
from app.pipeline.mask.project_reading import SUFFIX
from app.ui import dialogs
from app.ui.choices import Failure, Sample, Source
from app.ui.mask.mask_actions import MaskActions
from app.ui.mask.mask_desk import MaskDesk
from app.ui.mask.mask_page import MaskPage
from app.ui.mask.mask_player import MaskPlayer, ThumbnailMaker
from app.ui.mask.plate_menu import PlateMenu
from app.ui.mask.project_control import ProjectControl
from app.ui.mask.project_worker import Ready
from app.ui.mask.propagate_control import PropagateControl
from app.ui.mask.tool_options import ToolOptionsModel
from app.ui.start_page import StartPage
from app.ui.text import tr

_THUMBNAIL_ASPECT: Final = 4
_NOTE_MS: Final = 6000


@dataclass(frozen=True)
class _Open:
    """A project and what works on it. is_new: it has no name yet."""

    ready: Ready
    desk: MaskDesk
    propagation: PropagateControl
    player: MaskPlayer
    thumbnails: ThumbnailMaker
    actions: MaskActions
    is_new: bool

    def close(self) -> None:
        self.player.close()
        self.actions.close()
        self.propagation.close()
        self.thumbnails.stop()
        self.desk.close()
        self.desk.deleteLater()


class MaskMode(QObject):
    """Made with the window, without a project. widget: what stands in the window while the mode is chosen.

    changed: another project is open, or none, or it was changed or saved. noted(str), failed(Failure): to be told.
    interrupted(list of Path): projects without a name that were open when the program last ended without saving them.
    """

    changed = pyqtSignal()
    noted = pyqtSignal(str)
    failed = pyqtSignal(object)
    interrupted = pyqtSignal(list)

    def __init__(self, window: QWidget, settings: Callable[[], Settings]) -> None:
        super().__init__(window)
        self._window, self._settings = window, settings
        self.widget = QStackedWidget()
        self.start = StartPage(
            title=tr("Drop a video here to correct its mask"),
            text=tr("Paint what is wrong; the correction follows through the frames around."),
            has_projects=True,
        )
        self.page = MaskPage()
        self.widget.addWidget(self.start)
        self.widget.addWidget(self.page)
        self.projects = ProjectControl(window)
        self.plates = PlateMenu(window)
        self._options = ToolOptionsModel(self)
        self._open: _Open | None = None
        self._after_save: Callable[[], None] | None = None
        self._note_timer = QTimer(self)
        self._note_timer.setSingleShot(True)
        self._note_timer.setInterval(_NOTE_MS)
        self._note_timer.timeout.connect(lambda: self.page.canvas.set_note(""))
        self._connect()

    @property
    def desk(self) -> MaskDesk | None:
        """What works on the open project; None without one."""
        return None if self._open is None else self._open.desk

    @property
    def player(self) -> MaskPlayer | None:
        """What plays the open project."""
        return None if self._open is None else self._open.player

    @property
    def propagation(self) -> PropagateControl | None:
        """What carries corrections on in the open project."""
        return None if self._open is None else self._open.propagation

    @property
    def name(self) -> str:
        """The project's name, with a dot while something is not saved; empty without one."""
        if self._open is None:
            return ""
        session = self._open.ready.session
        name = session.media.clip.stem if self._open.is_new else session.store.folder.name.removesuffix(SUFFIX)
        return name if self.is_saved else f"{name} •"

    @property
    def is_saved(self) -> bool:
        """Whether nothing would be lost without saving."""
        return self._open is None or self._open.desk.state.is_saved

    def open_clip(self, source: Source) -> None:
        """Begin a project of a clip, once the open one may be closed."""
        self.let_go(lambda: self._begin(lambda: self.projects.worker.create(source, self._settings())))

    def open_project(self, folder: Path) -> None:
        """Open a project, once the open one may be closed."""
        self.let_go(lambda: self._begin(lambda: self.projects.worker.open(folder)))

    def ask_clip(self) -> None:
        """Ask for a video."""
        dialogs.ask_clip(self._window, lambda name: self.open_clip(Path(name)))

    def ask_project(self) -> None:
        """Ask for a project's folder."""
        dialogs.ask_folder(self._window, tr("Open a mask project"), lambda name: self.open_project(Path(name)))

    def save(self) -> None:
        """Save; a project without a name is asked for one."""
        if self._open is not None and self._open.is_new:
            self.ask_save_as()
        else:
            self._save(None)

    def ask_save_as(self) -> None:
        """Ask for a name and save under it."""
        if self._open is not None:
            clip = self._open.ready.session.media.clip
            dialog = dialogs.ask_project_name(
                self._window, clip.with_suffix(SUFFIX), lambda name: self._save(Path(name))
            )
            dialog.rejected.connect(self._forget_after_save)

    def ask_mask(self) -> None:
        """Ask for a mask to be used instead of the model's."""
        dialogs.ask_mask(self._window, lambda name: self.use_mask(Path(name)))

    def use_mask(self, path: Path) -> None:
        """Use a mask from a file or folder instead of the model's; the corrections stay."""
        if self._open is not None:
            folder = self._open.ready.session.store.folder
            self.projects.worker.take_mask(folder, path)

    def drop_mask(self) -> None:
        """Use the model's mattes again."""
        self._take_mask(None, None)

    def use_plate(self, spec: str) -> None:
        """Put another background behind the person."""
        if self._open is not None:
            meta = self._open.desk.state.meta
            settings = replace(meta.settings, plate=spec)
            self._open.desk.state.set_meta(replace(meta, settings=settings), tr("Background"), merge_key="plate")

    def note(self, words: str) -> None:
        """Say something over the canvas for a while: a bar above it would push the picture down."""
        self.page.canvas.set_note(words)
        self._note_timer.start()

    def undo(self) -> None:
        """Take the last step back."""
        if self._open is not None:
            self._open.actions.undo()

    def redo(self) -> None:
        """Make it again."""
        if self._open is not None:
            self._open.actions.redo()

    def leave(self) -> None:
        """Another mode is chosen: nothing moves any more, nothing is lost."""
        if self._open is not None:
            self._open.player.pause()
            self._open.desk.hold_analysis()

    def enter(self) -> None:
        """The mode is chosen."""
        if self._open is not None:
            self._open.desk.refresh()

    def let_go(self, then: Callable[[], None]) -> None:
        """Close the open project, ask what is to become of unsaved changes, and go on unless that is refused."""
        if self._open is None or self.is_saved:
            self._drop(keep=False)
            then()
            return

        def save_first() -> None:
            self._after_save = lambda: self.let_go(then)
            self.save()

        def discard() -> None:
            self._drop(keep=False)
            then()

        self.projects.ask_unsaved(self.name.removesuffix(" •"), save=save_first, discard=discard)

    def close(self) -> None:
        """Stop all; what was not saved stays in the project's journal and is offered when it is opened again."""
        self._drop(keep=not self.is_saved)
        self.projects.blockSignals(True)  # A project that is being opened comes too late.
        self.projects.close()

    def _connect(self) -> None:
        self.page.bar.background.setMenu(self.plates)
        self.plates.chosen.connect(self.use_plate)
        self.plates.aboutToShow.connect(self._settle)
        self.start.open_wanted.connect(self.ask_clip)
        self.start.projects_wanted.connect(self.ask_project)
        self.start.sample_wanted.connect(lambda: self.open_clip(Sample.SAMPLE))
        self.projects.ready.connect(self._show)
        self.projects.saved.connect(self._saved)
        self.projects.failed.connect(self._fail)
        self.projects.given_up.connect(lambda: self.start.set_opening(False))
        self.projects.mask_found.connect(self._take_mask)
        self.projects.interrupted.connect(self.interrupted)
        self.projects.worker.look_for_interrupted()

    def _begin(self, work: Callable[[], None]) -> None:
        self.start.set_opening(True)
        self.widget.setCurrentWidget(self.start)
        work()

    def _show(self, ready: Ready) -> None:
        """A project is there: put it to work."""
        self.start.set_opening(False)
        self._drop(keep=not self.is_saved)
        self._open = self._put_to_work(ready, ready.session.document)
        self.widget.setCurrentWidget(self.page)
        for note in ready.notes:
            self.noted.emit(note)
        self.page.canvas.setFocus()
        self.changed.emit()

    def _put_to_work(self, ready: Ready, document: MaskDocument) -> _Open:
        session, page = ready.session, self.page
        page.inspector.time.show_idle("")
        desk = MaskDesk(page, session, self._options, document)
        if not ready.is_saved:
            desk.state.mark_saved(saved=False)
        desk.noted.connect(self.note)
        desk.failed.connect(self.failed)
        desk.state.changed.connect(self._follow)
        desk.state.cleaned.connect(self.changed)
        desk.analysed.connect(self.changed)
        propagation, player, thumbnails = PropagateControl(desk), MaskPlayer(desk), ThumbnailMaker(session)
        page.timeline.thumbnails_wanted.connect(self._make_thumbnails)
        thumbnails.made.connect(self._show_thumbnail)
        actions = MaskActions(desk, self._options, propagation, player)
        self.plates.show_current(document.meta.settings.plate)
        return _Open(ready, desk, propagation, player, thumbnails, actions, ready.is_new)

    def _drop(self, *, keep: bool) -> None:
        """Close what is open. keep: what was not saved stays in its journal."""
        if self._open is None:
            return
        was, self._open = self._open, None
        self.page.timeline.thumbnails_wanted.disconnect(self._make_thumbnails)
        was.close()
        was.thumbnails.made.disconnect(self._show_thumbnail)
        self.projects.worker.leave(was.ready.session.store, keep=keep)
        self.widget.setCurrentWidget(self.start)
        self.changed.emit()

    def _save(self, folder: Path | None) -> None:
        if self._open is not None:
            desk = self._open.desk
            desk.state.settle()
            self.projects.save(desk.session.store, desk.state.document, folder)

    def _saved(self, folder: str, document: MaskDocument) -> None:
        """Written: clean, unless it was changed meanwhile."""
        if self._open is None:
            return
        self._open = replace(self._open, is_new=False)
        if self._open.desk.state.document is document:
            self._open.desk.state.mark_saved()
        else:
            # The store knows the latest documents only: what came before too many others while it saved comes again.
            self._open.desk.session.store.note(self._open.desk.state.document)
        after, self._after_save = self._after_save, None
        self.changed.emit()
        if after is not None:
            after()
        else:
            self.note(tr("Saved “{name}”.").format(name=Path(folder).name))

    def _forget_after_save(self) -> None:
        self._after_save = None

    def _fail(self, failure: Failure) -> None:
        self._after_save = None
        self.start.set_opening(False)
        self.failed.emit(failure)

    def _follow(self) -> None:
        if self._open is not None:
            self.plates.show_current(self._open.desk.state.meta.settings.plate)
        self.changed.emit()

    def _settle(self) -> None:
        """What is chosen next is a step of its own."""
        if self._open is not None:
            self._open.desk.state.settle()

    def _take_mask(self, ref: MediaRef | None, path: Path | None) -> None:
        """Another source of mattes: all threads that read them begin anew."""
        if self._open is None:
            return
        meta: Meta = replace(self._open.desk.state.meta, mask=ref)
        if meta == self._open.desk.state.meta:
            return
        self._open.desk.use_mask(meta, path)

    def _make_thumbnails(self, wanted: list[int]) -> None:
        if self._open is not None:
            height = self.page.timeline.thumbnail_height_px()
            self._open.thumbnails.make(wanted, (_THUMBNAIL_ASPECT * height, height))

    def _show_thumbnail(self, pts: int, image: QImage) -> None:
        self.page.timeline.set_thumbnail(pts, image)
