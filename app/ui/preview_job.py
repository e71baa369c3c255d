"""Making the pictures of the preview from one frame. Imports the networks: for the worker's thread only."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from app.domain.compositing import Size
from app.domain.frame import Frame
from app.domain.settings import Settings
from app.pipeline.engine_loading import load_engine
from app.pipeline.look_settings import look_of, segmenter_choice_of
from app.pipeline.looks import Rendered
from app.pipeline.matching import Matcher
from app.pipeline.plates import OpenPlate, open_plate
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.stages import FrameProcessor
from app.ui.still_engine import StillEngine
from harmonizer import CurveEngine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Made:
    """The last finished frame, kept so that a new window size costs no inference."""

    key: tuple[int, float, Settings]
    rendered: Rendered


class PreviewMaker:
    """The chain for single frames, with its networks and the current plate kept open; not thread-safe.

    Every frame is treated as the first of a clip: what is shown never depends on where the slider was before.
    """

    def __init__(self) -> None:
        self._engine: tuple[str, CurveEngine] | None = None
        self._segmenter: tuple[SegmenterChoice, Size, Segmenter] | None = None
        self._plate: tuple[str, OpenPlate] | None = None
        self._made: _Made | None = None

    def close(self) -> None:
        """Close plate and segmenter."""
        if self._plate is not None:
            self._plate[1].close()
        if self._segmenter is not None:
            self._segmenter[2].close()
        self._plate = self._segmenter = None

    def render(self, frame: Frame, settings: Settings, *, clip: int) -> Rendered:
        """The finished frame. UserError when plate or networks can't be had."""
        key = (clip, frame.time_s, settings)
        if self._made is None or self._made.key != key:
            self._made = _Made(key, self._process(frame, settings))
        return self._made.rendered

    def _process(self, frame: Frame, settings: Settings) -> Rendered:
        look = look_of(settings)
        assert look.match is not None  # noqa: S101  (look_of sets it)
        processor = FrameProcessor(
            segmenter=self._segmenter_for(segmenter_choice_of(settings.person), frame.size),
            plate=self._plate_for(settings.plate),
            look=look,
            matcher=Matcher(self._engine_for(settings.match.model), look.match),
        )
        return processor.process(frame, frame.size)

    def _engine_for(self, model: str) -> CurveEngine:
        if self._engine is None or self._engine[0] != model:
            self._engine = model, StillEngine(load_engine(model))
        return self._engine[1]

    def _segmenter_for(self, choice: SegmenterChoice, size: Size) -> Segmenter:
        if self._segmenter is None or self._segmenter[:2] != (choice, size):
            segmenter = open_segmenter(choice, size, on_notice=log.warning)
            if self._segmenter is not None:
                self._segmenter[2].close()
            self._segmenter = choice, size, segmenter
        self._segmenter[2].reset()
        return self._segmenter[2]

    def _plate_for(self, spec: str) -> OpenPlate:
        if self._plate is None or self._plate[0] != spec:
            plate = open_plate(spec)
            if self._plate is not None:
                self._plate[1].close()
            self._plate = (spec, plate)
        return self._plate[1]
