"""The one way out of the live pipeline: whoever gets a picture gets it here, and the room never passes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain.compositing import solid_plate
from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture_status import CaptureState, CaptureStatus
from app.pipeline.live.live_plates import COVER_RGB
from app.pipeline.live.live_stats import LiveStats
from app.pipeline.live.pictures import Finished
from app.pipeline.live.slate import slate

if TYPE_CHECKING:
    from app.pipeline.looks import Rendered

log = logging.getLogger(__name__)

FRESH_S: Final = 0.5
"""Without a new picture for so long, the plate covers what was shown last."""

_FIRST_COVER: Final = (1280, 720)


@dataclass(frozen=True)
class LivePicture:
    """A finished picture and, for the preview's views, what it was made of; rendered is None for a cover."""

    finished: Finished
    rendered: Rendered | None = None
    is_transparent: bool = False


@dataclass(frozen=True)
class _Output:
    """Something that takes pictures. is_watched: whether anybody looks at it now."""

    put: Callable[[Finished], None]
    is_watched: Callable[[], bool]


class Outlet:
    """Gives pictures, or covers in their place, to all outputs and the preview; any thread may call it.

    plate: what covers, (H, W, 3). display: the latest picture, for one preview to take. latest: the same, to look at.
    lock: held while a picture is judged and handed out; who changes what the judgement rests on holds it too.
    status: how the source stands. say(UserError): an output failed.
    """

    def __init__(
        self, *, stats: LiveStats, status: Callable[[], CaptureStatus], say: Callable[[UserError], None]
    ) -> None:
        # Nobody misses a cover that made room for a picture.
        self.display: LatestSlot[LivePicture] = LatestSlot(counts=lambda picture: picture.rendered is not None)
        self.latest: LivePicture | None = None
        self.plate = solid_plate(_FIRST_COVER, COVER_RGB)
        self.lock = threading.RLock()
        self.is_preview_seen = False
        self._stats, self._status, self._say = stats, status, say
        self._outputs: dict[str, _Output] = {}
        self._slate: tuple[Pixels, str, Pixels] | None = None
        self._is_covered = self._is_closed = False
        self._handed_s = 0.0

    @property
    def is_covered(self) -> bool:
        """Whether the plate covers everything because someone asked for it."""
        return self._is_covered

    @property
    def is_wanted(self) -> bool:
        """Whether anybody looks at the preview or at an output."""
        return self.is_preview_seen or any(self._is_watched(*item) for item in self._outputs.items())

    def attach(self, name: str, put: Callable[[Finished], None], is_watched: Callable[[], bool]) -> None:
        """Give every picture to `put`, which must not wait."""
        with self.lock:
            self._outputs = {**self._outputs, name: _Output(put, is_watched)}

    def detach(self, name: str) -> None:
        """Give it no more pictures."""
        with self.lock:
            self._outputs = {key: output for key, output in self._outputs.items() if key != name}

    def cover(self, *, on: bool) -> None:
        """Let the plate cover everything, at once, or show the person again."""
        with self.lock:
            self._is_covered = on
            if on:
                self.hand_out_cover()

    def close(self) -> None:
        """Hand nothing out any more."""
        self._is_closed = True
        self.display.close()

    def hand_out(self, picture: LivePicture, *, held: bool = False) -> None:
        """Give a picture of a person to everybody, unless it may not be seen now: then a cover."""
        with self.lock:
            if self._is_covered:
                self.hand_out_cover()
            elif not self._is_of_this_opening(picture.finished.captured_s):
                self._stats.dropped("the source had just changed")
                self.hand_out_cover()
            else:
                self._give(picture, held=held)

    def hand_out_cover(self) -> None:
        """Give everybody the plate alone; while the source is lost, with a word on why."""
        with self.lock:
            self._give(LivePicture(Finished(self._cover_pixels(), time.monotonic())), held=False)

    def cover_what_is_stale(self) -> None:
        """Cover what nothing has followed for a while, or nothing can."""
        with self.lock:
            is_live = self._status().state is CaptureState.LIVE
            if time.monotonic() - self._handed_s > FRESH_S or not is_live:
                self.hand_out_cover()

    def _give(self, picture: LivePicture, *, held: bool) -> None:
        if self._is_closed:
            return
        self._handed_s = time.monotonic()
        self._stats.finished(self._handed_s, held=held, is_cover=picture.finished.is_cover)
        for name, output in self._outputs.items():
            self._put(name, output, picture.finished)
        self.latest = picture
        if not self.is_preview_seen:
            self.display.clear()
        self.display.put(picture)

    def _put(self, name: str, output: _Output, finished: Finished) -> None:
        """One output's fault is its own: the others and the picture go on."""
        try:
            output.put(finished)
        except Exception as error:
            self._switch_off(name, error)

    def _is_watched(self, name: str, output: _Output) -> bool:
        try:
            return output.is_watched()
        except Exception as error:
            self._switch_off(name, error)
            return False

    def _switch_off(self, name: str, error: Exception) -> None:
        log.error("output %s", name, exc_info=error)
        self.detach(name)
        self._say(UserError(f"The output “{name}” failed and was switched off: {type(error).__name__}: {error}."))

    def _is_of_this_opening(self, captured_s: float) -> bool:
        """Whether the source gives pictures, and one captured then came after it was opened last."""
        status = self._status()
        if status.state is not CaptureState.LIVE:
            return False
        return status.opened_s is None or captured_s >= status.opened_s

    def _cover_pixels(self) -> Pixels:
        status, plate = self._status(), self.plate
        if status.state is not CaptureState.LOST or self._is_covered or not status.reason:
            return plate
        if self._slate is None or self._slate[0] is not plate or self._slate[1] != status.reason:
            self._slate = plate, status.reason, slate(plate, status.reason)
        return self._slate[2]
