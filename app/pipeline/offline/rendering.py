"""The second pass over a segment: every frame put together with what is known of the whole clip, and written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.domain.cells import cell_picture, grid_for
from app.domain.compositing import Table
from app.domain.decontamination import decontaminate
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.analyser import Finish, finished_matte, looked_for, plate_pixels
from app.pipeline.contact_sheet import column_of
from app.pipeline.looks import Analysed, Rendered
from app.pipeline.matching import MatchKey, curve_of
from app.pipeline.matte import MatteRefiner
from app.pipeline.offline.contents import alpha_wanted, picture_of
from app.pipeline.offline.control import Frames
from app.pipeline.offline.deep_compositor import DeepCompositor
from app.pipeline.offline.picture_sink import PictureSink
from app.pipeline.offline.plan import Plan, Segment, Shown
from app.pipeline.offline.planning import stem_of
from app.pipeline.offline.segment_writer import SegmentWriter
from app.pipeline.offline.sinks import Picture, Sink
from app.pipeline.offline.sources import Source, SourceFrame
from app.pipeline.offline.tracks import Track
from app.pipeline.offline.work_folder import matte_path, save_arrays, sheet_numbers, sheet_path, video_path
from app.pipeline.plates import Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stages import Compositor, placed_foreground
from app.pipeline.stats import StageClock
from harmonizer.curves import HIGH_DEPTH_LUT_ENTRIES, lut8

BLEED_PX: Final = 4
"""Colours of a straight foreground reach so far beyond its edge where the codec averages chroma over pixels."""


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """What a segment became. shown: pictures written, in order. without_person: of them, the plate alone."""

    shown: tuple[Shown, ...]
    without_person: int


@dataclass(slots=True)
class Renderer:
    """Puts segments together; keeps nothing of one for the next but open files and models.

    key_at, finish: what a mask project says of moments and mattes. segmenter: for mattes that come finished, each for
    its own frame; the model's own come from the analysis.
    """

    plan: Plan
    source: Source
    segmenter: Segmenter | None
    plate: Plate
    finish: Finish | None = None
    key_at: Any = None
    clock: StageClock = field(default_factory=StageClock)
    _plain: Compositor = field(default_factory=Compositor)
    _deep: DeepCompositor = field(default_factory=DeepCompositor)

    def render(
        self, segment: Segment, cells: npt.NDArray[np.uint8] | None, pts: Any, track: Track, frames: Frames
    ) -> SegmentOutcome:
        """Write a segment's pictures. cells (T, rows, columns): its joined mattes at pts (T,); None: the segmenter's.

        UserError as the parts raise it; on any exception what is unfinished goes.
        """
        refiner = MatteRefiner(self.plan.job.look.matte)
        mattes = {} if cells is None else dict(zip(pts.tolist(), cells, strict=True))
        written: list[Shown] = []
        empty = count = 0
        with _Sinks(self.plan, segment) as sinks:
            for item, moments in self._wanted(segment):
                with self.clock.time("refine"):
                    alpha = self._alpha(item.frame, refiner, mattes.get(item.frame.pts))
                with self.clock.time("composite"):
                    made = self._made(item, alpha, track)
                for number, moment in moments:
                    with self.clock.time("encode"):
                        sinks.append(made, moment, number)
                    written.append(moment)
                    empty += not made.rendered.has_person
                count += 1
                frames(count)
        return SegmentOutcome(tuple(written), empty)

    def _wanted(self, segment: Segment) -> Iterator[tuple[SourceFrame, list[tuple[int, Shown]]]]:
        """Frames that are shown at all, each with when; numbers count the whole delivery's pictures.

        At a fixed rate a frame that can't be decoded leaves no hole: the one before is shown in its place.
        """
        if not segment.shown:
            return
        waiting = list(enumerate(segment.shown, segment.number))
        last: SourceFrame | None = None
        for item in self.clock.timed("decode", self.source.frames(segment.first_pts, segment.stop_pts)):
            due = [one for one in waiting if one[1].source_pts <= item.frame.pts]
            lost = [one for one in due if one[1].source_pts < item.frame.pts]
            waiting = waiting[len(due) :]
            if lost and self.plan.job.rate is not None and last is not None:
                yield last, lost
            now = due[len(lost) :]
            if now:
                yield item, now
            last = item
        if waiting and self.plan.job.rate is not None and last is not None:
            yield last, waiting

    def _alpha(self, frame: Frame, refiner: MatteRefiner, cells: npt.NDArray[np.uint8] | None) -> Alpha8:
        if cells is not None:
            picture = cell_picture(frame.pixels, grid_for(*frame.size))
            alpha = refiner.enlarged(frame, picture, cells.astype(np.float32) / np.float32(255))
        else:
            assert self.segmenter is not None  # noqa: S101  (a matte is either the analysis' or given)
            alpha = finished_matte(looked_for(self.segmenter, frame), self.plan.job.look.matte)
        return alpha if self.finish is None else self.finish(frame, alpha)

    def _made(self, item: SourceFrame, alpha: Alpha8, track: Track) -> Made:
        frame, look = item.frame, self.plan.job.look
        plate = plate_pixels(self.plate, frame, self.plan.size, alpha)
        curve = self._curve(track, frame.time_s)
        clean = cache(partial(decontaminate, frame.pixels, alpha) if look.decontaminate else lambda: frame.pixels)
        table: Table | None = None if curve is None else lut8(curve(256))
        analysed = Analysed(frame, alpha, clean, plate, self.plate.key, table)
        made = Made(self.plan, analysed, self._plain.compose(analysed, look))
        if self.plan.depth > 8 and item.deep is not None:
            deep_curve = None if curve is None else curve(HIGH_DEPTH_LUT_ENTRIES)
            made.deep = self._deep.compose(analysed, look, item.deep, deep_curve)
        return made

    def _curve(self, track: Track, time_s: float) -> Any:
        """What gives the moment's curve for so many entries; None for none."""
        match, found = self.plan.job.look.match, track.at(time_s)
        if match is None or found is None:
            return None
        knots, skin = found
        key: MatchKey | None = self.key_at(time_s) if self.key_at is not None else None
        if key is not None and key.knots is not None:
            knots = key.knots
        strength = None if key is None else key.strength
        return lambda entries: curve_of(knots, match, skin, strength=strength, entries=entries)


