"""One frame's way from camera picture to finished composite, as a chain of named stages.

segment -> refine -> clean edge -> match -> place -> blend -> light wrap. The live app, the command line and
the exporter all run this chain; what differs is where frames come from and where they go.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Protocol

import cv2

from app.domain.alpha import feather, grow, to_u8
from app.domain.cells import cell_picture, grid_for
from app.domain.compositing import Size, Table, apply_table, blend
from app.domain.decontamination import decontaminate
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.domain.light_wrap import light_wrap, wrap_light
from app.domain.placement import Placement, apply_placement
from app.pipeline.matching import Matcher, MatchSettings
from app.pipeline.matte import MatteRefiner, MatteSettings
from app.pipeline.plates import BlurPlate, Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock

ESTIMATE_EVERY_S = 0.09
"""The colours of a scene change slowly, and are smoothed over half a second at rest: every third frame at 30 fps is
enough. A cut, another plate and what was forgotten are estimated at once."""

LIGHT_WRAP_RADIUS = 0.02
"""Reach of the light wrap as a share of the picture's height."""


@dataclass(frozen=True)
class Look:
    """All that decides how the picture is made, given its inputs.

    match: None pastes only. decontaminate: estimate the foreground's own colour along the edge.
    light_wrap: 0..1, how much of the plate's light spills over the edge.
    """

    matte: MatteSettings = field(default_factory=MatteSettings)
    match: MatchSettings | None = field(default_factory=MatchSettings)
    placement: Placement = field(default_factory=Placement)
    decontaminate: bool = True
    light_wrap: float = 0.0


@dataclass(frozen=True)
class Rendered:
    """A finished frame and what it was made of.

    frame: the source. alpha (h, w): the matte at the source's size. foreground (h, w, 3): source colours
    with a clean edge, before the match. plate and composite (H, W, 3): output size. table: the curve used.
    """

    frame: Frame
    alpha: Alpha8
    foreground: Pixels
    plate: Pixels
    composite: Pixels
    placement: Placement
    table: Table | None

    @property
    def has_person(self) -> bool:
        """Whether the matte covers anything at all."""
        return bool(self.alpha.any())

    @cached_property
    def pasted(self) -> Pixels:
        """The same composite without the match and without light wrap."""
        size = (self.plate.shape[1], self.plate.shape[0])
        pixels, placed_alpha = apply_placement(self.foreground, self.alpha, self.placement, size)
        return blend(pixels, self.plate, placed_alpha)


@dataclass(frozen=True)
class Analysed:
    """A frame with all that is known of it, before anything is put together.

    alpha (h, w): as in `Rendered`. clean: gives the foreground (h, w, 3), as there, and makes it when it is first
    wanted: by the match where the curve is estimated, else by the compositor, whose thread has less to do. plate
    (H, W, 3): at the output's size. plate_key: of that picture. table: the curve to use, None for none.
    """

    frame: Frame
    alpha: Alpha8
    clean: Callable[[], Pixels]
    plate: Pixels
    plate_key: Hashable
    table: Table | None

    @property
    def foreground(self) -> Pixels:
        """Source colours with a clean edge."""
        return self.clean()


@dataclass(frozen=True)
class Found:
    """A frame in which the person was looked for. coarse: alpha of any size, stretched over it, before refinement."""

    frame: Frame
    coarse: Alpha


