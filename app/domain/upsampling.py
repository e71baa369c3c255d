"""A matte of one value a cell brought to full resolution along the picture's own edges."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import SOLID, Bools, levels
from app.domain.cells import (
    CellGrid,
    CellSet,
    Window,
    cells_where,
    gather,
    in_runs,
    interpolate,
    scatter,
    window_where,
)
from app.domain.compiled import kernels
from app.domain.frame import Alpha, Alpha8
from app.domain.guided import Coefficients, apply_models, fit, prepare_guide

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

RADIUS_CELLS = 3
EPS = 1e-4
"""The guide's own noise variance, (2.5 levels) squared. Larger values blur the edge into the picture:
edge-band MAD on the tuning people 0.082 at 1e-4, 0.086 at 3e-4, 0.094 at 1e-3. Smaller ones (0.079 at 3e-5)
take the blocks of compressed video for edges."""

BETWEEN_PASSES = (1 / 3, 5 / 6)
"""Where in the span from low to high the second guided pass's input starts and ends, so that it begins with a
decided matte: edge-band MAD 0.089 after one pass, 0.082 after two. Off centre, because the selfie models leave a
skirt of 0.2 to 0.4 around people."""

DECIDED = (0.2, 0.8)
"""Levels of the second pass's result."""

_REACH = 2 * RADIUS_CELLS
"""A guided filter sees this many cells far: one box for the fit, one for the average of the models."""

_AROUND = np.ones((3, 3), np.uint8)
_WITHIN_REACH = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)


def upsample_guided(
    pixels: Picture, picture: Picture, alpha: Alpha, *, grid: CellGrid, low: float, high: float
) -> Alpha8:
    """Matte of all whole cells, (rows * p, columns * p) uint8, following the picture's edges.

    pixels: (rows * p, columns * p, 3) uint8. picture (rows, columns, 3) uint8 and alpha (rows, columns)
    float32: the same at one value a cell. Coverage at and under low becomes 0, at and over high 255. Cells
    that all their neighbours agree about are filled flat; the others, 3 to 8 % of a frame, get the local
    models at every pixel, held within what the cells around say, so that a busy background cannot throw
    sparks.
    """
    solid = alpha >= (low + high) / 2
    window = _undecided_window(alpha, low, high)
    if window is None:
        return _flat(solid, grid)
    start, end = (low + part * (high - low) for part in BETWEEN_PASSES)
    bounded, here, edge = _bounded_models(picture[window], alpha[window], low=start, high=end)
    solid[window] = here >= SOLID
    matte = _flat(solid, grid)
    _evaluate(pixels, bounded, edge, window, grid, matte)
    return matte


def upsample_plain(alpha: Alpha, *, grid: CellGrid, low: float, high: float) -> Alpha8:
    """The same matte by bilinear enlargement alone."""
    small = (levels(alpha, low, high) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    size = (grid.columns * grid.cell_px, grid.rows * grid.cell_px)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))


def _undecided_window(alpha: Alpha, low: float, high: float) -> Window | None:
    """The part of the grid outside of which everything is settled, and the filter's reach around it."""
    least, most = _neighbourhood(alpha, _WITHIN_REACH)
    return window_where((most > low) & (least < high), _REACH)


def _neighbourhood(alpha: Alpha, square: Picture) -> tuple[Alpha, Alpha]:
    """Least and most within a square around each cell."""
    return np.asarray(cv2.erode(alpha, square), np.float32), np.asarray(cv2.dilate(alpha, square), np.float32)


def _bounded_models(picture: Picture, alpha: Alpha, *, low: float, high: float) -> tuple[Floats, Alpha, Picture]:
    """Two guided passes: models in matte levels with bounds (h, w, 6), their own alpha (h, w), and where to use them.

    The last is (h, w) uint8, 1 in the cells that those around don't agree about. All at one value a cell.
    """
    loops = kernels()
    if loops is None:
        return _bounded_models_plainly(picture, alpha, low=low, high=high)
    models, bounded = np.empty((*alpha.shape, 4), np.float32), np.empty((*alpha.shape, 6), np.float32)
    here, edge = np.empty(alpha.shape, np.float32), np.empty(alpha.shape, np.uint8)
    small = np.ascontiguousarray(picture), np.ascontiguousarray(alpha)
    loops.edge_models(*small, RADIUS_CELLS, EPS, low, high, models, here)
    loops.matte_levels(models, here, *DECIDED, bounded, edge)
    return bounded, here, edge


def _bounded_models_plainly(
    picture: Picture, alpha: Alpha, *, low: float, high: float
) -> tuple[Floats, Alpha, Picture]:
    guide = prepare_guide(picture, radius=RADIUS_CELLS, eps=EPS)
    first = apply_models(fit(guide, alpha), guide)
    models = fit(guide, levels(first, low, high))
    here = apply_models(models, guide)
    least, most = _neighbourhood(here, _AROUND)
    edge = (most > DECIDED[0]) & (least < DECIDED[1])
    return _in_matte_levels(models, least, most), here, edge.view(np.uint8)


def _evaluate(pixels: Picture, bounded: Floats, edge: Picture, window: Window, grid: CellGrid, matte: Alpha8) -> None:
    """Write the models' matte into every pixel of the cells that `edge` marks."""
    top, left = window[0].start, window[1].start
    loops = kernels()
    if loops is not None:
        loops.edge_matte(np.ascontiguousarray(pixels), bounded, edge, top, left, grid.cell_px, matte)
        return
    for inside in in_runs(cells_where(edge)):
        cells = CellSet(inside.rows + top, inside.columns + left)
        scatter(matte, grid, cells, _evaluated(interpolate(bounded, grid.cell_px, inside), gather(pixels, grid, cells)))


def _in_matte_levels(models: Coefficients, least: Alpha, most: Alpha) -> Floats:
    """Models from 8-bit RGB to matte levels 0..255, and their bounds: (h, w, 6) float32.

    Half a level is added for rounding. Scaling here, at one value a cell, spares three passes over the pixels.
    """
    low, high = DECIDED
    gain = np.float32(255 / (high - low))
    red, green, blue, offset = (plane * gain for plane in cv2.split(models))
    shift = np.float32(0.5) - np.float32(low) * gain
    bounds = (np.clip(bound * gain + shift, 0, 255.5) for bound in (least, most))
    scale = np.float32(1 / 255)
    return np.asarray(cv2.merge((red * scale, green * scale, blue * scale, offset + shift, *bounds)))


def _evaluated(bounded: Floats, colours: Picture) -> Alpha8:
    """(n, 6, q) models with bounds and (n, q, 3) colours -> (n, q) uint8."""
    products = colours.swapaxes(1, 2).astype(np.float32, order="C")
    products *= bounded[:, :3]
    value = bounded[:, 3] + products[:, 0]
    value += products[:, 1]
    value += products[:, 2]
    np.maximum(value, bounded[:, 4], out=value)
    np.minimum(value, bounded[:, 5], out=value)
    return value.astype(np.uint8)


def _flat(solid: Bools, grid: CellGrid) -> Alpha8:
    """Every cell wholly 0 or 255; cv2's nearest resize takes five times as long."""
    loops = kernels()
    if loops is None:
        line = np.repeat(solid.astype(np.uint8) * np.uint8(255), grid.cell_px, axis=1)
        return np.repeat(line, grid.cell_px, axis=0)
    matte = np.empty((grid.rows * grid.cell_px, grid.columns * grid.cell_px), np.uint8)
    loops.flat_cells(solid.view(np.uint8), grid.cell_px, matte)
    return matte
