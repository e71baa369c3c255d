"""The live mode as the window sees it: desk, source menu and the widgets that show how it is doing."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QLabel, QWidget

from app.pipeline.live.capture import CaptureState, CaptureStatus
from app.pipeline.live.virtual_camera_help import loopbacks
from app.pipeline.recording.settings import RecordStatus, duration_text
from app.ui.choices import Failure
from app.ui.header import Header
from app.ui.live.live_desk import LiveDesk
from app.ui.live.source_menu import SourceMenu
from app.ui.live.start_card import StartCard
from app.ui.message_bar import MessageBar
from app.ui.opening import open_file, place_of
from app.ui.settings_model import SettingsModel
from app.ui.text import tr
from app.ui.workspace import Workspace


class LiveMode(QObject):
    """Made with the window, without a camera; `enter` opens it. outputs_changed: recording, camera, cover changed."""

    outputs_changed = pyqtSignal()

    def __init__(
        self, window: QWidget, model: SettingsModel, *, workspace: Workspace, header: Header, messages: MessageBar
    ) -> None:
        super().__init__(window)
        self._model, self._workspace, self._header, self._messages = model, workspace, header, messages
        self.desk: LiveDesk | None = None
        self.sources = SourceMenu(window)
        self.card = StartCard(workspace.preview)
        self._granted = QLabel(tr("No camera is open."))
        self._granted.setObjectName("muted")
        self._granted.setWordWrap(True)
        self._granted.setIndent(0)
        self._is_active = False
        header.source.setMenu(self.sources.menu)
        workspace.inspector.add_to_page("camera", self._granted, top=True)
        self._connect()

    def enter(self) -> LiveDesk:
        """Show the live picture; the first time, everything behind it is made and the camera opened."""
        if self.desk is None:
            self.desk = self._made_desk()
            self._offer_devices()
        self._is_active = True
        self.desk.set_active(active=True)
        self._show_status(self.desk.status)
        return self.desk

    def leave(self) -> None:
        """Stop showing it; a recording and the virtual camera go on."""
        self._is_active = False
        self.card.hide()
        if self.desk is not None:
            self.desk.set_active(active=False)

    def show_seen(self, *, seen: bool) -> None:
        """Say whether the window can be seen at all: nobody looking releases the camera."""
        if self.desk is not None and self._is_active:
            self.desk.runner.show_preview(seen=seen)

    def set_source(self, spec: str) -> None:
        """Take the picture from another source."""
        self._model.set_value("camera", "source", spec)

    def close(self) -> None:
        """Finish what is recorded and release everything."""
        if self.desk is not None:
            self.desk.close()

    def _made_desk(self) -> LiveDesk:
        desk, controls = LiveDesk(self._model, self._workspace.preview), self._workspace.controls
        desk.status_changed.connect(self._show_status)
        desk.facts_changed.connect(self._workspace.status.show_facts)
        desk.match_changed.connect(self._workspace.match_panel.show_facts)
        desk.noticed.connect(self._messages.show_failure)
        desk.outputs_changed.connect(self._show_outputs)
        desk.outputs.failed.connect(self._messages.show_failure)
        desk.outputs.recorded.connect(self._show_recorded)
        desk.outputs.saved.connect(self._show_saved)
        desk.outputs.noted.connect(self._messages.show_note)
        desk.outputs.unfinished.connect(self._offer_recovery)
        desk.outputs.microphones.connect(self._offer_microphones)
        controls.record_wanted.connect(desk.toggle_recording)
        controls.pause_wanted.connect(desk.toggle_pause)
        controls.snapshot_wanted.connect(desk.snapshot)
        controls.camera_wanted.connect(lambda on: desk.feed_camera(on=on))
        controls.cover_wanted.connect(lambda on: desk.cover(on=on))
        self._workspace.match_panel.freeze_wanted.connect(lambda on: desk.freeze(frozen=on))
        self._workspace.match_panel.rematch_wanted.connect(desk.runner.rematch)
        self._workspace.inspector.page_changed.connect(lambda page: desk.watch_match(wanted=page == "match"))
        desk.watch_match(wanted=self._workspace.inspector.current_page == "match")
        desk.outputs.look_around(self._model.settings)
        return desk

    def _connect(self) -> None:
        self.sources.chosen.connect(self.set_source)
        self.sources.changed.connect(self._offer_devices)
        self.card.again_wanted.connect(self._look_again)
        self.card.open_wanted.connect(self.sources.ask_file)
        self.card.sample_wanted.connect(lambda: self.set_source("sample"))
        self._workspace.plates.source_wanted.connect(
            lambda spec: self._workspace.add_source(spec, self.sources.name_of(spec))
        )

    def _look_again(self) -> None:
        if self.desk is not None:
            self.desk.runner.reopen()

    def _offer_devices(self) -> None:
        """Fill the lists of cameras and microphones."""
        inspector, first = self._workspace.inspector, ("", tr("First camera"))
        current = self._model.settings.camera.source
        options = [first, *self.sources.sources(), ("sample", tr("Sample")), ("pattern", tr("Test pattern"))]
        if current not in dict(options):
            options.append((current, self.sources.name_of(current)))
        inspector.set_options("camera", "source", options)
        outputs = [(device.node, device.name) for device in loopbacks()]
        inspector.set_options("output", "virtual_camera", [("", tr("First found")), *outputs])
        self._workspace.plates.set_sources(self.sources.sources())

    def _offer_microphones(self, names: list[str]) -> None:
        options = [("default", tr("System default")), ("", tr("No sound")), *((name, name) for name in names)]
        self._workspace.inspector.set_options("output", "microphone", options)

    def _offer_recovery(self, parts: list[Path]) -> None:
        """Say that the program was cut off while it recorded."""
        names = ", ".join(f"“{part.name}”" for part in parts[:3])
        self._messages.show_done(
            tr("A recording was cut off."), names, action=tr("Recover"), do=lambda: self._recover(parts)
        )

    def _recover(self, parts: list[Path]) -> None:
        if self.desk is not None:
            self.desk.outputs.recover(parts)

    def _show_status(self, status: CaptureStatus) -> None:
        name = self.sources.name_of(self._model.settings.camera.source)
        if status.granted is not None and not self._model.settings.camera.source:
            name = status.granted.name
        granted = status.granted.text if status.granted is not None else ""
        words = {
            CaptureState.OPENING: tr("Opening…"),
            CaptureState.LIVE: granted,
            CaptureState.LOST: status.reason,
            CaptureState.PAUSED: tr("Released: nobody is looking"),
            CaptureState.STOPPED: tr("Not open"),
        }[status.state]
        self._granted.setText(tr("Granted: {what}").format(what=words) if status.state is CaptureState.LIVE else words)
        if not self._is_active:
            return
        self._header.show_name(name, words)
        if status.state is CaptureState.LOST:
            self.card.say(status.reason, status.hint)
        else:
            self.card.hide()

    def _show_outputs(self) -> None:
        if self.desk is None:
            return
        controls, desk = self._workspace.controls, self.desk
        controls.show_recording(is_on=desk.is_recording, is_paused=desk.is_paused)
        controls.show_camera(is_on=desk.is_feeding)
        controls.show_cover(is_on=desk.runner.is_covered)
        self._workspace.match_panel.freeze.setChecked(desk.is_frozen)
        self.outputs_changed.emit()

    def _show_recorded(self, status: RecordStatus) -> None:
        """A recording is finished, or came to an end by itself."""
        if status.failure is not None:
            self._messages.show_failure(Failure(status.failure.message, status.failure.hint))
            return
        if not status.files:
            return
        first, hint = status.files[0], " ".join([place_of(status.files[0]), *status.notices])
        said = tr("Recorded “{name}”, {length}.").format(name=first.name, length=duration_text(status.recorded_s))
        self._messages.show_done(said, hint, action=tr("Play"), do=lambda: open_file(first, self._messages))

    def _show_saved(self, path: Path) -> None:
        said, hint = tr("Saved “{name}”.").format(name=path.name), place_of(path)
        self._messages.show_done(said, hint, action=tr("Show"), do=lambda: open_file(path, self._messages))
