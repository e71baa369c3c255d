"""From arrays to Qt's images, at the size they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from PyQt6.QtGui import QImage

from app.domain.cells import shrunk_into
from app.domain.compositing import Size
from app.domain.edge_view import edges_over
from app.domain.frame import Pixels
from app.ui.choices import View

if TYPE_CHECKING:
    from app.pipeline.looks import Rendered

_PIXELS: Final[Mapping[View, Callable[[Rendered], Pixels]]] = {
    View.MATCHED: lambda rendered: rendered.composite,
    View.PASTED: lambda rendered: rendered.pasted,
    View.ORIGINAL: lambda rendered: rendered.frame.pixels,
    View.MATTE: lambda rendered: rendered.alpha,
    View.EDGES: lambda rendered: edges_over(rendered.frame.pixels, rendered.alpha),
}

PICTURES: Final = tuple(_PIXELS)
"""The views that are pictures; the others are made of two of them."""


def images_of(rendered: Rendered, size_px: Size, views: Iterable[View] = PICTURES) -> dict[View, QImage]:
    """Pictures of some views, at a size that fits into `size_px`; a view of two pictures is none of its own."""
    return {view: to_image(_PIXELS[view](rendered), size_px) for view in views}


def to_image(pixels: Pixels, size_px: Size) -> QImage:
    """(H, W, 3) or (H, W) uint8 -> an image of its own memory that fits into `size_px`; never enlarged."""
    pixels = shrunk_into(pixels, size_px)
    height, width = pixels.shape[:2]
    # Qt paints 32-bit BGRA as it lies in memory; RGB888 would be converted at every paint.
    image = QImage(width, height, QImage.Format.Format_RGB32)
    memory = image.bits()
    assert memory is not None  # noqa: S101  (it has just been allocated)
    bgra = np.asarray(memory.asarray(image.sizeInBytes())).reshape(height, width, 4)
    cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGRA if pixels.ndim == 2 else cv2.COLOR_RGB2BGRA, dst=bgra)
    return image
