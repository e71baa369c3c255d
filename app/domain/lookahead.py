"""Mattes that look ahead: neither trailing nor flickering, and mended where somebody is lost for a moment.

All at one value a cell. Clips are gone through in segments, each by itself; what is kept of their ends lets `joined`
give what one pass over the whole clip would.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from app.domain.alpha import to_u8
from app.domain.dropouts import REACH_FRAMES, dropouts
from app.domain.frame import Alpha
from app.domain.segment_mattes import Cells8, PassedCells, SegmentMattes, Stretch
from app.domain.steadiness import Picture
from app.domain.two_way import Filmed, Halves, Moment, Passed, Times, both_ways, mend, mixed, moment_of, one_way

OVERLAP_TAUS: Final = 6.0
MIN_OVERLAP_S: Final = 1.0
"""What is further away than this, and than OVERLAP_TAUS, has no say: less than half a level of 255."""


def steadied_both_ways(
    pictures: Sequence[Picture], alphas: Sequence[Alpha], times_s: Sequence[float], *, tau_s: float
) -> list[Alpha]:
    """Smooth a clip's alphas, (rows, columns) float32 each, by pictures (rows, columns, 3) uint8 at ascending times.

    Dropouts are mended first. Where the picture stands still the kernel is exp(-|t| / tau_s); what moves or is
    uncovered is left as it was found, and nothing crosses cuts and gaps. tau_s 0 mends only.
    """
    filmed = Filmed.of(pictures, np.asarray(times_s, np.float64))
    mended = list(alphas)
    mend(filmed, mended, dropouts(_areas(mended), filmed.times_s, filmed.cuts))
    return both_ways(filmed, mended, tau_s=tau_s).results


def analyse_mattes(
    pictures: Sequence[Picture], alphas: Sequence[Alpha], times_s: Sequence[float], tau_s: float
) -> SegmentMattes:
    """Smooth one segment's alphas by itself; arguments as for `steadied_both_ways`, one frame or more."""
    filmed = Filmed.of(pictures, np.asarray(times_s, np.float64))
    kept = [alpha.astype(np.float16) for alpha in alphas]
    mended = [alpha.astype(np.float32) for alpha in kept]
    areas = _areas(mended)
    mend(filmed, mended, dropouts(areas, filmed.times_s, filmed.cuts))
    kept[REACH_FRAMES:-REACH_FRAMES] = [alpha.astype(np.float16) for alpha in mended[REACH_FRAMES:-REACH_FRAMES]]
    smoothed = both_ways(filmed, mended, tau_s=tau_s)
    head, tail = _ends(filmed.times_s, tau_s)
    return SegmentMattes(
        result=np.stack([to_u8(alpha) for alpha in smoothed.results]),
        head=_stretch(filmed, kept, areas, head, smoothed.backward, beyond=head.stop),
        tail=_stretch(filmed, kept, areas, tail, smoothed.forward, beyond=tail.start - 1),
        tau_s=np.array([tau_s]),
    )


def _ends(times_s: Times, tau_s: float) -> tuple[slice, slice]:
    """Which frames a neighbour has a say in; all of them, twice, where those at both ends meet."""
    count, overlap_s = len(times_s), max(MIN_OVERLAP_S, OVERLAP_TAUS * tau_s)
    stop = max(2 * REACH_FRAMES, int(np.searchsorted(times_s, times_s[0] + overlap_s)))
    start = min(count - 2 * REACH_FRAMES, int(np.searchsorted(times_s, times_s[-1] - overlap_s, side="right")))
    return (slice(0, count), slice(0, count)) if stop >= start else (slice(0, stop), slice(start, count))


def _stretch(
    filmed: Filmed, alphas: Sequence[Halves], areas: Times, part: slice, smoothed: Sequence[Passed], *, beyond: int
) -> Stretch:
    shape = alphas[0].shape
    next_to = slice(beyond, beyond + 1) if 0 <= beyond < len(alphas) else slice(0, 0)
    return Stretch(
        pictures=np.stack(filmed.pictures[part]),
        alphas=np.stack(alphas[part]),
        areas=areas[part],
        times_s=filmed.times_s[part],
        beyond_picture=np.array(filmed.pictures[next_to], np.uint8).reshape(-1, *shape, 3),
        beyond_alpha=np.array([value for value, _ in smoothed[next_to]], np.float16).reshape(-1, *shape),
        beyond_s=filmed.times_s[next_to],
        passed=PassedCells.of(smoothed[part]),
    )


