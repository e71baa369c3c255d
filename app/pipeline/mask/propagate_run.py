"""Carrying a frame's correction as far as was asked, and what the document gets of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from itertools import islice

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.domain.mask.changes import Change, frames_changed
from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MaskDocument, Origin
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.mask.propagation import Propagated, StopReason, Stops, blended, propagate
from app.pipeline.mask.seeking import FrameSeeker

_EXPECTED = frozenset({StopReason.END_OF_RANGE, StopReason.CANCELLED, StopReason.OTHER_KEYFRAME})
"""Ends nobody has to look at."""


class Reach(Enum):
    """How far: the next frame, the end of the in-out range, the next keyframe, or between the keyframes around."""

    FRAME = "frame"
    RANGE = "range"
    KEYFRAME = "keyframe"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class Run:
    """What is asked. start_pts: whose correction is carried; stop_pts: the last frame it may reach, on either side.

    is_blend: from both ends at once, both keyframes.
    """

    start_pts: int
    stop_pts: int
    is_blend: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """One frame done: its picture, and its edit."""

    frame: Frame
    edit: FrameEdit


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended: on which frame, and why."""

    pts: int
    reason: StopReason


def plan(document: MaskDocument, index: FrameIndex, pts: int, reach: Reach, *, forward: bool) -> Run:
    """The run from a frame. UserError when there is nothing to carry, or nowhere to carry it."""
    if reach is Reach.BETWEEN:
        return _between(document, pts)
    if document.edit_at(pts).correction.is_empty:
        raise UserError("There is no correction on this frame to carry on.", "Paint one first.")
    place, last = index.index_of(pts), len(index) - 1
    end = last if forward else 0
    if place == end:
        raise UserError("The clip ends here.", "Choose the other direction.")
    if reach is Reach.FRAME:
        return Run(pts, index.pts_at(place + (1 if forward else -1)))
    stop = index.pts_at(end)
    if reach is Reach.RANGE:
        span = document.meta.span
        bound = span.last_pts if forward else span.first_pts
        if bound is not None and pts in span:
            stop = index.shown_at(bound) if forward else index.pts_at(index.first_from(bound))
            if stop == pts:
                raise UserError("The range ends here.", "Choose the other direction.")
    elif not _keyframe_ahead(document, pts, forward=forward):
        raise UserError("There is no keyframe in this direction.", "Carry the correction to in or out instead.")
    return Run(pts, stop)


def _keyframe_ahead(document: MaskDocument, pts: int, *, forward: bool) -> bool:
    return any(edit.is_keyframe and (at > pts if forward else at < pts) for at, edit in document.frames.items())


def _between(document: MaskDocument, pts: int) -> Run:
    keys = sorted(at for at, edit in document.frames.items() if edit.is_keyframe and not edit.correction.is_empty)
    before, after = bisect_right(keys, pts), bisect_left(keys, pts + 1)
    if before == 0 or after == len(keys):
        raise UserError(
            "There is no corrected keyframe on both sides of this frame.", "Correct a frame before it and one after it."
        )
    return Run(keys[before - 1], keys[after], is_blend=True)


def carried(
    run: Run,
    document: MaskDocument,
    seeker: FrameSeeker,
    cuts: Callable[[], frozenset[int]],
    should_stop: Callable[[], bool],
) -> Iterator[Carried | Ended]:
    """Do it: every frame as it is ready, in the run's order, then how it ended.

    cuts: first frames of scenes that are known. UserError when frames can't be decoded.
    """
    if run.is_blend:
        yield from _blended(run, document, seeker, cuts(), should_stop)
        return
    yield from _told(_one_way(run.start_pts, run.stop_pts, document, seeker, cuts(), should_stop), document)


def _one_way(
    start: int,
    stop: int,
    document: MaskDocument,
    seeker: FrameSeeker,
    cuts: frozenset[int],
    should_stop: Callable[[], bool],
) -> Iterator[tuple[Frame | None, Propagated]]:
    seen: dict[int, Frame] = {}

    def frames() -> Iterator[Frame]:
        yield seeker.at(start)  # Where that can't be decoded, nothing else may stand in for it.
        for frame in islice(seeker.frames_between(start, stop), 1, None):
            seen.clear()
            seen[frame.pts] = frame
            yield frame

    edits = document.frames
    stops = Stops(
        locked=frozenset(pts for pts, edit in edits.items() if edit.is_locked),
        keyframes=frozenset(pts for pts, edit in edits.items() if edit.is_keyframe),
        cuts=cuts,
    )
    planes = document.edit_at(start).correction.planes()
    for item in propagate(planes, frames(), stops=stops, should_stop=should_stop):
        yield seen.get(item.pts), item


def _told(items: Iterator[tuple[Frame | None, Propagated]], document: MaskDocument) -> Iterator[Carried | Ended]:
    for frame, item in items:
        if item.stopped is not None:
            yield Ended(item.pts, item.stopped)
        elif frame is not None:
            yield Carried(frame, edit_of(item, document))


def _blended(
    run: Run, document: MaskDocument, seeker: FrameSeeker, cuts: frozenset[int], should_stop: Callable[[], bool]
) -> Iterator[Carried | Ended]:
    stopped: list[Ended] = []

    def way(start: int, stop: int) -> Iterator[Propagated]:
        for _, item in _one_way(start, stop, document, seeker, cuts, should_stop):
            if item.stopped is not None and item.stopped not in _EXPECTED:
                stopped.append(Ended(item.pts, item.stopped))
            yield item

    keys = (run.start_pts, run.stop_pts)
    for item in blended(way(*keys), way(*reversed(keys)), keyframes=keys):
        if should_stop():
            yield Ended(item.pts, StopReason.CANCELLED)
            return
        yield Carried(seeker.at(item.pts), edit_of(item, document))
    yield stopped[0] if stopped else Ended(run.start_pts, StopReason.OTHER_KEYFRAME)


def edit_of(item: Propagated, document: MaskDocument) -> FrameEdit:
    """What a frame gets of a run: its flags stay."""
    assert item.placed is not None  # noqa: S101  (only the last item of a run has none)
    size = document.meta.clip.size
    correction = Correction(size).with_planes(item.placed.on(size), item.placed.box)
    return replace(document.edit_at(item.pts), correction=correction, origin=Origin.PROPAGATED)


def change_of(
    document: MaskDocument, edits: Mapping[int, FrameEdit], ended: Ended | None, name: str, pts: int
) -> Change:
    """All of a run as one step: the frames' edits, and the mark of where it stopped for a reason.

    Marks on frames that it has gone through now are taken away.
    """
    stops = {at: why for at, why in document.meta.stops.items() if at not in edits}
    if ended is not None and ended.reason not in _EXPECTED:
        stops[ended.pts] = ended.reason.value
    change = frames_changed(document, edits, name, pts=pts)
    return replace(change, meta=(document.meta, replace(document.meta, stops=stops)))
