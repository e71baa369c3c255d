"""The window: its two modes over one workspace, with the header and the messages above."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QByteArray, QEvent, QSize, Qt
from PyQt6.QtGui import QCloseEvent, QHideEvent, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PyQt6.QtWidgets import QApplication, QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.domain.interface_state import with_recent
from app.ui import dialogs
from app.ui.choices import ClipInfo, Failure, Mode, Sample, Source, View
from app.ui.drops import Dropped, DropWindow
from app.ui.header import Header
from app.ui.live.live_desk import LiveDesk
from app.ui.live.live_mode import LiveMode
from app.ui.mask_side import MaskSide
from app.ui.memory import Memory
from app.ui.message_bar import MessageBar
from app.ui.presets_menu import PresetsMenu
from app.ui.remote import Remote
from app.ui.render_control import RenderControl
from app.ui.render_desk import RenderDesk
from app.ui.resources import icon
from app.ui.session import Session
from app.ui.settings_model import SettingsModel
from app.ui.start_page import StartPage
from app.ui.text import tr
from app.ui.theme import use_theme
from app.ui.tray import Tray
from app.ui.workspace import Workspace

SIZE_PX: Final = (1280, 800)
MIN_SIZE_PX: Final = (1120, 640)
_THEMES: Final = {"system": "Theme: as the system", "dark": "Theme: dark", "light": "Theme: light"}


class MainWindow(DropWindow):
    """Everything there is to see.

    mode: what it opens with; None goes on where one stopped, live at the first time. source: shown live instead of
    the one chosen last, which is not even opened. memory: what was remembered, if it has been read already.
    """

    def __init__(self, mode: Mode | None = None, *, source: str | None = None, memory: Memory | None = None) -> None:
        super().__init__()
        self.setWindowTitle("PlateMatch")
        self.setMinimumSize(*MIN_SIZE_PX)
        self.memory = memory or Memory()
        self.model = SettingsModel(self.memory.settings)
        self.session = Session(self.model)
        self.messages = MessageBar()
        self.header, self.start_page = Header(), StartPage()
        self.workspace = Workspace(self.model, self.session.thumbnails)
        self.render_desk = RenderDesk(self.session, self.model, self.workspace)
        self.tray = Tray(self)
        self.render_control = RenderControl(self, self.session, self.messages, self.tray)
        self.live = LiveMode(self, self.model, workspace=self.workspace, header=self.header, messages=self.messages)
        self.masking = MaskSide(self, lambda: self.model.settings, header=self.header, messages=self.messages)
        self.presets = PresetsMenu(self, self.model, self.header.presets)
        self._pages = QStackedWidget()
        self._mode: Mode | None = None
        self._is_quitting = False
        self._lay_out()
        self._connect()
        self.remote = Remote(self.model, presets=self.presets, header=self.header, desk=self._live_desk)
        self.remote.failed.connect(self.show_failure)
        if source is not None:
            self.live.set_source(source)
        self._recall(mode)

    @property
    def mode(self) -> Mode | None:
        """What the window is for now."""
        return self._mode

    def set_mode(self, mode: Mode) -> None:
        """Go to the live picture, to a clip, or to its mask."""
        if mode is self._mode:
            return
        leave = {Mode.LIVE: self.live.leave, Mode.RENDER: self._leave_render, Mode.MASK: self.masking.leave}
        if self._mode is not None:
            leave[self._mode]()
        self._mode = mode
        self.header.show_mode(mode)
        self.memory.note(mode=mode.value)
        if mode is not Mode.MASK:
            self.workspace.set_mode(mode)
        self.setWindowTitle("PlateMatch")
        enter = {Mode.LIVE: self._enter_live, Mode.RENDER: self._show_clip_page, Mode.MASK: self._enter_mask}
        enter[mode]()

    def open_mask(self, source: Source) -> None:
        """Correct the mask of a clip, or go on with a project of one."""
        self.set_mode(Mode.MASK)
        self.masking.open(source)

    def open_clip(self, source: Source) -> None:
        """Open a clip to render; what goes wrong is said in the window."""
        self.set_mode(Mode.RENDER)
        self.messages.hide()
        self.start_page.set_opening(True)
        self.session.open_clip(source)

    def show_failure(self, failure: Failure) -> None:
        """Say what did not work."""
        self.messages.show_failure(failure)

    def sizeHint(self) -> QSize:  # noqa: N802
        """As large as is useful, and never larger than the screen."""
        screen = self.screen()
        size = QSize(*SIZE_PX)
        return size if screen is None else size.boundedTo(screen.availableSize())

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """B shows the picture before the match for as long as it is held."""
        if event is not None and event.key() == Qt.Key.Key_B and not event.isAutoRepeat():
            self.workspace.preview.peek(before=True)
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Back to the view."""
        if event is not None and event.key() == Qt.Key.Key_B and not event.isAutoRepeat():
            self.workspace.preview.peek(before=False)
        super().keyReleaseEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Let go of the camera while the window is minimised and nobody else looks."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.WindowStateChange:
            self.live.show_seen(seen=not self.isMinimized())
        if event is not None and event.type() == QEvent.Type.ActivationChange:
            self.workspace.preview.peek(before=False)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802
        """Somebody looks again."""
        super().showEvent(event)
        self.live.show_seen(seen=True)

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802
        """Nobody looks any more."""
        super().hideEvent(event)
        self.live.show_seen(seen=False)

    def quit(self) -> None:
        """Close for good, whatever is going on."""
        self._is_quitting = True
        self.close()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Go at once: a recording is finished; a render is gone on with where it stopped when the window is back.

        In the middle of a call or a recording the window only goes out of sight, where there is a tray to call it back.
        """
        desk = self.live.desk
        is_needed = desk is not None and (desk.is_feeding or desk.is_recording)
        if event is not None and is_needed and self.tray.is_there and not self._is_quitting:
            self.hide()
            self.tray.say(tr("PlateMatch goes on in the tray."), tr("Choose Quit there to end it."))
            event.ignore()
            return
        if event is not None and not (self.masking.is_saved or self._is_quitting):
            event.ignore()
            self.masking.let_go(self.quit)
            return
        geometry = self.saveGeometry().toBase64().data().decode("ascii")
        self.memory.note(geometry=geometry, divider=round(self.workspace.preview.divider, 3))
        self.hide()
        self.tray.hide()
        self.remote.close()
        self.render_control.close()
        self.masking.close()
        self.live.close()
        self.session.close()
        self.memory.stop()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        self._pages.addWidget(self.start_page)
        self._pages.addWidget(self.workspace)
        central = QWidget()
        column = QVBoxLayout(central)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.header, self.messages, self.render_control.bar, self.masking.bar):
            column.addWidget(part)
        column.addLayout(self.render_control.around(self._pages), 1)
        self.setCentralWidget(central)
        self.header.more.setMenu(self._more_menu())

    def _connect(self) -> None:
        self.dropped.connect(self._take)
        self.header.mode_chosen.connect(self.set_mode)
        self.header.open_wanted.connect(self._ask_clip)
        self.header.view_chosen.connect(self._show_view)
        self.header.render_wanted.connect(self.render_control.ask)
        self.start_page.open_wanted.connect(self._ask_clip)
        self.masking.made.connect(self._pages.addWidget)
        self.masking.named.connect(lambda name: self.setWindowTitle(f"{name} - PlateMatch" if name else "PlateMatch"))
        self.start_page.sample_wanted.connect(partial(self.open_clip, Sample.SAMPLE))
        for part in (self.workspace, self.render_desk, self.presets, self.memory):
            part.failed.connect(self.show_failure)
        self.presets.said.connect(self.messages.show_note)
        self.session.clip_opened.connect(self._show_clip)
        self.session.preview.clip_failed.connect(self._say_clip_failed)
        self.model.changed.connect(self.memory.remember)
        self.workspace.own_plates_changed.connect(lambda: self.memory.note(own_plates=tuple(self.workspace.own_plates)))
        self.live.outputs_changed.connect(self._show_outputs)
        self.live.sources.chosen.connect(self._remember_source)
        self._connect_tray()
        for keys, work in (("Ctrl+Z", self._undo), ("Ctrl+Shift+Z", self._redo), ("Ctrl+Y", self._redo)):
            QShortcut(QKeySequence(keys), self).activated.connect(work)

    def _connect_tray(self) -> None:
        self.tray.show_wanted.connect(self._come_back)
        self.tray.quit_wanted.connect(self.quit)
        self.tray.cover_wanted.connect(lambda on: self._live_desk().cover(on=on))
        self.tray.camera_wanted.connect(lambda on: self._live_desk().feed_camera(on=on))
        self.tray.record_wanted.connect(lambda: self._live_desk().toggle_recording())

    def _more_menu(self) -> QMenu:
        menu = QMenu(self)
        undo = menu.addAction(icon("undo"), tr("Undo a setting") + "\tCtrl+Z", self._undo)
        redo = menu.addAction(icon("redo"), tr("Redo") + "\tCtrl+Shift+Z", self._redo)

        def enable() -> None:
            for action, is_there in ((undo, self.model.can_undo), (redo, self.model.can_redo)):
                if action is not None:
                    action.setEnabled(is_there)
                    action.setVisible(self._mode is not Mode.MASK)

        menu.aboutToShow.connect(enable)
        menu.addSeparator()
        for theme, words in _THEMES.items():
            menu.addAction(icon("sun" if theme == "light" else "moon"), tr(words), partial(self._use_theme, theme))
        return menu

    def _undo(self) -> None:
        (self.masking.mode if self._mode is Mode.MASK else self.model).undo()

    def _redo(self) -> None:
        (self.masking.mode if self._mode is Mode.MASK else self.model).redo()

    def _recall(self, mode: Mode | None) -> None:
        """Go on where one stopped."""
        known = self.memory.interface
        self.workspace.restore_plates(known.own_plates)
        self.live.sources.recent = known.recent_sources
        self.workspace.preview.set_divider(known.divider)
        view = next((view for view in View if view.value == known.view), View.MATCHED)
        self.header.choose_view(view)
        if known.geometry:
            self.restoreGeometry(QByteArray.fromBase64(known.geometry.encode("ascii", "ignore")))
        else:
            self.resize(self.sizeHint())
        if self.memory.notes:
            self.messages.show_note(tr("Some settings could not be read."), " ".join(self.memory.notes))
        last = next((one for one in Mode if one.value == known.mode), Mode.LIVE)
        self.set_mode(mode or last)

    def _live_desk(self) -> LiveDesk:
        if self.live.desk is None:
            self.set_mode(Mode.LIVE)
        return self.live.desk or self.live.enter()

    def _use_theme(self, theme: str) -> None:
        self.memory.note(theme=theme)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            use_theme(app, theme)

    def _show_view(self, view: View) -> None:
        self.workspace.preview.set_view(view)
        self.memory.note(view=view.value)

    def _remember_source(self, spec: str) -> None:
        """Offer files and streams again; cameras and screens are listed anyway."""
        if "://" in spec or Path(spec).is_file():
            self.memory.note(recent_sources=with_recent(self.memory.interface.recent_sources, spec))
            self.live.sources.recent = self.memory.interface.recent_sources

    def _show_outputs(self) -> None:
        desk = self.live.desk
        if desk is not None:
            self.tray.show_state(covered=desk.runner.is_covered, feeding=desk.is_feeding, recording=desk.is_recording)

    def _come_back(self) -> None:
        self.showNormal()
        self.raise_()
        self.activateWindow()

    def _ask_clip(self) -> None:
        opens = self.open_mask if self._mode is Mode.MASK else self.open_clip
        dialogs.ask_clip(self, lambda name: opens(Path(name)))

    def _take(self, files: Dropped) -> None:
        """A picture is a background; a video too over the strip, else it is what is shown."""
        if self._mode is Mode.MASK:
            self._take_for_mask(files)
            return
        for picture in files.pictures:
            self.workspace.add_plate(picture)
        over_strip = self._mode is Mode.LIVE and self._is_over_strip(files)
        for clip in files.clips[: None if over_strip else 1]:
            if over_strip:
                self.workspace.add_plate(clip)
            elif self._mode is Mode.LIVE:
                self.live.set_source(str(clip.absolute()))
            elif not self.render_control.take(files):
                self.open_clip(clip)
        if not files.clips and self._mode is Mode.RENDER and self.session.clip is None:
            self.messages.show_note(tr("The background is there; now open a video to put before it."))

    def _take_for_mask(self, files: Dropped) -> None:
        for path in files.clips[:1]:
            self.open_mask(path)
        for picture in files.pictures[:1]:
            self.masking.mode.use_plate(str(picture.absolute()))

    def _is_over_strip(self, files: Dropped) -> bool:
        strip = self.workspace.plates
        return strip.rect().contains(strip.mapFrom(self, files.position))

    def _enter_live(self) -> None:
        self._pages.setCurrentWidget(self.workspace)
        self.live.enter()

    def _leave_render(self) -> None:
        self.render_desk.set_active(active=False)
        self.render_control.leave()

    def _enter_mask(self) -> None:
        self.masking.own_plates[:] = self.workspace.own_plates
        page = self.masking.enter()
        self._pages.setCurrentWidget(page)

    def _show_clip_page(self) -> None:
        clip = self.session.clip
        self._pages.setCurrentWidget(self.start_page if clip is None else self.workspace)
        self.header.render_button.setDisabled(clip is None)
        self.render_desk.set_active(active=clip is not None)
        self.render_control.enter()
        if clip is None:
            self.header.show_name("", "")
        else:
            self.header.show_clip(clip)
            self.setWindowTitle(f"{clip.name} - PlateMatch")

    def _show_clip(self, _clip: ClipInfo) -> None:
        self.start_page.set_opening(False)
        if self._mode is Mode.RENDER:
            self._show_clip_page()
            self.workspace.preview.setFocus()

    def _say_clip_failed(self, failure: Failure) -> None:
        self.start_page.set_opening(False)
        self.show_failure(failure)
