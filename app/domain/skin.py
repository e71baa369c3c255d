"""Keeping faces from turning blue: how far a colour curve may change the hue of skin."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha8, Pixels

Colour = npt.NDArray[np.float64]
"""(3,) float64: R, G, B in [0, 1]."""

Lut = npt.NDArray[np.float64]
"""(3, 256) float64: output level in [0, 1] of each 8-bit input."""

_LOW: Final = np.array((30, 135, 80))
_HIGH: Final = np.array((250, 180, 130))
"""Y, Cr, Cb between which skin lies."""

_SOLID: Final = 200
_MIN_SHARE: Final = 0.01
"""Less of the person than this counts as no skin at all."""

_HALF_WAY_SHIFT: Final = 0.03
"""Hue shift, in levels of [0, 1], that half the protection still lets through: 8 of 255."""


def skin_colour(pixels: Pixels, alpha: Alpha8) -> Colour | None:
    """Mean colour of what looks like skin in a person's picture; None when there is too little of it.

    pixels (H, W, 3), alpha (H, W); a thumbnail is enough. Skin of every tone lies in one patch of the chroma plane
    (Chai & Ngan, IEEE TCSVT 9(4), 1999: Cr 133..173, Cb 77..127; widened a little towards red light).
    """
    chroma = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    likely = cv2.inRange(chroma, _LOW, _HIGH)
    solid = cv2.threshold(alpha, _SOLID, 255, cv2.THRESH_BINARY)[1]
    mask = cv2.bitwise_and(likely, solid)
    if cv2.countNonZero(mask) < _MIN_SHARE * max(1, cv2.countNonZero(alpha)):
        return None
    return np.array(cv2.mean(pixels, mask)[:3]) / 255.0


def protect_skin(lut: Lut, skin: Colour, amount: float) -> Lut:
    """The curve with its change of hue reduced, as a whole, until skin keeps its own well enough.

    amount: 0 lets everything through, 0.5 a shift of about 8 levels, 1 none. What all three channels do alike, the
    change of brightness, stays. Reducing all of the person and not only the skin leaves no seams.
    """
    if amount <= 0:
        return lut
    change = lut - np.linspace(0.0, 1.0, lut.shape[1])
    alike = change.mean(axis=0)
    hue = change - alike
    at_skin = [np.interp(skin[c] * (lut.shape[1] - 1), np.arange(lut.shape[1]), hue[c]) for c in range(3)]
    shift = float(np.abs(at_skin).max())
    allowed = _HALF_WAY_SHIFT * (1 - amount) / amount
    if shift <= allowed:
        return lut
    reduced: Lut = np.clip(lut - (1 - allowed / shift) * hue, 0.0, 1.0)
    return reduced
