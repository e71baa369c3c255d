"""What is counted while the live pipeline runs, and the figures made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from app.pipeline.bench.figures import percentiles, rss_facts
from app.pipeline.recording.settings import RecordStatus

BEFORE_FINISHED: Final = ("analysis was busy", "compositing was busy", "over the frame rate", "analysis failed")
"""Causes of drops after capture and before the composite."""


@dataclass
class Counts:
    """What is counted while measuring; appended to by the threads, read at the end. rss: (s, MB). cpu: `CpuMeter`'s."""

    finished: int = 0
    covered: int = 0
    held: int = 0
    level: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    drops: Mapping[str, int] = field(default_factory=dict)
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: Mapping[str, float] = field(default_factory=dict)
    rss: list[tuple[float, float]] = field(default_factory=list)


@dataclass(frozen=True)
class LiveReport:
    """Figures of `seconds` s, counted after the warm-up: networks loaded, first matched picture shown.

    captured: frames the source gave; finished: composites made of them; converted: those ready for a screen.
    fps: converted a second. drops, drops_pct: by cause; percent of captured + lost by the source. covered: pictures
    that showed the plate alone. latency: capture -> converted. held_share: of the finished, those for which nothing
    was inferred. level: how far quality was reduced in the end to hold the rate, 0 not at all. stages_ms: medians a
    call, warm-up calls left out. cpu_cores: user + system seconds a second; others_cpu_percent: what the rest of the
    machine used meanwhile, of one core. rss_mb: the peak; rss_slope_mb_min: least squares over a sample a second;
    late: over the second half, since memory grows into its size at first. first_..._s: since the pipeline was
    started; None where there was none. release_s: from nobody looking to a closed source.
    """

    source: str
    granted: str
    paced: bool
    seconds: float
    captured: int
    finished: int
    converted: int
    fps: float
    drops: Mapping[str, int]
    drops_pct: Mapping[str, float]
    dropped_pct: float
    covered: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    held_share: float
    level: int
    stages_ms: Mapping[str, float]
    cpu_cores: float
    others_cpu_percent: float
    rss_mb: float
    rss_start_mb: float
    rss_end_mb: float
    rss_slope_mb_min: float
    rss_slope_late_mb_min: float
    first_picture_s: float
    first_match_s: float | None
    release_s: float | None
    recording: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run besides its counts, as `LiveReport` names it."""

    source: str
    granted: str
    paced: bool
    first_picture_s: float
    first_match_s: float | None
    release_s: float | None


def report_of(counts: Counts, facts: RunFacts, recording: RecordStatus | None) -> LiveReport:
    """What came out."""
    drops = {cause: count for cause, count in counts.drops.items() if count}
    captured = counts.finished + sum(drops.get(cause, 0) for cause in BEFORE_FINISHED)
    if recording is not None and recording.dropped:
        drops["the recorder was busy"] = recording.dropped
    p50, p95, p99 = percentiles(counts.latencies_ms, (50, 95, 99))
    usage: dict[str, Any] = {**counts.cpu, **rss_facts(counts.rss)}
    return LiveReport(
        **asdict(facts),
        seconds=round(counts.seconds, 3),
        captured=captured,
        finished=counts.finished,
        converted=len(counts.latencies_ms),
        fps=round(len(counts.latencies_ms) / counts.seconds, 2),
        drops=drops,
        **drop_facts(drops, captured=captured),
        covered=counts.covered,
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latency_p99_ms=p99,
        held_share=round(counts.held / max(1, counts.finished), 3),
        level=counts.level,
        stages_ms=counts.stages_ms,
        **usage,
        recording=None if recording is None else recording_facts(recording),
    )


def drop_facts(drops: Mapping[str, int], *, captured: int) -> dict[str, Any]:
    """drops_pct by cause and dropped_pct in all: percent of the frames that were due."""
    due = max(1, captured + drops.get("lost by the source", 0))
    return {
        "drops_pct": {cause: round(100 * count / due, 2) for cause, count in drops.items()},
        "dropped_pct": round(100 * sum(drops.values()) / due, 2),
    }


def recording_facts(status: RecordStatus) -> dict[str, Any]:
    """A recording in figures."""
    return {
        "encoder": status.encoder,
        "frames": status.frames,
        "dropped": status.dropped,
        "repeated": status.repeated,
        "mb": round(status.bytes_written / 1e6, 2),
        "failure": None if status.failure is None else str(status.failure),
    }
