"""Which frames of a stream are too many."""

from __future__ import annotations

from typing import Final

_BURST_FRAMES: Final = 3.0
"""So many frames may come at once after a pause: a frame that was late must not cost the one after it."""

_MARGIN: Final = 1.01
"""Cameras that say 30 give 30.1: what is this little too much is let through."""


class RateCap:
    """Lets through at most `rate_hz` frames a second (1 % more, strictly) on average, however unevenly they come."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self._credit_frames = _BURST_FRAMES

    def allows(self, captured_s: float, *, rate_hz: float) -> bool:
        """Whether the frame captured then is wanted; to be asked once a frame, in order."""
        since_s = 0.0 if self._last_s is None else max(0.0, captured_s - self._last_s)
        self._last_s = captured_s
        self._credit_frames = min(_BURST_FRAMES, self._credit_frames + since_s * rate_hz * _MARGIN)
        if self._credit_frames < 1.0:
            return False
        self._credit_frames -= 1.0
        return True
