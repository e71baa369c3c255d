"""Little pictures along the timeline: which frames they are of, and the bounded number that is kept."""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import OrderedDict
from typing import Final, NamedTuple

from PyQt6.QtCore import QRectF
from PyQt6.QtGui import QImage

from app.domain.mask.timeline_marks import Marks, Scale

KEPT: Final = 240
"""Thumbnails kept: six times what a window of 1120 px shows, 4 MB at 82 x 46 px."""


class Tile(NamedTuple):
    """A place for a thumbnail: from x_px, width_px wide, for the frame at pts."""

    x_px: float
    width_px: float
    pts: int


def tiles(marks: Marks, scale: Scale, width_px: float, *, tile_px: float) -> list[Tile]:
    """The places in sight, left to right, each half to once tile_px wide.

    They lie at multiples of a power of two ticks from the clip's start: scrolling moves them along, and zooming asks
    for others only once in a doubling.
    """
    if len(marks) == 0 or tile_px <= 0:
        return []
    start, end = int(marks.pts[0]), marks.end_pts
    spacing = 2.0 ** math.floor(math.log2(tile_px * scale.ticks_per_px))
    low = max(0, math.floor((scale.pts_at(0) - start) / spacing))
    high = math.ceil((min(scale.pts_at(width_px), end) - start) / spacing)
    places = []
    for number in range(low, high):
        left, right = start + number * spacing, min(start + (number + 1) * spacing, end)
        x = scale.x_of(left)
        places.append(Tile(x, scale.x_of(right) - x, marks.frame_at(left)))
    return places


def cropped(image: QImage, width: float, height: float) -> QRectF:
    """The middle of a picture, in its pixels, that has the shape of a place."""
    share = min(1.0, (width / height) * image.height() / max(1, image.width()))
    taken = share * image.width()
    return QRectF(round((image.width() - taken) / 2), 0, taken, image.height())


class Thumbnails:
    """At most KEPT pictures by pts; those not looked at for longest go first."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._images: OrderedDict[int, QImage] = OrderedDict()
        self._order: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def __contains__(self, pts: int) -> bool:
        return pts in self._images

    def clear(self) -> None:
        """Keep none."""
        self._images.clear()
        self._order.clear()

    def put(self, pts: int, image: QImage) -> None:
        """Keep a frame's picture."""
        if pts not in self._images:
            insort(self._order, pts)
        self._images[pts] = image
        self._images.move_to_end(pts)
        while len(self._images) > self._kept:
            oldest, _ = self._images.popitem(last=False)
            del self._order[bisect_left(self._order, oldest)]

    def near(self, pts: int, within: float) -> QImage | None:
        """The frame's picture, or until it comes that of the nearest one no further than `within` ticks."""
        if not self._order:
            return None
        place = bisect_left(self._order, pts)
        nearest = min(self._order[max(0, place - 1) : place + 1], key=lambda other: abs(other - pts))
        if abs(nearest - pts) > within:
            return None
        self._images.move_to_end(nearest)
        return self._images[nearest]
