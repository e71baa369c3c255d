"""Pure operations on mattes: levels, feather, grow, blobs, edge band."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha, Alpha8

Bools = npt.NDArray[np.bool_]
PixelBox = tuple[int, int, int, int]
"""x0, y0, x1, y1 in px; x1 and y1 are one past the last pixel."""

SOLID = 0.5
"""From here on a pixel belongs to the foreground where a yes or no is needed."""

TRACE = 0.08
"""Coverage under this joins nothing to anything: the selfie models leave a haze of 0.01 to 0.05 far from
people."""


def to_u8(alpha: Alpha) -> Alpha8:
    """(H, W) float32 -> uint8, rounded; outside [0, 1] is clipped, NaN becomes 0."""
    scaled = np.nan_to_num(alpha, nan=0.0, posinf=1.0, neginf=0.0) * np.float32(255) + np.float32(0.5)
    return np.clip(scaled, 0, 255).astype(np.uint8)


def from_u8(alpha8: Alpha8) -> Alpha:
    """(H, W) uint8 -> float32 in [0, 1]; `to_u8` undoes it exactly."""
    return alpha8.astype(np.float32) * np.float32(1 / 255)


def levels(alpha: Alpha, low: float, high: float) -> Alpha:
    """Stretch [low, high] to [0, 1] and clip; (H, W) float32. ValueError unless low < high."""
    if not low < high:
        raise ValueError(f"levels need low < high, got {low} and {high}")
    gain = np.float32(1.0 / (high - low))
    return np.asarray(np.clip((alpha - np.float32(low)) * gain, 0, 1), np.float32)


def threshold(alpha: Alpha, at: float = SOLID) -> Alpha:
    """A hard matte: 1 where alpha >= at, else 0; (H, W) float32."""
    return (alpha >= at).astype(np.float32)


def feather(alpha8: Alpha8, radius_px: float) -> Alpha8:
    """Soften by a Gaussian of sigma radius_px / 2, border repeated; (H, W) uint8; 0 changes nothing."""
    if radius_px <= 0:
        return alpha8
    return np.asarray(cv2.GaussianBlur(alpha8, (0, 0), radius_px / 2, borderType=cv2.BORDER_REPLICATE))


def grow(alpha8: Alpha8, by_px: float) -> Alpha8:
    """Move the edge outward by by_px (inward when negative), softness kept; (H, W) uint8.

    A maximum (minimum) over a disc; fractions of a pixel mix the two whole radii around.
    """
    if by_px == 0:
        return alpha8
    radius = abs(by_px)
    inner = math.floor(radius)
    near, part = _morph(alpha8, inner, outward=by_px > 0), radius - inner
    if part < 0.01:
        return near
    far = _morph(alpha8, inner + 1, outward=by_px > 0)
    return np.asarray(cv2.addWeighted(near, 1 - part, far, part, 0))


def remove_specks(alpha: Alpha, min_area_px: float) -> Alpha:
    """Set to 0 every connected piece whose solid part is under min_area_px; (H, W) float32.

    Pieces hang together by anything over TRACE, so a soft skirt goes with its blob and haze without a core
    goes whatever its size.
    """
    labels, solid_px = _pieces(alpha)
    small = solid_px < min_area_px
    small[0] = False
    if not small.any():
        return alpha
    return np.where(small[labels], np.float32(0), alpha)


def fill_holes(alpha: Alpha, max_area_px: float) -> Alpha:
    """Set to 1 every gap inside the foreground whose clear part is at most max_area_px; (H, W) float32.

    A gap that reaches the border of the frame is no hole.
    """
    labels, clear_px = _pieces(1 - alpha)
    hole = clear_px <= max_area_px
    hole[0] = False
    for side in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        hole[side] = False
    if not hole.any():
        return alpha
    return np.where(hole[labels], np.float32(1), alpha)


def edge_band(alpha: Alpha, width_px: int) -> Bools:
    """Pixels within width_px of the SOLID contour, either side; (H, W) bool."""
    solid = threshold(alpha).astype(np.uint8)
    return np.asarray(_morph(solid, width_px, outward=True) != _morph(solid, width_px, outward=False))


def bbox(alpha: Alpha, at: float = SOLID) -> PixelBox | None:
    """The smallest box around everything >= at, None when there is nothing."""
    x, y, width, height = cv2.boundingRect((alpha >= at).astype(np.uint8))
    return None if width == 0 else (x, y, x + width, y + height)


def _morph(values: Alpha8, radius_px: int, *, outward: bool) -> Alpha8:
    if radius_px == 0:
        return values
    side = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    morph = cv2.dilate if outward else cv2.erode
    return np.asarray(morph(values, disc, borderType=cv2.BORDER_REPLICATE))


def _pieces(alpha: Alpha) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Label pieces over TRACE, 0 being the rest; and how many SOLID pixels each label has."""
    count, labels = cv2.connectedComponents((alpha > TRACE).astype(np.uint8), connectivity=8)
    return np.asarray(labels), np.bincount(labels[alpha >= SOLID], minlength=count)
