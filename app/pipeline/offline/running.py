"""A delivery from its job to the finished file: plan, analyse, smooth, render, assemble, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.offline import work_folder as work
from app.pipeline.offline.control import Control, Keep, Progress, SegmentDone, Stopped
from app.pipeline.offline.disk_room import check_room, is_disk_full, needed_bytes, wait_for_room
from app.pipeline.offline.estimating import estimate_plan
from app.pipeline.offline.eta import Estimator
from app.pipeline.offline.executors import InlineExecutor
from app.pipeline.offline.finishing import finish
from app.pipeline.offline.job import Job
from app.pipeline.offline.notices import notices_of
from app.pipeline.offline.plan import Plan, Stage
from app.pipeline.offline.planning import plan_job
from app.pipeline.offline.tracks import Track, track_of
from app.pipeline.offline.workers import Executor, key_at_of, read_analysis
from app.pipeline.stats import median

Report = Callable[[Progress], None]

INLINE_BELOW_FRAMES: Final = 60
"""Starting worker processes takes two to three seconds: shorter clips are done before that."""
_MIN_ROOM_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How a delivery is gone about; nothing here changes its result.

    fresh: start over instead of going on. verify: decode the finished file and compare. trial_from_frames: clips of so
    many frames are tried out first, which tells whether the disk has room, and how long it will take. wait_for_room:
    hold while the disk is full, instead of failing.
    """

    fresh: bool = False
    verify: bool = False
    trial_from_frames: int = 900
    wait_for_room: bool = False


@dataclass(frozen=True, slots=True)
class JobResult:
    """What was done. reused: segments that were finished before, of both passes; cpu_s: of all workers, all passes.

    damaged_frames: concealed by the decoder, lost_frames: that gave no picture. stages_ms: medians a call, by stage.
    peak_rss_mb: of the largest worker.
    """

    output: Path
    frames: int
    frames_without_person: int
    seconds: float
    cpu_s: float
    segments: int
    reused: int
    audio_packets: int
    damaged_frames: int
    lost_frames: int
    verified: bool
    stages_ms: dict[str, float]
    peak_rss_mb: float
    match: dict[str, str] | None
    notices: tuple[str, ...]

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def nobody(_: Progress) -> None:
    """A report that nobody wants."""


def run_job(
    job: Job,
    executor: Executor | None = None,
    control: Control | None = None,
    report: Report = nobody,
    options: Options = Options(),
) -> JobResult:
    """Make a delivery; going on from where an earlier run of the same job stopped.

    executor: who does the segments; None, and for very short clips, this process. UserError as the parts raise it,
    Stopped when the control says so, KeyboardInterrupt: whatever is raised, finished segments are kept in the work
    folder beside the output, and the output's own name is never given to anything that is not whole.
    """
    report(Progress("planning", 0, 0))
    notices: list[str] = []
    plan = plan_job(job, notice=notices.append)
    return run_plan(plan, executor, control, report, options, notices)


def run_plan(
    plan: Plan,
    executor: Executor | None = None,
    control: Control | None = None,
    report: Report = nobody,
    options: Options = Options(),
    notices: Sequence[str] = (),
) -> JobResult:
    """Make a delivery that is planned already. notices: from the planning. Otherwise as `run_job`."""
    with work.work_folder(plan, fresh=options.fresh):
        run = _Run(plan, executor, control or Keep(), report, options)
        result = run.through(notices)
        work.remove(plan)
    return result


