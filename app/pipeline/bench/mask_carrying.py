"""Hand corrections carried along clips whose truth is known: how fast, how close, and whether they end in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size
from app.domain.frame import Alpha8, Frame
from app.domain.mask.planes import Planes
from app.pipeline.bench.machine import rss_mb
from app.pipeline.bench.moving_objects import (
    MovingObject,
    Shown,
    Transform,
    growing,
    placed,
    texture,
    translating,
    turning,
)
from app.pipeline.mask.propagation import Propagated, StopReason, propagate
from app.pipeline.stats import median

FULL_HD: Final[Size] = (1920, 1080)
EDIT_PX: Final = 300
STEPS: Final = 30

_SIZE: Final[Size] = (960, 540)
_OBJECT_PX: Final = 200.0
_CENTRE: Final = (480.0, 270.0)
_BAND_PX: Final = 12
"""What the hand paints around the object to say that it ends there."""

_MOTIONS: Final[dict[str, Callable[[int], Transform]]] = {
    "translate": translating((300.0, 240.0), (6.0, 1.5)),
    "affine": turning(_CENTRE),
    "scale": growing(_CENTRE),
}
_CUT_AT: Final = 5
_BAR_PX: Final = 300
_BAR_BEGIN_PX: Final = 340
_BAR_STEP_PX: Final = 20


def bench_speed(size: Size = FULL_HD, *, steps: int = STEPS) -> dict[str, Any]:
    """Carry an edit of EDIT_PX a side over frames of (width, height); making the frames is left out.

    propagate_fps: of wall time, the fixed beginning left out. propagate_step_ms, propagate_cpu_ms: medians a frame, of
    wall and of the process's CPU time.
    """
    # A wavy disc is at most its own diameter wide and high.
    moving = MovingObject(size, EDIT_PX, translating((size[0] / 3, size[1] / 2), (5.0, 1.0)), seed=5)
    source = _Clocked(shown.frame for shown in moving.frames(range(steps + 1)))
    wall_ms, cpu_ms, peak_mb = list[float](), list[float](), rss_mb()
    carried = propagate(_edit(next(moving.frames(range(1))).mask, band_px=0), source)
    for _ in range(steps):
        source.spent_s = source.cpu_s = 0.0
        started_s, cpu_s = time.perf_counter(), time.process_time()
        if next(carried).stopped is not None:
            break
        wall_ms.append(1000 * (time.perf_counter() - started_s - source.spent_s))
        cpu_ms.append(1000 * (time.process_time() - cpu_s - source.cpu_s))
        peak_mb = max(peak_mb, rss_mb())
    settled = wall_ms[1:] or wall_ms
    return {
        "propagate_fps": round(1000 * len(settled) / sum(settled), 1),
        "propagate_step_ms": round(median(settled), 2),
        "propagate_cpu_ms": round(median(cpu_ms[1:] or cpu_ms), 2),
        "propagate_size": f"{size[0]}x{size[1]}",
        "propagate_edit_px": EDIT_PX,
        "propagate_steps": len(wall_ms),
        "rss_mb": peak_mb,
    }


def bench_truth() -> dict[str, Any]:
    """Carry the outline of an object that moves in known ways, is covered, and is cut away from.

    iou_after_30: of what the hand said is the object, with the true mask, after STEPS frames; 0 where the run ended
    before. by_motion: of each kind. cut_exact: whether runs onto a cut, forward and back, ended on the frame beyond it
    because of it. occlusion_weight_left: while something passes in front of the object until all of it is covered, the
    largest share of the edit's weight that ever lies on what covers it.
    """
    by_motion = {name: round(_iou_after(motion), 4) for name, motion in _MOTIONS.items()}
    return {
        "iou_after_30": min(by_motion.values()),
        "iou_by_motion": by_motion,
        "cut_exact": _stops_at_cut(range(2 * _CUT_AT)) and _stops_at_cut(range(2 * _CUT_AT - 1, -1, -1)),
        "occlusion_weight_left": round(_weight_left(), 4),
    }


def _iou_after(motion: Callable[[int], Transform]) -> float:
    shown = list(MovingObject(_SIZE, _OBJECT_PX, motion, seed=3).frames(range(STEPS + 1)))
    items = list(propagate(_edit(shown[0].mask), (one.frame for one in shown)))
    last = next((item for item in items if item.pts == STEPS and item.placed is not None), None)
    if last is None or last.placed is None:
        return 0.0
    planes = last.placed.on(_SIZE)
    return _iou((planes.value >= 128) & (planes.weight > 0), shown[-1].mask >= 128)


def _iou(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float(np.count_nonzero(one & other) / max(1, np.count_nonzero(one | other)))


def _edit(mask: Alpha8, *, band_px: int = _BAND_PX) -> Planes:
    """What a hand paints that knows the mask: the object's alpha, over the object and a band around it."""
    side = 2 * band_px + 1
    weight = np.where(cv2.dilate(mask, np.ones((side, side), np.uint8)) > 0, 255, 0).astype(np.uint8)
    return Planes(np.where(weight > 0, mask, 0).astype(np.uint8), weight)


