"""Frames as fast as the live pipeline takes them: with back pressure, so that nothing is dropped for coming early."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_file import FileSource
from app.pipeline.live.source_pacing import PaceClock

ON_THEIR_WAY: Final = 2
"""One is analysed while the one before it is composited. A third would wait, and be replaced in the end."""

PATIENCE_S: Final = 0.5
"""A frame that did not come out by then was lost on the way; half of what the capture takes for a hanging source."""


class Gate:
    """Lets frames in while fewer than `limit` are on their way; any thread may call `leave`."""

    def __init__(self, limit: int = ON_THEIR_WAY, *, patience_s: float = PATIENCE_S) -> None:
        self._limit = limit
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._inside = 0

    def enter(self) -> bool:
        """Wait for room; False when none came in time: then those on their way are given up as lost."""
        with self._changed:
            has_room = self._changed.wait_for(lambda: self._inside < self._limit, self._patience_s)
            self._inside = self._inside + 1 if has_room else 1
            return has_room

    def leave(self) -> None:
        """A frame has come out."""
        with self._changed:
            self._inside = max(0, self._inside - 1)
            self._changed.notify()


@dataclass(slots=True)
class _Hurry:
    """A clock that is always on time: whoever waits by it is there at once."""

    now_s: float = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def now(self) -> float:
        return self.now_s


class UnpacedSource:
    """A video's frames, all of them, round and round, each handed out as soon as the gate lets it in.

    Times within the video are its own: what depends on them is done as often a frame as at the video's pace. UserError
    as `FileSource` raises it.
    """

    def __init__(self, path: Path, gate: Gate) -> None:
        hurry = _Hurry()
        self._source = FileSource(path, clock=PaceClock(hurry.now, hurry.sleep))
        self._gate = gate

    @property
    def granted(self) -> Granted:
        """As the file's; the rate is nobody's choice."""
        return replace(self._source.granted, rate_hz=None, detail="video file, unpaced")

    def read(self) -> Captured:
        """The next frame, decoded before it is let in."""
        captured = self._source.read()
        self._gate.enter()
        return Captured(captured.frame, time.monotonic())

    def close(self) -> None:
        """Close the file."""
        self._source.close()
