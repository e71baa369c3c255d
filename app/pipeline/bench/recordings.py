"""A recording made while something is measured: thrown away, or kept under a name of the user's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.live.pictures import Finished
from app.pipeline.recording.recorder import Recorder
from app.pipeline.recording.settings import RecordSettings, RecordStatus
from app.pipeline.video_output import PendingFile

_CONTAINERS: Final = {".mp4": "mp4", ".mkv": "mkv"}


@dataclass(frozen=True, slots=True)
class RecordWish:
    """keep_as: the file to leave behind, which must not exist yet; None records into a folder that is removed."""

    keep_as: Path | None = None

    def __post_init__(self) -> None:
        """UserError (OUTPUT) for a name that can't be had, before anything runs."""
        if self.keep_as is None:
            return
        if self.keep_as.suffix.lower() not in _CONTAINERS:
            raise UserError(f"“{self.keep_as.name}” can't be recorded.", "Name it .mp4 or .mkv.", code=ExitCode.OUTPUT)
        PendingFile(self.keep_as, overwrite=False)

    @property
    def container(self) -> Literal["mp4", "mkv"]:
        """By the name."""
        return cast("Literal['mp4', 'mkv']", _CONTAINERS[self.keep_as.suffix.lower()] if self.keep_as else "mp4")


@contextmanager
def recorded(
    wish: RecordWish, *, size: Size, rate_hz: float, attach: Callable[[Callable[[Finished], None]], Callable[[], None]]
) -> Iterator[Callable[[], RecordStatus]]:
    """Record while the block runs, without sound; gives the status, the final one after the block.

    attach: has every finished picture put, and gives what undoes that. UserError as the recorder raises it.
    """
    pending = None if wish.keep_as is None else PendingFile(wish.keep_as, overwrite=False)
    with ExitStack() as held:
        # Beside the name it gets: a rename within one file system moves no bytes.
        beside = None if pending is None else pending.final.parent
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix=".platematch-bench-", dir=beside)))
        settings = RecordSettings(folder=folder, container=wish.container, microphone=None, rate_hz=rate_hz)
        recorder = Recorder(settings, size=size)
        recorder.start()
        if pending is not None:
            held.callback(_keep, recorder, pending)
        held.callback(recorder.stop)
        held.callback(attach(recorder.put))
        yield lambda: recorder.status


def _keep(recorder: Recorder, pending: PendingFile) -> None:
    files = [path for path in recorder.status.files if path.exists()]
    if files:
        os.replace(files[0], pending.part)
        pending.commit()
