"""How capturing stands, for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.pipeline.live.pictures import Granted


class CaptureState(Enum):
    """What the source is doing; the value is the word for it."""

    OPENING = "Opening"
    LIVE = "Live"
    LOST = "No pictures"
    PAUSED = "Paused"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """One state of capturing.

    granted: what the source gives, while LIVE. reason, hint: one sentence each that says what is wrong and what
    to do, when LOST. opened_s: `time.monotonic()` when the source had opened. retries: tries in vain so far.
    """

    state: CaptureState
    granted: Granted | None = None
    reason: str = ""
    hint: str = ""
    opened_s: float | None = None
    retries: int = 0
