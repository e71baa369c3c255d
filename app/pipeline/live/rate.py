"""Which frames of a stream are too many."""

from __future__ import annotations

from typing import Final

_TOLERANCE: Final = 0.5
"""Of an interval: frames jitter, and only those that come too often on average are too many."""


class RateCap:
    """Lets through at most `rate_hz` frames a second on average."""

    def __init__(self) -> None:
        self._due_s: float | None = None

    def allows(self, captured_s: float, *, rate_hz: float) -> bool:
        """Whether the frame captured then is wanted; to be asked once a frame, in order."""
        interval_s = 1.0 / rate_hz
        if self._due_s is None or captured_s - self._due_s > interval_s:
            self._due_s = captured_s
        if captured_s < self._due_s - _TOLERANCE * interval_s:
            return False
        self._due_s += interval_s
        return True
