"""What the timeline of a clip shows, and where on a line of pixels it lies: values and arithmetic.

A frame is shown from its own pts up to the next one's, so places are found by time and clips of varying frame rate
come out right; every mark belongs to a frame and is found by its pts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt

Pts = npt.NDArray[np.int64]
"""(n,) int64, strictly ascending, ticks of the clip's time base."""

Confidence = npt.NDArray[np.float32]
"""(n,) float32 in [0, 1], one a frame; NaN where it isn't known yet."""

Bools = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

PROBLEM_BELOW: Final = 0.75
"""A frame trusted less than this is worth a look: no frame to one in fifty of six clips with good mattes, one in five
of a clip with a poor one."""

PROBLEMS_APART_S: Final = 1.0
"""The problem keys lead to places at least this far apart."""

MAX_FRAME_PX: Final = 64
"""A frame is shown no wider than this."""

SIGN_APART_PX: Final = 5
"""Signs of one kind stand no closer than this."""

LABEL_APART_PX: Final = 84

_STEPS_S: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_SMALL_STEPS: Final = 5
_PAGE_MARGIN: Final = 0.08
_LONE_FRAME_S: Final = 0.04
_ROUNDING: Final = 1e-6


class Mark(IntFlag):
    """What there is to say about a frame; bits, so that a pixel can stand for many frames."""

    EDITED = 1
    PROPAGATED = 2
    KEYFRAME = 4
    LOCKED = 8
    STOP = 16
    CUT = 32
    MATCH_LOCK = 64


def pts_array(pts: Iterable[int] = ()) -> Pts:
    """Ticks in ascending order, each once, read-only; whatever collection they come in."""
    array = np.unique(pts if isinstance(pts, np.ndarray) else np.fromiter(pts, np.int64)).astype(np.int64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class MatchSpan:
    """Frames from start_pts to end_pts, both included, whose match is not the clip's own."""

    start_pts: int
    end_pts: int
    kind: Literal["locked", "strength"]
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """A clip's frames and all that is marked on them.

    pts: every frame's, ascending. edited: changed by hand; propagated: changed by what was carried there. stops: why
    a propagation ended at a frame, in a sentence. in_pts, out_pts: first and last frame of the chosen range, None for
    the clip's own. end_pts: when the last frame ends, which lasts as long as most do; 0 without frames.

    A mark between two frames counts for the one that is shown then. ValueError when the pts don't
    ascend or the confidence has another length.
    """

    pts: Pts = field(default_factory=pts_array)
    time_base: Fraction = Fraction(1, 1000)
    edited: Pts = field(default_factory=pts_array)
    propagated: Pts = field(default_factory=pts_array)
    keyframes: Pts = field(default_factory=pts_array)
    locked: Pts = field(default_factory=pts_array)
    stops: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    cuts: Pts = field(default_factory=pts_array)
    match_locks: Pts = field(default_factory=pts_array)
    match_spans: tuple[MatchSpan, ...] = ()
    in_pts: int | None = None
    out_pts: int | None = None
    confidence: Confidence | None = None
    end_pts: int = field(init=False)

    def __post_init__(self) -> None:
        """Refuse what no timeline can show; find the end once, it is asked for all the time."""
        if np.any(np.diff(self.pts) <= 0):
            raise ValueError("the frames' pts must ascend")
        if self.confidence is not None and self.confidence.shape != self.pts.shape:
            raise ValueError("there must be one confidence a frame")
        object.__setattr__(self, "end_pts", _end_of(self.pts, self.time_base))

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.pts)

    def index_at(self, pts: float) -> int:
        """Number of the frame that is shown at a moment; the nearest end's outside the clip. ValueError: no frames."""
        if len(self.pts) == 0:
            raise ValueError("a clip without frames shows none")
        return max(0, int(np.searchsorted(self.pts, pts, side="right")) - 1)

    def frame_at(self, pts: float) -> int:
        """The pts of the frame that is shown at a moment, as `index_at`."""
        return int(self.pts[self.index_at(pts)])

    def stepped(self, pts: int, by: int) -> int:
        """The pts so many frames on, or back; not beyond the clip."""
        return int(self.pts[min(max(self.index_at(pts) + by, 0), len(self.pts) - 1)])

    def time_s(self, pts: float) -> float:
        """Seconds from the clip's first frame."""
        return float((pts - int(self.pts[0])) * self.time_base) if len(self.pts) else 0.0

    def range_pts(self) -> tuple[int, int]:
        """First and last frame of the chosen range; the clip's own where none is set."""
        start = self.frame_at(self.pts[0] if self.in_pts is None else self.in_pts)
        return start, max(start, self.frame_at(self.pts[-1] if self.out_pts is None else self.out_pts))

    def flags(self) -> npt.NDArray[np.uint8]:
        """(n,) uint8: the `Mark`s of each frame."""
        flags = np.zeros(len(self.pts), np.uint8)
        for mark, marked in self._marked():
            flags[self._indices(marked)] |= mark
        return flags

    def marks_of(self, pts: int) -> Mark:
        """The marks of one frame."""
        index = self.index_at(pts)
        return Mark(sum(mark for mark, marked in self._marked() if index in self._indices(marked)))

    def stop_reason(self, pts: int) -> str:
        """Why a propagation ended at a frame; empty when none did."""
        frame = self.frame_at(pts)
        return next((why for stop, why in self.stops.items() if self.frame_at(stop) == frame), "")

    def confidence_at(self, pts: int) -> float | None:
        """How far a frame's matte is trusted, 0 to 1; None when that isn't known."""
        if self.confidence is None:
            return None
        value = float(self.confidence[self.index_at(pts)])
        return None if np.isnan(value) else value

    def _marked(self) -> tuple[tuple[Mark, Pts], ...]:
        return (
            (Mark.EDITED, self.edited),
            (Mark.PROPAGATED, self.propagated),
            (Mark.KEYFRAME, self.keyframes),
            (Mark.LOCKED, self.locked),
            (Mark.STOP, pts_array(self.stops)),
            (Mark.CUT, self.cuts),
            (Mark.MATCH_LOCK, self.match_locks),
        )

    def _indices(self, marked: Pts) -> Indices:
        """Frames that are shown at some moments; none in a clip without frames."""
        if len(self.pts) == 0:
            return np.zeros(0, np.intp)
        return np.maximum(np.searchsorted(self.pts, marked, side="right") - 1, 0)


