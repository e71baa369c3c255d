"""What delivering costs: workers against one worker, segments against one piece, going on against starting over."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.pipeline.bench.machine import CpuMeter
from app.pipeline.offline.control import Progress, Stopped
from app.pipeline.offline.executors import PoolExecutor
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.job import Job
from app.pipeline.offline.plan import Plan, Segment
from app.pipeline.offline.planning import plan_job
from app.pipeline.offline.running import JobResult, run_plan
from app.pipeline.offline.work_folder import size_bytes

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """One delivery as measured: wall and CPU seconds."""

    result: JobResult
    seconds: float


def bench_offline(clip: Path, plate: str, *, workers: int, frames: int | None, notice: Notice) -> dict[str, Any]:
    """Deliver a clip several times over, with x264's fastest preset, into a folder that is removed.

    speed_up: wall time of 1 worker process against `workers` of them, both warm. segment_overhead: CPU time of the
    usual segments over that of the clip in one piece, less 1. resume_overhead: CPU time of a delivery stopped halfway
    and gone on with, over an uninterrupted one, less 1. cpu_s_per_minute: CPU-seconds a minute of clip. peak_rss_mb: of
    the largest worker. analysis_bytes_per_minute: of the first pass on disk. UserError as a render raises it.
    """
    cpu = CpuMeter()
    with tempfile.TemporaryDirectory(prefix="platematch-bench-") as name:
        folder = Path(name)

        def planned(output: str) -> Plan:
            encoding = Encoding(format="h264", preset="ultrafast")
            return plan_job(Job(clip, plate, folder / output, encoding=encoding, max_frames=frames), notice=notice)

        with _pool(1) as one, _pool(workers) as many:
            for pool in (one, many):
                _timed(planned("warm.mp4"), pool).result.output.unlink()
            single = _timed(planned("one.mp4"), one)
            spread = _timed(planned("many.mp4"), many)
            whole = _timed(_in_one_piece(planned("whole.mp4")), one)
            stopped, disk = _stopped_halfway(planned("resumed.mp4"), one)
            resumed = _timed(planned("resumed.mp4"), one)
        plan = planned("facts.mp4")
    minutes = sum(len(s.shown) for s in plan.segments) / float(plan.out_rate) / 60
    cpu_s = single.result.cpu_s
    return {
        "clip": clip.name,
        "size": f"{plan.info.width}x{plan.info.height}",
        "frames": single.result.frames,
        "segments": single.result.segments,
        "workers": workers,
        "fps_1": round(single.result.fps, 2),
        "fps": round(spread.result.fps, 2),
        "speed_up": round(single.seconds / spread.seconds, 3),
        "cpu_s_per_minute": round(cpu_s / minutes, 1),
        "segment_overhead": round(cpu_s / whole.result.cpu_s - 1, 4),
        "resume_overhead": round((stopped + resumed.seconds) / single.seconds - 1, 4),
        "reused": resumed.result.reused,
        "peak_rss_mb": spread.result.peak_rss_mb,
        "analysis_bytes_per_minute": round(disk / minutes),
        "stages_ms": single.result.stages_ms,
        **cpu.facts(),
    }


@contextmanager
def _pool(workers: int) -> Iterator[PoolExecutor]:
    with closing(PoolExecutor(workers)) as pool:
        yield pool


def _timed(plan: Plan, pool: PoolExecutor) -> _Run:
    started_s = time.monotonic()
    result = run_plan(plan, pool)
    return _Run(result, time.monotonic() - started_s)


def _in_one_piece(plan: Plan) -> Plan:
    """The same delivery as a single segment."""
    segments = plan.segments
    shown = tuple(one for segment in segments for one in segment.shown)
    return replace(plan, segments=(Segment(0, segments[0].first_pts, segments[-1].stop_pts, shown, 0),))


class _Halfway:
    """Stops a delivery in the middle of its second pass."""

    def __init__(self) -> None:
        self.is_there = False

    def watch(self, progress: Progress) -> None:
        self.is_there = progress.phase == "rendering" and progress.done >= 0.75 * progress.total

    def should_stop(self) -> bool:
        return self.is_there

    def is_paused(self) -> bool:
        return False


def _stopped_halfway(plan: Plan, pool: PoolExecutor) -> tuple[float, int]:
    """(seconds until it stopped, bytes of the first pass that lay there then)."""
    control, started_s = _Halfway(), time.monotonic()
    with suppress(Stopped):
        run_plan(plan, pool, control, control.watch)
    analyses = sum(path.stat().st_size for path in plan.folder.glob("analysis_*.npz"))
    return time.monotonic() - started_s, analyses or size_bytes(plan)
