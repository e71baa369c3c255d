"""The live mode: runs the pipeline while it is looked at, shows its pictures, and does what the buttons say."""

from __future__ import annotations

import os
import time
from typing import Final

import psutil
from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.domain.governor import DISPLAY, LEVELS
from app.pipeline.live.capture import CaptureState, CaptureStatus
from app.pipeline.live.live_stats import LiveFigures
from app.pipeline.live.runner import LiveRunner
from app.pipeline.live.virtual_camera import CameraState
from app.pipeline.recording.settings import RecordState
from app.ui.choices import Failure
from app.ui.live.display import LiveDisplay
from app.ui.live.live_facts import LiveFacts
from app.ui.live.outputs import Outputs
from app.ui.preview import Preview
from app.ui.settings_model import SettingsModel
from app.ui.text import tr

_FACTS_EVERY_MS: Final = 500
_CPU_EVERY: Final = 4


class LiveDesk(QObject):
    """One live session behind the window; made when the live mode is first entered.

    status_changed(CaptureStatus): of the source. facts_changed(LiveFacts): twice a second. match_changed(MatchFacts).
    noticed(Failure): something could not be used. outputs_changed: recording, virtual camera or cover are different.
    """

    status_changed = pyqtSignal(object)
    facts_changed = pyqtSignal(object)
    match_changed = pyqtSignal(object)
    noticed = pyqtSignal(object)
    outputs_changed = pyqtSignal()
    _noticed = pyqtSignal(object)

    def __init__(self, model: SettingsModel, preview: Preview) -> None:
        super().__init__(preview)
        self._model, self._preview = model, preview
        self._noticed.connect(lambda error: self.noticed.emit(Failure(error.message, error.hint)))
        self.runner = LiveRunner(on_status=self.status_changed.emit, on_notice=self._noticed.emit)
        self.outputs = Outputs(self.runner)
        self._display = LiveDisplay(
            self.runner.display, level=lambda: self.runner.level, meter=self.runner.stats.meters[DISPLAY]
        )
        self._display.ready.connect(self._show)
        self._display.match_ready.connect(self.match_changed)
        self.outputs.changed.connect(self.outputs_changed)
        self._is_active = False
        self._is_frozen = self._has_shown = False
        self._dropped_before = 0
        self._waiting_s: list[float] = []
        self._facts_timer = QTimer(self)
        self._facts_timer.timeout.connect(self._report)
        self._facts_timer.start(_FACTS_EVERY_MS)
        self._process = psutil.Process(os.getpid())
        self._process.cpu_percent()
        self._cpu, self._reports = 0.0, 0
        model.changed.connect(self.runner.update)
        preview.wants_changed.connect(self._say_wants)
        preview.area_changed.connect(self._say_wants)
        preview.painted.connect(self._count_painted)
        self.runner.start(model.settings)

    @property
    def status(self) -> CaptureStatus:
        """How the source is doing."""
        return self.runner.status

    @property
    def is_recording(self) -> bool:
        """Whether a recording is under way."""
        return self.outputs.recording is not None

    @property
    def is_paused(self) -> bool:
        """Whether it waits."""
        recording = self.outputs.recording
        return recording is not None and recording.state is RecordState.PAUSED

    @property
    def is_feeding(self) -> bool:
        """Whether the virtual camera is fed, or shall be."""
        return self.outputs.camera is not None

    @property
    def is_frozen(self) -> bool:
        """Whether the curve is held."""
        return self._is_frozen

    def set_active(self, *, active: bool) -> None:
        """Show pictures, or leave the preview to somebody else; outputs go on either way."""
        self._is_active = active
        self.runner.show_preview(seen=active)
        self._say_wants()

    def watch_match(self, *, wanted: bool) -> None:
        """Say whether anybody looks at the curves."""
        self._display.wants_match = wanted

    def toggle_recording(self) -> None:
        """Start, or stop and finish the file."""
        if self.is_recording:
            self.outputs.stop_recording()
        else:
            self.outputs.record(self._model.settings)

    def toggle_pause(self) -> None:
        """Leave out what happens from now on, or go on."""
        self.outputs.pause_recording(paused=not self.is_paused)

    def feed_camera(self, *, on: bool) -> None:
        """Start or stop the virtual camera."""
        if on:
            self.outputs.start_camera(self._model.settings)
        else:
            self.outputs.stop_camera()

    def cover(self, *, on: bool) -> None:
        """Show the plate only, at once."""
        self.runner.cover(on=on)
        self.outputs_changed.emit()

    def snapshot(self) -> None:
        """Save the picture as it is now."""
        self.outputs.snapshot(self._model.settings)

    def freeze(self, *, frozen: bool) -> None:
        """Hold the colour curve as it is."""
        self._is_frozen = frozen
        self.runner.freeze(frozen=frozen)
        self.outputs_changed.emit()

    def close(self) -> None:
        """Finish what is recorded, release everything."""
        self._facts_timer.stop()
        self.outputs.stop()
        self.runner.stop()
        self._display.stop()

    def reset_figures(self) -> None:
        """Count from here: what was dropped while everything was loading says nothing."""
        self.runner.reset_figures()
        self._dropped_before = self._display.dropped

    def facts(self) -> LiveFacts:
        """What the status line says."""
        # Covers alone have no rate worth telling.
        is_live = self.status.state is CaptureState.LIVE
        figures, settings = self.runner.figures() if is_live else LiveFigures(), self._model.settings
        recording, camera = self.outputs.recording, self.outputs.camera
        drops = dict(figures.drops)
        if recording is not None and recording.dropped:
            drops["the recorder was busy"] = recording.dropped
        unseen = self._display.dropped - self._dropped_before
        if self._has_shown and unseen > 0:
            drops["the window was busy"] = unseen
        granted = self.status.granted
        rate_hz = float(settings.camera.rate_hz)
        return LiveFacts(
            fps=figures.fps,
            target_fps=rate_hz if granted is None or granted.rate_hz is None else min(rate_hz, granted.rate_hz),
            latency_p50_ms=figures.latency_p50_ms,
            latency_p95_ms=figures.latency_p95_ms,
            drops=drops,
            frames=figures.frames + sum(drops.values()),
            compute=f"{tr('CPU')} {self._cpu:.0f} %",
            skipped_share=figures.held_share,
            source_text=granted.text if granted is not None else "",
            recording_s=None if recording is None else recording.recorded_s,
            recording_paused=self.is_paused,
            disk_left_bytes=None if recording is None else recording.disk_left_bytes,
            level=figures.level,
            reduced=LEVELS[figures.level].words,
            virtual_camera="off" if camera is None else _camera_words(camera.state, camera.device),
        )

    def _say_wants(self) -> None:
        views = (self._preview.shown_view,)
        self._display.want(views, self._preview.area_px())

    def _show(self) -> None:
        shown = self._display.take()
        if shown is None or not self._is_active:
            return
        if not self._has_shown and not shown.is_cover:
            self._has_shown = True
            self.reset_figures()
        self._preview.show_pictures(shown.images)
        if not shown.is_cover:
            self._waiting_s.append(shown.captured_s)
        self._preview.set_note(self._note(is_cover=shown.is_cover, has_person=shown.has_person))

    def _note(self, *, is_cover: bool, has_person: bool) -> str:
        state = self.status.state
        if self.runner.is_covered:
            return tr("Covered: nobody sees you (C shows you again)")
        if state is CaptureState.OPENING:
            return tr("Opening the camera…")
        if state is CaptureState.LIVE and self.runner.is_dark:
            return tr("The camera's picture is black: is it covered?")
        if is_cover and state is CaptureState.LIVE:
            return tr("Covered until there is a clear outline of you") if self._has_shown else tr("Loading the models…")
        return "" if has_person or is_cover else tr("Nobody in the picture")

    def _count_painted(self) -> None:
        """A frame counts as shown when it has been painted."""
        now_s = time.monotonic()
        for captured_s in self._waiting_s:
            self.runner.stats.shown(captured_s, now_s)
        self._waiting_s.clear()

    def _report(self) -> None:
        self._reports += 1
        if self._reports % _CPU_EVERY == 0:
            self._cpu = self._process.cpu_percent() / (os.cpu_count() or 1)
        if self._is_active or self.is_recording:
            self.facts_changed.emit(self.facts())


def _camera_words(state: CameraState, device: str) -> str:
    match state:
        case CameraState.ON:
            return f"on: {device}" if device else "on"
        case CameraState.STARTING:
            return "waiting"
        case CameraState.FAILED:
            return "failed"
        case _:
            return "off"