def _end_of(pts: Pts, time_base: Fraction) -> int:
    if len(pts) == 0:
        return 0
    common = np.median(np.diff(pts)) if len(pts) > 1 else _LONE_FRAME_S / time_base
    return int(pts[-1]) + max(1, round(float(common)))


def next_of(pts: Pts, after: int) -> int | None:
    """The first of some moments after one; None behind the last."""
    index = int(np.searchsorted(pts, after, side="right"))
    return int(pts[index]) if index < len(pts) else None


def previous_of(pts: Pts, before: int) -> int | None:
    """The last of some moments before one; None ahead of the first."""
    index = int(np.searchsorted(pts, before, side="left"))
    return int(pts[index - 1]) if index else None


def problems(marks: Marks, *, below: float = PROBLEM_BELOW, apart_s: float = PROBLEMS_APART_S) -> Pts:
    """Frames that want a look, in order: where propagation stopped, and the least trusted ones, at distinct places.

    Inside the chosen range only, and not where the hand has been: on edited, propagated and locked frames. Of frames
    nearer than apart_s to each other the worst stands for all; a long bad stretch has as many as it has lows.
    """
    if len(marks) == 0:
        return pts_array()
    flags = marks.flags()
    start, end = marks.range_pts()
    is_open = (flags & (Mark.EDITED | Mark.LOCKED)) == 0
    is_open &= (marks.pts >= start) & (marks.pts <= end)
    stops = np.flatnonzero(is_open & ((flags & Mark.STOP) > 0))
    is_open &= (flags & Mark.PROPAGATED) == 0
    if marks.confidence is None:
        return pts_array(marks.pts[stops])
    trust = np.where(is_open & (marks.confidence < below), marks.confidence, np.inf)
    apart = max(1, round(apart_s / marks.time_base))
    return pts_array(marks.pts[np.concatenate([stops, _worst_apart(marks.pts, trust, stops, apart=apart)])])


def _worst_apart(pts: Pts, trust: Floats, taken: Indices, *, apart: int) -> Indices:
    """The frames of least trust (infinite: not asked for), each more than `apart` ticks from a worse or taken one.

    Only lows count: a frame on the slope towards a worse one that is taken is no place of its own.
    """
    before, after = np.append(np.inf, trust[:-1]), np.append(trust[1:], np.inf)
    lows = np.flatnonzero(np.isfinite(trust) & (trust <= after) & (trust < before))
    starts, ends = np.searchsorted(pts, pts - apart), np.searchsorted(pts, pts + apart, side="right")
    is_free = np.ones(len(pts), np.bool_)
    for index in taken.tolist():
        is_free[starts[index] : ends[index]] = False
    found = []
    for index in lows[np.argsort(trust[lows], kind="stable")].tolist():
        if is_free[index]:
            is_free[starts[index] : ends[index]] = False
            found.append(index)
    return np.array(found, np.intp)


