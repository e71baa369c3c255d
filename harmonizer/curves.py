"""Colour curves: slopes -> knots -> look-up table.

A curve maps a channel's sRGB-encoded level in [0, 1] to another one. It is piecewise linear between
knots at inputs k / K. S2CRNet (Liang et al., ECCV 2022, arXiv 2109.05750) writes the same curve as a
sum of clamped ramps over the pixels, 64 steps a stage; cumulating the slopes once gives knots, and
rendering 8-bit video then is a table look-up. The tests hold both forms to each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Knots = npt.NDArray[np.float64]
"""(S, 3, K+1) float64: S cascaded stages, R G B, output level at inputs k / K."""

Lut = npt.NDArray[np.float64]
"""(3, N) float64: output level in [0, 1] at inputs n / (N - 1)."""

PIECES = 64
MIN_LUT_ENTRIES = 256
MAX_SANE_LEVEL = 5.0
HIGH_DEPTH_LUT_ENTRIES = 4096


def identity_knots(stages: int = 1, pieces: int = PIECES) -> Knots:
    """Knots that change nothing: (stages, 3, pieces + 1)."""
    return np.broadcast_to(np.linspace(0.0, 1.0, pieces + 1), (stages, 3, pieces + 1)).copy()


def evaluate(knots: Knots, levels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Cascaded curve at given levels, float64: knots (S, 3, K+1), levels (3, N) -> (3, N), unclipped."""
    inputs = np.linspace(0.0, 1.0, knots.shape[-1])
    out = levels
    for stage in knots:
        out = np.stack([np.interp(out[c], inputs, stage[c]) for c in range(3)])
    return out


def fold(knots: Knots, entries: int = MIN_LUT_ENTRIES, *, strength: float = 1.0) -> Lut:
    """The whole cascade as one table, blended towards the identity.

    knots (S, 3, K+1) -> (3, entries) in [0, 1]. With 256 entries every 8-bit input is hit exactly, so
    folding adds no error before rounding. Higher depths use HIGH_DEPTH_LUT_ENTRIES and interpolate.
    ValueError for fewer than 256 entries or a strength outside [0, 1].
    """
    if entries < MIN_LUT_ENTRIES:
        raise ValueError(f"a table of {entries} entries cannot hold 8-bit input; use at least 256")
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength {strength} is outside [0, 1]")
    ramp = np.broadcast_to(np.linspace(0.0, 1.0, entries), (3, entries))
    curve = np.clip(evaluate(knots, ramp), 0.0, 1.0)
    folded: Lut = ramp + strength * (curve - ramp)
    return folded


def lut8(lut: Lut) -> npt.NDArray[np.uint8]:
    """8-bit table (256, 3), ready for an interleaved RGB look-up, from a (3, 256) table."""
    if lut.shape != (3, 256):
        raise ValueError(f"expected a (3, 256) table, got {lut.shape}")
    table: npt.NDArray[np.uint8] = np.rint(lut.T * 255.0).astype(np.uint8)
    return table


def apply_lut8(pixels: npt.NDArray[np.uint8], table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Look up 8-bit pixels (H, W, 3) in a (256, 3) table; a new array of the same shape."""
    out = np.empty_like(pixels)
    for channel in range(3):
        np.take(table[:, channel], pixels[..., channel], out=out[..., channel])
    return out


def apply_lut(levels: npt.NDArray[np.floating[Any]], lut: Lut) -> npt.NDArray[np.float64]:
    """Interpolated look-up for 16-bit and float pictures: levels (H, W, 3) in [0, 1] -> same shape."""
    inputs = np.linspace(0.0, 1.0, lut.shape[1])
    return np.stack([np.interp(levels[..., c], inputs, lut[c]) for c in range(3)], axis=-1)


def is_sane(knots: npt.NDArray[np.floating[Any]]) -> bool:
    """Finite, and nowhere further outside [0, 1] than our steepest curve (lift 0.5 and gain e^1.5) goes."""
    return bool(np.isfinite(knots).all() and np.abs(knots).max() <= MAX_SANE_LEVEL)
