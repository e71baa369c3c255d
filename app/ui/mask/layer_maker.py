"""Making the layers of one frame. Imports the networks: for the worker's thread only."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.domain.alpha import from_u8
from app.domain.errors import UserError
from app.domain.frame import Alpha, Alpha8, Frame
from app.domain.mask.adjusting import adjusted
from app.domain.mask.document import MaskDocument
from app.domain.mask.views import Layers
from app.domain.placement import Placement
from app.domain.settings import Settings
from app.pipeline.analyser import FrameAnalyser
from app.pipeline.engine_loading import load_engine
from app.pipeline.look_settings import look_of
from app.pipeline.mask.looking import final_alpha, match_keys_of
from app.pipeline.mask.matte_cache import MatteCache
from app.pipeline.mask.model_chain import open_mask_analyser
from app.pipeline.matching import Matcher
from app.pipeline.matte import MatteSettings
from app.pipeline.plates import OpenPlate, open_plate
from app.pipeline.stages import FrameProcessor
from app.ui.still_engine import StillEngine
from harmonizer import CurveEngine
from harmonizer.curves import Lut, fold

_KEPT_MATTES: Final = 8
"""Mattes of frames the analysis has not reached yet: those the eye goes back and forth between."""


class LayerMaker:
    """Frames into layers, with networks and plate kept open; not thread-safe.

    A matte the analysis of the clip has found is taken as it is; before that one is made as if the frame were a
    clip's first. The colours are matched for the frame alone, as in `PreviewMaker`. curve: that was found last, at full
    strength, (3, 256); None without one. first: gives the clip's first frame, which tells a screen's colour and where a
    given film begins.
    """

    def __init__(self, cache: MatteCache, mask: Path | None, first: Callable[[], Frame]) -> None:
        self._cache, self._mask, self._first = cache, mask, first
        self._engine: tuple[str, CurveEngine] | None = None
        self._plate: tuple[str, OpenPlate] | None = None
        self._analyser: tuple[object, FrameAnalyser] | None = None
        self._made: OrderedDict[int, Alpha8] = OrderedDict()
        self.curve: Lut | None = None

    def close(self) -> None:
        """Close plate and networks."""
        if self._plate is not None:
            self._plate[1].close()
        if self._analyser is not None:
            self._analyser[1].segmenter.close()
        self._plate = self._analyser = None

    def model_alpha(self, frame: Frame, document: MaskDocument) -> Alpha8:
        """The model's alpha of a frame, before adjustments. UserError when the network or a given mask can't be had."""
        known = self._cache.get(frame.pts)
        if known is not None:
            self._made.pop(frame.pts, None)
            return known
        analyser = self._analyser_for(document)
        if frame.pts not in self._made:
            if analyser.segmenter.coarse:
                analyser.start_over()
            self._made[frame.pts] = analyser.matte(analyser.find(frame))
            while len(self._made) > _KEPT_MATTES:
                self._made.popitem(last=False)
        return self._made[frame.pts]

    def plain(self, frame: Frame, document: MaskDocument) -> Layers:
        """Frame and adjusted alpha of the model: all a hand needs to paint."""
        alpha = adjusted(self.model_alpha(frame, document), document.meta.adjustment_at(frame.pts))
        return Layers(frame.pixels, alpha)

    def whole(self, frame: Frame, document: MaskDocument, plain: Layers) -> Layers:
        """The same with clean colours, plate and colour match. UserError when plate or network can't be had.

        The person stands where they were filmed: the placement counts when the clip is rendered.
        """
        settings = document.meta.settings
        look = look_of(settings)
        matte = MatteSettings(low=look.matte.low, high=look.matte.high)
        look = replace(look, matte=matte, placement=Placement(), light_wrap=0.0)
        matcher = None if look.match is None else Matcher(self._engine_for(settings), look.match)
        if matcher is not None:
            matcher.key_at = match_keys_of(document.meta)
        alpha = _Given(final_alpha(document, frame.pts, self.model_alpha(frame, document)))
        chain = FrameProcessor(segmenter=alpha, plate=self._plate_for(settings.plate), look=look, matcher=matcher)
        rendered = chain.process(frame, frame.size)
        found = None if matcher is None else matcher.shown
        self.curve = None if found is None else fold(found)
        return replace(plain, foreground=rendered.foreground, plate=rendered.plate, table=rendered.table)

    def ghost(self, frame: Frame, document: MaskDocument) -> Alpha8:
        """The final alpha of another frame."""
        return final_alpha(document, frame.pts, self.model_alpha(frame, document))

    def _analyser_for(self, document: MaskDocument) -> FrameAnalyser:
        key = (document.meta.settings.person, document.meta.mask)
        if self._analyser is None or self._analyser[0] != key:
            analyser = open_mask_analyser(document, self._mask)
            if self._analyser is not None:
                self._analyser[1].segmenter.close()
            self._analyser = key, analyser
            self._made.clear()
            if not analyser.segmenter.coarse:
                with contextlib.suppress(UserError):  # Told with the frame that is wanted.
                    analyser.segmenter.segment(self._first())
        return self._analyser[1]

    def _engine_for(self, settings: Settings) -> CurveEngine:
        model = settings.match.model
        if self._engine is None or self._engine[0] != model:
            self._engine = model, StillEngine(load_engine(model))
        return self._engine[1]

    def _plate_for(self, spec: str) -> OpenPlate:
        if self._plate is None or self._plate[0] != spec:
            plate = open_plate(spec)
            if self._plate is not None:
                self._plate[1].close()
            self._plate = spec, plate
        return self._plate[1]


class _Given:
    """A segmenter that has found the person already."""

    coarse = False
    name = "mask"

    def __init__(self, alpha: Alpha8) -> None:
        self._alpha = alpha

    def segment(self, frame: Frame) -> Alpha:
        """The alpha it was given."""
        return from_u8(self._alpha)

    def reset(self) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held."""
