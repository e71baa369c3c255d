"""One picture and its moment."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(H, W, 3) uint8, sRGB-encoded RGB, row-major."""

Alpha = npt.NDArray[np.float32]
"""(H, W) float32 coverage in [0, 1]; 1 is foreground."""

Alpha8 = npt.NDArray[np.uint8]
"""(H, W) uint8 coverage, 0..255; the hot path's form of `Alpha`."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A decoded picture with the source's own clock.

    pixels: (H, W, 3) uint8 sRGB RGB, upright; read-only by construction.
    pts: presentation time in ticks of `time_base`, from the source, never wall time.
    index: 0-based position in decode order; a gap means dropped frames.
    """

    pixels: Pixels
    pts: int
    time_base: Fraction
    index: int

    def __post_init__(self) -> None:
        """Freeze the pixels too: every later stage makes its own copy or reads."""
        self.pixels.setflags(write=False)

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return float(self.pts * self.time_base)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px."""
        height, width = self.pixels.shape[:2]
        return width, height
