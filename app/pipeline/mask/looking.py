"""A mask project's say in how each frame is made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from app.domain.frame import Alpha8, Frame
from app.domain.mask.adjusting import adjusted
from app.domain.mask.document import MaskDocument, Meta
from app.pipeline.analyser import Finish
from app.pipeline.matching import MatchKey
from app.pipeline.stages import FrameProcessor


def final_alpha(document: MaskDocument, pts: int, alpha: Alpha8) -> Alpha8:
    """The alpha (h, w) of a frame: the model's (h, w), adjusted, and corrected by hand."""
    edit = document.frames.get(pts)
    level = adjusted(alpha, document.meta.adjustment_at(pts))
    return level if edit is None else edit.correction.applied(level)


def finish_of(document: MaskDocument) -> Finish:
    """What a `FrameAnalyser` does to each matte."""

    def finish(frame: Frame, alpha: Alpha8) -> Alpha8:
        return final_alpha(document, frame.pts, alpha)

    return finish


def match_keys_of(meta: Meta) -> Callable[[float], MatchKey | None]:
    """What a `Matcher` asks for the moment's key."""

    def key_at(time_s: float) -> MatchKey | None:
        span = meta.match_at(round(time_s / meta.clip.time_base))
        if span is None:
            return None
        curve = span.curve()
        return MatchKey(span.strength, None if curve is None else curve[np.newaxis])

    return key_at


def follow(document: MaskDocument, processor: FrameProcessor) -> None:
    """Have a chain make its frames as the project says."""
    analyser = processor.analyser
    analyser.finish = finish_of(document)
    if analyser.matcher is not None:
        analyser.matcher.key_at = match_keys_of(document.meta)
