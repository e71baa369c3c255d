"""What a project's timeline shows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from app.domain.mask.document import MaskDocument, Origin, Span
from app.domain.mask.document import MatchSpan as KeyedSpan
from app.domain.mask.timeline_marks import Confidence, Marks, MatchSpan, pts_array
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.mask.matte_cache import Judged
from app.ui.text import tr


def marks_of(document: MaskDocument, index: FrameIndex, judged: Mapping[int, Judged]) -> Marks:
    """Edits and spans of the document, cuts and confidence as far as the analysis has come."""
    meta, frames = document.meta, document.frames
    by_hand = [pts for pts, edit in frames.items() if edit.origin is Origin.HAND and not edit.correction.is_empty]
    return Marks(
        pts=index.pts,
        time_base=index.time_base,
        edited=pts_array(by_hand),
        propagated=pts_array(pts for pts, edit in frames.items() if edit.origin is Origin.PROPAGATED),
        keyframes=pts_array(pts for pts, edit in frames.items() if edit.is_keyframe),
        locked=pts_array(pts for pts, edit in frames.items() if edit.is_locked),
        stops={pts: why for pts, why in meta.stops.items() if pts not in frames},
        cuts=pts_array(pts for pts, one in judged.items() if one.is_cut),
        match_locks=pts_array(span.locked_pts for span in meta.match_spans if span.locked_pts is not None),
        match_spans=tuple(_shown(span, index) for span in meta.match_spans),
        in_pts=meta.span.first_pts,
        out_pts=meta.span.last_pts,
        confidence=confidence_of(index, judged),
    )


def confidence_of(index: FrameIndex, judged: Mapping[int, Judged]) -> Confidence:
    """The confidence of every frame of the clip, NaN where the analysis has not been."""
    confidence = np.full(len(index), np.nan, np.float32)
    known = pts_array(judged)
    places = np.searchsorted(index.pts, known)
    is_there = (places < len(index)) & (index.pts[np.minimum(places, len(index) - 1)] == known)
    values = np.array([judged[pts].confidence for pts in known.tolist()], np.float32)
    confidence[places[is_there]] = values[is_there]
    return confidence


def ends_of(span: Span, index: FrameIndex) -> tuple[int, int]:
    """The pts of a span's first and last frame; of its first one twice where no other lies in it."""
    first = index.pts_at(index.first_from(span.first_pts))
    last = index.pts_at(len(index) - 1) if span.last_pts is None else index.shown_at(span.last_pts)
    return first, max(first, last)


def _shown(span: KeyedSpan, index: FrameIndex) -> MatchSpan:
    first, last = ends_of(span.span, index)
    if span.knots is not None:
        return MatchSpan(first, last, "locked", tr("Match locked"))
    strength = 100 if span.strength is None else round(100 * span.strength)
    return MatchSpan(first, last, "strength", tr("Match {percent} %").format(percent=strength))
