"""From a captured frame to one that can be put together: settings, plate, person, curve.

Imports the networks: on the analysis thread only, so that a window is there before them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Size, solid_plate
from app.domain.errors import UserError
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.domain.framing import Framing, find_person, follow, framed
from app.domain.governor import LEVELS, Level
from app.domain.placement import Placement
from app.domain.settings import Settings, size_in_words
from app.domain.stillness import Glance, change_levels, glance
from app.pipeline.analyser import ESTIMATE_EVERY_S, FrameAnalyser
from app.pipeline.live.carrying import carried_alpha
from app.pipeline.live.engine_loader import EngineLoader
from app.pipeline.live.intake import CameraLight, cropped, limited
from app.pipeline.live.live_plates import COVER_RGB, NonePlate, SourcePlate, TransparentPlate, open_live_plate
from app.pipeline.live.pictures import Captured
from app.pipeline.look_settings import look_of, segmenter_choice_of
from app.pipeline.looks import Analysed, Look
from app.pipeline.matching import Matcher
from app.pipeline.model_files import ModelName
from app.pipeline.plates import BlurPlate, ColourPlate, OpenPlate
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import SegmenterChoice, model_for, open_segmenter
from app.pipeline.stats import StageClock

log = logging.getLogger(__name__)

MAX_HELD_FRAMES: Final = 10
"""A still picture is analysed anew this often, whatever the threshold says."""

FULL_COVERAGE: Final = 0.97
"""A matte that covers more of the frame than this has found the room, not a person."""

NEW_STREAM_GAP_S: Final = 1.0


@dataclass(frozen=True)
class LiveAnalysed:
    """An analysed frame on its way to the compositor.

    analysed: None where there is no valid matte: the plate must cover everything. plate (H, W, 3): for that cover.
    held: nothing was inferred for this frame. shows_room: by the user's wish, nothing is replaced.
    """

    captured: Captured
    analysed: Analysed | None
    look: Look
    plate: Pixels
    is_transparent: bool = False
    held: bool = False
    shows_room: bool = False


class LiveAnalyser:
    """One live stream's analysis; belongs to one thread. on_failure(UserError): something could not be used."""

    def __init__(self, on_failure: Callable[[UserError], None], clock: StageClock | None = None) -> None:
        self._on_failure = on_failure
        self._clock = clock or StageClock()
        self._engines = EngineLoader(on_failure)
        self._settings = Settings()
        self._look = look_of(self._settings)
        # Not "none": until a plate is open, nothing may show the room.
        self._plate: OpenPlate = ColourPlate(COVER_RGB)
        self._plate_spec: str | None = None
        self._segmenter: tuple[SegmenterChoice, ModelName, Segmenter] | None = None
        self._analyser: FrameAnalyser | None = None
        self._matcher: Matcher | None = None
        self._last: Analysed | None = None
        self._glance: Glance | None = None
        self._since_look = 0
        self._is_frozen = False
        self._light = CameraLight()
        self._level = LEVELS[0]
        self._framing: Framing | None = None
        self._time_s = 0.0

    def apply(self, settings: Settings) -> None:
        """Use these settings from the next frame on.

        A plate that can't be opened leaves the one before it; instead of the open room a dark one.
        """
        if settings == self._settings and self._plate_spec is not None:
            return
        self._settings = settings
        self._look = look_of(settings)
        self._last = None
        if settings.plate != self._plate_spec:
            self._open_plate(settings.plate)
        if self._analyser is not None:
            self._analyser.look = self._look_now()
        if not settings.placement.auto_frame:
            self._framing = None

    def reduce(self, level: Level) -> None:
        """Do so much work from the next frame on; what is remembered stays, so that nothing jumps."""
        if level is self._level:
            return
        self._level = level
        if self._analyser is not None:
            self._analyser.look = self._look_now()

    def freeze(self, *, frozen: bool) -> None:
        """Hold the curve as it is, or let it follow again."""
        self._is_frozen = frozen
        if self._matcher is not None:
            self._matcher.frozen = frozen

    def rematch(self) -> None:
        """Take the next estimate as it is, without coming from the last; a frozen curve is held from there."""
        self._last = None
        if self._matcher is not None:
            self._matcher.rematch()

    def start_over(self) -> None:
        """Forget earlier frames: what comes next is another stream."""
        self._last = self._framing = None
        self._light.start_over()
        if self._analyser is not None:
            self._analyser.start_over()

    def rest(self) -> None:
        """No frame comes for a while: let go of what only a picture needs."""
        if isinstance(self._plate, SourcePlate):
            self._plate.rest()

    def cover(self, size: Size) -> Pixels:
        """What covers (width, height) while no frame comes: the plate if it is a still one, else a plain colour."""
        if not self._plate.is_static:
            return solid_plate(size, COVER_RGB)
        nothing = Frame(np.zeros((1, 1, 3), np.uint8), 0, Fraction(1), 0)
        return self._plate.pixels(nothing, size)

    def analyse(self, captured: Captured) -> LiveAnalysed:
        """Analyse one frame. UserError when plate or segmenter can't be had; the caller covers then."""
        source = limited(captured.frame)
        size = self._out_size(source.size)
        known = None if self._last is None else self._last.alpha
        frame = self._light.lit(cropped(source, self._settings.placement), self._settings.camera, known)
        self._start_over_after_gap(frame)
        if isinstance(self._plate, NonePlate):
            return self._as_it_is(captured, frame, size)
        analyser = self._ready_analyser(frame)
        analysed, held = self._analysed(analyser, frame, size)
        is_transparent = isinstance(self._plate, TransparentPlate)
        if _is_the_room(analyser.coarse, analysed.alpha):
            # Remembered, it would let the room shine through the mattes that follow.
            self._last = None
            analyser.start_over()
            return LiveAnalysed(captured, None, self._look, self._cover(analysed.plate), is_transparent=is_transparent)
        self._last = analysed
        look = replace(self._look_now(), placement=self._follow(analysed, size))
        return LiveAnalysed(
            captured, analysed, look, self._cover(analysed.plate), is_transparent=is_transparent, held=held
        )

    def close(self) -> None:
        """Close plate, segmenter and what is being loaded."""
        self._plate.close()
        if self._segmenter is not None:
            self._segmenter[2].close()
        self._engines.close()

    def _look_now(self) -> Look:
        """The look with as much work as is to be done, and nothing of a plate that has no light of its own."""
        look, level = self._look, self._level
        if isinstance(self._plate, TransparentPlate):
            look = replace(look, match=None, light_wrap=0.0)
        return replace(
            look,
            matte=replace(look.matte, refine_edges=look.matte.refine_edges and level.fine_edges),
            decontaminate=look.decontaminate and level.decontaminate,
        )

    def _cover(self, plate: Pixels) -> Pixels:
        """What may cover a frame: the room out of focus may not, since nobody knows who is in it then."""
        if isinstance(self._plate, BlurPlate):
            return solid_plate((plate.shape[1], plate.shape[0]), COVER_RGB)
        return plate

    def _open_plate(self, spec: str) -> None:
        self._plate_spec = spec
        try:
            plate = open_live_plate(spec)
        except UserError as error:
            self._on_failure(error)
            if not isinstance(self._plate, NonePlate):
                return
            plate = ColourPlate(COVER_RGB)
        before, self._plate = self._plate, plate
        if self._analyser is not None:
            self._analyser.plate = plate
        before.close()

    def _ready_analyser(self, frame: Frame) -> FrameAnalyser:
        segmenter = self._segmenter_for(frame.size)
        if self._analyser is None:
            self._analyser = FrameAnalyser(
                segmenter=segmenter, plate=self._plate, look=self._look_now(), matcher=None, clock=self._clock
            )
        self._analyser.segmenter = segmenter
        self._use_engine(self._analyser)
        return self._analyser

    def _use_engine(self, analyser: FrameAnalyser) -> None:
        engine = self._engines.engine(self._settings.match.model)
        match = self._look.match
        if engine is None or match is None:
            return
        if self._matcher is None or self._matcher.engine is not engine:
            self._matcher = Matcher(engine, match)
            self._matcher.frozen = self._is_frozen
            self._last = None
            analyser.use_matcher(self._matcher)
        self._matcher.settings = match

    def _segmenter_for(self, size: Size) -> Segmenter:
        choice = segmenter_choice_of(self._settings.person)
        model = model_for(choice.model, size)
        if self._segmenter is None or self._segmenter[:2] != (choice, model):
            segmenter = open_segmenter(choice, size, on_notice=log.warning)
            if self._segmenter is not None:
                self._segmenter[2].close()
            self._segmenter = choice, model, segmenter
            self._last = None
        return self._segmenter[2]

    def _start_over_after_gap(self, frame: Frame) -> None:
        if not 0 < frame.time_s - self._time_s <= NEW_STREAM_GAP_S:
            self.start_over()
        self._time_s = frame.time_s

    def _analysed(self, analyser: FrameAnalyser, frame: Frame, size: Size) -> tuple[Analysed, bool]:
        """Analyse as much as is needed: nothing while all stands still, the mask alone in between looks."""
        now = glance(frame.pixels)
        last = self._last
        if last is not None and last.frame.size == frame.size:
            if self._is_still(now):
                self._since_look += 1
                return analyser.analyse(frame, size, held=last), True
            carried = self._carried(analyser, last.frame, frame)
            if carried is not None:
                self._since_look += 1
                # What stands still is compared with this frame from here on: its matte is the one held.
                self._glance = now
                return analyser.analyse(frame, size, coarse=carried), True
        self._glance, self._since_look = now, 0
        analyser.estimate_every_s = ESTIMATE_EVERY_S * self._level.analyse_every
        return analyser.analyse(frame, size), False

    def _carried(self, analyser: FrameAnalyser, last: Frame, frame: Frame) -> Alpha | None:
        """The last coarse alpha, moved along, where this frame may do with it; a colour key is found as quickly."""
        every = max(self._settings.camera.analyse_every, self._level.analyse_every)
        if self._since_look + 1 >= every or analyser.coarse is None or not analyser.segmenter.coarse:
            return None
        with self._clock.time("carry"):
            return carried_alpha(analyser.coarse, last.pixels, frame.pixels)

    def _is_still(self, now: Glance) -> bool:
        threshold = self._settings.camera.still_levels
        if threshold <= 0 or self._glance is None or self._since_look >= MAX_HELD_FRAMES:
            return False
        return change_levels(self._glance, now) < threshold

    def _as_it_is(self, captured: Captured, frame: Frame, size: Size) -> LiveAnalysed:
        """No background was asked for: the whole frame is the foreground."""
        whole = np.full(frame.pixels.shape[:2], 255, np.uint8)
        plate = self._plate.pixels(frame, size)
        analysed = Analysed(frame, whole, lambda: frame.pixels, plate, self._plate.key, None)
        look = replace(self._look, light_wrap=0.0)
        return LiveAnalysed(captured, analysed, look, solid_plate(size, COVER_RGB), shows_room=True)

    def _out_size(self, source: Size) -> Size:
        return size_in_words(self._settings.output.size) or source

    def _follow(self, analysed: Analysed, size: Size) -> Placement:
        if not self._settings.placement.auto_frame:
            return self._look.placement
        frame = analysed.frame
        self._framing = follow(self._framing, find_person(analysed.alpha), time_s=frame.time_s)
        return framed(self._look.placement, self._framing, frame_size=frame.size, out_size=size)


def _is_the_room(coarse: Alpha | None, alpha: Alpha8) -> bool:
    """Whether the room was taken for a person; in the finished matte smoothing would show that late."""
    found = 0.0 if coarse is None else cv2.mean(coarse)[0]
    return max(found, cv2.mean(alpha)[0] / 255) >= FULL_COVERAGE
