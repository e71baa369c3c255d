"""Whether anything moves in a picture, cheaply."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Pixels

Glance = npt.NDArray[np.float32]
"""(18, 32) float32: mean luma of blocks, levels of 255."""

_BLOCKS: Final = (32, 18)
_SAMPLES: Final = (160, 90)


def glance(pixels: Pixels) -> Glance:
    """What `change_levels` compares: a picture (H, W, 3) down to 32 x 18 blocks, whose mean hides sensor noise."""
    samples = cv2.resize(pixels, _SAMPLES, interpolation=cv2.INTER_NEAREST)
    luma = cv2.cvtColor(samples, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(luma.astype(np.float32), _BLOCKS, interpolation=cv2.INTER_AREA), np.float32)


def change_levels(one: Glance, other: Glance) -> float:
    """The largest change of any block, levels of 255: a moving finger is not averaged away by the wall."""
    return float(cv2.norm(one, other, cv2.NORM_INF))