@dataclass(frozen=True, slots=True)
class Scale:
    """How time lies on a line: the moment at x = 0, in ticks, and ticks a (logical) pixel, above 0."""

    start_pts: float
    ticks_per_px: float

    def x_of(self, pts: float) -> float:
        """Where a moment lies, px from the left."""
        return (pts - self.start_pts) / self.ticks_per_px

    def pts_at(self, x_px: float) -> float:
        """The moment at a place, in ticks."""
        return self.start_pts + x_px * self.ticks_per_px

    def limited(self, marks: Marks, width_px: float) -> Self:
        """The nearest one that shows no more than the clip, no frame wider than MAX_FRAME_PX, and nothing beside it."""
        if len(marks) == 0 or width_px <= 0:
            return type(self)(0.0, 1.0)
        start, length = int(marks.pts[0]), marks.end_pts - int(marks.pts[0])
        shortest = int(np.diff(marks.pts).min()) if len(marks) > 1 else length
        widest = length / width_px
        per_px = min(max(self.ticks_per_px, shortest / MAX_FRAME_PX), widest)
        return type(self)(min(max(self.start_pts, start), start + length - width_px * per_px), per_px)

    def zoomed(self, factor: float, *, at_px: float) -> Self:
        """Larger by a factor, what lies at a place staying there."""
        per_px = self.ticks_per_px / factor
        return type(self)(self.pts_at(at_px) - at_px * per_px, per_px)

    def scrolled(self, by_px: float) -> Self:
        """What lies so far to the right moves to the left edge."""
        return type(self)(self.pts_at(by_px), self.ticks_per_px)

    def showing(self, pts: float, width_px: float) -> Self:
        """The same where a moment is in sight; else moved on by most of a page, as a book is turned."""
        x, margin = self.x_of(pts), _PAGE_MARGIN * width_px
        if 0 <= x <= width_px:
            return self
        return self.scrolled(x - margin if x > width_px else x - width_px + margin)


def whole(marks: Marks, width_px: float) -> Scale:
    """The scale that shows the whole clip."""
    return Scale(float(marks.pts[0]) if len(marks) else 0.0, np.inf).limited(marks, width_px)


