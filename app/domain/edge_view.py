"""A matte shown over its picture: where its edge runs, and what it leaves out."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Rgb, as_uint8, blend, solid_plate
from app.domain.frame import Alpha8, Pixels

_EDGE_RGB: Final[Rgb] = (255, 60, 172)
"""Neither skin nor hair nor any usual wall."""

_OUTSIDE: Final = 0.35


def edges_over(pixels: Pixels, alpha: Alpha8) -> Pixels:
    """The picture (H, W, 3) with the background dimmed and the matte's soft edge coloured by how soft it is.

    alpha (H, W): half coverage is coloured most, full and no coverage not at all.
    """
    size = (pixels.shape[1], pixels.shape[0])
    dim = as_uint8(cv2.convertScaleAbs(pixels, alpha=_OUTSIDE))
    shown = blend(pixels, dim, alpha)
    softness = as_uint8(255 - cv2.convertScaleAbs(alpha.astype(np.int16) * 2 - 255))
    line = as_uint8(cv2.max(softness, _outline(alpha)))
    return blend(solid_plate(size, _EDGE_RGB), shown, line)


def _outline(alpha: Alpha8) -> Alpha8:
    """A line one pixel wide where a hard edge has no soft one."""
    inside = cv2.threshold(alpha, 127, 255, cv2.THRESH_BINARY)[1]
    return as_uint8(cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))
