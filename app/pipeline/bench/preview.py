"""What the window makes of a finished picture before it shows it."""

from __future__ import annotations

from typing import Final

import cv2

from app.domain.cells import shrunk_into
from app.domain.compositing import Size, as_uint8
from app.domain.frame import Pixels

WINDOW_PREVIEW_PX: Final[Size] = (952, 519)
"""What the preview of a window of the default size, 1280 x 800, has room for."""


def to_bgra(pixels: Pixels, room: Size) -> Pixels:
    """(H, W, 3) -> (h, w, 4) that fits into `room`, as the window's display thread makes it; never enlarged."""
    return as_uint8(cv2.cvtColor(shrunk_into(pixels, room), cv2.COLOR_RGB2BGRA))
