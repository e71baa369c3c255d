"""The live recorder: takes the pictures of a running stream and leaves files."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.handover import BoundedQueue
from app.pipeline.live.pictures import Finished
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.recording.clock import FileClock
from app.pipeline.recording.disk import STOP_BYTES, WARN_BYTES, DiskKeeper, DiskLeft, free_bytes, stop_below
from app.pipeline.recording.encoders import EncoderChoice, choose_encoder
from app.pipeline.recording.microphone import Microphone, MicrophoneError, PortAudioStream, StreamFactory
from app.pipeline.recording.naming import checked_folder, stem_for
from app.pipeline.recording.recovery import playable_s
from app.pipeline.recording.reel import Reel
from app.pipeline.recording.settings import RecordSettings, RecordState, RecordStatus, duration_text
from app.pipeline.recording.sound_track import SoundTrack
from app.pipeline.recording.take import Plan, Take

__all__ = ["RecordSettings", "RecordState", "RecordStatus", "Recorder"]

QUEUE_S: Final = 0.5
"""Pictures that wait for the encoder; more are dropped and counted."""

_TICK_S: Final = 0.1
_HOLD_S: Final = 0.5
"""After that long without a picture the last is repeated: files are cut into fragments by their packets, so a
silent source would hold back the sound too, and a crash would cost more."""

_SYNC_EVERY: Final = 2
"""Looks at the disk, one a second, from one sync to the next: what a power cut may cost."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _nothing(_: RecordStatus) -> None:
    """Nobody listens."""


