"""The time inside a recording: seconds of the monotonic clock, pauses taken out."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import NamedTuple


class Placed(NamedTuple):
    """A moment in the recording. segment: number of pauses before it."""

    file_s: float
    segment: int


class Span(NamedTuple):
    """A stretch of monotonic time that is recorded, and where it begins in the recording."""

    start_s: float
    end_s: float
    file_s: float


@dataclass(frozen=True)
class _Segment:
    start_s: float
    end_s: float
    file_s: float

    @property
    def file_end_s(self) -> float:
        return self.file_s + self.end_s - self.start_s


class FileClock:
    """Turns monotonic seconds into seconds of the recording; picture and sound ask the same one.

    It runs from `start` on. A moment before it or within a pause has no place. Safe from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._segments: list[_Segment] = []

    @property
    def has_started(self) -> bool:
        """Whether there is a zero yet."""
        return bool(self._segments)

    def start(self, now_s: float) -> None:
        """Make this moment the recording's zero."""
        with self._lock:
            self._segments = [_Segment(now_s, math.inf, 0.0)]

    def pause(self, now_s: float) -> None:
        """Let time stand still from now on; also what ends it."""
        with self._lock:
            if self._segments and math.isinf(self._segments[-1].end_s):
                last = self._segments[-1]
                self._segments[-1] = replace(last, end_s=max(now_s, last.start_s))

    def resume(self, now_s: float) -> None:
        """Let time go on where it stood still."""
        with self._lock:
            if self._segments and not math.isinf(self._segments[-1].end_s):
                last = self._segments[-1]
                self._segments.append(_Segment(max(now_s, last.end_s), math.inf, last.file_end_s))

    def place(self, moment_s: float) -> Placed | None:
        """Where a moment lies in the recording; None when it is not recorded."""
        with self._lock:
            for number in reversed(range(len(self._segments))):
                segment = self._segments[number]
                if segment.start_s <= moment_s < segment.end_s:
                    return Placed(segment.file_s + moment_s - segment.start_s, number)
        return None

    def length_s(self, now_s: float) -> float:
        """How long the recording is by now."""
        with self._lock:
            if not self._segments:
                return 0.0
            last = self._segments[-1]
            return last.file_s + max(0.0, min(now_s, last.end_s) - last.start_s)

    def spans(self, start_s: float, end_s: float) -> list[Span]:
        """Cut [start_s, end_s) to what is recorded of it, in order."""
        with self._lock:
            cut = [(max(start_s, s.start_s), min(end_s, s.end_s), s) for s in self._segments]
        return [Span(start, end, s.file_s + start - s.start_s) for start, end, s in cut if start < end]
