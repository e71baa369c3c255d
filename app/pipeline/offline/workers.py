"""Who does the work on segments: one worker a core, each with its own open files and warm models."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from app.domain.errors import UserError
from app.domain.lookahead import joined
from app.pipeline.analyser import Finish
from app.pipeline.engine_loading import load_engine
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.mask.looking import finish_of, match_keys_of
from app.pipeline.matching import Matcher, MatchKey
from app.pipeline.offline.analysing import MATTE_PREFIX, Analyser, SegmentAnalysis
from app.pipeline.offline.control import Control, Frames, SegmentDone
from app.pipeline.offline.plan import Plan, Segment, Stage
from app.pipeline.offline.rendering import Renderer
from app.pipeline.offline.sources import Source, open_source
from app.pipeline.offline.tracks import Track
from app.pipeline.offline.work_folder import (
    analysis_path,
    load_arrays,
    save_arrays,
    track_path,
    write_sidecar,
)
from app.pipeline.plates import Plate, open_plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import open_segmenter
from app.pipeline.stats import StageClock, peak_rss_mb


@dataclass(frozen=True, slots=True)
class FramesDone:
    """A worker has done so many frames of a stage of a segment."""

    stage: Stage
    index: int
    frames: int


class Executor(Protocol):
    """Has stages of segments done, somewhere."""

    @property
    def workers(self) -> int:
        """How many at a time."""

    def run(
        self, plan: Plan, stage: Stage, indices: Sequence[int], control: Control
    ) -> Iterator[FramesDone | SegmentDone]:
        """Do one stage of these segments, telling of progress as it comes.

        UserError of a worker as it is; control.Stopped when told to stop. Leaving early stops the rest.
        """

    def close(self) -> None:
        """Let the workers go."""


class SegmentWorker:
    """Does stages of a plan's segments, one after the other; models are loaded when first needed. Not thread-safe."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stack = ExitStack()
        self._clocks: dict[Stage, StageClock] = {"analyse": StageClock(), "render": StageClock()}
        self._match: dict[str, str] | None = None
        self.notices: list[str] = []

    def run(self, stage: Stage, index: int, frames: Frames) -> SegmentDone:
        """Do a stage of a segment; its files are in the plan's folder then, each whole. Doing it again changes nothing.

        UserError as the parts raise it; what `frames` raises leaves.
        """
        ensure_kernels()
        started, segment, before = time.process_time(), self._plan.segments[index], self._damage()
        count, facts = (self._analyse if stage == "analyse" else self._render)(segment, frames)
        seconds = time.process_time() - started
        facts |= {
            "frames": count,
            "cpu_s": round(seconds, 4),
            "stages_ms": self._clocks[stage].medians_ms(),
            "peak_rss_mb": round(peak_rss_mb(), 1),
            "match": self._match,
            "notices": self.notices,
            **{name: count - before[name] for name, count in self._damage().items()},
        }
        write_sidecar(self._plan, stage, index, facts)
        return SegmentDone(stage, index, count, seconds, f"{os.getpid()}")

    def close(self) -> None:
        """Close files and models."""
        self._stack.close()

    def _analyse(self, segment: Segment, frames: Frames) -> tuple[int, dict[str, object]]:
        analysis = self._analyser.analyse(segment, frames)
        save_arrays(analysis_path(self._plan, segment.index), analysis.to_arrays())
        return len(analysis.pts), {}

    def _render(self, segment: Segment, frames: Frames) -> tuple[int, dict[str, object]]:
        plan, index = self._plan, segment.index
        near = {i: read_analysis(plan, i) for i in (index - 1, index, index + 1) if 0 <= i < len(plan.segments)}
        own = near[index]
        before, after = near.get(index - 1), near.get(index + 1)
        cells = None
        if own.mattes is not None:
            cells = joined(before.mattes if before else None, own.mattes, after.mattes if after else None)
        track = Track.from_arrays(load_arrays(track_path(plan, index)))
        outcome = self._renderer.render(segment, cells, own.pts, track, frames)
        facts = {
            "out_pts": [one.out_pts for one in outcome.shown],
            "without_person": outcome.without_person,
        }
        return len(outcome.shown), facts

    def _damage(self) -> dict[str, int]:
        source = self._source
        return {name: getattr(source, name) for name in ("damaged_frames", "lost_frames", "resized_frames")}

    @cached_property
    def _source(self) -> Source:
        job = self._plan.job
        source = open_source(
            job.clip,
            index=self._plan.index,
            sequence_rate=job.sequence_rate,
            hdr=job.hdr,
            deep=self._plan.depth > 8,
            decode_threads=1,
        )
        return self._stack.enter_context(closing(source))

    @cached_property
    def _segmenter(self) -> Segmenter:
        plan = self._plan
        segmenter = open_segmenter(plan.job.person, plan.info.size, on_notice=self.notices.append)
        return self._stack.enter_context(closing(segmenter))

    @cached_property
    def _plate(self) -> Plate:
        job = self._plan.job
        return self._stack.enter_context(open_plate(job.plate, fit=job.fit, sync=job.sync, seekable=True))

    @cached_property
    def _matcher(self) -> Matcher | None:
        job = self._plan.job
        if job.look.match is None:
            return None
        engine = load_engine(job.weights, device=job.device)
        self._match = {"model": engine.name, "device": engine.device, "runs_on": engine.runs_on}
        return Matcher(engine, job.look.match)

    @cached_property
    def _analyser(self) -> Analyser:
        return Analyser(
            self._plan,
            source=self._source,
            segmenter=self._segmenter,
            plate=self._plate,
            matcher=self._matcher,
            finish=self._finish,
            clock=self._clocks["analyse"],
        )

    @cached_property
    def _renderer(self) -> Renderer:
        needs_segmenter = self._plan.job.person.mask is not None or self._plan.job.person.key_color is not None
        return Renderer(
            self._plan,
            source=self._source,
            segmenter=self._segmenter if needs_segmenter else None,
            plate=self._plate,
            finish=self._finish,
            key_at=key_at_of(self._plan),
            clock=self._clocks["render"],
        )

    @property
    def _finish(self) -> Finish | None:
        document = self._plan.job.document
        return None if document is None else finish_of(document)


def key_at_of(plan: Plan) -> Callable[[float], MatchKey | None] | None:
    """What a mask project says of a moment's match."""
    document = plan.job.document
    return None if document is None else match_keys_of(document.meta)


def read_analysis(plan: Plan, index: int, *, mattes: bool = True) -> SegmentAnalysis:
    """A segment's analysis out of the folder, with its mattes or without. UserError when it can't be read."""
    path = analysis_path(plan, index)
    try:
        return SegmentAnalysis.from_arrays(load_arrays(path, "" if mattes else MATTE_PREFIX))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"“{path}” can't be read any more.", "Start the render again with --fresh.") from error
