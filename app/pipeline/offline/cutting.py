"""Where a clip is cut into segments, and which of its frames are shown when."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline.job import Trim
from app.pipeline.offline.plan import Segment, Shown

LONGEST_S: Final = 8.0
"""A crash costs at most one segment of this length a worker."""
LONGEST_FRAMES: Final = 180
"""What is known of a segment's frames is in memory at once while it is smoothed: 1.1 MB a frame."""
SHORTEST_S: Final = 2.0
PARTS: Final = 4
"""Short clips are cut into so many parts all the same, so that every core has something to do."""
UNSEEKABLE_S: Final = 60.0
"""Where every segment has to be decoded from the file's start, there are few of them."""


def range_of(index: FrameIndex, trim: Trim, max_frames: int | None) -> tuple[int, int]:
    """(first, stop): places in the index of the frames to deliver; stop is not one of them. Empty ranges are (n, n)."""
    times = [None if s is None else index.start_pts + round(Fraction(s) / index.time_base) for s in _ends(trim)]
    first = 0 if times[0] is None else index.first_from(times[0])
    stop = len(index) if times[1] is None else index.first_from(times[1])
    if max_frames is not None:
        stop = min(stop, first + max_frames)
    return first, max(first, stop)


def _ends(trim: Trim) -> tuple[float | None, float | None]:
    return trim.from_s, trim.to_s


def cuts_of(index: FrameIndex, first: int, stop: int) -> list[int]:
    """Places at which segments begin, and `stop`: key frames near the wanted length where there are any.

    Depends on nothing but the clip and the range, so that however many workers there are, results are the same.
    """
    pts = index.pts.tolist()
    length_s = float((pts[stop - 1] - pts[first]) * index.time_base)
    longest_s = min(LONGEST_S, LONGEST_FRAMES * length_s / max(1, stop - first - 1)) or LONGEST_S
    target_s = min(longest_s, max(SHORTEST_S, length_s / PARTS)) if index.is_seekable else UNSEEKABLE_S
    target = max(1, round(target_s / index.time_base))
    keys = [index.first_from(int(key)) for key in index.key_pts if index.is_seekable]
    cuts = [first]
    while True:
        place = _next_cut(pts, keys, cuts[-1], target)
        if place >= stop or pts[stop - 1] - pts[place] < target // 2:
            return [*cuts, stop]
        cuts.append(place)


def _next_cut(pts: Sequence[int], keys: Sequence[int], start: int, target: int) -> int:
    """The key frame nearest to `target` ticks after `start`, within half of it; else the frame there itself."""
    wanted = pts[start] + target
    low, high = (max(start + 1, bisect_left(pts, wanted + d)) for d in (-(target // 2), target // 2))
    near = keys[bisect_left(keys, low) : bisect_right(keys, high)]
    if near:
        return min(near, key=lambda place: abs(pts[min(place, len(pts) - 1)] - wanted))
    return max(start + 1, bisect_left(pts, wanted))


def shown_frames(
    index: FrameIndex, first: int, stop: int, *, rate: Fraction | None, time_base: Fraction, shift_s: Fraction
) -> Iterator[Shown]:
    """Every picture of the delivery, in order.

    time_base: of the delivery. shift_s: what its times are later than the clip's. rate: pictures at that rate, each the
    frame on the screen then (shown more than once, or not at all); None: every frame at its own time.
    """
    pts = [int(p) for p in index.pts[first:stop]]
    if rate is None:
        for one in pts:
            yield Shown(one, round((one * index.time_base + shift_s) / time_base))
        return
    end = index.end_of(pts[-1])
    count = max(1, round((end - pts[0]) * index.time_base * rate))
    start = round((pts[0] * index.time_base + shift_s) / time_base)
    for number in range(count):
        at = pts[0] + int(number / rate / index.time_base)
        place = max(0, bisect_right(pts, at) - 1)
        yield Shown(pts[place], start + round(number / rate / time_base))


def segments_of(index: FrameIndex, cuts: Sequence[int], shown: Sequence[Shown]) -> tuple[Segment, ...]:
    """Segments between the cuts, with what each of them shows."""
    sources = [one.source_pts for one in shown]
    found = []
    for number, (begin, end) in enumerate(itertools.pairwise(cuts)):
        first = int(index.pts[begin])
        last = int(index.pts[end]) if end < len(index) else index.end_pts
        low, high = bisect_left(sources, first), bisect_left(sources, last)
        found.append(Segment(number, first, last, tuple(shown[low:high]), low))
    return tuple(found)
