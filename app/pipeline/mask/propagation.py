"""Runs a hand's correction along a clip's frames until something says stop, and joins two such runs."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

import cv2
import numpy as np

from app.domain.cells import cell_picture, grid_for
from app.domain.frame import Alpha8, Frame
from app.domain.mask.motion import Floats, FlowEstimator, Gray
from app.domain.mask.planes import NOWHERE, Box, Planes
from app.domain.mask.propagating import PlacedPlanes, Step, advance, begin
from app.domain.steadiness import is_cut

FADED: Final = 0.1
"""Left of the edit's weight under which it is over."""

DOUBTFUL: Final = 0.4
"""Mean confidence of a step under which it is not taken."""

LARGE_RESIDUAL_LEVELS: Final = 24.0
"""Median difference, in levels of 255, at which the edit lies on something else."""


SOFT_CUT_LEVELS: Final = 12.0
"""Mean change of the whole picture from which an edit that is lost at once was lost at a cut between like scenes.

Moving people stay under it (see `app.domain.steadiness`).
"""


class StopReason(Enum):
    """Why a run ended; the value is the sentence a person reads."""

    SCENE_CUT = "The scene cuts here."
    LOCKED_FRAME = "This frame is locked."
    OTHER_KEYFRAME = "This frame is a keyframe of its own."
    FADED = "Nothing of the correction is left here: it was covered, left the picture or could no longer be followed."
    LOW_CONFIDENCE = "The movement here could not be followed with confidence."
    LARGE_RESIDUAL = "What the correction was painted on looks different here."
    NOTHING_PAINTED = "There is no correction on this frame to carry."
    END_OF_RANGE = "The end of the range was reached."
    CANCELLED = "You stopped it."


@dataclass(frozen=True, slots=True)
class Propagated:
    """One frame's share of a run.

    pts: the frame's. placed: its planes; None on the last item of a run, which says why it `stopped` and on which
    frame: nothing is to be written there. trust (h, w) uint8: how far the surroundings were followed, over the planes'
    box. confidence: 0 to 1, mean over the edit, all steps so far together.
    """

    pts: int
    placed: PlacedPlanes | None
    trust: Alpha8
    confidence: float
    stopped: StopReason | None = None


class Stops(NamedTuple):
    """Frames, by pts, that end a run. cuts: first frames of scenes, beyond those that the run sees for itself."""

    locked: Collection[int] = ()
    keyframes: Collection[int] = ()
    cuts: Collection[int] = ()


NO_STOPS: Final = Stops()


def propagate(
    planes: Planes,
    frames: Iterable[Frame],
    *,
    stops: Stops = NO_STOPS,
    should_stop: Callable[[], bool] | None = None,
) -> Generator[Propagated, None, None]:
    """Carry a frame's planes to the frames that follow it, in whichever direction these come.

    frames: the edited one first, then its neighbours in order, all of one size; as many as are wanted. Yields one item
    a frame, then one that says why and where it stopped (at the end of `frames`: on the last). should_stop is asked
    before each step; closing the generator ends it too. One frame is held. ValueError for planes of another size.
    """
    source = iter(frames)
    last = next(source, None)
    if last is None:
        return
    track = begin(planes, last)
    if track is None:
        yield _ended(last, StopReason.NOTHING_PAINTED)
        return
    estimator, last_luma = FlowEstimator(), _small_luma(last)
    for frame in source:
        luma = _small_luma(frame)
        reason = _stop_before(frame, last, stops, should_stop)
        if reason is None and is_cut(last_luma, luma):
            reason = StopReason.SCENE_CUT
        if reason is None:
            track, step = advance(track, frame, estimator)
            reason = _stop_after(step, float(cv2.absdiff(last_luma, luma).mean()))
        if reason is not None:
            yield _ended(frame, reason)
            return
        yield Propagated(frame.pts, step.placed, step.trust, step.left)
        last, last_luma = frame, luma
    yield _ended(last, StopReason.END_OF_RANGE)


def _stop_before(frame: Frame, last: Frame, stops: Stops, should_stop: Callable[[], bool] | None) -> StopReason | None:
    """What is known before anything is computed."""
    if should_stop is not None and should_stop():
        return StopReason.CANCELLED
    if frame.pts in stops.locked:
        return StopReason.LOCKED_FRAME
    if frame.pts in stops.keyframes:
        return StopReason.OTHER_KEYFRAME
    # A cut lies before its pts: forward it is met on that frame, backward on leaving it.
    crossed = frame.pts if frame.pts > last.pts else last.pts
    return StopReason.SCENE_CUT if crossed in stops.cuts else None


