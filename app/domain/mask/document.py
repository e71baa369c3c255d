"""A mask project as one immutable value: the clip, the corrections by frame, and what goes for ranges of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size
from app.domain.mask.adjusting import Adjustment
from app.domain.mask.correction import Correction
from app.domain.settings import Settings

Knots = npt.NDArray[np.float64]
"""(3, K + 1): a curve by channel: output level at inputs k / K."""


class Origin(Enum):
    """Who made a frame's correction."""

    HAND = "hand"
    PROPAGATED = "propagated"


@dataclass(frozen=True, slots=True)
class FrameEdit:
    """One frame's part. is_keyframe: propagation ends here and starts here. is_locked: nothing changes it."""

    correction: Correction
    is_keyframe: bool = False
    is_locked: bool = False
    origin: Origin = Origin.HAND

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to keep."""
        return self.correction.is_empty and not (self.is_keyframe or self.is_locked)


@dataclass(frozen=True, slots=True)
class Span:
    """Frames from first_pts to last_pts, both included; None is the clip's own end."""

    first_pts: int | None = None
    last_pts: int | None = None

    def __contains__(self, pts: int) -> bool:
        """Whether a frame lies in it."""
        return (self.first_pts is None or self.first_pts <= pts) and (self.last_pts is None or pts <= self.last_pts)


@dataclass(frozen=True, slots=True)
class AdjustedSpan:
    """An adjustment of the model's alpha for some frames."""

    span: Span
    adjustment: Adjustment


@dataclass(frozen=True, slots=True)
class MatchSpan:
    """How the colours match in some frames: strength 0..1, or None as set; knots: a curve that was locked, or None.

    locked_pts: the frame the curve was found at.
    """

    span: Span
    strength: float | None = None
    knots: tuple[tuple[float, ...], ...] | None = None
    locked_pts: int | None = None

    def curve(self) -> Knots | None:
        """The locked curve as an array."""
        return None if self.knots is None else np.asarray(self.knots, np.float64)


@dataclass(frozen=True, slots=True)
class MediaRef:
    """A file outside the project: relative to its folder (with forward slashes), absolute, and what it must be.

    fingerprint: hash of the contents; size_bytes: of the whole file.
    """

    relative: str
    absolute: str
    fingerprint: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Clip:
    """What is edited. size: (width, height) upright; time_base: of every pts in the document."""

    media: MediaRef
    size: Size
    time_base: Fraction


@dataclass(frozen=True, slots=True)
class Meta:
    """All that is not a frame's own. mask: a matte given from outside, used instead of the model's.

    Of spans that overlap, the last counts. stops: where a propagation ended by itself, and the sentence why.
    """

    clip: Clip
    settings: Settings = field(default_factory=Settings)
    mask: MediaRef | None = None
    adjustment: Adjustment = field(default_factory=Adjustment)
    adjusted_spans: tuple[AdjustedSpan, ...] = ()
    match_spans: tuple[MatchSpan, ...] = ()
    span: Span = field(default_factory=Span)
    stops: Mapping[int, str] = field(default_factory=dict)

    def adjustment_at(self, pts: int) -> Adjustment:
        """The adjustment of a frame's model alpha."""
        return next((one.adjustment for one in reversed(self.adjusted_spans) if pts in one.span), self.adjustment)

    def match_at(self, pts: int) -> MatchSpan | None:
        """What is said of a frame's match; None for nothing special."""
        return next((one for one in reversed(self.match_spans) if pts in one.span), None)


@dataclass(frozen=True, slots=True)
class MaskDocument:
    """The project. frames: edits by pts; none `is_nothing`."""

    meta: Meta
    frames: Mapping[int, FrameEdit] = field(default_factory=dict)

    def edit_at(self, pts: int) -> FrameEdit:
        """A frame's edit; an empty one where nothing was done."""
        return self.frames.get(pts) or FrameEdit(Correction(self.meta.clip.size))

    def with_frames(self, frames: Mapping[int, FrameEdit | None]) -> MaskDocument:
        """The same with these frames put in; None takes one out."""
        merged = dict(self.frames)
        for pts, edit in frames.items():
            if edit is None or edit.is_nothing:
                merged.pop(pts, None)
            else:
                merged[pts] = edit
        return replace(self, frames=merged)