class FrameAnalyser:
    """Finds the person and the curve; its state is that of one stream (temporal smoothing). Not thread-safe.

    `segmenter`, `look` and `plate` may be changed between frames, `use_matcher` says what matches from now on.
    coarse: the last alpha before refinement, None before the first. estimate_every_s: how old, by the frames' times, an
    estimate of the curve may get before it is made anew; 0 for every frame.
    """

    estimate_every_s = 0.0

    def __init__(
        self, *, segmenter: Segmenter, plate: Plate, look: Look, matcher: Matcher | None, clock: StageClock
    ) -> None:
        self.segmenter = segmenter
        self.plate = plate
        self.clock = clock
        self.coarse: Alpha | None = None
        self._matcher = matcher
        self._refiner = MatteRefiner(look.matte)
        self._cuts_seen = 0
        self._estimated_s = float("-inf")
        self.look = look

    @property
    def look(self) -> Look:
        """How the picture is made."""
        return self._look

    @look.setter
    def look(self, look: Look) -> None:
        self._look = look
        self._refiner.settings = look.matte

    @property
    def matcher(self) -> Matcher | None:
        """What matches the colours, if anything does."""
        return self._matcher if self._look.match is not None else None

    def use_matcher(self, matcher: Matcher | None) -> None:
        """Match by another engine, or not at all, from the next frame on."""
        self._matcher = matcher

    def start_over(self) -> None:
        """Forget earlier frames: another stream begins, or what was found can't be trusted."""
        self.coarse = None
        self.segmenter.reset()
        self._refiner.reset()
        if self._matcher is not None:
            self._matcher.reset()

    def analyse(
        self,
        frame: Frame,
        size: Size,
        *,
        coarse: Alpha | None = None,
        held: Analysed | None = None,
    ) -> Analysed:
        """Analyse one frame for an output of `size` (width, height).

        coarse: the last frame's coarse alpha carried here, instead of a look of the segmenter's. held: the picture
        stands still: that frame's alpha and curve hold for this one too. Both spare the match's estimate: the last one
        holds, if it was for this plate, and goes on being smoothed.
        UserError (MODEL) when the segmenter's answer is no number: it must not get into what is remembered.
        """
        if held is not None:
            return self._complete(frame, size, held.alpha, picture=self._thumbnail(frame), is_estimated=False)
        found = self.find(frame) if coarse is None else Found(frame, coarse)
        return self._completed(found, size, is_estimated=coarse is None)

    def find(self, frame: Frame) -> Found:
        """The first half of `analyse`: look for the person. UserError (MODEL) as there.

        The halves may run on two threads, each always on the same: this one may then be frames ahead.
        """
        with self.clock.time("segment"):
            coarse = self.segmenter.segment(frame)
        if not cv2.checkRange(coarse)[0]:
            raise UserError("What finds the person gave no valid answer.", "Choose another model.", code=ExitCode.MODEL)
        return Found(frame, coarse)

    def complete(self, found: Found, size: Size) -> Analysed:
        """The second half: a finished matte, clean colours along its edge, and the curve."""
        return self._completed(found, size, is_estimated=True)

    def _completed(self, found: Found, size: Size, *, is_estimated: bool) -> Analysed:
        picture = self._thumbnail(found.frame)
        alpha = self._matte(found, picture)
        return self._complete(found.frame, size, alpha, picture=picture, is_estimated=is_estimated)

    def _thumbnail(self, frame: Frame) -> Pixels:
        with self.clock.time("thumbnail"):
            return cell_picture(frame.pixels, grid_for(*frame.size))

    def _complete(self, frame: Frame, size: Size, alpha: Alpha8, *, picture: Pixels, is_estimated: bool) -> Analysed:
        with self.clock.time("plate"):
            plate = self._plate_pixels(frame, size, alpha)
        key = self.plate.key
        clean = cache(partial(self._clean, frame, alpha, picture) if self._look.decontaminate else lambda: frame.pixels)
        known = not (is_estimated and self._estimate_is_due(frame))
        if self.matcher is not None and not known:
            clean()
        with self.clock.time("match"):
            table = self._table(frame, clean, alpha, plate, known=known)
        return Analysed(frame, alpha, clean, plate, key, table)

    def _clean(self, frame: Frame, alpha: Alpha8, picture: Pixels) -> Pixels:
        with self.clock.time("clean edge"):
            return decontaminate(frame.pixels, alpha, picture=picture)

    def _matte(self, found: Found, picture: Pixels) -> Alpha8:
        self.coarse = found.coarse
        with self.clock.time("refine"):
            if self.segmenter.coarse:
                alpha = self._refiner.refine(found.frame, found.coarse, picture=picture)
            else:
                alpha = self._finished(found.coarse)
        self._start_over_at_cuts()
        return alpha

    def _finished(self, given: Alpha) -> Alpha8:
        """A matte that is none of a model's guesses: only what the user asks for is done to it."""
        return feather(grow(to_u8(given), self._look.matte.grow_px), self._look.matte.feather_px)

    def _estimate_is_due(self, frame: Frame) -> bool:
        """Whether the curve is to be estimated anew; between estimates the smoothing goes on with the last."""
        if 0 <= frame.time_s - self._estimated_s < self.estimate_every_s:
            return False
        self._estimated_s = frame.time_s
        return True

    def _start_over_at_cuts(self) -> None:
        if self._refiner.cuts > self._cuts_seen and self._matcher is not None:
            self._matcher.reset()
        self._cuts_seen = self._refiner.cuts

    def _plate_pixels(self, frame: Frame, size: Size, alpha: Alpha8) -> Pixels:
        if isinstance(self.plate, BlurPlate):
            # The room blurred without the person in it: else they would glow around themselves.
            return self.plate.pixels(frame, size, hide=alpha)
        return self.plate.pixels(frame, size)

    def _table(
        self, frame: Frame, foreground: Callable[[], Pixels], alpha: Alpha8, plate: Pixels, *, known: bool
    ) -> Table | None:
        if self.matcher is None:
            return None
        return self.matcher.table(
            foreground,
            alpha,
            plate,
            plate_key=self.plate.key,
            is_static=self.plate.is_static,
            time_s=frame.time_s,
            again=known,
        )


