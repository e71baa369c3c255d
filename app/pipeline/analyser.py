"""The first half of a frame's way: who is in it, the finished matte, and the curve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import cv2

from app.domain.alpha import feather, grow, to_u8
from app.domain.cells import cell_picture, grid_for
from app.domain.compositing import Size, Table
from app.domain.decontamination import decontaminate
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.pipeline.looks import Analysed, Look
from app.pipeline.matching import Matcher
from app.pipeline.matte import MatteRefiner, MatteSettings
from app.pipeline.plates import BlurPlate, Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock

ESTIMATE_EVERY_S = 0.09
"""The colours of a scene change slowly, and are smoothed over half a second at rest: every third frame at 30 fps is
enough. A cut, another plate and what was forgotten are estimated at once."""


Finish = Callable[[Frame, Alpha8], Alpha8]
"""What is done to a finished matte (h, w) of a frame before anything is made of it; returns it, or another array."""


@dataclass(frozen=True)
class Found:
    """A frame in which the person was looked for. coarse: alpha of any size, stretched over it, before refinement."""

    frame: Frame
    coarse: Alpha


class FrameAnalyser:
    """Finds the person and the curve; its state is that of one stream (temporal smoothing). Not thread-safe.

    `segmenter`, `look` and `plate` may be changed between frames, `use_matcher` says what matches from now on.
    coarse: the last alpha before refinement, None before the first. estimate_every_s: how old, by the frames' times, an
    estimate of the curve may get before it is made anew; 0 for every frame. finish: has the last word on every matte,
    as a hand's corrections have; what is remembered from frame to frame is without it.
    """

    estimate_every_s = 0.0
    finish: Finish | None = None

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
            return Found(frame, looked_for(self.segmenter, frame))

    def matte(self, found: Found) -> Alpha8:
        """The finished matte alone, of somebody who needs no more."""
        return self._matte(found, self._thumbnail(found.frame))

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
            plate = plate_pixels(self.plate, frame, size, alpha)
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
                alpha = finished_matte(found.coarse, self._look.matte)
        self._start_over_at_cuts()
        return alpha if self.finish is None else self.finish(found.frame, alpha)

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


def looked_for(segmenter: Segmenter, frame: Frame) -> Alpha:
    """The segmenter's answer, any size. UserError (MODEL) when it is no number: nothing may be made of it."""
    coarse = segmenter.segment(frame)
    if not cv2.checkRange(coarse)[0]:
        raise UserError("What finds the person gave no valid answer.", "Choose another model.", code=ExitCode.MODEL)
    return coarse


def finished_matte(given: Alpha, settings: MatteSettings) -> Alpha8:
    """A matte that is none of a model's guesses: only what the user asks for is done to it."""
    return feather(grow(to_u8(given), settings.grow_px), settings.feather_px)


def plate_pixels(plate: Plate, frame: Frame, size: Size, alpha: Alpha8) -> Pixels:
    """What stands behind the person of a frame, at (width, height). alpha: the frame's finished matte."""
    if isinstance(plate, BlurPlate):
        # The room blurred without the person in it: else they would glow around themselves.
        return plate.pixels(frame, size, hide=alpha)
    return plate.pixels(frame, size)