def joined(previous: SegmentMattes | None, segment: SegmentMattes, following: SegmentMattes | None) -> Cells8:
    """A segment's mattes (T, rows, columns) uint8, with what its neighbours (None for none) have to say.

    As one pass over the whole clip would give them, but for a level of 255 here and there. Where neighbours are shorter
    than the overlap, those beyond them are as if they were not there.
    """
    if not _is_mended_at_seams(previous, segment, following):
        return _with_passes(previous, segment, following)
    tau_s, heads, tails = float(segment.tau_s[0]), len(segment.head), len(segment.tail)
    before = [] if previous is None else [previous.tail]
    after = [] if following is None else [following.head]
    if heads == len(segment.result):
        first = len(before[0]) if before else 0
        return _as_one([*before, segment.head, *after], tau_s)[first : first + heads]
    result = segment.result.copy()
    if before:
        result[:heads] = _as_one([*before, segment.head], tau_s)[-heads:]
    if after:
        result[-tails:] = _as_one([segment.tail, *after], tau_s)[:tails]
    return result


def _is_mended_at_seams(
    previous: SegmentMattes | None, segment: SegmentMattes, following: SegmentMattes | None
) -> bool:
    """Whether a dropout lies so near to a seam that neighbours, or a segment by itself, decided on it."""
    parts = [
        *([] if previous is None else [previous.tail]),
        segment.head,
        *([] if len(segment.head) == len(segment.result) else [segment.tail]),
        *([] if following is None else [following.head]),
    ]
    return any(dropouts(*_areas_of(near)) for near in ([part] for part in parts)) or any(
        dropouts(*_areas_of(near)) for near in pairwise(parts)
    )


def _areas_of(parts: Sequence[Stretch]) -> tuple[Times, Times, npt.NDArray[np.bool_]]:
    areas, times_s = (np.concatenate([getattr(part, name) for part in parts]) for name in ("areas", "times_s"))
    return areas, times_s, Filmed.of(list(np.concatenate([part.pictures for part in parts])), times_s).cuts


def _with_passes(previous: SegmentMattes | None, segment: SegmentMattes, following: SegmentMattes | None) -> Cells8:
    """Each direction goes on from where it came out of the neighbour; what came from inside is there already."""
    result, tau_s, head, tail = segment.result.copy(), float(segment.tau_s[0]), segment.head, segment.tail
    if tau_s <= 0:
        return result
    past = None if previous is None else _passed(head, _end_of(previous.tail, -1), tau_s)
    future = None if following is None else _passed(tail, _end_of(following.head, 0), tau_s, is_back=True)
    if len(head) == len(result):
        past = past or tail.passed.frames(head.found)
        future = future or head.passed.frames(head.found)
        return _mixed(head.found, past, future)
    if past is not None:
        result[: len(head)] = _mixed(head.found, past, head.passed.frames(head.found))
    if future is not None:
        result[-len(tail) :] = _mixed(tail.found, tail.passed.frames(tail.found), future)
    return result


def _end_of(stretch: Stretch, place: int) -> Moment:
    """Its outermost frame, as it came out of its segment."""
    value, _ = stretch.passed.frames(stretch.found)[place]
    return moment_of(float(stretch.times_s[place]), stretch.pictures[place], value.astype(np.float32))


def _passed(stretch: Stretch, start: Moment, tau_s: float, *, is_back: bool = False) -> list[Passed]:
    return one_way(stretch.filmed, stretch.found, tau_s=tau_s, start=start, is_back=is_back)


def _mixed(own: Sequence[Alpha], past: Sequence[Passed], future: Sequence[Passed]) -> Cells8:
    return np.stack([to_u8(mixed(*one)) for one in zip(own, past, future, strict=True)])


def _as_one(parts: Sequence[Stretch], tau_s: float) -> Cells8:
    """Smooth stretches that follow each other."""
    pictures, times_s = [np.concatenate([getattr(part, name) for part in parts]) for name in ("pictures", "times_s")]
    filmed = Filmed.of(list(pictures), times_s)
    alphas = list(np.concatenate([part.alphas for part in parts]).astype(np.float32))
    broken = dropouts(np.concatenate([part.areas for part in parts]), times_s, filmed.cuts)
    mend(filmed, alphas, (one for one in broken if _is_for_us(one.number, parts)))
    smoothed = both_ways(filmed, alphas, tau_s=tau_s, before=parts[0].beyond, after=parts[-1].beyond)
    return np.stack([to_u8(alpha) for alpha in smoothed.results])


def _is_for_us(number: int, parts: Sequence[Stretch]) -> bool:
    """Whether a frame is near a seam, or the end of what is known: those further inside are mended already."""
    edges = np.cumsum([0, *map(len, parts)])
    known = edges[parts[0].beyond is not None : len(edges) - (parts[-1].beyond is not None)]
    return bool(((known - REACH_FRAMES <= number) & (number < known + REACH_FRAMES)).any())


def _areas(alphas: Sequence[Alpha]) -> Times:
    return np.array([float(alpha.mean()) for alpha in alphas], np.float64)
