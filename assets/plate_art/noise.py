"""Seeded noise that does not depend on the picture's size: the same scene at any resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[Any]
"""(H, W) or (3, N), float32 wherever memory counts."""

Triple: TypeAlias = Sequence[float]
"""Three numbers: a place in metres (right, up, ahead) or linear light (red, green, blue)."""

_CELLS = 256
_CHUNK = 1 << 16
_TO_UNIT_DEVIATION = np.float32(1.28)


class Noise:
    """Smooth value noise over the plane, repeating every 256 cells; mean 0, deviation about 1.

    Computed, not looked up by cv2.remap: that quantises positions to 1/32 texel, and a mountain side
    lit by the slope of such noise shows terraces.
    """

    def __init__(self, seed: int) -> None:
        lattice = np.random.default_rng(seed).standard_normal((_CELLS, _CELLS)).astype(np.float32)
        self._lattice = (lattice * _TO_UNIT_DEVIATION).ravel()

    def at(self, u: Field, v: Field) -> Field:
        """Value at (u, v), in cells: lattice values mixed by quintic steps, so that slopes are smooth too."""
        u, v = np.broadcast_arrays(u, v)
        out = np.empty(u.size, np.float32)
        flat_u, flat_v = u.ravel(), v.ravel()
        for start in range(0, u.size, _CHUNK):
            part = slice(start, start + _CHUNK)
            out[part] = self._mixed(flat_u[part], flat_v[part])
        return out.reshape(u.shape)

    def _mixed(self, u: Field, v: Field) -> Field:
        floor_u, floor_v = np.floor(u), np.floor(v)
        x, y = (u - floor_u).astype(np.float32), (v - floor_v).astype(np.float32)
        x, y = x * x * x * (x * (x * 6 - 15) + 10), y * y * y * (y * (y * 6 - 15) + 10)
        left, top = floor_u.astype(np.int32) & (_CELLS - 1), (floor_v.astype(np.int32) & (_CELLS - 1)) * _CELLS
        right, bottom = (left + 1) & (_CELLS - 1), (top + _CELLS) & (_CELLS * _CELLS - 1)
        table = self._lattice
        upper, lower = table[top + left], table[bottom + left]
        upper = upper + x * (table[top + right] - upper)
        lower = lower + x * (table[bottom + right] - lower)
        return np.asarray(upper + y * (lower - upper))

    def fbm(self, u: Field, v: Field, *, octaves: int = 6, gain: float = 0.5, lacunarity: float = 2.03) -> Field:
        """Fractal sum of octaves, deviation about 1."""
        total, amplitude, power = np.zeros_like(u, np.float32), 1.0, 0.0
        turn = np.float32(0.6), np.float32(0.8)
        for octave in range(octaves):
            total += amplitude * self.at(u + 17.3 * octave, v - 9.1 * octave)
            power += amplitude**2
            amplitude *= gain
            # Each octave is turned, or the lattice shows as a weave.
            u, v = lacunarity * (turn[1] * u - turn[0] * v), lacunarity * (turn[0] * u + turn[1] * v)
        return total / np.float32(np.sqrt(power))


def smoothstep(low: float, high: float, x: Field) -> Field:
    """0 below `low`, 1 above `high`, smooth between; low > high falls instead."""
    t = ((x - low) / (high - low)).clip(0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