class Recorder:
    """Records pictures of `size`, with the microphone's sound, on threads of its own; every method from any thread.

    on_event: called when the state changes, a file is added, something is to be said; on the recorder's threads, so
    it must be quick, must not raise, and must not call `stop`. A picture's `captured_s` is its time, of the clock
    `clock`; the first picture is the recording's zero. `disk_left`, `open_stream` and `clock` stand in for the
    machine in tests.
    """

    def __init__(
        self,
        settings: RecordSettings,
        *,
        size: Size,
        on_event: Callable[[RecordStatus], None] = _nothing,
        clock: Callable[[], float] = time.monotonic,
        open_stream: StreamFactory = PortAudioStream,
        disk_left: DiskLeft = free_bytes,
    ) -> None:
        self._settings = settings
        self._size = size
        self._on_event = on_event
        self._now_s = clock
        self._open_stream = open_stream
        self._measure_disk = disk_left
        self._lock = threading.Lock()
        self._state = RecordState.STARTING
        self._notices: list[str] = []
        self._failure: UserError | None = None
        self._files: dict[Take, tuple[Path, ...]] = {}
        self._closed_bytes = 0
        self._saved_s = 0.0
        self._frames_in = self._repeated = self._looks = 0
        self._disk_left_bytes = 0
        self._choice = EncoderChoice("", False)
        self._clock = FileClock()
        self._queue: BoundedQueue[Finished] = BoundedQueue(max(2, round(settings.rate_hz * QUEUE_S)))
        self._last: Finished | None = None
        self._last_file_s = 0.0
        self._sound: SoundTrack | None = None
        self._reel: Reel | None = None
        self._disk = DiskKeeper(self._look_at_disk)
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    @property
    def status(self) -> RecordStatus:
        """How it stands; cheap."""
        reel = self._reel
        growing = sum(take.bytes_written for take in reel.open_takes) if reel and not self._state.is_over else 0
        with self._lock:
            return RecordStatus(
                state=self._state,
                recorded_s=self._clock.length_s(self._now_s()),
                frames=self._frames_in,
                dropped=self._queue.dropped,
                repeated=self._repeated,
                bytes_written=self._closed_bytes + growing,
                disk_left_bytes=self._disk_left_bytes,
                files=tuple(path for paths in self._files.values() for path in paths),
                encoder=self._choice.name,
                notices=tuple(self._notices),
                failure=self._failure,
            )

    def start(self) -> None:
        """Begin. UserError for what can be refused now: settings, folder, disk, encoder; nothing is left then.

        May take a second the first time, while encoders are tried and the microphone opens: not for a window's thread.
        """
        self._settings.check()
        folder = checked_folder(self._settings.folder)
        self._check_disk(folder)
        self._choice = choose_encoder(self._settings.codec, self._size, self._settings.hardware)
        if self._choice.notice:
            self._notices.append(self._choice.notice)
        self._sound = self._open_sound()
        plan = Plan(
            settings=self._settings,
            stem=folder / stem_for(datetime.now().astimezone()),
            size=self._size,
            choice=self._choice,
            sound=self._sound is not None,
        )
        try:
            self._reel = Reel(plan, on_begun=self._begun, on_closed=self._closed)
        except BaseException:
            if self._sound is not None:
                self._sound.close()
            raise
        self._disk.start()
        self._thread.start()
        self._set_state(RecordState.RECORDING)

    def put(self, picture: Finished) -> None:
        """Record a picture, unless paused; never waits. Its arrays must not be written to afterwards."""
        if self._state is RecordState.RECORDING:
            self._queue.put(picture)

    def pause(self) -> None:
        """Record nothing from now on; the recording's time stands still."""
        if self._state is RecordState.RECORDING:
            self._clock.pause(self._now_s())
            self._set_state(RecordState.PAUSED)

    def resume(self) -> None:
        """Go on after a pause, without a gap in the file."""
        if self._state is RecordState.PAUSED:
            self._clock.resume(self._now_s())
            self._set_state(RecordState.RECORDING)

    def stop(self) -> RecordStatus:
        """Finish the files and return the final status; again: the same."""
        if self._state is RecordState.STARTING:
            return self.status
        self._clock.pause(self._now_s())
        with self._lock:
            if not self._state.is_over:
                self._state = RecordState.STOPPING
        self._queue.close()
        self._thread.join()
        return self.status

    def _work(self) -> None:
        failure: BaseException | None = None
        try:
            while not self._queue.is_finished and self._failure is None:
                self._turn()
        except Exception as error:  # Whatever it is, what has been recorded must still become files.
            failure = error
        self._finish(failure)

    def _turn(self) -> None:
        """Work off what there is: at most one picture, all sound."""
        picture = self._queue.take(_TICK_S)
        if picture is not None:
            self._record(picture)
        reel = self._opened_reel()
        if self._sound is not None:
            self._sound.drain(reel.sound)
            self._note_silence(self._sound)
        self._hold_last()

    def _record(self, picture: Finished) -> None:
        if not self._clock.has_started:
            self._clock.start(picture.captured_s)
            if self._state is RecordState.PAUSED:
                self._clock.pause(picture.captured_s)
        placed = self._clock.place(picture.captured_s)
        if placed is None:
            return
        self._opened_reel().picture(picture, placed)
        self._last, self._last_file_s = picture, max(placed.file_s, self._last_file_s)
        self._frames_in += 1

    def _hold_last(self) -> None:
        now_s = self._now_s()
        if self._last is None or len(self._queue) or self._clock.length_s(now_s) - self._last_file_s < _HOLD_S:
            return
        placed = self._clock.place(now_s - _HOLD_S / 2)
        if placed is not None and placed.file_s > self._last_file_s:
            self._opened_reel().picture(self._last, placed)
            self._last_file_s = placed.file_s
            self._frames_in += 1
            self._repeated += 1

    def _finish(self, failure: BaseException | None) -> None:
        self._clock.pause(self._now_s())
        self._queue.close()
        self._set_state(RecordState.STOPPING)
        try:
            if failure is None:
                self._record_tail()
            self._opened_reel().finish()
        except (UserError, *MEDIA_ERRORS) as error:
            failure = failure or error
        if self._sound is not None:
            self._sound.close()
        self._disk.stop()
        self._conclude(failure)

    def _record_tail(self) -> None:
        """Record what was heard and seen up to the end but comes in only now."""
        reel = self._opened_reel()
        if self._sound is not None and self._last is not None:
            self._sound.drain_to_end(reel.sound)

    def _conclude(self, cause: BaseException | None) -> None:
        if cause is not None and self._failure is None:
            self._failure = cause if isinstance(cause, UserError) else _write_error(cause)
        if self._failure is not None and self._saved_s > 0:
            self._failure = _with_saved(self._failure, self._saved_s)
        self._set_state(RecordState.FAILED if self._failure else RecordState.FINISHED)

    def _open_sound(self) -> SoundTrack | None:
        name = self._settings.microphone
        if name is None:
            return None
        try:
            return SoundTrack(Microphone(name, open_stream=self._open_stream), self._clock, now_s=self._now_s)
        except MicrophoneError as error:
            self._notices.append(f"The recording has no sound: {error}.")
            return None

    def _note_silence(self, sound: SoundTrack) -> None:
        if sound.has_just_fallen_silent():
            self._say("The microphone delivers nothing any more: from here on the recording is silent.")

    def _begun(self, take: Take) -> None:
        with self._lock:
            self._files[take] = take.names
        if self._state is not RecordState.STARTING:
            self._on_event(self.status)

    def _closed(self, take: Take) -> None:
        self._disk.run(lambda: self._name(take))

    def _name(self, take: Take) -> None:
        """Give an ended take its names; on the disk's thread."""
        if take.frames == 0:
            take.discard()
            with self._lock:
                self._files.pop(take, None)
            return
        try:
            take.commit()
        except UserError as error:
            self._failure = self._failure or error
        with self._lock:
            self._files[take] = take.found
            self._closed_bytes += take.bytes_written
        self._saved_s += take.length_s if take.is_whole else playable_s(take.found[0])

    def _check_disk(self, folder: Path) -> None:
        try:
            self._disk_left_bytes = self._measure_disk(folder)
        except OSError as error:
            raise UserError(
                f"“{folder}” can't be used: {error.strerror or error}.", "Choose another folder.", code=ExitCode.OUTPUT
            ) from error
        if self._disk_left_bytes < STOP_BYTES:
            raise UserError(
                f"The disk is full: {_megabytes(self._disk_left_bytes)} are left.",
                "Free some space or choose another folder.",
                code=ExitCode.OUTPUT,
            )

    def _look_at_disk(self) -> None:
        """Each second, on the disk's thread."""
        self._looks += 1
        if self._looks % _SYNC_EVERY == 0:
            for take in self._opened_reel().open_takes:
                take.sync()
        try:
            left_bytes = self._disk_left_bytes = self._measure_disk(self._settings.folder)
        except OSError:  # The folder is gone: writing will say so.
            return
        if left_bytes < WARN_BYTES:
            self._say(f"The disk is nearly full: less than {_megabytes(WARN_BYTES)} are left.")
        status = self.status
        if left_bytes < stop_below(status.bytes_written / max(1.0, status.recorded_s)):
            self._failure = self._failure or _write_error(OSError(errno.ENOSPC, ""))

    def _opened_reel(self) -> Reel:
        if self._reel is None:
            raise RuntimeError("the recorder was not started")
        return self._reel

    def _say(self, notice: str) -> None:
        """Add a notice, each once."""
        with self._lock:
            if notice in self._notices:
                return
            self._notices.append(notice)
        self._on_event(self.status)

    def _set_state(self, state: RecordState) -> None:
        with self._lock:
            if self._state is state or self._state.is_over:
                return
            if self._state is RecordState.STOPPING and not state.is_over:
                return
            self._state = state
        self._on_event(self.status)


def _write_error(cause: BaseException) -> UserError:
    number = getattr(cause, "errno", None)
    if number in _FULL:
        return UserError("Disk full.", "Free some space or choose another folder.", code=ExitCode.OUTPUT)
    detail = os.strerror(number) if isinstance(number, int) and 0 < number < 1000 else type(cause).__name__
    return UserError(f"Writing the recording failed ({detail}).", "Choose another folder.", code=ExitCode.OUTPUT)


def _with_saved(failure: UserError, saved_s: float) -> UserError:
    message = f"{failure.message.rstrip('.')}: {duration_text(saved_s)} were saved."
    return UserError(message, failure.hint, code=failure.code)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.0f} MB"
