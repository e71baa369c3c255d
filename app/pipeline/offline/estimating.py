"""How large a delivery will be and how long it will take, from a few frames made for real."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.offline import work_folder as work
from app.pipeline.offline.job import Extras, Job
from app.pipeline.offline.plan import Plan, Segment, Stage
from app.pipeline.offline.planning import plan_job
from app.pipeline.offline.tracks import track_of
from app.pipeline.offline.workers import SegmentWorker, key_at_of, read_analysis

_SAMPLE_FRAMES: Final = 24
_WARM_UP_FRAMES: Final = 8
_START_S: Final = 3.0
"""Worker processes and models take so long to be there."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """size_bytes: of the result. seconds: wall time. frames: pictures. cost_s: CPU-seconds a frame by pass."""

    size_bytes: int
    seconds: float
    frames: int
    cost_s: dict[Stage, float]


def estimate(job: Job, *, workers: int) -> Estimate:
    """Make some frames of the clip, in a folder that is removed. UserError as for a run."""
    return estimate_plan(plan_job(job), workers=workers)


def estimate_plan(plan: Plan, *, workers: int) -> Estimate:
    """The same of a job that is planned already."""
    ensure_kernels()
    with tempfile.TemporaryDirectory(prefix="platematch-trial-") as name:
        trial = _trial(plan, Path(name))
        costs, bytes_a_picture = _made(trial)
    pictures = sum(len(segment.shown) for segment in plan.segments)
    frames = {"analyse": len(plan.index), "render": pictures}
    first, last = plan.segments[0].first_pts, plan.segments[-1].stop_pts
    frames["analyse"] = plan.index.first_from(last) - plan.index.first_from(first)
    cpu_s = sum(costs[stage] * frames[stage] for stage in costs)
    used = min(workers, len(plan.segments))
    return Estimate(round(bytes_a_picture * pictures), _START_S + cpu_s / used, pictures, costs)


def _trial(plan: Plan, folder: Path) -> Plan:
    """The same job, but for two short segments in its own folder."""
    every = [one for segment in plan.segments for one in segment.shown]
    parts = []
    for number, share in enumerate((1 / 3, 2 / 3)):
        start = max(0, min(len(every) - _SAMPLE_FRAMES, round(share * len(every))))
        shown = tuple(every[start : start + _SAMPLE_FRAMES])
        first, last = shown[0].source_pts, shown[-1].source_pts
        parts.append(Segment(number, first, plan.index.end_of(last), shown, number * _SAMPLE_FRAMES))
    job = replace(plan.job, output=folder / plan.job.output.name, extras=Extras())
    if plan.encoder is None:
        job.output.mkdir()
    return replace(plan, job=job, folder=folder, segments=tuple(parts), matte_encoder=None)


def _made(trial: Plan) -> tuple[dict[Stage, float], float]:
    """(CPU-seconds a frame by pass, bytes a picture) after warm-up."""
    worker = SegmentWorker(trial)
    clocks: dict[Stage, _Clock] = {"analyse": _Clock(), "render": _Clock()}
    try:
        for segment in trial.segments:
            clocks["analyse"].begin()
            worker.run("analyse", segment.index, clocks["analyse"])
        analyses = [read_analysis(trial, segment.index, mattes=False) for segment in trial.segments]
        track = track_of(trial, analyses, key_at_of(trial))
        for segment in trial.segments:
            work.save_arrays(work.track_path(trial, segment.index), track.to_arrays())
            clocks["render"].begin()
            worker.run("render", segment.index, clocks["render"])
    finally:
        worker.close()
    pictures = sum(len(segment.shown) for segment in trial.segments)
    return {stage: clock.a_frame_s for stage, clock in clocks.items()}, _bytes(trial) / pictures


def _bytes(trial: Plan) -> int:
    if trial.encoder is None:
        return sum(path.stat().st_size for path in trial.job.output.iterdir())
    paths = [work.video_path(trial, segment.index) for segment in trial.segments]
    return sum(path.stat().st_size for path in paths if path is not None)


class _Clock:
    """CPU time of frames, the first ones of every segment left out."""

    def __init__(self) -> None:
        self._frames, self._seconds = 0, 0.0
        self._since_s = 0.0

    def begin(self) -> None:
        self._since_s = time.process_time()

    def __call__(self, frames: int) -> None:
        now_s = time.process_time()
        if frames > _WARM_UP_FRAMES:
            self._frames += 1
            self._seconds += now_s - self._since_s
        self._since_s = now_s

    @property
    def a_frame_s(self) -> float:
        return self._seconds / max(1, self._frames)


def size_text(size_bytes: float) -> str:
    """Bytes as people read them: `3.2 GB`."""
    for unit, limit in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= limit:
            return f"{size_bytes / limit:.1f} {unit}"
    return f"{size_bytes / 1e3:.0f} kB"


def time_text(seconds: float) -> str:
    """Seconds as people read them: `4 min`, `50 s`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
