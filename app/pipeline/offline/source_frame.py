"""A frame on its way through a delivery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.domain.frame import Frame


@dataclass(frozen=True, slots=True, eq=False)
class SourceFrame:
    """A clip's frame. deep: the same (H, W, 3) uint16 0..65535, upright, of the frame's size; None at 8 bits."""

    frame: Frame
    deep: npt.NDArray[np.uint16] | None
