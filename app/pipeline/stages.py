"""One frame's way from camera picture to finished composite, as a chain of named stages.

segment -> refine -> clean edge -> match -> place -> blend -> light wrap. The live app, the command line and
the exporter all run this chain; what differs is where frames come from and where they go.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property

from app.domain.alpha import feather, grow, to_u8
from app.domain.compositing import Size, blend
from app.domain.decontamination import decontaminate
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.domain.light_wrap import light_wrap, wrap_light
from app.domain.placement import Placement, apply_placement
from app.pipeline.matching import Matcher, MatchSettings, Table, apply_table
from app.pipeline.matte import MatteRefiner, MatteSettings
from app.pipeline.plates import BlurPlate, Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock

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


class FrameProcessor:
    """The chain with its state (temporal smoothing); one a stream, not thread-safe."""

    def __init__(
        self,
        *,
        segmenter: Segmenter,
        plate: Plate,
        look: Look,
        matcher: Matcher | None,
        clock: StageClock | None = None,
    ) -> None:
        self.segmenter = segmenter
        self.plate = plate
        self.look = look
        self.clock = clock or StageClock()
        self._matcher = matcher if look.match is not None else None
        self._refiner = MatteRefiner(look.matte)
        self._cuts_seen = 0
        self._light: tuple[Hashable, Pixels] | None = None

    def process(self, frame: Frame, size: Size) -> Rendered:
        """Run the chain on one frame; the composite has `size` (width, height)."""
        with self.clock.time("segment"):
            coarse = self.segmenter.segment(frame)
        with self.clock.time("refine"):
            alpha = self._refiner.refine(frame, coarse) if self.segmenter.coarse else self._finished(coarse)
        self._start_over_at_cuts()
        with self.clock.time("plate"):
            plate = self._plate_pixels(frame, size, alpha)
        with self.clock.time("clean edge"):
            foreground = decontaminate(frame.pixels, alpha) if self.look.decontaminate else frame.pixels
        with self.clock.time("match"):
            table = self._table(frame, foreground, alpha, plate)
        with self.clock.time("composite"):
            composite = self._composite(foreground, alpha, plate, table)
        return Rendered(frame, alpha, foreground, plate, composite, self.look.placement, table)

    def _finished(self, given: Alpha) -> Alpha8:
        """A matte that is none of a model's guesses: only what the user asks for is done to it."""
        return feather(grow(to_u8(given), self.look.matte.grow_px), self.look.matte.feather_px)

    def _start_over_at_cuts(self) -> None:
        if self._refiner.cuts > self._cuts_seen and self._matcher is not None:
            self._matcher.reset()
        self._cuts_seen = self._refiner.cuts

    def _plate_light(self, plate: Pixels, radius_px: float) -> Pixels:
        key = (self.plate.key, plate.shape)
        if self._light is None or self._light[0] != key:
            self._light = (key, wrap_light(plate, radius_px))
        return self._light[1]

    def _plate_pixels(self, frame: Frame, size: Size, alpha: Alpha8) -> Pixels:
        if isinstance(self.plate, BlurPlate):
            # The room blurred without the person in it: else they would glow around themselves.
            return self.plate.pixels(frame, size, hide=alpha)
        return self.plate.pixels(frame, size)

    def _table(self, frame: Frame, foreground: Pixels, alpha: Alpha8, plate: Pixels) -> Table | None:
        if self._matcher is None:
            return None
        return self._matcher.table(
            foreground,
            alpha,
            plate,
            plate_key=self.plate.key,
            is_static=self.plate.is_static,
            time_s=frame.time_s,
        )

    def _composite(self, foreground: Pixels, alpha: Alpha8, plate: Pixels, table: Table | None) -> Pixels:
        matched = foreground if table is None else apply_table(foreground, alpha, table)
        size = (plate.shape[1], plate.shape[0])
        pixels, placed_alpha = apply_placement(matched, alpha, self.look.placement, size)
        if self.look.light_wrap > 0:
            radius_px = LIGHT_WRAP_RADIUS * plate.shape[0]
            light = self._plate_light(plate, radius_px)
            pixels = light_wrap(pixels, placed_alpha, light, strength=self.look.light_wrap, radius_px=radius_px)
        return blend(pixels, plate, placed_alpha)
