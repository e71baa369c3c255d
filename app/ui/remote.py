"""Commands from outside, done by the window on its own thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import asdict
from typing import Any, Final

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.errors import ExitCode, UserError
from app.domain.settings import settings_to_json
from app.pipeline.control_client import token_path
from app.pipeline.control_commands import changed_setting
from app.pipeline.control_server import ControlServer
from app.ui.choices import View
from app.ui.faults import failure_of
from app.ui.header import Header
from app.ui.live.live_desk import LiveDesk
from app.ui.presets_menu import PresetsMenu
from app.ui.settings_model import SettingsModel

_ANSWER_WITHIN_S: Final = 4.0
Answer = dict[str, object]


class Remote(QObject):
    """Listens while the settings say so. failed(Failure): it can't. desk: the live mode, entered if need be."""

    failed = pyqtSignal(object)
    _asked = pyqtSignal(object, str, object)

    def __init__(
        self, model: SettingsModel, *, presets: PresetsMenu, header: Header, desk: Callable[[], LiveDesk]
    ) -> None:
        super().__init__()
        self._model, self._presets, self._header, self._desk = model, presets, header, desk
        self._server: ControlServer | None = None
        self._asked.connect(self._answer)
        model.changed.connect(self._follow)
        self._follow()

    def close(self) -> None:
        """Stop listening."""
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _follow(self) -> None:
        wanted = self._model.settings.output.control
        if not wanted:
            self.close()
        elif self._server is None:
            server = ControlServer(self._handle, token_path=token_path())
            try:
                server.start()
            except UserError as error:
                self.failed.emit(failure_of(error))
            else:
                self._server = server

    def _handle(self, command: str, arguments: Answer) -> Answer:
        """Called on the server's thread: waits until Qt's has done it."""
        answer: Future[Answer] = Future()
        self._asked.emit(answer, command, arguments)
        try:
            return answer.result(_ANSWER_WITHIN_S)
        except FutureTimeout:
            raise UserError("The window is busy.", "Try again in a moment.", code=ExitCode.FAILED) from None

    def _answer(self, answer: Future[Answer], command: str, arguments: dict[str, Any]) -> None:
        try:
            answer.set_result(self._done(command, arguments))
        except Exception as error:  # handed to who asked
            answer.set_exception(error)

    def _done(self, command: str, given: dict[str, Any]) -> Answer:
        match command:
            case "presets":
                return {"presets": [{"name": preset.name, "slot": preset.slot} for preset in self._presets.presets()]}
            case "preset":
                self._presets.use(given["name"])
            case "plate":
                self._model.set_value("", "plate", given["name"])
            case "view":
                self._header.choose_view(_view(given["name"]))
            case "settings-get":
                return settings_to_json(self._model.settings)
            case "settings-set":
                self._model.replace(
                    changed_setting(self._model.settings, given["group"], given["name"], value=given["value"])
                )
            case _:
                return self._done_live(command, given, self._desk())
        return {}

    def _done_live(self, command: str, given: dict[str, Any], desk: LiveDesk) -> Answer:
        match command:
            case "stats":
                return _stats(desk)
            case "record-start" if not desk.is_recording:
                desk.toggle_recording()
            case "record-stop" if desk.is_recording:
                desk.toggle_recording()
            case "record-pause":
                desk.toggle_pause()
            case "vcam-start" | "vcam-stop":
                desk.feed_camera(on=command == "vcam-start")
            case "panic":
                desk.cover(on=given["state"] == "on")
            case "snapshot":
                desk.snapshot()
        return {}


def _stats(desk: LiveDesk) -> Answer:
    recording = desk.outputs.recording
    return {
        **asdict(desk.facts()),
        "source_state": desk.status.state.name.lower(),
        "covered": desk.runner.is_covered,
        "files": [] if recording is None else [str(path) for path in recording.files],
    }


def _view(name: str) -> View:
    for view in View:
        if name.lower() in (view.value.lower(), view.name.lower()):
            return view
    raise UserError(f"There is no view “{name[:40]}”.", f"There are: {', '.join(view.value for view in View)}.")
