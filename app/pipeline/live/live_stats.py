"""How the live picture is doing: rate, latency, what was dropped and why."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from app.domain.governor import ANALYSIS, COMPOSITING, DISPLAY

_RATE_WINDOW_S: Final = 2.0
_LATENCIES_KEPT: Final = 300


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """A reading. fps: finished pictures a second over the last 2 s. latency: capture to display, of the last 300.

    drops: frames that were captured and never shown, by cause. held: frames for which nothing was inferred.
    level: how far quality is reduced to hold the rate, an index into the governor's levels; 0 is not at all.
    loads: share of the last second or so in which a stage was at work, 0..1, by stage.
    """

    fps: float = 0.0
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    frames: int = 0
    held: int = 0
    covered: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    level: int = 0
    loads: Mapping[str, float] = field(default_factory=dict)

    @property
    def held_share(self) -> float:
        """Share of frames for which nothing was inferred."""
        return self.held / self.frames if self.frames else 0.0


class WorkMeter:
    """How long a stage has been at work; one thread works, any may read."""

    def __init__(self) -> None:
        self._done_s = 0.0
        self._since_s: float | None = None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Count the time of the block, waiting for a processor included: that is what holds frames up."""
        begun_s = self._since_s = time.monotonic()
        try:
            yield
        finally:
            self._since_s = None
            self._done_s += time.monotonic() - begun_s

    def worked_s(self, now_s: float) -> float:
        """All of it until now, s, what is under way included; by `time.monotonic()`."""
        done_s, since_s = self._done_s, self._since_s
        return done_s if since_s is None else done_s + max(0.0, now_s - since_s)


class LiveStats:
    """Collects from any thread. meters: of the stages' work, by stage, each for one thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times_s: deque[float] = deque()
        self._latencies_ms: deque[float] = deque(maxlen=_LATENCIES_KEPT)
        self._frames = self._held = self._covered = 0
        self._drops: Counter[str] = Counter()
        self.meters = {stage: WorkMeter() for stage in (ANALYSIS, COMPOSITING, DISPLAY)}

    def finished(self, now_s: float, *, held: bool, is_cover: bool) -> None:
        """A picture is finished."""
        with self._lock:
            self._frames += 1
            self._held += held
            self._covered += is_cover
            self._times_s.append(now_s)
            while self._times_s and now_s - self._times_s[0] > _RATE_WINDOW_S:
                self._times_s.popleft()

    def shown(self, captured_s: float, now_s: float) -> None:
        """A picture captured then is on the screen now."""
        with self._lock:
            self._latencies_ms.append(1000.0 * (now_s - captured_s))

    def dropped(self, cause: str, count: int = 1) -> None:
        """Frames got lost."""
        if count > 0:
            with self._lock:
                self._drops[cause] += count

    def reset(self) -> None:
        """Start counting anew, as for another source."""
        with self._lock:
            self._times_s.clear()
            self._latencies_ms.clear()
            self._frames = self._held = self._covered = 0
            self._drops.clear()

    def figures(self, now_s: float, *, elsewhere: Mapping[str, int] | None = None) -> LiveFigures:
        """A reading. elsewhere: drops the parts counted themselves, by cause."""
        with self._lock:
            recent = [t for t in self._times_s if now_s - t <= _RATE_WINDOW_S]
            fps = (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 2 else 0.0
            p50, p95 = np.percentile(self._latencies_ms, (50, 95)) if self._latencies_ms else (None, None)
            drops = Counter(elsewhere or {}) + self._drops
            return LiveFigures(fps, p50, p95, self._frames, self._held, self._covered, dict(drops))
