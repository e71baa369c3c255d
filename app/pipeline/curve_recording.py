"""What the match says of every frame of a scene, noted before smoothing.

So any smoothing can be replayed over one run of the network, start-overs included.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, Table
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.looks import Look
from app.pipeline.matching import Matcher
from app.pipeline.plate_kinds import Plate
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import FrameProcessor
from app.pipeline.video_scenes import FilmedClip, Notice, sensor_noise
from harmonizer import CurveEngine, KnotSmoother, SmoothingSettings
from harmonizer.curves import Knots, Lut, apply_lut8, fold

REST_RATE_HZ: Final = 30


@dataclass(frozen=True)
class Moment:
    """What the network said of one frame; knots None: nobody there. starts_over: the past was dropped first."""

    time_s: float
    knots: Knots | None
    starts_over: bool


class CurveRecorder(Matcher):
    """The matcher as the app runs it, noting each frame's raw curve and each time it starts over."""

    def __init__(self, engine: CurveEngine) -> None:
        super().__init__(engine)
        self.moments: list[Moment] = []
        self._started_over = True

    def reset(self) -> None:
        """As `Matcher.reset`, noted."""
        super().reset()
        self._started_over = True

    def settle(self, knots: Knots | None, time_s: float) -> Table | None:
        """As `Matcher.settle`, noted."""
        self.moments.append(Moment(time_s, knots, self._started_over))
        self._started_over = False
        return super().settle(knots, time_s)


def replay(moments: Sequence[Moment], smoothing: SmoothingSettings) -> list[Lut | None]:
    """The curves (3, 256) that a smoothing would have given, before rounding; None where nobody is."""
    smoother, curves = KnotSmoother(smoothing), []
    for moment in moments:
        if moment.starts_over:
            smoother.reset()
        curves.append(None if moment.knots is None else fold(smoother.update(moment.knots, moment.time_s)))
    return curves


def record_moving(clip: FilmedClip, recolouring: Sequence[Table], engine: CurveEngine) -> list[Moment]:
    """Match every recoloured frame to its own background, as to a moving plate; one table a frame.

    The real frames' mattes are used: segmentation in another light is not what is judged here.
    """
    recorder = CurveRecorder(engine)
    for i, (frame, alpha, plate) in enumerate(zip(clip.frames, clip.mattes, clip.plates, strict=True)):
        if clip.cuts[i]:
            recorder.reset()
        person = apply_lut8(frame.pixels, recolouring[i])
        recorder.table(person, alpha, plate, plate_key=i, is_static=False, time_s=frame.time_s)
    return recorder.moments


@dataclass(frozen=True)
class RestScene:
    """A frame held still: one recolouring and one plate for each frame, at REST_RATE_HZ."""

    pixels: Pixels
    alpha: Alpha8
    recolouring: Sequence[Table]
    plates: Sequence[Plate]


@dataclass(frozen=True)
class RestRecord:
    """Curves of a scene at rest, and (T, 3, 256) how many of the person's pixels had each level."""

    moments: list[Moment]
    histograms: npt.NDArray[np.float64]

    def mean_colours(self, tables: Sequence[npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
        """The rendered person's mean colour (T, 3), levels of 255, through one table (256, 3) a frame."""
        outputs = np.stack(tables).transpose(0, 2, 1).astype(np.float64)
        return np.asarray((self.histograms * outputs).sum(-1) / self.histograms.sum(-1))


def record_rest(scene: RestScene, engine: CurveEngine, *, seed: int, notice: Notice) -> RestRecord:
    """Run the whole chain, segmenter to composite, over fresh sensor noise on every frame."""
    recorder, rng = CurveRecorder(engine), np.random.default_rng(seed)
    size: Size = (scene.pixels.shape[1], scene.pixels.shape[0])
    solid, histograms = scene.alpha > 127, []
    with closing(open_segmenter(SegmenterChoice(), size, on_notice=notice)) as segmenter:
        processor = FrameProcessor(segmenter=segmenter, plate=scene.plates[0], look=Look(), matcher=recorder)
        for i, (table, plate) in enumerate(zip(scene.recolouring, scene.plates, strict=True)):
            processor.analyser.plate = plate
            pixels = sensor_noise(apply_lut8(scene.pixels, table), rng)
            rendered = processor.process(Frame(pixels, i, Fraction(1, REST_RATE_HZ), i), size)
            histograms.append(_histogram(rendered.foreground[solid]))
    return RestRecord(recorder.moments, np.stack(histograms))


def _histogram(colours: Pixels) -> npt.NDArray[np.float64]:
    return np.stack([np.bincount(colours[:, c], minlength=256) for c in range(3)]).astype(np.float64)
