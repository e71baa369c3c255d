"""Where the foreground stands on the plate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha8

AnyPixels = TypeVar("AnyPixels", npt.NDArray[np.uint8], npt.NDArray[np.uint16])
"""(H, W, 3), of 8 or 16 bits."""

_PRESHRINK_BELOW = 0.75
"""Bilinear warping reads 2 x 2 source pixels: below this scale it starts to skip some, and flickers."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How the source frame is put on the output.

    At scale 1 the frame is as large as it can be without being cropped, standing on the middle of the
    output's lower edge. The anchor is that lower middle for every scale, so that a person cut off by
    the frame's edge is never left floating. offset_x (right) and offset_y (down) are fractions of the
    output's width and height. mirror flips the frame left to right, in its place.
    ValueError unless scale is positive and finite and the offsets are finite.
    """

    scale: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0
    mirror: bool = False

    def __post_init__(self) -> None:
        """Refuse what no picture can come from."""
        if not np.isfinite([self.scale, self.offset_x, self.offset_y]).all() or self.scale <= 0:
            raise ValueError(f"impossible placement: {self}")


IDENTITY = Placement()


def apply_placement(pixels: AnyPixels, alpha: Alpha8, placement: Placement, out_size: Size) -> tuple[AnyPixels, Alpha8]:
    """Move the foreground and its alpha to their place in a picture of `out_size`.

    pixels (H, W, 3) uint8 or uint16 and alpha (H, W) uint8 -> the same at (out_height, out_width). Alpha is 0
    outside the source frame, whose own border is antialiased; the colours there repeat its edge, so
    that no dark line is mixed into it. Nothing to do returns the inputs themselves.
    """
    size = (alpha.shape[1], alpha.shape[0])
    if size == out_size and placement == IDENTITY:
        return pixels, alpha
    if size == out_size and placement == Placement(mirror=True):
        return _like(pixels, cv2.flip(pixels, 1)), as_uint8(cv2.flip(alpha, 1))
    scale = placement.scale * min(out_size[0] / size[0], out_size[1] / size[1])
    if scale < _PRESHRINK_BELOW:
        size = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        pixels = _like(pixels, cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
        alpha = as_uint8(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA))
        scale = 1.0
    matrix = placement_matrix(size, placement, out_size=out_size, scale=scale)
    placed = cv2.warpAffine(pixels, matrix, out_size, borderMode=cv2.BORDER_REPLICATE)
    # Not a border of 0: interpolation towards it would let the plate shine through along the lower edge.
    repeated = as_uint8(cv2.warpAffine(alpha, matrix, out_size, borderMode=cv2.BORDER_REPLICATE))
    return _like(pixels, placed), _inside_frame(repeated, matrix, size)


def _like(pixels: AnyPixels, result: npt.ArrayLike) -> AnyPixels:
    """Type what cv2 returns as what it was given."""
    return np.asarray(result).astype(pixels.dtype, copy=False)


def placement_matrix(size: Size, placement: Placement, *, out_size: Size, scale: float) -> npt.NDArray[np.float64]:
    """Source to output pixel centres, (2, 3), for a source of `size` drawn at `scale`."""
    centre_x = out_size[0] * (0.5 + placement.offset_x)
    bottom = out_size[1] * (1 + placement.offset_y)
    across = -scale if placement.mirror else scale
    # Pixel i covers [i, i + 1): its centre is at i + 0.5 in both pictures.
    shift_x = centre_x - across * size[0] / 2 + across * 0.5 - 0.5
    shift_y = bottom - scale * size[1] + scale * 0.5 - 0.5
    return np.array([[across, 0.0, shift_x], [0.0, scale, shift_y]])


def _inside_frame(alpha: Alpha8, matrix: npt.NDArray[np.float64], size: Size) -> Alpha8:
    """Scale alpha, in place, by how much of each output pixel the source frame covers."""
    columns = _span_cover(matrix[0, 0], matrix[0, 2], size[0], count=alpha.shape[1])
    rows = _span_cover(matrix[1, 1], matrix[1, 2], size[1], count=alpha.shape[0])
    for lines, cover in ((alpha, rows), (alpha.T, columns)):
        lines[cover == 0] = 0
        partly = (cover > 0) & (cover < 1)
        lines[partly] = np.rint(lines[partly] * cover[partly, None])
    return alpha


def _span_cover(scale: float, shift: float, length: int, *, count: int) -> npt.NDArray[np.float64]:
    """Share of each of `count` output pixels that the source span [0, length) covers, along one axis."""
    first, last = sorted(scale * (edge - 0.5) + shift + 0.5 for edge in (0, length))
    pixel = np.arange(count, dtype=np.float64)
    cover = np.minimum(pixel + 1, last) - np.maximum(pixel, first)
    # Rounded: a border that falls on a pixel's edge must not leave 1e-14 of the next one covered.
    return np.asarray(cover.clip(0, 1).round(6))
