"""What is counted of a measured window: frames on the screen, memory, and how late Qt's thread was."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final

from PyQt6.QtCore import QObject, Qt, QTimer

from app.pipeline.bench.figures import percentiles, rss_facts
from app.pipeline.bench.live_report import BEFORE_FINISHED, drop_facts, recording_facts
from app.pipeline.bench.machine import CpuMeter, rss_mb
from app.pipeline.live.live_stats import LiveStats
from app.pipeline.live.pictures import Finished
from app.ui.live.live_desk import LiveDesk

STALL_MS: Final = 8.0
"""Nothing shall hold Qt's thread up for longer."""

_SAMPLE_EVERY_MS: Final = 1000


class PaintedStats(LiveStats):
    """The live statistics, that also keep every painted frame: (captured_s, painted_s)."""

    def __init__(self, painted: Callable[[float, float], None]) -> None:
        super().__init__()
        self._painted = painted

    def shown(self, captured_s: float, now_s: float) -> None:
        """A picture captured then is on the screen now."""
        super().shown(captured_s, now_s)
        self._painted(captured_s, now_s)


class SteadyCounts:
    """What is counted from the first matched picture to the end."""

    def __init__(self, desk: LiveDesk, *, parent: QObject) -> None:
        self._desk = desk
        self._begun_s = time.monotonic()
        self._drops = dict(desk.facts().drops)
        self._cpu = CpuMeter()
        self._rss: list[tuple[float, float]] = []
        self._latencies_ms = array("d")
        self._captured_s: set[float] = set()
        self._finished = self._covered = 0
        desk.runner.attach("bench", self._finish, lambda: False)
        self._sample()
        timer_on(parent, self._sample, _SAMPLE_EVERY_MS).start()

    def painted(self, captured_s: float, now_s: float) -> None:
        """A frame is on the screen; a cover is none."""
        if captured_s in self._captured_s:
            self._captured_s.discard(captured_s)
            self._latencies_ms.append(1000 * (now_s - captured_s))

    def figures(self) -> dict[str, Any]:
        """What came out."""
        seconds = time.monotonic() - self._begun_s
        drops = {cause: n - self._drops.get(cause, 0) for cause, n in self._desk.facts().drops.items()}
        drops = {cause: n for cause, n in drops.items() if n > 0}
        captured = self._finished + sum(drops.get(cause, 0) for cause in BEFORE_FINISHED)
        p50, p95, p99 = percentiles(self._latencies_ms, (50, 95, 99))
        self._sample()
        recording = self._desk.outputs.recording
        return {
            "seconds": round(seconds, 3),
            "captured": captured,
            "finished": self._finished,
            "painted": len(self._latencies_ms),
            "fps": round(len(self._latencies_ms) / seconds, 2),
            "drops": drops,
            **drop_facts(drops, captured=captured),
            "covered": self._covered,
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
            "stages_ms": self._desk.runner.clock.medians_ms(),
            **self._cpu.facts(),
            **rss_facts(self._rss),
            "recording": None if recording is None else recording_facts(recording),
        }

    def _finish(self, picture: Finished) -> None:
        """Called on the pipeline's threads."""
        self._covered += picture.is_cover
        if not picture.is_cover:
            self._finished += 1
            self._captured_s.add(picture.captured_s)

    def _sample(self) -> None:
        self._rss.append((time.monotonic() - self._begun_s, rss_mb()))


def stalls(beats_ms: Sequence[float]) -> dict[str, Any]:
    """How late Qt's thread came to its heartbeat, ms; and how often by more than STALL_MS."""
    p50, p99 = percentiles(beats_ms, (50, 99))
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": round(max(beats_ms), 2) if beats_ms else None,
        f"over_{STALL_MS:g}_ms": sum(ms > STALL_MS for ms in beats_ms),
        "beats": len(beats_ms),
    }


def timer_on(parent: QObject, work: Callable[[], None], every_ms: int) -> QTimer:
    """A precise timer, not started yet."""
    timer = QTimer(parent)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(every_ms)
    timer.timeout.connect(work)
    return timer
