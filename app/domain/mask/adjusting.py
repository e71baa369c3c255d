"""Adjustments of the model's alpha that can be changed at any time: levels, grow or shrink, feather."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from app.domain.alpha import feather, from_u8, grow, levels, to_u8
from app.domain.compositing import as_uint8
from app.domain.frame import Alpha8
from app.domain.mask.planes import box_of
from app.domain.setting_kinds import kinds_of, number

LEVEL: Final = (0.0, 1.0)
MAX_GROW_PX: Final = 30.0
MAX_FEATHER_PX: Final = 50.0
"""Limits of the settings; the edge moves outward or inward by at most MAX_GROW_PX."""

LEAST_SPAN: Final = 1 / 255
"""From low to high at least: one level apart is a threshold."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """Applied in this order. low, high: alpha that becomes 0 and 1; high is at least LEAST_SPAN more than low.

    grow_px: the edge moves outward by so much, inward when negative. feather_px: softens over so much. The defaults
    change nothing. ValueError outside the limits.
    """

    low: float = number(
        0.0, "Black point", "Up to here all is background", low=LEVEL[0], high=LEVEL[1], step=0.01, unit="%"
    )
    high: float = number(
        1.0, "White point", "From here on all is foreground", low=LEVEL[0], high=LEVEL[1], step=0.01, unit="%"
    )
    grow_px: float = number(
        0.0,
        "Grow",
        "Moves the edge outward, inward when negative",
        low=-MAX_GROW_PX,
        high=MAX_GROW_PX,
        step=0.5,
        unit="px",
    )
    feather_px: float = number(0.0, "Feather", "Softens the edge", low=0, high=MAX_FEATHER_PX, step=0.5, unit="px")

    def __post_init__(self) -> None:
        """Refuse what is out of range, and levels the wrong way round."""
        for name, kind in kinds_of(type(self)).items():
            if not kind.accepts(getattr(self, name)):
                raise ValueError(f"{name} out of range: {getattr(self, name)}")
        # Not to the last bit: a black point of 0.3 and a white point a level above must do.
        if self.high - self.low < LEAST_SPAN - 1e-9:
            raise ValueError(f"levels need low < high, got {self.low} and {self.high}")

    @property
    def changes_nothing(self) -> bool:
        """Whether every alpha stays as it is."""
        return self == Adjustment()


def adjusted(alpha8: Alpha8, adjustment: Adjustment) -> Alpha8:
    """The alpha after the adjustment, (H, W) uint8; the same array where it changes nothing."""
    if adjustment.changes_nothing:
        return alpha8
    levelled = alpha8
    if (adjustment.low, adjustment.high) != LEVEL:
        every = from_u8(np.arange(256, dtype=np.uint8))
        levelled = as_uint8(cv2.LUT(alpha8, to_u8(levels(every, adjustment.low, adjustment.high))))
    if adjustment.grow_px == 0 and adjustment.feather_px == 0:
        return levelled
    # Nothing happens further than this from the foreground, which is a part of the frame.
    reach = math.ceil(abs(adjustment.grow_px)) + math.ceil(2 * adjustment.feather_px) + 2
    core, result = box_of(levelled), np.zeros_like(alpha8)
    if not core.is_empty:
        box = core.grown(reach).within((alpha8.shape[1], alpha8.shape[0]))
        part = np.ascontiguousarray(levelled[box.rows_columns])
        result[box.rows_columns] = feather(grow(part, adjustment.grow_px), adjustment.feather_px)
    return result