@dataclass(slots=True)
class Made:
    """A finished frame and, where more than 8 bits are wanted, the same at 16."""

    plan: Plan
    analysed: Analysed
    rendered: Rendered
    deep: Any = None

    def picture(self) -> Picture:
        """What the delivery shows of it."""
        job = self.plan.job
        if job.content == "composite" and job.encoding.alpha == "none":
            return self._composite()
        source, foreground, alpha = self._parts()
        bleeds = job.encoding.format in ("vp9", "prores4444")
        return picture_of(
            job.content,
            alpha_wanted(job.encoding),
            source=source,
            composite=self._composite(),
            foreground=foreground,
            alpha=alpha,
            bleed_px=BLEED_PX if bleeds else 0,
        )

    def _composite(self) -> Picture:
        if self.deep is not None:
            return self.deep.composite  # type: ignore[no-any-return]
        return _at_depth(self.rendered.composite, self.plan.depth)

    def _parts(self) -> tuple[Picture, Picture, Alpha8]:
        source = _at_depth(self.rendered.frame.pixels, self.plan.depth)
        if self.deep is not None:
            return source, self.deep.foreground, self.deep.alpha
        pixels, alpha = placed_foreground(self.analysed, self.plan.job.look)
        return source, _at_depth(pixels, self.plan.depth), alpha


def _at_depth(pixels: Pixels, depth: int) -> Picture:
    return pixels if depth == 8 else np.multiply(pixels, 257, dtype=np.uint16)


class _Sinks:
    """All of a segment's outputs: finished together, or all discarded."""

    def __init__(self, plan: Plan, segment: Segment) -> None:
        self._plan, self._segment = plan, segment
        self._stack = ExitStack()
        self._main = _main_sink(plan, segment)
        self._matte = _matte_sink(plan, segment)
        self._sheet: dict[str, Any] = {}
        self._for_sheet = set(sheet_numbers(plan, segment.index)) if plan.job.extras.sheet is not None else set()

    def __enter__(self) -> _Sinks:
        return self

    def append(self, made: Made, moment: Shown, number: int) -> None:
        self._main.append(made.picture(), pts=moment.out_pts, number=number)
        if self._matte is not None:
            self._matte.append(made.rendered.alpha, pts=moment.out_pts, number=number)
        if number in self._for_sheet:
            self._sheet |= {f"{number}_{row}": cell for row, cell in enumerate(column_of(made.rendered))}

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        sinks = [sink for sink in (self._main, self._matte) if sink is not None]
        if kind is not None:
            for sink in sinks:
                sink.abort()
            return
        for sink in sinks:
            sink.close()
        if self._sheet:
            save_arrays(sheet_path(self._plan, self._segment.index), self._sheet)


def _main_sink(plan: Plan, segment: Segment) -> Sink:
    job, path = plan.job, video_path(plan, segment.index)
    if path is None or plan.encoder is None:
        inputs = (job.clip, *job.inputs)
        return PictureSink(job.output, stem_of(job), encoding=job.encoding, overwrite=True, inputs=inputs)
    return SegmentWriter(
        path, choice=plan.encoder, size=plan.picture_size, time_base=plan.out_time_base, rate=plan.out_rate
    )


def _matte_sink(plan: Plan, segment: Segment) -> Sink | None:
    path = matte_path(plan, segment.index)
    if path is None or plan.matte_encoder is None:
        return None
    return SegmentWriter(
        path, choice=plan.matte_encoder, size=plan.info.size, time_base=plan.out_time_base, rate=plan.out_rate
    )
