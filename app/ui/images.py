"""From arrays to Qt's images, at the size they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from PyQt6.QtGui import QImage

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Pixels
from app.ui.choices import View

if TYPE_CHECKING:
    from app.pipeline.stages import Rendered


def images_of(rendered: Rendered, size_px: Size) -> dict[View, QImage]:
    """A picture of every view at a size that fits into `size_px`; Split shows two of them at once."""
    views = {
        View.MATCHED: rendered.composite,
        View.PASTED: rendered.pasted,
        View.ORIGINAL: rendered.frame.pixels,
        View.MATTE: rendered.alpha,
    }
    return {view: to_image(pixels, size_px) for view, pixels in views.items()}


def to_image(pixels: Pixels, size_px: Size) -> QImage:
    """(H, W, 3) or (H, W) uint8 -> an image of its own memory that fits into `size_px`; never enlarged."""
    height, width = pixels.shape[:2]
    scale = min(size_px[0] / width, size_px[1] / height, 1.0)
    if scale < 1.0:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = as_uint8(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    code = cv2.COLOR_GRAY2BGRA if pixels.ndim == 2 else cv2.COLOR_RGB2BGRA
    # Qt paints 32-bit BGRA as it lies in memory; RGB888 would be converted at every paint.
    bgra = np.ascontiguousarray(cv2.cvtColor(pixels, code))
    height, width = bgra.shape[:2]
    image = QImage(bgra.tobytes(), width, height, 4 * width, QImage.Format.Format_RGB32)
    return image.copy()  # the array's memory is not Qt's to keep
