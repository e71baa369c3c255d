"""How well and how fast hand corrections follow what moves, on synthetic clips whose masks are known.

A textured object moves over another texture that stands still; the model misses it altogether (alpha 0), the hand
paints it once, on the first frame. What counts is the corrected alpha, 30 frames on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size
from app.domain.frame import Alpha8, Frame, Pixels
from app.domain.mask.planes import Planes, corrected
from app.pipeline.mask.propagation import Propagated, StopReason, propagate
from app.pipeline.stats import median

Transform = npt.NDArray[np.float64]
"""(2, 3): where a point of the object, from its own centre, lies in the frame."""

STEPS: Final = 30
BENCH_SIZE: Final[Size] = (1920, 1080)
BENCH_OBJECT_PX: Final = 300.0
HALF_COVERAGE: Final = 128

_NOISE_LEVELS: Final = 2.0
_TEXTURE_PX: Final = 640


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame of a synthetic clip and the object's true mask, (H, W) uint8."""

    frame: Frame
    mask: Alpha8


@dataclass(frozen=True, slots=True)
class MovingObject:
    """A textured, wavy disc of `object_px` across that moves over a textured ground which stands still.

    motion: number of the frame -> Transform. seed: the same clip again for the same number.
    """

    size: Size
    object_px: float
    motion: Callable[[int], Transform]
    seed: int = 0

    def frames(self, numbers: Iterable[int]) -> Iterator[Shown]:
        """The frames of these numbers, which are their pts too at 30 frames/s, with a little sensor noise."""
        rng = np.random.default_rng(self.seed)
        ground = texture(self.size, rng)
        skin = texture((_TEXTURE_PX, _TEXTURE_PX), rng)
        for number in numbers:
            yield self._shown(number, ground, skin)

    def _shown(self, number: int, ground: Pixels, skin: Pixels) -> Shown:
        inverse = cv2.invertAffineTransform(self.motion(number))
        y, x = np.mgrid[: self.size[1], : self.size[0]].astype(np.float32)
        u = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]).astype(np.float32)
        v = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]).astype(np.float32)
        alpha = _wavy_disc(u, v, self.object_px / 2)[..., None]
        half = np.float32(_TEXTURE_PX / 2)
        coat = cv2.remap(skin, u + half, v + half, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noise = np.random.default_rng((self.seed, number)).normal(0, _NOISE_LEVELS, (*alpha.shape[:2], 3))
        pixels = np.clip(ground + alpha * (coat.astype(np.float32) - ground) + noise + 0.5, 0, 255).astype(np.uint8)
        return Shown(Frame(pixels, number, Fraction(1, 30), number), (alpha[..., 0] * 255 + 0.5).astype(np.uint8))


def texture(size: Size, rng: np.random.Generator) -> Pixels:
    """(H, W, 3) uint8: blotches from 60 px down to 3 px across, weaker the smaller, about one random colour."""
    width, height = size
    out = np.zeros((height, width, 3), np.float32) + rng.uniform(80, 176, 3).astype(np.float32)
    for blotch_px, strength in ((60, 40.0), (20, 28.0), (7, 20.0), (3, 10.0)):
        small = rng.uniform(-1, 1, (height // blotch_px + 2, width // blotch_px + 2, 3)).astype(np.float32)
        out += strength * cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(out, 0, 255).astype(np.uint8)


def _wavy_disc(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], radius_px: float) -> npt.NDArray[np.float32]:
    angle = np.arctan2(y, x)
    rim = radius_px * (0.88 + 0.08 * np.sin(3 * angle) + 0.04 * np.sin(5 * angle + 1))
    return np.asarray(np.clip(rim - np.hypot(x, y) + 0.5, 0, 1), np.float32)


def placed(centre: tuple[float, float], linear: npt.ArrayLike = ((1, 0), (0, 1))) -> Transform:
    """The transform that turns the object by a 2 x 2 matrix and puts its centre here."""
    return np.hstack([np.asarray(linear, np.float64), np.asarray(centre, np.float64)[:, None]])


def translating(start: tuple[float, float], step: tuple[float, float]) -> Callable[[int], Transform]:
    """By so many px a frame."""
    return lambda number: placed((start[0] + number * step[0], start[1] + number * step[1]))


def turning(centre: tuple[float, float], step: float = 1.0) -> Callable[[int], Transform]:
    """Rotation by so many degrees a frame while it shears by 0.004 times that."""

    def at(number: int) -> Transform:
        angle = np.radians(step * number)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return placed(centre, rotation @ np.array([[1, 0.004 * step * number], [0, 1]]))

    return at


def growing(centre: tuple[float, float], factor: float = 1.01) -> Callable[[int], Transform]:
    """Larger by this factor every frame."""
    return lambda number: placed(centre, np.eye(2) * factor**number)


def painted_as(shown: Shown) -> Planes:
    """The correction that a hand gives which paints the object exactly."""
    return Planes(np.where(shown.mask > 0, np.uint8(255), np.uint8(0)), shown.mask.copy())


def iou(one: Alpha8, other: Alpha8) -> float:
    """Intersection over union at half coverage; 1 for two empty ones."""
    mine, true = one >= HALF_COVERAGE, other >= HALF_COVERAGE
    union = np.count_nonzero(mine | true)
    return np.count_nonzero(mine & true) / union if union else 1.0


def corrected_iou(item: Propagated, shown: Shown) -> float:
    """How well the missed object is there again; 0 when the run has ended."""
    nothing = np.zeros_like(shown.mask)
    return 0.0 if item.placed is None else iou(corrected(nothing, item.placed.on(shown.frame.size)), shown.mask)


def motions(size: Size, object_px: float) -> dict[str, MovingObject]:
    """One clip a kind of motion; 3 px a frame for an object of 300."""
    middle, unit = (0.45 * size[0], 0.5 * size[1]), object_px / 300
    kinds = {
        "translate": translating((middle[0] - 45 * unit, middle[1] + 20 * unit), (3 * unit, -1.5 * unit)),
        "affine": turning(middle),
        "scale": growing(middle),
    }
    return {name: MovingObject(size, object_px, motion) for name, motion in kinds.items()}


def with_cut(shown: Iterable[Shown], at: int) -> Iterator[Frame]:
    """The frames, from number `at` on those of another scene."""
    for one in shown:
        frame = one.frame
        is_other = frame.index >= at
        yield replace(frame, pixels=texture(frame.size, np.random.default_rng(1000))) if is_other else frame


def with_occluder(shown: Iterable[Shown], *, width_px: int, step_px: int, from_px: int) -> Iterator[Shown]:
    """The frames with a textured bar moving over them from the left: its right edge at from_px + number * step_px."""
    for one in shown:
        pixels, mask = one.frame.pixels.copy(), one.mask.copy()
        bar = texture((width_px, pixels.shape[0]), np.random.default_rng(2000))
        right = min(from_px + one.frame.index * step_px, pixels.shape[1])
        left = max(right - width_px, 0)
        pixels[:, left:right] = bar[:, width_px - (right - left) :]
        mask[:, left:right] = 0
        yield Shown(replace(one.frame, pixels=pixels), mask)


def bench_propagation(
    *, steps: int = STEPS, size: Size = BENCH_SIZE, object_px: float = BENCH_OBJECT_PX
) -> dict[str, Any]:
    """Measure on frames that are decoded already, 1080p with an object of 300 px; the same each run but for the times.

    propagate_fps: frames a second of wall time, propagate_cpu_fps of the process's CPU time, by median; single: with
    OpenCV on one thread, default: on its own choice. iou_after_30: by motion. cut_exact: whether a run over a cut
    ended on the cut's first frame. occlusion_weight_left: part of the edit's weight that is left on the
    frame where something else covers it altogether.
    """
    clips = {name: list(clip.frames(range(steps + 1))) for name, clip in motions(size, object_px).items()}
    threads = cv2.getNumThreads()
    figures: dict[str, Any] = {"steps": steps, "size": list(size), "edit_px": object_px}
    try:
        for name, count in (("single", 1), ("default", threads)):
            cv2.setNumThreads(count)
            figures[name] = _speed(clips["translate"])
    finally:
        cv2.setNumThreads(threads)
    figures["propagate_fps"] = figures["default"]["propagate_fps"]
    figures["iou_after_30"] = {name: round(_end_iou(shown), 4) for name, shown in clips.items()}
    figures["cut_exact"] = _cut_is_exact(clips["translate"], at=min(5, steps))
    figures["occlusion_weight_left"] = round(_left_when_covered(), 4)
    return figures


def _speed(shown: list[Shown]) -> dict[str, float]:
    wall_s, cpu_s = [], []
    run = propagate(painted_as(shown[0]), (one.frame for one in shown))
    for _ in range(len(shown) - 1):
        before, cpu_before = time.perf_counter(), time.process_time()
        next(run)
        wall_s.append(time.perf_counter() - before)
        cpu_s.append(time.process_time() - cpu_before)
    run.close()
    wall, cpu = median(wall_s), median(cpu_s)
    return {
        "propagate_fps": round(1 / wall, 1),
        "propagate_cpu_fps": round(1 / cpu, 1),
        "step_ms": round(1000 * wall, 2),
        "step_cpu_ms": round(1000 * cpu, 2),
    }


def _end_iou(shown: list[Shown]) -> float:
    items = [item for item in propagate(painted_as(shown[0]), (one.frame for one in shown)) if item.placed is not None]
    return corrected_iou(items[-1], shown[-1]) if len(items) == len(shown) - 1 else 0.0


def _cut_is_exact(shown: list[Shown], *, at: int) -> bool:
    *written, last = propagate(painted_as(shown[0]), with_cut(shown, at))
    return last.stopped is StopReason.SCENE_CUT and last.pts == at and [item.pts for item in written] == [*range(1, at)]


def _left_when_covered() -> float:
    still = MovingObject((960, 540), 180, lambda _: placed((520, 270)))
    shown = list(with_occluder(still.frames(range(40)), width_px=400, step_px=8, from_px=400))
    covered = next(one.frame.pts for one in shown if not one.mask.any())
    painted_sum = float(shown[0].mask.sum())
    items = propagate(painted_as(shown[0]), (one.frame for one in shown))
    weights = {item.pts: float(item.placed.planes.weight.sum()) for item in items if item.placed is not None}
    return weights.get(covered, 0.0) / painted_sum
