"""The edge brush: inside the painted band the alpha is estimated anew from the colours around it.

Alpha is taken for a linear function of the colour, near any place: Levin, Lischinski and Weiss, "A Closed-Form Solution
to Natural Image Matting" (TPAMI 2008), fitted in windows as in He, Sun and Tang, "Guided Image Filtering" (TPAMI 2013).
Ours: windows as wide as the band, the sure pixels beside it counting more than what was guessed inside, twice over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import from_u8, levels, to_u8
from app.domain.frame import Alpha, Alpha8, Pixels
from app.domain.mask.areas import Area, no_area
from app.domain.mask.planes import Box

SURE: Final = (0.05, 0.95)
"""Outside of the band, alpha up to the first is background, from the second on foreground; between, nobody knows."""

REACH_PX: Final = (8, 100)
"""Least and most that a window reaches to either side; it should see both sides of the band."""

_REACH_OF_BAND: Final = 0.75
"""Of the band's half width. Mean difference 18.9 levels with 0.4, 15.9 with 0.55, 14.4 with 1, 16.0 with 1.2."""

_CELLS: Final = 8
"""Samples a window's reach takes: models are smooth, and with every pixel counted the result is no better."""

_GUESS: Final = (0.2, 0.5)
"""What a pixel counts, against a sure one's 1, in the first pass and in the second, which knows more.

Mean difference from the true alpha of procedural hair on three photographs, dark and fair, in levels within the band:
27.3 untouched, 25 to 27 for a plain guided filter, 16.1 after the first pass, 13.9 after the second, 13.8 after a
third; 22.8 when the guess counts a tenth of that in the first.
"""

_BETWEEN: Final = (0.15, 0.85)
"""Levels between the passes: what is nearly decided is decided, or the second would keep the first one's haze."""

_DECIDED: Final = (0.05, 0.95)
"""Levels of the result: the fit never quite reaches either end. Mean difference 13.9 levels, 14.8 without."""

_EPS: Final = 1e-5
"""Ridge of the fit, for colours in 0..1. Mean difference after one pass 19.2 levels, 22.5 with 1e-3."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EdgeTask:
    """A piece of the picture with the band in it; all (h, w), alpha 0..1.

    inner: where the wanted box lies in it. sure: 1 where alpha is known to be 0 or 1. reach_px: of the windows.
    """

    pixels: Pixels
    alpha: Alpha
    sure: Alpha
    inner: Box
    reach_px: int


def edge_task(pixels: Pixels, alpha8: Alpha8, band: Alpha8, box: Box) -> EdgeTask | None:
    """What to solve: the band's box with enough around it; None where the band is empty.

    pixels (H, W, 3), alpha8 (H, W): the picture and its final alpha so far. band (H, W) uint8: a stroke's coverage,
    0 outside `box`.
    """
    size = alpha8.shape[1], alpha8.shape[0]
    inside = box.within(size)
    if inside.is_empty or not band[inside.rows_columns].any():
        return None
    reach = _reach_px(band[inside.rows_columns])
    around = inside.grown(reach).within(size)
    alpha, free = from_u8(alpha8[around.rows_columns]), band[around.rows_columns] == 0
    sure = free & ((alpha <= SURE[0]) | (alpha >= SURE[1]))
    inner = Box(inside.x0 - around.x0, inside.y0 - around.y0, inside.x1 - around.x0, inside.y1 - around.y0)
    settled = np.where(sure, np.rint(alpha), alpha).astype(np.float32)
    return EdgeTask(pixels[around.rows_columns], settled, sure.astype(np.float32), inner, reach)


def estimated(task: EdgeTask) -> Alpha:
    """Alpha of the whole piece, (h, w) float32 in 0..1; what is sure keeps its own."""
    alpha = task.alpha
    for index, guess in enumerate(_GUESS):
        start = levels(alpha, *_BETWEEN) if index else alpha
        start = np.where(task.sure > 0, task.alpha, start)
        alpha = _fitted(task.pixels, start, np.maximum(task.sure, np.float32(guess)), task.reach_px)
    return np.where(task.sure > 0, task.alpha, levels(alpha, *_DECIDED))


def edge_values(pixels: Pixels, alpha8: Alpha8, band: Alpha8, box: Box) -> Area:
    """Fast enough for the hand: (box within the picture, new alpha (h, w) uint8 there); arguments as for `edge_task`.

    To be laid with `planes.painted(planes, band's coverage, values)`.
    """
    task = edge_task(pixels, alpha8, band, box)
    if task is None:
        return no_area()
    return box.within((alpha8.shape[1], alpha8.shape[0])), to_u8(estimated(task)[task.inner.rows_columns])


def _reach_px(band: Alpha8) -> int:
    """As far as the band is wide at its widest, half of it."""
    edged = cv2.copyMakeBorder((band > 0).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
    half_px = float(cv2.distanceTransform(edged, cv2.DIST_L2, 3).max())
    return round(min(max(_REACH_OF_BAND * half_px, REACH_PX[0]), REACH_PX[1]))


def _fitted(pixels: Pixels, alpha: Alpha, weight: Alpha, reach_px: int) -> Alpha:
    """Alpha as the local models see it: fitted to every few pixels of the weights, applied to all."""
    step = max(1, reach_px // _CELLS)
    sampled = (slice(step // 2, None, step), slice(step // 2, None, step))
    if min(alpha[sampled].shape) == 0:
        step, sampled = 1, (slice(None), slice(None))
    models = _models(_homogeneous(pixels[sampled]), alpha[sampled], weight[sampled], max(1, reach_px // step))
    height, width = alpha.shape
    back = np.array([[1 / step, 0, -(step // 2) / step], [0, 1 / step, -(step // 2) / step]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    everywhere = cv2.warpAffine(
        models.astype(np.float32), back, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    fitted = np.einsum("hwc,hwc->hw", np.asarray(everywhere, np.float32), _homogeneous(pixels))
    return np.asarray(np.clip(fitted, 0, 1), np.float32)


def _homogeneous(pixels: Pixels) -> npt.NDArray[np.float32]:
    """(h, w, 3) uint8 -> (h, w, 4): colours in -0.5..0.5, where sums of squares lose least, and 1."""
    result = np.ones((*pixels.shape[:2], 4), np.float32)
    np.multiply(pixels, np.float32(1 / 255), out=result[..., :3])
    result[..., :3] -= 0.5
    return result


def _models(colours: npt.NDArray[np.float32], alpha: Alpha, weight: Alpha, radius: int) -> Floats:
    """Weighted least squares in every window: (h, w, 4) with alpha ~ models . colours; averaged over half a window."""
    u, w = colours.astype(np.float64), weight.astype(np.float64)
    height, width = alpha.shape
    products = (u[..., :, None] * u[..., None, :] * w[..., None, None]).reshape(height, width, 16)
    matrix = _box_mean(products, radius).reshape(height, width, 4, 4)
    right = _box_mean(u * (w * alpha)[..., None], radius)
    total = matrix[..., 3, 3]
    matrix[..., range(3), range(3)] += _EPS * total[..., None]
    models = np.linalg.solve(matrix, right[..., None])[..., 0]
    half = max(1, radius // 2)
    return _box_mean(models * total[..., None], half) / _box_mean(total, half)[..., None]


def _box_mean(values: Floats, radius: int) -> Floats:
    side = 2 * radius + 1
    return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT), np.float64)
