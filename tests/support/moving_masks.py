"""Small clips of moving textured objects whose masks are known, and corrections painted on them."""

from functools import lru_cache

import numpy as np

from app.domain.mask.planes import Planes
from app.pipeline.bench.mask_propagation import MovingObject, motions, painted_as, placed

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


__all__ = ["OBJECT_PX", "SIZE", "dot", "edge_edit", "moving", "painted_as", "pictures", "still"]
