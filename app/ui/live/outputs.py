"""Recording, snapshots and the virtual camera, started and stopped off Qt's thread: each may take a while."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

from PyQt6.QtCore import QStandardPaths, pyqtSignal

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.settings import OutputOptions, Settings, size_in_words
from app.pipeline.live.live_plates import TRANSPARENT
from app.pipeline.live.pictures import Finished
from app.pipeline.live.runner import LiveRunner
from app.pipeline.live.virtual_camera import CameraState, VirtualCamera, VirtualCameraStatus
from app.pipeline.live.virtual_camera_help import probe_virtual_camera
from app.pipeline.recording.microphone import list_microphones
from app.pipeline.recording.recorder import Recorder
from app.pipeline.recording.recovery import recover, unfinished
from app.pipeline.recording.settings import CodecName, ContainerName, RecordSettings, RecordState, RecordStatus
from app.pipeline.recording.snapshot import save_snapshot
from app.ui.faults import failure_of
from app.ui.mailbox import Work
from app.ui.worker import Worker, guarded

_RECORDING, _CAMERA = "recording", "virtual camera"
_DEFAULT_SIZE = (1280, 720)


class Outputs(Worker):
    """What the runner's pictures go to besides the screen. Methods return at once; signals arrive on Qt's thread.

    changed: recording or virtual camera are in another state. recorded(RecordStatus): a recording ended. saved(Path):
    a snapshot or a recovered recording is there. failed(Failure): something asked for did not work. noted(str):
    something worth knowing of the recording under way. unfinished: recordings that a crash cut off (list of Path).
    microphones: their names.
    """

    changed = pyqtSignal()
    noted = pyqtSignal(str)
    unfinished = pyqtSignal(object)
    microphones = pyqtSignal(object)
    recorded = pyqtSignal(object)
    saved = pyqtSignal(object)
    failed = pyqtSignal(object)

    def __init__(self, runner: LiveRunner) -> None:
        self._runner = runner
        self._recorder: Recorder | None = None
        self._camera: VirtualCamera | None = None
        self._noted = 0
        super().__init__("outputs")

    @property
    def recording(self) -> RecordStatus | None:
        """The recording under way."""
        recorder = self._recorder
        return None if recorder is None else recorder.status

    @property
    def camera(self) -> VirtualCameraStatus | None:
        """The virtual camera, while it is wanted."""
        camera = self._camera
        return None if camera is None else camera.status

    def look_around(self, settings: Settings) -> None:
        """Find out what a crash left, and which microphones there are."""
        self._errand(lambda: self.microphones.emit(list_microphones()))
        self._errand(lambda: self._look_for_unfinished(settings))

    def recover(self, parts: list[Path]) -> None:
        """Make whole files of cut-off recordings."""
        for part in parts:
            self._errand(partial(self._recover, part))

    def record(self, settings: Settings) -> None:
        """Start recording, unless that is done already."""
        self._errand(lambda: self._start_recording(settings))

    def pause_recording(self, *, paused: bool) -> None:
        """Leave out what happens from now on, or go on."""
        self._errand(lambda: self._pause(paused=paused))

    def stop_recording(self) -> None:
        """Finish the file."""
        self._errand(self._stop_recording)

    def start_camera(self, settings: Settings) -> None:
        """Feed the virtual camera."""
        self._errand(lambda: self._start_camera(settings))

    def stop_camera(self) -> None:
        """Feed it no more."""
        self._errand(self._stop_camera)

    def snapshot(self, settings: Settings) -> None:
        """Save the picture as it is now."""
        picture = self._runner.latest
        self._errand(lambda: self._save(picture.finished if picture else None, settings))

    def stop(self) -> None:
        """Finish everything and end the thread."""
        self._errand(self._stop_recording)
        self._errand(self._stop_camera)
        self._mailbox.finish()
        self._thread.join()

    def _errand(self, work: Work) -> None:
        self._mailbox.errand(guarded(work, self.failed.emit))

    def _recover(self, part: Path) -> None:
        self.saved.emit(recover(part))

    def _look_for_unfinished(self, settings: Settings) -> None:
        parts = unfinished(output_folder(settings.output))
        if parts:
            self.unfinished.emit(parts)

    def _start_recording(self, settings: Settings) -> None:
        if self._recorder is not None:
            return
        self._noted = 0
        recorder = Recorder(record_settings(settings), size=self._size(settings), on_event=self._recording_changed)
        recorder.start()
        self._recorder = recorder
        self._runner.attach(_RECORDING, recorder.put)
        self.changed.emit()

    def _recording_changed(self, status: RecordStatus) -> None:
        """Called on the recorder's thread; one that fails is taken down here, on ours."""
        if status.state is RecordState.FAILED:
            self._errand(self._stop_recording)
        for notice in status.notices[self._noted :]:
            self.noted.emit(notice)
        self._noted = len(status.notices)
        self.changed.emit()

    def _pause(self, *, paused: bool) -> None:
        if self._recorder is not None:
            (self._recorder.pause if paused else self._recorder.resume)()
            self.changed.emit()

    def _stop_recording(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is None:
            return
        self._runner.detach(_RECORDING)
        status = recorder.stop()
        self.changed.emit()
        self.recorded.emit(status)

    def _start_camera(self, settings: Settings) -> None:
        if self._camera is not None:
            return
        probe = probe_virtual_camera(settings.output.virtual_camera)
        if not probe.ok:
            self.changed.emit()
            raise probe.error()
        camera = VirtualCamera(
            size=self._size(settings),
            rate_hz=float(settings.camera.rate_hz),
            device=settings.output.virtual_camera,
            on_event=self._camera_changed,
        )
        camera.start()
        self._camera = camera
        self._runner.attach(_CAMERA, camera.put, lambda: camera.status.users != 0)
        self.changed.emit()

    def _camera_changed(self, status: VirtualCameraStatus) -> None:
        if status.state is CameraState.FAILED and status.failure is not None:
            self.failed.emit(failure_of(status.failure))
        self.changed.emit()

    def _stop_camera(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            self._runner.detach(_CAMERA)
            camera.stop()
            self.changed.emit()

    def _save(self, picture: Finished | None, settings: Settings) -> None:
        if picture is None:
            raise UserError("There is no picture to save yet.", "Wait until the preview shows one.")
        transparent = settings.plate == TRANSPARENT and not picture.is_cover
        self.saved.emit(save_snapshot(picture, output_folder(settings.output), transparent=transparent))

    def _size(self, settings: Settings) -> Size:
        wanted = size_in_words(settings.output.size)
        if wanted is not None:
            return wanted
        if self._runner.latest is None:
            return _DEFAULT_SIZE
        height_px, width_px = self._runner.latest.finished.composite.shape[:2]
        return width_px, height_px


def output_folder(output: OutputOptions) -> Path:
    """Where recordings and snapshots go; the usual one is made. UserError (OUTPUT) when that fails."""
    if output.folder:
        return Path(output.folder)
    films = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.MoviesLocation)
    folder = (Path(films) if films else Path.home()) / "PlateMatch"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder “{folder}” can't be made.", "Choose another one under Output.", code=ExitCode.OUTPUT
        ) from error
    return folder


def record_settings(settings: Settings) -> RecordSettings:
    """How the recorder is to work."""
    output = settings.output
    by_quality = output.rate_control == "quality"
    return RecordSettings(
        folder=output_folder(output),
        container=cast("ContainerName", output.container),
        codec=cast("CodecName", output.codec),
        hardware=output.hardware,
        crf=round(output.crf) if by_quality else None,
        bitrate_kbps=None if by_quality else round(output.bitrate_kbps),
        rate_hz=float(settings.camera.rate_hz),
        microphone=output.microphone or None,
        split_s=60 * output.split_min or None,
        keep_original=output.keep_original,
    )
