"""How a running delivery is watched, held and stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from app.pipeline.offline.plan import Stage

Phase = Literal["planning", "trying", "analysing", "rendering", "assembling", "verifying"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a delivery is.

    done, total: frames of both passes together. eta_s: seconds left, None while unknown. fps: frames a second of this
    pass. waits_for_bytes: so much has to be freed on the disk before it goes on; 0 while it does.
    """

    phase: Phase
    done: int
    total: int
    eta_s: float | None = None
    fps: float | None = None
    waits_for_bytes: int = 0


class Control(Protocol):
    """What the owner of a running delivery wants. Asked often, from any thread."""

    def should_stop(self) -> bool:
        """Whether to stop: finished segments are kept, so that it can go on another time."""

    def is_paused(self) -> bool:
        """Whether to hold."""


class Keep:
    """A control that wants nothing: runs to the end."""

    def should_stop(self) -> bool:
        """Never."""
        return False

    def is_paused(self) -> bool:
        """Never."""
        return False


class Stopped(Exception):  # noqa: N818  (nothing went wrong)
    """The control said so; what is finished is kept."""


@dataclass(frozen=True, slots=True)
class SegmentDone:
    """A worker finished a stage of a segment. seconds: by stage of the chain; frames_without_person: of those shown."""

    stage: Stage
    index: int
    frames: int
    seconds: float
    worker: str


Frames = Callable[[int], None]
"""Told by a worker how many frames of the segment it has done; may raise `Stopped`."""
