"""Compositing at 16 bits a channel, where 8 would show as bands: curve, edge corrections, light and blend.

Mattes, plates and what is estimated along the edge stay at 8 bits; none of them touches the smooth inside of the
foreground. Encoded values are blended, and colours are straight, as in `app.domain.compositing`.
"""

from __future__ import annotations

from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha8, Pixels
from app.domain.primaries import Deep

DeepTable = npt.NDArray[np.uint16]
"""(65536, 3) uint16: look-up table of one frame's colour curve."""

STEP: Final = 257
"""Levels of 16 bits to one of 8: 255 becomes 65535."""

_AT_ONCE: Final = 1 << 18
"""Edge pixels that are blended at a time, some 10 MB of working memory."""


def deepened(pixels: Pixels) -> Deep:
    """(H, W, 3) uint8 to uint16, exactly."""
    return cast("Deep", np.multiply(pixels, STEP, dtype=np.uint16))


def deep_table(curve: npt.NDArray[np.floating[Any]]) -> DeepTable:
    """A curve (3, N) of levels in [0, 1] at inputs n / (N - 1), N >= 2, as a table; linear in between, so monotone."""
    inputs, places = np.linspace(0.0, 1.0, curve.shape[1]), np.linspace(0.0, 1.0, 65536)
    levels = [np.interp(places, inputs, channel.clip(0, 1)) for channel in curve]
    return np.asarray(np.rint(np.stack(levels, axis=1) * 65535), np.uint16)


def apply_deep_table(pixels: Deep, alpha: Alpha8, table: DeepTable) -> Deep:
    """Pixels (H, W, 3) with the table looked up wherever alpha covers; the input itself if nothing does."""
    box = _covered(alpha)
    if box is None:
        return pixels
    out = pixels.copy()
    planes = [table[:, channel].take(pixels[box][..., channel]) for channel in range(3)]
    out[box] = cv2.merge(planes)
    return out


def corrected(pixels: Deep, before: Pixels, after: Pixels, alpha: Alpha8) -> Deep:
    """What a correction made of the picture's 8-bit version, `before` to `after`, done to the picture itself.

    All (H, W, 3), alpha (H, W): where it is 0 the colours mean nothing. Pixels that were left alone keep all of their
    levels. Returns `pixels` itself where there is nothing to do. ValueError when the shapes differ.
    """
    if pixels.shape != before.shape or before.shape != after.shape or alpha.shape != before.shape[:2]:
        raise ValueError(f"shapes differ: {pixels.shape}, {before.shape}, {after.shape}, alpha {alpha.shape}")
    box = _covered(alpha)
    if before is after or box is None:
        return pixels
    # All around too: moving the foreground mixes neighbours into its edge.
    out = cv2.add(pixels, deepened(cast("Pixels", cv2.subtract(after, before))))
    return cast("Deep", cv2.subtract(out, deepened(cast("Pixels", cv2.subtract(before, after))), dst=out))


def screened(pixels: Deep, glow: Pixels, alpha: Alpha8) -> Deep:
    """Light added on, F + glow * (65535 - F) / 255, wherever alpha covers; (H, W, 3), glow uint8."""
    box = _covered(alpha)
    if box is None:
        return pixels
    out = pixels.copy()
    headroom = cv2.multiply(deepened(glow[box]), cv2.bitwise_not(pixels[box]), scale=1 / 65535)
    out[box] = cv2.add(pixels[box], headroom)
    return out


def deep_blend(foreground: Deep, plate: Deep, alpha: Alpha8) -> Deep:
    """Straight-alpha blend of encoded values: round((a * F + (255 - a) * P) / 255), exactly.

    foreground and plate (H, W, 3) uint16, alpha (H, W) uint8 -> (H, W, 3) uint16, a new array. Where alpha is 0 the
    plate comes out as it is, where it is 255 the foreground. ValueError when the shapes differ.
    """
    if foreground.shape != plate.shape or alpha.shape != plate.shape[:2]:
        raise ValueError(f"shapes differ: {foreground.shape}, {plate.shape}, alpha {alpha.shape}")
    out = plate.copy()
    cv2.copyTo(np.ascontiguousarray(foreground), np.equal(alpha, 255).view(np.uint8), out)
    edge = np.flatnonzero((alpha > 0) & (alpha < 255))
    own, other, result = (picture.reshape(-1, 3) for picture in (foreground, plate, out))
    for start in range(0, len(edge), _AT_ONCE):
        places = edge[start : start + _AT_ONCE]
        weight = alpha.reshape(-1)[places][:, None].astype(np.uint32)
        # At most 255 * 65535, far below what 32 bits hold; 255 is odd, so no sum is half-way between two levels.
        mixed = weight * own[places] + (255 - weight) * other[places]
        result[places] = (mixed + 127) // 255
    return out


def _covered(alpha: Alpha8) -> tuple[slice, slice] | None:
    """The part of the picture that alpha covers; None when that is nothing."""
    left, top, width, height = cv2.boundingRect(alpha)
    return (slice(top, top + height), slice(left, left + width)) if width else None