def _stops_at_cut(order: Sequence[int]) -> bool:
    """Two scenes, one after the other, gone through in an order of their frames."""
    scenes = [
        MovingObject(_SIZE, _OBJECT_PX, translating(_CENTRE, (2.0, 0.0)), seed=seed).frames(numbers)
        for seed, numbers in ((21, range(_CUT_AT)), (22, range(_CUT_AT, 2 * _CUT_AT)))
    ]
    shown = [one for scene in scenes for one in scene]
    end = list(propagate(_edit(shown[order[0]].mask), (shown[number].frame for number in order)))[-1]
    beyond = _CUT_AT if order[0] < _CUT_AT else _CUT_AT - 1
    return end.stopped is StopReason.SCENE_CUT and end.pts == beyond


def _weight_left() -> float:
    scenes = list(_covered())
    before = _edit(scenes[0].shown.mask)
    items = {item.pts: item for item in propagate(before, (one.shown.frame for one in scenes))}
    return max(_share_on(items.get(one.shown.frame.pts), one.is_bar, before) for one in scenes)


def _share_on(item: Propagated | None, where: npt.NDArray[np.bool_], before: Planes) -> float:
    if item is None or item.placed is None:
        return 0.0
    return float(item.placed.on(_SIZE).weight[where].sum(dtype=np.int64) / before.weight.sum(dtype=np.int64))


@dataclass(frozen=True, slots=True)
class _Covered:
    """A frame, its object's true mask were it not covered, and where (H, W) the bar is in front."""

    shown: Shown
    is_bar: npt.NDArray[np.bool_]


def _covered() -> Iterator[_Covered]:
    """An object that stands still, and a bar as high as the picture that moves in front of it, until it is hidden."""
    still = MovingObject(_SIZE, _OBJECT_PX, lambda _: placed(_CENTRE), seed=9)
    coat = texture((_BAR_PX, _SIZE[1]), np.random.default_rng(31))
    hidden_px = round(_CENTRE[0] + _OBJECT_PX)
    for shown in still.frames(range((hidden_px - _BAR_BEGIN_PX) // _BAR_STEP_PX + 1)):
        right = _BAR_BEGIN_PX + _BAR_STEP_PX * shown.frame.index
        left = max(0, right - _BAR_PX)
        pixels, is_bar = shown.frame.pixels.copy(), np.zeros(_SIZE[::-1], bool)
        pixels[:, left:right] = coat[:, : right - left]
        is_bar[:, left:right] = True
        yield _Covered(replace(shown, frame=replace(shown.frame, pixels=pixels)), is_bar)


class _Clocked(Iterator[Frame]):
    """Frames, and the time that making them took: spent_s of wall and cpu_s of CPU time."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = iter(frames)
        self.spent_s = self.cpu_s = 0.0

    def __next__(self) -> Frame:
        started_s, cpu_s = time.perf_counter(), time.process_time()
        try:
            return next(self._frames)
        finally:
            self.spent_s += time.perf_counter() - started_s
            self.cpu_s += time.process_time() - cpu_s
