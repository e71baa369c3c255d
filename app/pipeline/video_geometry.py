"""Upright, square-pixel pictures from the way a file stores them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

import cv2
import numpy as np

from app.domain.frame import Pixels

MAX_PIXEL_ASPECT: Final = 4
"""Pixel shapes beyond 4:1 are damage, not anamorphic video (DV, HDV and SVCD stay below 1.5)."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture becomes upright: transpose first, then mirror left-right, then top-bottom."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def rotation_deg(self) -> int:
        """Clockwise turn in degrees (0, 90, 180, 270), a mirror image counted by its turn alone."""
        if self.transpose:
            return 90 if self.mirror_x else 270
        return 180 if self.mirror_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Upright (width, height) of a picture stored as width x height."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, pixels: Pixels) -> Pixels:
        """Turn a stored picture upright; the same array when nothing has to be done."""
        if self.transpose:
            pixels = cast("Pixels", cv2.transpose(pixels))
        if self.mirror_x or self.mirror_y:
            code = -1 if self.mirror_x and self.mirror_y else int(self.mirror_x)
            pixels = cast("Pixels", cv2.flip(pixels, code))
        return pixels


def orientation_from_matrix(data: bytes) -> Orientation:
    """Orientation from FFmpeg's display matrix: nine int32, row-major, 16.16 fixed point.

    The matrix maps stored (x, y) to shown (a x + c y, b x + d y) with (a, b) its first row and (c, d) its
    second. Angles between the quarter turns go to the nearest one.
    """
    a, b, _, c, d = (int(value) for value in np.frombuffer(data, np.int32, 5))
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)


def square_pixel_size(width: int, height: int, aspect: Fraction) -> tuple[int, int]:
    """(width, height) in square pixels for pixels `aspect` times as wide as tall; never shrinks a side.

    An even side stays even, so that 720x480 at 32:27 becomes 854x480 and not 853.
    """
    if not Fraction(1, MAX_PIXEL_ASPECT) <= aspect <= MAX_PIXEL_ASPECT:
        return width, height
    if aspect >= 1:
        return _scaled(width, aspect), height
    return width, _scaled(height, 1 / aspect)


def _scaled(side: int, factor: Fraction) -> int:
    unit = 2 if side % 2 == 0 else 1
    return max(side, unit * round(side * factor / unit))


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale `pixels` to (width, height) `size`; the same array when it has that size already."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    shrinking = size[0] < width or size[1] < height
    interpolation = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cast("Pixels", cv2.resize(pixels, size, interpolation=interpolation))