def middle_of(marks: Marks, index: int) -> float:
    """The moment, in ticks, that stands for a frame on a line: the middle of its time.

    Of a frame that is held for long only what a common one lasts counts: its start is where something happens.
    """
    end = int(marks.pts[index + 1]) if index + 1 < len(marks) else marks.end_pts
    common = marks.end_pts - int(marks.pts[-1])
    start = int(marks.pts[index])
    return start + min(end - start, common) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """The frames under each column of (device) pixels: numbers of the first and the last, and whether there are any."""

    first: Indices
    last: Indices
    is_inside: Bools

    def any_of(self, flags: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """The `Mark`s of all frames of a column together: (columns,) uint8."""
        return self._reduced(np.bitwise_or, flags, np.uint8(0))

    def lowest(self, confidence: Confidence) -> Confidence:
        """The least of a column, (columns,) float32; NaN where none is known."""
        known = np.where(np.isnan(confidence), np.float32(np.inf), confidence)
        least = self._reduced(np.minimum, known, np.float32(np.inf))
        return np.where(np.isinf(least), np.float32(np.nan), least)

    def _reduced(self, how: np.ufunc, values: npt.NDArray[Any], nothing: np.generic) -> npt.NDArray[Any]:
        if len(values) == 0:
            return np.full(len(self.first), nothing)
        bounds = np.stack([self.first, self.last + 1], axis=1).ravel()
        reduced = how.reduceat(np.append(values, nothing), bounds)[::2]
        return np.where(self.is_inside, reduced, nothing)


def columns(marks: Marks, scale: Scale, width_px: float, *, ratio: float = 1.0) -> Columns:
    """The frames under each device pixel of a line; ratio: device pixels a logical one."""
    edges = scale.start_pts + np.arange(max(0, round(width_px * ratio)) + 1) * (scale.ticks_per_px / ratio)
    left, right = edges[:-1], edges[1:]
    first = np.maximum(np.searchsorted(marks.pts, left, side="right") - 1, 0)
    last = np.maximum(np.searchsorted(marks.pts, right, side="left") - 1, first)
    start = int(marks.pts[0]) if len(marks) else 0
    return Columns(first, last, (right > start) & (left < marks.end_pts))


def runs(is_set: Bools) -> list[tuple[int, int]]:
    """Stretches of columns that are set, as half-open (start, end)."""
    steps = np.flatnonzero(np.diff(np.concatenate([[False], is_set, [False]])))
    return list(zip(steps[::2].tolist(), steps[1::2].tolist(), strict=True))


def signs(marks: Marks, flags: npt.NDArray[np.uint8], mark: Mark, scale: Scale, width_px: float) -> list[float]:
    """Where the signs of one mark stand, px; of those nearer than SIGN_APART_PX only one.

    Which is kept depends on time alone, so that none flickers while the line is scrolled.
    """
    if len(marks) == 0:
        return []
    margin = SIGN_APART_PX
    low, high = marks.index_at(scale.pts_at(-margin)), marks.index_at(scale.pts_at(width_px + margin)) + 1
    marked = low + np.flatnonzero(flags[low:high] & mark)
    cells = np.floor(marks.pts[marked] / (scale.ticks_per_px * SIGN_APART_PX))
    kept = marked[np.unique(cells, return_index=True)[1]]
    return [scale.x_of(middle_of(marks, index)) for index in kept.tolist()]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the ruler; a short one has no words."""

    x_px: float
    words: str = ""


RulerUnit = Literal["time", "frames"]


def ruler(marks: Marks, scale: Scale, width_px: float, unit: RulerUnit = "time") -> list[Tick]:
    """The ruler's lines, left to right, words at least LABEL_APART_PX apart."""
    if len(marks) == 0:
        return []
    return _frame_ticks(marks, scale, width_px) if unit == "frames" else _time_ticks(marks, scale, width_px)


def _time_ticks(marks: Marks, scale: Scale, width_px: float) -> list[Tick]:
    tick_s = float(marks.time_base)
    apart_s = LABEL_APART_PX * scale.ticks_per_px * tick_s
    step_s = next((s for s in _STEPS_S if s >= apart_s), math.ceil(apart_s / _STEPS_S[-1]) * _STEPS_S[-1])
    decimals = 0 if step_s >= 1 else len(f"{step_s:g}") - 2
    small_s = step_s / _SMALL_STEPS
    first, end = marks.time_s(scale.pts_at(0)), marks.time_s(min(scale.pts_at(width_px), marks.end_pts))
    ticks = []
    for number in range(max(0, int(first / small_s) - _SMALL_STEPS), int(end / small_s) + 1):
        x = scale.x_of(int(marks.pts[0]) + number * small_s / tick_s)
        is_large = number % _SMALL_STEPS == 0
        ticks.append(Tick(x, clock_words(number * small_s, decimals=decimals) if is_large else ""))
    return ticks


def _frame_ticks(marks: Marks, scale: Scale, width_px: float) -> list[Tick]:
    """Every so many frames, in even steps of number: on varying rates words that would overlap are left out."""
    low, high = marks.index_at(scale.pts_at(-LABEL_APART_PX)), marks.index_at(scale.pts_at(width_px))
    wanted = LABEL_APART_PX * max(1, high - low) / max(1.0, width_px)
    step = next(s * 10**power for power in range(10) for s in (1, 2, 5) if s * 10**power >= wanted)
    small = max(1, step // _SMALL_STEPS)
    ticks: list[Tick] = []
    free_from = -np.inf
    for index in range(low - low % step, high + 1, small):
        x = scale.x_of(int(marks.pts[index]))
        has_words = index % step == 0 and x >= free_from
        free_from = x + LABEL_APART_PX if has_words else free_from
        ticks.append(Tick(x, str(index) if has_words else ""))
    return ticks


def clock_words(time_s: float, *, decimals: int = 3) -> str:
    """A time as 0:12.480, or 1:02:03.480 from an hour on; rounded down, as players count."""
    units = int(np.floor(time_s * 10**decimals + _ROUNDING))
    seconds, rest = divmod(units, 10**decimals)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    words = f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
    return f"{words}.{rest:0{decimals}}" if decimals else words
