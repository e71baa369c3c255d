"""The threads that look at clips for the queue: what they are, how they look, how long they would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final

from PyQt6.QtCore import pyqtSignal

from app.domain.compositing import Size
from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.offline.queue_items import QueueItem
from app.ui.choices import VIDEO_SUFFIXES, Sample, Source
from app.ui.queue.services import Services
from app.ui.worker import Worker, guarded


class How(Enum):
    """What becomes of new items: they wait, or all that wait is made, or they come first and are made alone."""

    WAIT = "wait"
    START = "start"
    FIRST = "first"


_LOOK_AT_S: Final = 1.0
"""Films often begin in black."""


class ClipWorker(Worker):
    """Looks for clips and makes their thumbnails.

    found(list[Path]): the clips that were asked for. made(list[QueueItem], How): ready to be added. pictured(str,
    QImage): a clip's thumbnail by its name. failed(Failure).
    """

    found = pyqtSignal(object)
    made = pyqtSignal(object, object)
    pictured = pyqtSignal(str, object)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__("queue clips")

    def find(self, sources: Sequence[Source]) -> None:
        """Find the clips that files, folders and the sample stand for; those of what can be read."""
        self._mailbox.errand(guarded(partial(self._find, sources), self.failed.emit))

    def make(self, make: Callable[[], list[QueueItem]], how: How) -> None:
        """Have items made, which looks at the disk."""
        self._mailbox.errand(guarded(lambda: self.made.emit(make(), how), self.failed.emit))

    def picture(self, clip: Path, size_px: Size) -> None:
        """Make a clip's thumbnail; one that can't be read has none, and says why when it is rendered."""

        def make() -> None:
            from app.ui.images import to_image

            self.pictured.emit(str(clip), to_image(_picture_of(clip), size_px))

        self._mailbox.errand(guarded(make, lambda _: None))

    def _find(self, sources: Sequence[Source]) -> None:
        clips: list[Path] = []
        error: UserError | None = None
        for source in sources:
            try:
                clips += _clips_of(source)
            except UserError as why:
                error = error or why
        if clips:
            self.found.emit(list(dict.fromkeys(clips)))
        if error is not None:
            raise error


class ForecastWorker(Worker):
    """Forecasts of the latest item asked for. ready(str, Forecast | None): by the item's name; None: nobody knows."""

    ready = pyqtSignal(str, object)

    def __init__(self, services: Services) -> None:
        super().__init__("queue forecasts")
        self._services = services

    def ask(self, item: QueueItem) -> None:
        """Find out about one, instead of any not begun with."""

        def work() -> None:
            self.ready.emit(item.id, self._services.forecast(item))

        self._mailbox.wish(_guarded_quietly(work, lambda: self.ready.emit(item.id, None)))


def _guarded_quietly(work: Callable[[], None], failed: Callable[[], None]) -> Callable[[], None]:
    """The same work; a clip that can't be rendered says so when it is."""

    def run() -> None:
        try:
            work()
        except UserError:
            failed()

    return guarded(run, lambda _: failed())


def clip_of(source: Source) -> Path:
    """A clip's file; the sample is made where it is not there yet."""
    if isinstance(source, Sample):
        from app.ui.mask.project_worker import sample_file

        return sample_file()
    return source.absolute()


def _clips_of(source: Source) -> list[Path]:
    from app.pipeline.offline.queue_jobs import clips_in

    return clips_in(clip_of(source), VIDEO_SUFFIXES)


def _picture_of(clip: Path) -> Pixels:
    """(H, W, 3) uint8. UserError when there is none."""
    from app.pipeline.images import load_image
    from app.pipeline.offline.picture_sequence import find_pictures
    from app.pipeline.stills import StillReader

    if clip.is_dir():
        return load_image(clip / find_pictures(clip).names[0]).pixels
    reader = StillReader(clip)
    try:
        return reader.at(min(_LOOK_AT_S, (reader.info.duration_s or 0.0) / 3)).pixels
    finally:
        reader.close()
