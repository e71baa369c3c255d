"""A chroma key: distance from the key colour in the CbCr plane, with a soft edge."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import levels
from app.domain.frame import Alpha, Pixels

Rgb = tuple[int, int, int]
"""sRGB-encoded 0..255."""

_BORDER = 1 / 16
"""How much of the frame, along its top and sides, shows the screen and not the person."""


def key_alpha(pixels: Pixels, key: Rgb, *, clear: float, solid: float) -> Alpha:
    """Coverage by distance from the key: 0 up to `clear`, 1 from `solid` on.

    pixels (H, W, 3) uint8 -> (H, W) float32. Distances are in 8-bit steps of the CbCr plane (BT.601), so
    brightness, and with it shadow on the screen, hardly counts. ValueError unless 0 <= clear < solid.
    """
    if not 0 <= clear < solid:
        raise ValueError(f"a key needs 0 <= clear < solid, got {clear} and {solid}")
    chroma = _chroma(pixels) - _chroma(np.array([[key]], np.uint8))
    return levels(np.asarray(cv2.magnitude(chroma[..., 0], chroma[..., 1]), np.float32), clear, solid)


def screen_colour(pixels: Pixels) -> Rgb:
    """The likely key: the median colour along the frame's top and sides."""
    height, width = pixels.shape[:2]
    rows, columns = max(1, round(height * _BORDER)), max(1, round(width * _BORDER))
    rim = [pixels[:rows], pixels[:, :columns], pixels[:, -columns:]]
    red, green, blue = np.median(np.concatenate([part.reshape(-1, 3) for part in rim]), axis=0)
    return round(float(red)), round(float(green)), round(float(blue))


def _chroma(pixels: Pixels) -> npt.NDArray[np.float32]:
    """(H, W, 3) uint8 RGB -> (H, W, 2) float32 Cr, Cb."""
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb))[..., 1:].astype(np.float32)
