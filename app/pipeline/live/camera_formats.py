"""RGB pictures in the formats virtual cameras take as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, fit_plate
from app.domain.frame import Pixels

Packed = npt.NDArray[np.uint8]
"""A picture's bytes, C-contiguous, in the shape pyvirtualcam asks for: flat unless something else is said."""

_CHROMA: Final = np.array(
    [[-37.797 / 255, -74.203 / 255, 112.0 / 255, 128.0], [112.0 / 255, -93.786 / 255, -18.214 / 255, 128.0]]
)
"""BT.601 limited range, what readers of a virtual camera assume at every size; (Cb, Cr) of (R, G, B, 1)."""


def even(size: Size) -> Size:
    """The next smaller size with even sides, at least 2 x 2: chroma comes in pairs."""
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


def letterboxed(pixels: Pixels, size: Size) -> Pixels:
    """All of a picture, centred on black, at exactly `size`: (H, W, 3) -> (height, width, 3)."""
    return fit_plate(pixels, size, "contain")


def i420(pixels: Pixels) -> Packed:
    """(H, W, 3) uint8 sRGB RGB with even sides -> H * W * 3 / 2 bytes: Y, then Cb, then Cr at half size.

    BT.601, limited range. Chroma is the mean of 2 x 2 pixels; OpenCV's own conversion takes the upper left one,
    which makes coloured edges jagged.
    """
    chroma = _chroma(pixels, step=(2, 2))
    return np.concatenate([_luma(pixels).ravel(), chroma[..., 0].ravel(), chroma[..., 1].ravel()])


def nv12(pixels: Pixels) -> Packed:
    """As `i420`, but Cb and Cr take turns."""
    return np.concatenate([_luma(pixels).ravel(), _chroma(pixels, step=(2, 2)).ravel()])


def uyvy(pixels: Pixels) -> Packed:
    """(H, W, 3) uint8 with an even width -> H * W * 2 bytes: Cb Y Cr Y; chroma is the mean of 2 pixels in a row."""
    height, width = pixels.shape[:2]
    chroma = _chroma(pixels, step=(2, 1)).reshape(height, width)
    return cast("Packed", cv2.merge([chroma, _luma(pixels)]).ravel())


def rgba(pixels: Pixels) -> Packed:
    """(H, W, 3) uint8 -> (H, W, 4) uint8, opaque."""
    return cast("Packed", cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA))


CONVERTERS: Final[dict[str, Callable[[Pixels], Packed]]] = {
    "I420": i420,
    "NV12": nv12,
    "UYVY": uyvy,
    "RGBA": rgba,
    "RGB": np.ascontiguousarray,
}
"""By the names of pyvirtualcam's `PixelFormat`."""


def _luma(pixels: Pixels) -> Pixels:
    return cast("Pixels", cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)[: pixels.shape[0]])


def _chroma(pixels: Pixels, *, step: tuple[int, int]) -> Pixels:
    """(H, W, 3) -> (H / down, W / across, 2): Cb and Cr of the mean colour."""
    smaller = (pixels.shape[1] // step[0], pixels.shape[0] // step[1])
    # At exactly half a size, linear interpolation is the mean, and along one axis faster than the area average.
    return cast("Pixels", cv2.transform(cv2.resize(pixels, smaller, interpolation=cv2.INTER_LINEAR), _CHROMA))
