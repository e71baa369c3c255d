"""A hand's correction of one frame's matte, as two full planes, and how it meets the model's alpha."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from app.domain.compositing import Size
from app.domain.frame import Alpha8


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels from (x0, y0) up to, not including, (x1, y1)."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.x1 <= self.x0 or self.y1 <= self.y0

    @property
    def size(self) -> Size:
        """(width, height) in px."""
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def rows_columns(self) -> tuple[slice, slice]:
        """Index of the box in an (H, W, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def united(self, other: Box) -> Box:
        """The smallest box around both; an empty one adds nothing."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Box(min(self.x0, other.x0), min(self.y0, other.y0), max(self.x1, other.x1), max(self.y1, other.y1))

    def grown(self, by_px: int) -> Box:
        """Larger by so much on every side."""
        return Box(self.x0 - by_px, self.y0 - by_px, self.x1 + by_px, self.y1 + by_px)

    def within(self, size: Size) -> Box:
        """What of it lies in a picture of this size; empty boxes become NOWHERE."""
        box = Box(max(self.x0, 0), max(self.y0, 0), min(self.x1, size[0]), min(self.y1, size[1]))
        return NOWHERE if box.is_empty else box


NOWHERE = Box(0, 0, 0, 0)


def everywhere(size: Size) -> Box:
    """The box of a whole picture (width, height)."""
    return Box(0, 0, *size)


def box_of(coverage: Alpha8) -> Box:
    """The smallest box around all that is not 0."""
    x, y, width, height = cv2.boundingRect(coverage)
    return Box(x, y, x + width, y + height) if width else NOWHERE


@dataclass(frozen=True, slots=True)
class Planes:
    """value (H, W) uint8: the alpha the hand gave; weight (H, W) uint8: how far it counts, 255 altogether.

    Where the weight is 0 the value means nothing and is 0.
    """

    value: Alpha8
    weight: Alpha8

    @classmethod
    def empty(cls, size: Size) -> Self:
        """No correction of a frame of (width, height)."""
        width, height = size
        return cls(np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8))

    @property
    def size(self) -> Size:
        """(width, height) in px."""
        height, width = self.weight.shape
        return width, height

    def at(self, box: Box) -> Planes:
        """The part in a box: views, no copies."""
        return Planes(self.value[box.rows_columns], self.weight[box.rows_columns])

    def copy(self) -> Planes:
        """Planes of their own."""
        return Planes(self.value.copy(), self.weight.copy())


def corrected(alpha: Alpha8, planes: Planes) -> Alpha8:
    """The final alpha: from the model's to the hand's value by the weight; (h, w) uint8 each, the nearest level."""
    weight = planes.weight.astype(np.uint16)
    mixed = alpha * (255 - weight) + planes.value * weight  # At most 65025: uint16 holds it.
    return np.asarray((mixed + 127) // 255, np.uint8)


def painted(planes: Planes, coverage: Alpha8, value: int | Alpha8) -> Planes:
    """The planes after paint of a value, one or (h, w) uint8, was laid over them; coverage (h, w) uint8.

    Whatever the model's alpha, `corrected` then gives the earlier result moved towards `value` by the coverage: the
    two planes are composited as a straight colour and its alpha are (Porter and Duff's "over").
    """
    s, w = coverage.astype(np.float32) / 255, planes.weight.astype(np.float32) / 255
    weight = s + w * (1 - s)
    mixed = s * value + (1 - s) * w * planes.value
    with np.errstate(invalid="ignore", divide="ignore"):
        new = np.where(weight > 0, mixed / weight, 0)
    weight8 = np.rint(255 * weight).astype(np.uint8)
    return _normal(np.rint(new).astype(np.uint8), weight8)


def restored(planes: Planes, coverage: Alpha8) -> Planes:
    """The planes with the hand's say taken back by the coverage; where all of it is, the model's alpha shows again."""
    left = planes.weight.astype(np.uint16) * (255 - coverage.astype(np.uint16))
    return _normal(planes.value.copy(), ((left + 127) // 255).astype(np.uint8))


def _normal(value: Alpha8, weight: Alpha8) -> Planes:
    value[weight == 0] = 0
    return Planes(value, weight)
