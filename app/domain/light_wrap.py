"""Light of the plate that falls round the foreground's edge."""

from __future__ import annotations

import cv2
import numpy as np

from app.domain.compositing import as_uint8, blur_plate
from app.domain.frame import Alpha8, Pixels

_SHRINK = 4
"""The wrap is a blur: at a quarter of the size nobody sees a difference and it costs a sixteenth."""


def wrap_light(plate: Pixels, radius_px: float) -> Pixels:
    """Spread the plate's light: the plate blurred, at a quarter of its size.

    plate (H, W, 3) uint8 -> (ceil(H / 4), ceil(W / 4), 3) uint8. Compute it once for a still plate.
    """
    height, width = plate.shape[:2]
    small = cv2.resize(plate, (-(-width // _SHRINK), -(-height // _SHRINK)), interpolation=cv2.INTER_AREA)
    return blur_plate(as_uint8(small), radius_px / _SHRINK)


def light_wrap(foreground: Pixels, alpha: Alpha8, light: Pixels, *, strength: float, radius_px: float) -> Pixels:
    """Let `light` (from `wrap_light`) spill onto the foreground inside its edge; blend afterwards.

    foreground (H, W, 3) uint8, alpha (H, W) uint8 -> (H, W, 3) uint8. The light is screened on,
    F + w * L * (255 - F) / 255, so that it only ever brightens and a black plate changes nothing. w is
    `strength` (0..1) on the edge and falls to 0 over `radius_px` inside it. strength 0, radius 0 or an
    empty alpha return the foreground itself. ValueError for a strength outside 0..1.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"light wrap strength {strength} is not in 0..1")
    left, top, width, height = cv2.boundingRect(alpha)
    if strength == 0 or radius_px <= 0 or width == 0:
        return foreground
    box = np.s_[top : top + height, left : left + width]
    glow = _edge_light(alpha, light, strength=strength, radius_px=radius_px)
    glow_here = cv2.resize(glow, alpha.shape[::-1], interpolation=cv2.INTER_LINEAR)[box]
    wrapped = foreground.copy()
    headroom = cv2.multiply(glow_here, cv2.bitwise_not(foreground[box]), scale=1 / 255)
    cv2.add(foreground[box], headroom, dst=wrapped[box])
    return wrapped


def _edge_light(alpha: Alpha8, light: Pixels, *, strength: float, radius_px: float) -> Pixels:
    """Weigh the light by how much of the neighbourhood is plate; (h, w, 3) uint8 at the light's size."""
    height, width = light.shape[:2]
    outside = cv2.bitwise_not(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA))
    near = cv2.GaussianBlur(outside, (0, 0), max(radius_px / (2 * _SHRINK), 0.3))
    # A straight edge has half its neighbourhood outside: twice that is the full strength there.
    weight = cv2.convertScaleAbs(near, alpha=2 * strength)
    if strength < 1:
        weight = cv2.min(weight, np.full_like(weight, round(255 * strength)))
    weighted = cv2.multiply(light, cv2.merge([weight, weight, weight]), scale=1 / 255)
    return as_uint8(weighted)