class Composes(Protocol):
    """What puts analysed frames together, wherever it does so."""

    def compose(self, analysed: Analysed, look: Look) -> Rendered:
        """The finished frame, at the plate's size."""

    def compose_all(self, frames: Iterable[Analysed], look: Look) -> Iterator[Rendered]:
        """Every frame finished, in order; how many are taken at a time is the compositor's affair."""


class Compositor:
    """Puts analysed frames together; remembers the plate's light only. Not thread-safe."""

    def __init__(self) -> None:
        self._light: tuple[Hashable, Pixels] | None = None

    def compose(self, analysed: Analysed, look: Look) -> Rendered:
        """The finished frame, at the plate's size."""
        a, table = analysed, analysed.table
        size = (a.plate.shape[1], a.plate.shape[0])
        pixels, placed_alpha = apply_placement(a.foreground, a.alpha, look.placement, size)
        if look.light_wrap > 0:
            # The light falls on matched colours, so here the look-up is a pass of its own.
            pixels = pixels if table is None else apply_table(pixels, placed_alpha, table)
            pixels = self._lit(a, pixels, placed_alpha, look.light_wrap)
            composite = blend(pixels, a.plate, placed_alpha)
        else:
            composite = blend(pixels, a.plate, placed_alpha, table=table)
        return Rendered(a.frame, a.alpha, a.foreground, a.plate, composite, look.placement, table)

    def compose_all(self, frames: Iterable[Analysed], look: Look) -> Iterator[Rendered]:
        """Every frame finished, in order, one by one."""
        for analysed in frames:
            yield self.compose(analysed, look)

    def _lit(self, analysed: Analysed, pixels: Pixels, alpha: Alpha8, strength: float) -> Pixels:
        radius_px = LIGHT_WRAP_RADIUS * analysed.plate.shape[0]
        light = self._plate_light(analysed, radius_px)
        return light_wrap(pixels, alpha, light, strength=strength, radius_px=radius_px)

    def _plate_light(self, analysed: Analysed, radius_px: float) -> Pixels:
        key = (analysed.plate_key, analysed.plate.shape)
        if self._light is None or self._light[0] != key:
            self._light = (key, wrap_light(analysed.plate, radius_px))
        return self._light[1]


class FrameProcessor:
    """The whole chain, with its state; one a stream. analyser: its first half.

    `process` runs it on one thread. The analyser's two halves and `compose_all` may run on three, each always on the
    same.
    """

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        plate: Plate,
        look: Look,
        matcher: Matcher | None,
        clock: StageClock | None = None,
        compositor: Composes | None = None,
    ) -> None:
        self.clock = clock or StageClock()
        self.analyser = FrameAnalyser(segmenter=segmenter, plate=plate, look=look, matcher=matcher, clock=self.clock)
        self._compositor = compositor or Compositor()

    def compose_all(self, frames: Iterable[Analysed]) -> Iterator[Rendered]:
        """Put frames together, in order; timed without the waiting for them."""
        waiting = _Waiting(frames)
        finished = self._compositor.compose_all(waiting, self.analyser.look)
        while True:
            started_s, waited_s = time.perf_counter(), waiting.seconds
            rendered = next(finished, None)
            if rendered is None:
                return
            self.clock.add("composite", time.perf_counter() - started_s - (waiting.seconds - waited_s))
            yield rendered

    def process(self, frame: Frame, size: Size) -> Rendered:
        """Run the chain on one frame."""
        analysed = self.analyser.analyse(frame, size)
        analysed.clean()
        with self.clock.time("composite"):
            return self._compositor.compose(analysed, self.analyser.look)


class _Waiting:
    """The same frames with their edges cleaned, a stage of its own, and how long both took."""

    def __init__(self, frames: Iterable[Analysed]) -> None:
        self._frames = iter(frames)
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Analysed]:
        return self

    def __next__(self) -> Analysed:
        started_s = time.perf_counter()
        try:
            analysed = next(self._frames)
            analysed.clean()
            return analysed
        finally:
            self.seconds += time.perf_counter() - started_s
