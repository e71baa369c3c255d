"""A mask moved along with the picture, for frames in which nobody is looked for."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from app.domain.cells import grid_for, resample, shrink
from app.domain.compositing import as_uint8
from app.domain.frame import Alpha, Pixels
from app.domain.steadiness import carry, is_cut

MAX_MISS_LEVELS: Final = 12.0
"""Where the person was carried to, the picture looks as it did but for so much, in levels of 255, on average."""

_PERSON: Final = 0.05


def carried_alpha(coarse: Alpha, before: Pixels, now: Pixels) -> Alpha | None:
    """A coarse alpha, (h, w), moved along with the picture, from one frame's pixels (H, W, 3) to another's.

    None where it can't be: at a cut, or when the picture under the moved alpha is another one than before.
    """
    grid = grid_for(now.shape[1], now.shape[0])
    luma, last_luma = (as_uint8(cv2.cvtColor(shrink(p, grid.size), cv2.COLOR_RGB2GRAY)) for p in (now, before))
    if is_cut(last_luma, luma):
        return None
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST).calc(
        luma, last_luma, np.empty(0, np.float32)
    )
    memory = np.dstack((resample(coarse, grid.size), last_luma.astype(np.float32)))
    alpha, looked = (np.asarray(part, np.float32) for part in cv2.split(carry(memory, np.asarray(flow, np.float32))))
    return alpha if _miss_levels(looked, luma, alpha) <= MAX_MISS_LEVELS else None


def _miss_levels(carried: Alpha, luma: Pixels, alpha: Alpha) -> float:
    """How far the carried picture is from the new one where the person is said to be; 0 where nobody is."""
    person = (alpha > _PERSON).astype(np.uint8)
    return float(cv2.mean(cv2.absdiff(carried, luma.astype(np.float32)), person)[0])