def _stop_after(step: Step, change_levels: float) -> StopReason | None:
    """What the step itself says; change_levels: how much the whole picture changed with it."""
    if step.placed.box.is_empty or step.left < FADED:
        reason = StopReason.FADED
    elif step.confidence < DOUBTFUL:
        reason = StopReason.LOW_CONFIDENCE
    elif step.residual_levels > LARGE_RESIDUAL_LEVELS:
        reason = StopReason.LARGE_RESIDUAL
    else:
        return None
    return StopReason.SCENE_CUT if change_levels > SOFT_CUT_LEVELS else reason


def _ended(frame: Frame, reason: StopReason) -> Propagated:
    return Propagated(frame.pts, None, np.zeros((0, 0), np.uint8), 0.0, reason)


def _small_luma(frame: Frame) -> Gray:
    picture = cell_picture(frame.pixels, grid_for(*frame.size))
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


class _Packed(NamedTuple):
    """A run's frame, compressed: value, weight and trust over a box."""

    box: Box
    data: bytes
    confidence: float


def blended(
    forward: Iterable[Propagated], backward: Iterable[Propagated], *, keyframes: tuple[int, int]
) -> Iterator[Propagated]:
    """Both runs between two keyframes (their pts) as one: the nearer and the surer counts for more, pixel by pixel.

    forward: from the first keyframe on; is read to its end and kept compressed, some 30 KB a frame for 300 px.
    backward: from the second one back; is worked on as it comes, and in its order come the results. Where only one run
    got, it is used; frames that only the forward run reached come last, in falling order. No item says `stopped`.
    """
    kept = {item.pts: _packed(item) for item in forward if item.placed is not None}
    for item in backward:
        if item.placed is not None:
            first = kept.pop(item.pts, None)
            yield item if first is None else _blend(_unpacked(item.pts, first), item, keyframes)
    for pts in sorted(kept, reverse=True):
        yield _unpacked(pts, kept[pts])


def _packed(item: Propagated) -> _Packed:
    placed = item.placed or PlacedPlanes(NOWHERE, Planes.empty((0, 0)))
    stack = np.stack([placed.planes.value, placed.planes.weight, item.trust])
    return _Packed(placed.box, zlib.compress(stack.tobytes(), 1), item.confidence)


def _unpacked(pts: int, packed: _Packed) -> Propagated:
    width, height = packed.box.size
    stack = np.frombuffer(zlib.decompress(packed.data), np.uint8).reshape(3, height, width)
    return Propagated(pts, PlacedPlanes(packed.box, Planes(stack[0], stack[1])), stack[2], packed.confidence)


def _blend(one: Propagated, other: Propagated, keyframes: tuple[int, int]) -> Propagated:
    """Planes of two runs on one frame, over both their boxes."""
    start, end = keyframes
    late = min(max((one.pts - start) / (end - start), 0.0), 1.0) if end != start else 0.5
    box = _box(one).united(_box(other))
    weights, products, says = (np.zeros(box.size[::-1], np.float32) for _ in range(3))
    unknown = np.ones(box.size[::-1], np.float32)
    for item, nearness in ((one, 1 - late), (other, late)):
        value, weight, trust = _over(box, item)
        weights += nearness * weight
        products += nearness * weight * value
        says += nearness * trust
        unknown *= 1 - trust
    # A weight holds its trust already: over the sum of trusts the weights give the mean of what was painted.
    weight8 = np.rint(np.clip(weights / np.maximum(says, 1e-6) * (1 - unknown), 0, 255)).astype(np.uint8)
    value8 = np.rint(np.clip(products / np.maximum(weights, 1e-6), 0, 255)).astype(np.uint8)
    value8[weight8 == 0] = 0
    trust8 = np.rint(255 * (1 - unknown)).astype(np.uint8)
    confidence = (1 - late) * one.confidence + late * other.confidence
    return Propagated(one.pts, PlacedPlanes(box, Planes(value8, weight8)), trust8, confidence)


def _box(item: Propagated) -> Box:
    return NOWHERE if item.placed is None else item.placed.box


def _over(box: Box, item: Propagated) -> tuple[Floats, Floats, Floats]:
    """value and weight in 0..255 and trust in [0, 1], over a box that holds the item's own.

    Beyond its own box a run knows of no paint, as surely as it knows the rest.
    """
    value, weight = np.zeros(box.size[::-1], np.float32), np.zeros(box.size[::-1], np.float32)
    trust = np.full(box.size[::-1], item.confidence, np.float32)
    own = _box(item)
    if item.placed is not None and not own.is_empty:
        inside = Box(own.x0 - box.x0, own.y0 - box.y0, own.x1 - box.x0, own.y1 - box.y0).rows_columns
        value[inside], weight[inside] = item.placed.planes.value, item.placed.planes.weight
        trust[inside] = item.trust.astype(np.float32) / 255
    return value, weight, trust
