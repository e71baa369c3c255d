"""What stands in the queue of deliveries, and what becomes of an entry when its delivery ends."""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from app.domain.errors import UserError
from app.domain.settings import Settings

if TYPE_CHECKING:
    from app.pipeline.offline.control import Progress
    from app.pipeline.offline.running import JobResult

log = logging.getLogger(__name__)

State = Literal["waiting", "running", "paused", "done", "failed", "cancelled"]
"""paused: held where it is, or, before it was begun, passed over."""

UNEXPECTED_HINT: Final = "The details are on the terminal that the program was started from."

_FINISHED: Final = frozenset({"done", "failed", "cancelled"})


def new_id() -> str:
    """A name for an item that no other has."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class QueueItem:
    """One entry. settings: as they were when it was added. preset: how to deliver, "" as the output's ending says.

    sequence_rate: frames a second of a folder of pictures. tone_map: bring an HDR clip to SDR instead of refusing it.
    has_begun: there is unfinished work to go on with. progress: of this run. message, hint: why it failed. frames,
    seconds: of the finished delivery.
    """

    clip: Path
    output: Path
    settings: Settings = field(default_factory=Settings)
    preset: str = ""
    overwrite: bool = False
    sequence_rate: Fraction = Fraction(24)
    tone_map: bool = False
    id: str = field(default_factory=new_id)
    state: State = "waiting"
    has_begun: bool = False
    progress: Progress | None = None
    message: str = ""
    hint: str = ""
    notices: tuple[str, ...] = ()
    frames: int = 0
    seconds: float = 0.0

    @property
    def is_finished(self) -> bool:
        """Whether nothing will be done with it by itself."""
        return self.state in _FINISHED

    @property
    def is_under_way(self) -> bool:
        """Whether it is being made, or held in the middle of it."""
        return self.state == "running" or (self.state == "paused" and self.progress is not None)


@dataclass(frozen=True, slots=True)
class ItemControl:
    """What the queue wants of the delivery under way. dismissed: it is to stop for good."""

    stop: threading.Event = field(default_factory=threading.Event)
    pause: threading.Event = field(default_factory=threading.Event)
    dismissed: threading.Event = field(default_factory=threading.Event)

    def should_stop(self) -> bool:
        """Whether it was cancelled, or the queue is being closed."""
        return self.stop.is_set()

    def is_paused(self) -> bool:
        """Whether to hold."""
        return self.pause.is_set()

    def dismiss(self) -> None:
        """Stop it for good."""
        self.dismissed.set()
        self.stop.set()


def snapshot_of(settings: Settings) -> Settings:
    """What of the settings a delivery depends on; cameras and live outputs stay out of the queue."""
    return Settings(settings.plate, person=settings.person, match=settings.match, placement=settings.placement)


def waiting_again(item: QueueItem) -> QueueItem:
    """The same, as if nothing had been said of it yet; what is finished of it is used."""
    return replace(item, state="waiting", progress=None, message="", hint="", notices=())


def after_result(result: JobResult) -> dict[str, Any]:
    """What is new of an item whose delivery is finished."""
    return {
        "state": "done",
        "has_begun": False,
        "frames": result.frames,
        "seconds": result.seconds,
        "notices": tuple(result.notices),
    }


def after_error(error: Exception, *, was_stopped: bool, is_dismissed: bool) -> dict[str, Any]:
    """What is new of an item whose delivery ended before its end: stopped for good, for now, or failed."""
    if was_stopped:
        return {"state": "cancelled"} if is_dismissed else {"state": "waiting", "has_begun": True}
    if isinstance(error, UserError):
        return {"state": "failed", "message": error.message, "hint": error.hint}
    log.error("unexpected error in a render", exc_info=error)
    message = f"Something unexpected went wrong: {type(error).__name__}: {error}"
    return {"state": "failed", "message": message, "hint": UNEXPECTED_HINT}
