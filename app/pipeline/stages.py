"""One frame's way from camera picture to finished composite, as a chain of named stages.

segment -> refine -> clean edge -> match -> place -> blend -> light wrap. The live app, the command line and
the exporter all run this chain; what differs is where frames come from and where they go.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterable, Iterator
from typing import Protocol

from app.domain.compositing import Size, apply_table, blend
from app.domain.frame import Alpha8, Frame, Pixels
from app.domain.light_wrap import light_wrap, wrap_light
from app.domain.placement import apply_placement
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.looks import Analysed, Look, Rendered
from app.pipeline.matching import Matcher
from app.pipeline.plates import Plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.stats import StageClock

LIGHT_WRAP_RADIUS = 0.02
"""Reach of the light wrap as a share of the picture's height."""


class Composes(Protocol):
    """What puts analysed frames together, wherever it does so."""

    def compose(self, analysed: Analysed, look: Look) -> Rendered:
        """The finished frame, at the plate's size."""

    def compose_all(self, frames: Iterable[Analysed], look: Look) -> Iterator[Rendered]:
        """Every frame finished, in order; how many are taken at a time is the compositor's affair."""


class PlateLight:
    """The light that a plate throws round the foreground's edge, remembered while the plate stays. Not thread-safe."""

    def __init__(self) -> None:
        self._light: tuple[Hashable, Pixels] | None = None

    def on(self, pixels: Pixels, alpha: Alpha8, analysed: Analysed, strength: float) -> Pixels:
        """Matched and placed colours with the light on them; alpha as placed. Both at the plate's size."""
        radius_px = LIGHT_WRAP_RADIUS * analysed.plate.shape[0]
        light = self._of(analysed, radius_px)
        return light_wrap(pixels, alpha, light, strength=strength, radius_px=radius_px)

    def _of(self, analysed: Analysed, radius_px: float) -> Pixels:
        key = (analysed.plate_key, analysed.plate.shape)
        if self._light is None or self._light[0] != key:
            self._light = (key, wrap_light(analysed.plate, radius_px))
        return self._light[1]


class Compositor:
    """Puts analysed frames together; remembers the plate's light only. Not thread-safe."""

    def __init__(self) -> None:
        self._light = PlateLight()

    def compose(self, analysed: Analysed, look: Look) -> Rendered:
        """The finished frame, at the plate's size."""
        a, table = analysed, analysed.table
        if look.light_wrap > 0:
            pixels, placed_alpha = self.foreground(a, look)
            composite = blend(pixels, a.plate, placed_alpha)
        else:
            pixels, placed_alpha = apply_placement(a.foreground, a.alpha, look.placement, size_of(a.plate))
            composite = blend(pixels, a.plate, placed_alpha, table=table)
        return Rendered(a.frame, a.alpha, a.foreground, a.plate, composite, look.placement, table)

    def foreground(self, analysed: Analysed, look: Look) -> tuple[Pixels, Alpha8]:
        """The foreground alone, matched and with the plate's light on it, straight, at its place on the plate.

        (H, W, 3) uint8 and its alpha (H, W) uint8; where that is 0 the colours mean nothing. `blend`ed over the plate
        it is the composite.
        """
        pixels, alpha = apply_placement(analysed.foreground, analysed.alpha, look.placement, size_of(analysed.plate))
        if analysed.table is not None:
            # The light falls on matched colours, so here the look-up is a pass of its own.
            pixels = apply_table(pixels, alpha, analysed.table)
        if look.light_wrap > 0:
            pixels = self._light.on(pixels, alpha, analysed, look.light_wrap)
        return pixels, alpha

    def compose_all(self, frames: Iterable[Analysed], look: Look) -> Iterator[Rendered]:
        """Every frame finished, in order, one by one."""
        for analysed in frames:
            yield self.compose(analysed, look)


def size_of(picture: Pixels) -> Size:
    """(width, height) of a picture (H, W, 3)."""
    return picture.shape[1], picture.shape[0]


def placed_foreground(analysed: Analysed, look: Look) -> tuple[Pixels, Alpha8]:
    """The foreground of one frame alone, for deliveries with alpha; as `Compositor.foreground` gives it.

    A compositor of one's own does the same without blurring the same plate anew for every frame's light.
    """
    return Compositor().foreground(analysed, look)


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
