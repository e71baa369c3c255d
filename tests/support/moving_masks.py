"""Small clips of moving textured objects whose masks are known, and corrections painted on them."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from app.domain.mask.planes import Planes, corrected
from app.pipeline.bench.moving_objects import MovingObject, growing, placed, texture, translating, turning

SIZE = (300, 220)
OBJECT_PX = 120.0


@lru_cache(maxsize=8)
def moving(kind, count=31):
    """Frames and masks of one kind of motion: translate, affine or scale."""
    return tuple(motions(SIZE, OBJECT_PX)[kind].frames(range(count)))


def still(count, *, size=SIZE, object_px=OBJECT_PX, seed=0):
    """An object that stands in the middle."""
    clip = MovingObject(size, object_px, lambda _: placed((size[0] / 2, size[1] / 2)), seed)
    return list(clip.frames(range(count)))


def pictures(shown):
    return [one.frame for one in shown]


def dot(size, x, y):
    """A correction of one pixel."""
    planes = Planes.empty(size)
    planes.value[y, x] = planes.weight[y, x] = 255
    return planes


def edge_edit(shown, margin_px=24):
    """The object painted in, and the ground around it painted out."""
    near = np.zeros_like(shown.mask)
    y, x = np.nonzero(shown.mask)
    rows = slice(max(0, y.min() - margin_px), y.max() + margin_px)
    near[rows, max(0, x.min() - margin_px) : x.max() + margin_px] = 255
    return Planes(np.minimum(shown.mask, near), near)


def painted_as(shown):
    """The correction that a hand gives which paints the object exactly."""
    return Planes(np.where(shown.mask > 0, np.uint8(255), np.uint8(0)), shown.mask.copy())


def iou(one, other):
    """Intersection over union at half coverage; 1 for two empty ones."""
    mine, true = one >= 128, other >= 128
    union = np.count_nonzero(mine | true)
    return np.count_nonzero(mine & true) / union if union else 1.0


def corrected_iou(item, shown):
    """How well the missed object is there again; 0 when the run has ended."""
    nothing = np.zeros_like(shown.mask)
    return 0.0 if item.placed is None else iou(corrected(nothing, item.placed.on(shown.frame.size)), shown.mask)


def motions(size, object_px):
    """One clip a kind of motion; 3 px a frame for an object of 300."""
    middle, unit = (0.45 * size[0], 0.5 * size[1]), object_px / 300
    kinds = {
        "translate": translating((middle[0] - 45 * unit, middle[1] + 20 * unit), (3 * unit, -1.5 * unit)),
        "affine": turning(middle),
        "scale": growing(middle),
    }
    return {name: MovingObject(size, object_px, motion) for name, motion in kinds.items()}


def with_cut(shown, at):
    """The frames, from number `at` on those of another scene."""
    for one in shown:
        frame = one.frame
        is_other = frame.index >= at
        yield replace(frame, pixels=texture(frame.size, np.random.default_rng(1000))) if is_other else frame


def with_occluder(shown, *, width_px, step_px, from_px):
    """The frames with a textured bar moving over them from the left: its right edge at from_px + number * step_px."""
    for one in shown:
        pixels, mask = one.frame.pixels.copy(), one.mask.copy()
        bar = texture((width_px, pixels.shape[0]), np.random.default_rng(2000))
        right = min(from_px + one.frame.index * step_px, pixels.shape[1])
        left = max(right - width_px, 0)
        pixels[:, left:right] = bar[:, width_px - (right - left) :]
        mask[:, left:right] = 0
        yield replace(one, frame=replace(one.frame, pixels=pixels), mask=mask)
