"""Between sets of primaries, in linear light, and back into the gamut of BT.709.

What the program works with is display-referred: R'G'B' as a BT.709 display shows them, by the pure power of BT.1886.
ITU-R BT.2087 converts between BT.709 and BT.2020 that way, in light as displayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

Primaries = Literal["bt709", "bt2020", "p3-d65"]

Deep = npt.NDArray[np.uint16]
"""(H, W, 3) uint16, full-range encoded RGB, 0..65535."""

Floats = npt.NDArray[np.float32]
Matrix3 = npt.NDArray[np.float64]

DISPLAY_GAMMA: Final = 2.4
"""BT.1886 with a black of 0."""

_CHROMATICITIES: Final[dict[Primaries, tuple[tuple[float, float], ...]]] = {
    "bt709": ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),
    "bt2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    "p3-d65": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
"""x, y of red, green and blue (BT.709-6, BT.2020-2, SMPTE EG 432-1); the white is D65 in all."""
_D65: Final = (0.3127, 0.3290)

_ROWS_AT_ONCE: Final = 64
"""Rows whose floats stay in the processor's cache: working memory is a few MB for any picture, and a 1080p frame takes
two thirds of the time it takes whole."""

_TINY: Final = np.float32(1e-9)
_ROUNDING: Final = 1e-6
"""White by way of a matrix in float32 is this much from 1; encoding clips it."""


def xyz_from_rgb(primaries: Primaries) -> Matrix3:
    """(3, 3): linear RGB to CIE XYZ with the white's Y at 1, from the chromaticities (SMPTE RP 177)."""
    columns = np.array([_xyz(x, y) for x, y in _CHROMATICITIES[primaries]]).T
    return np.asarray(columns * np.linalg.solve(columns, _xyz(*_D65)))


def rgb_between(source: Primaries, target: Primaries) -> Matrix3:
    """(3, 3): linear RGB of one set of primaries to those of another; every row sums to 1, so grey stays grey."""
    return np.asarray(np.linalg.solve(xyz_from_rgb(target), xyz_from_rgb(source)))


def luminance_weights(primaries: Primaries) -> npt.NDArray[np.float64]:
    """(3,): what red, green and blue add to the luminance; they sum to 1."""
    return np.asarray(xyz_from_rgb(primaries)[1])


def with_luminance(primaries: Primaries) -> Floats:
    """(4, 3): linear RGB of these primaries to RGB of BT.709 and, as a fourth, their luminance."""
    matrix = rgb_between(primaries, "bt709")
    return np.vstack([matrix, luminance_weights("bt709") @ matrix]).astype(np.float32)


def rows_of(height: int) -> Iterator[slice]:
    """Strips of a picture that are worked on at a time."""
    for top in range(0, height, _ROWS_AT_ONCE):
        yield slice(top, top + _ROWS_AT_ONCE)


def encoded(linear: Floats) -> Deep:
    """Displayed light (..., 3) float32, 1 is white, to R'G'B' by the inverse of BT.1886; clipped to 0..65535."""
    # One channel: cv2 takes a plain number for the first of several channels alone.
    signal = cv2.pow(np.maximum(linear.reshape(len(linear), -1), np.float32(0)), 1 / DISPLAY_GAMMA)
    levels = cv2.addWeighted(signal, 65535.0, signal, 0.0, 0.0, dtype=cv2.CV_16U)
    return np.asarray(levels, np.uint16).reshape(linear.shape)


def decoding_table(gamma: float = DISPLAY_GAMMA) -> Floats:
    """(65536,) float32: displayed light of each level, 0..1."""
    return np.asarray((np.arange(65536) / 65535) ** gamma, np.float32)


def look_up(levels: Deep, table: npt.NDArray[np.float32]) -> Floats:
    """Every level (..., 3) in a table (65536,)."""
    return np.asarray(table.take(levels))


def extremes(planes: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The least and the greatest of three planes (H, W), at every pixel."""
    red, green, blue = planes
    least, most = cv2.min(cv2.min(red, green), blue), cv2.max(cv2.max(red, green), blue)
    return np.asarray(least, np.float32), np.asarray(most, np.float32)


def nearer_grey(planes: Sequence[Floats], luminance: Floats, kept: Floats) -> list[Floats]:
    """Colours mixed with the grey of their own luminance; hue and luminance stay. kept: 1 is no change, 0 is grey."""
    return [luminance + (plane - luminance) * kept for plane in planes]


class PrimariesConverter:
    """SDR R'G'B' of other primaries to BT.709; what BT.709 can't show loses saturation until it can.

    Colours inside the smaller gamut come out as they were meant, greys as they came in. Not thread-safe.
    """

    def __init__(self, source: Primaries) -> None:
        self._matrix = with_luminance(source)
        self._decoding = decoding_table()

    def __call__(self, pixels: Deep) -> Deep:
        """(H, W, 3) uint16 -> the same shape."""
        out = np.empty_like(pixels)
        for rows in rows_of(len(pixels)):
            mixed = cv2.transform(look_up(pixels[rows], self._decoding), self._matrix)
            *planes, luminance = (np.asarray(plane, np.float32) for plane in cv2.split(mixed))
            kept = _fitting(*extremes(planes), luminance)
            if kept is not None:
                planes = nearer_grey(planes, luminance, kept)
            out[rows] = encoded(np.asarray(cv2.merge(planes), np.float32))
        return out


def _fitting(least: Floats, most: Floats, luminance: Floats) -> Floats | None:
    """How much of its distance from grey each colour keeps to get into 0..1; None where all are inside."""
    if least.min() >= -_ROUNDING and most.max() <= 1 + _ROUNDING:
        return None
    below = luminance / np.maximum(luminance - least, _TINY)
    above = (1 - luminance) / np.maximum(most - luminance, _TINY)
    kept = np.where(least < 0, below, np.float32(1))
    return np.asarray(np.where(most > 1, np.minimum(kept, above), kept).clip(0, 1), np.float32)


def _xyz(x: float, y: float) -> npt.NDArray[np.float64]:
    return np.array([x / y, 1.0, (1 - x - y) / y])
