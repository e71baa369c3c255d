"""How often each level occurs in a picture, for showing, not for computing with."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha8, Pixels

LEVELS: Final = 256

Histogram = npt.NDArray[np.float32]
"""(256, 3) float32: the share of pixels at each level, for red, green and blue."""

_LOOKED_AT: Final = 16_000
"""Pixels that are counted: enough for a curve of 256 levels that is smoothed afterwards."""

_KERNEL: Final = np.array([1, 2, 3, 4, 3, 2, 1], np.float32).reshape(-1, 1) / 16
_HALF: Final = 128


def histogram(pixels: Pixels, alpha: Alpha8 | None = None) -> Histogram:
    """Count levels in a regular sample of the picture, lightly smoothed; every channel sums to 1.

    pixels: (H, W, 3) uint8 RGB. alpha: (H, W) uint8, of which only pixels covered by half or more are counted; None
    counts all. All zeros where nothing is counted. ValueError when the shapes don't belong together.
    """
    if alpha is not None and alpha.shape != pixels.shape[:2]:
        raise ValueError(f"alpha {alpha.shape} is not of the picture {pixels.shape[:2]}")
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // _LOOKED_AT))
    sample = np.ascontiguousarray(pixels[::step, ::step])
    mask = None if alpha is None else (alpha[::step, ::step] >= _HALF).astype(np.uint8)
    counted = sample.shape[0] * sample.shape[1] if mask is None else int(np.count_nonzero(mask))
    if not counted:
        return np.zeros((LEVELS, 3), np.float32)
    counts = [cv2.calcHist([sample], [channel], mask, [LEVELS], [0, LEVELS]) for channel in range(3)]
    # Levels mirrored at the ends: what is clipped to black or white stays where it is.
    smooth = cv2.filter2D(np.hstack(counts), -1, _KERNEL, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth / counted, np.float32)