class _Run:
    """One delivery under way."""

    def __init__(
        self, plan: Plan, executor: Executor | None, control: Control, report: Report, options: Options
    ) -> None:
        self._plan, self._control, self._report, self._options = plan, control, report, options
        self._inline = InlineExecutor()
        is_short = sum(len(segment.shown) for segment in plan.segments) < INLINE_BELOW_FRAMES
        self._executor: Executor = self._inline if executor is None or is_short else executor
        self._missing: dict[Stage, list[int]] = {
            "analyse": work.missing(plan, "analyse"),
            "render": work.missing(plan, "render"),
        }
        if not self._missing["render"]:
            self._missing["analyse"] = []
        self._estimator = Estimator(
            {stage: self._frames(stage, indices) for stage, indices in self._missing.items()},
            total=self._frames("analyse", range(len(plan.segments)))
            + self._frames("render", range(len(plan.segments))),
        )

    def through(self, notices: Sequence[str]) -> JobResult:
        """All passes, and the end."""
        started_s = time.monotonic()
        reused = 2 * len(self._plan.segments) - sum(map(len, self._missing.values()))
        ensure_kernels()
        try:
            if not reused:
                self._try_out()
            self._pass("analyse")
            if self._missing["render"]:
                self._smooth()
            self._pass("render")
        finally:
            self._inline.close()
        facts = [self._facts(stage) for stage in ("analyse", "render")]
        total = sum(len(segment.shown) for segment in self._plan.segments)
        end = finish(self._plan, facts[1], verify=self._options.verify, report=lambda p: self._end(p, total))
        every = [fact for stage in facts for fact in stage]
        return JobResult(
            output=self._plan.job.output,
            frames=end.frames,
            frames_without_person=sum(fact["without_person"] for fact in facts[1]),
            seconds=time.monotonic() - started_s,
            cpu_s=round(sum(fact["cpu_s"] for fact in every), 3),
            segments=len(self._plan.segments),
            reused=reused,
            audio_packets=end.audio_packets,
            damaged_frames=sum(fact["damaged_frames"] for fact in facts[0]),
            lost_frames=sum(fact["lost_frames"] for fact in facts[0]),
            verified=self._options.verify,
            stages_ms=_medians(every),
            peak_rss_mb=max((fact["peak_rss_mb"] for fact in every), default=0.0),
            match=next((fact["match"] for fact in every if fact["match"]), None),
            notices=tuple(dict.fromkeys([*notices, *notices_of(self._plan, facts), *end.notices])),
        )

    def _try_out(self) -> None:
        """Make some frames of a long clip, for their size and pace. UserError (OUTPUT) when the disk has no room."""
        plan, workers = self._plan, self._executor.workers
        pictures = sum(len(segment.shown) for segment in plan.segments)
        if pictures < self._options.trial_from_frames:
            return
        self._report(Progress("trying", 0, pictures))
        found = estimate_plan(plan, workers=workers)
        if not self._options.wait_for_room:
            check_room(plan.folder.parent, needed_bytes(found.size_bytes, is_assembled=plan.encoder is not None))
        self._estimator.guess({stage: cost_s / workers for stage, cost_s in found.cost_s.items()})

    def _frames(self, stage: Stage, indices: Sequence[int]) -> int:
        plan = self._plan
        if stage == "render":
            return sum(len({one.source_pts for one in plan.segments[i].shown}) for i in indices)
        ends = [(plan.index.first_from(s.first_pts), plan.index.first_from(s.stop_pts)) for s in plan.segments]
        return sum(ends[i][1] - ends[i][0] for i in indices)

    def _end(self, phase: Any, total: int) -> None:
        self._report(Progress(phase, total, total))

    def _pass(self, stage: Stage) -> None:
        """One pass over all segments that miss it, again where the disk was full for a while."""
        while indices := self._missing[stage]:
            self._estimator.begin(stage)
            try:
                for event in self._executor.run(self._plan, stage, list(indices), self._control):
                    self._estimator.within(stage, event.index, event.frames)
                    if isinstance(event, SegmentDone):
                        indices.remove(event.index)
                    self._report(self._estimator.progress(stage))
            except UserError as error:
                if not (self._options.wait_for_room and is_disk_full(error)):
                    raise
                self._wait_for_room(stage)
        if self._control.should_stop():
            raise Stopped

    def _wait_for_room(self, stage: Stage) -> None:
        needed = max(_MIN_ROOM_BYTES, self._bytes_left())
        progress = self._estimator.progress(stage)

        def waiting(free: int) -> None:
            self._report(Progress(progress.phase, progress.done, progress.total, waits_for_bytes=max(1, needed - free)))

        wait_for_room(self._plan.folder, needed, self._control.should_stop, waiting)
        if self._control.should_stop():
            raise Stopped

    def _bytes_left(self) -> int:
        """What the rest may take, by what the finished part took."""
        count = len(self._plan.segments)
        finished = count - len(self._missing["render"])
        return work.size_bytes(self._plan) // max(1, finished) * (count - finished)

    def _smooth(self) -> None:
        plan = self._plan
        analyses = [read_analysis(plan, segment.index, mattes=False) for segment in plan.segments]
        track: Track = track_of(plan, analyses, key_at_of(plan))
        tick = float(plan.index.time_base)
        for segment in plan.segments:
            part = track.between(segment.first_pts * tick, segment.stop_pts * tick)
            work.save_arrays(work.track_path(plan, segment.index), part.to_arrays())

    def _facts(self, stage: Stage) -> list[dict[str, Any]]:
        found = [work.read_sidecar(self._plan, stage, segment.index) for segment in self._plan.segments]
        if None in found and stage == "render":
            raise UserError(
                f"The unfinished work on “{self._plan.job.output.name}” was changed meanwhile.",
                "Start the render again.",
                code=ExitCode.OUTPUT,
            )
        return [fact for fact in found if fact is not None]


def _medians(facts: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The segments' medians by stage, the middle one of each."""
    stages = dict.fromkeys(stage for fact in facts for stage in fact["stages_ms"])
    return {s: round(median([f["stages_ms"][s] for f in facts if s in f["stages_ms"]]), 3) for s in stages}
