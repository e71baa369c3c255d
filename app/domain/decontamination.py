"""Foreground colours at the edge, without the old background in them.

Where alpha is between 0 and 1 a camera's pixel is a mixture: I = alpha F + (1 - alpha) B. Shown over a new
plate it carries a rim of the old room. F is estimated by blur fusion: Forte and Pitie, "Approximate Fast
Foreground Colour Estimation" (ICIP 2021, arXiv 2006.14970), two rounds. Ours: the averages are taken at one
value a cell and weighted by alpha squared, and only the last step is made at every pixel, of the edge's
cells.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.cells import (
    CellGrid,
    CellSet,
    Window,
    cell_picture,
    cells_where,
    gather,
    grid_for,
    in_runs,
    interpolate,
    scatter,
    whole_cells,
    window_where,
)
from app.domain.compiled import kernels
from app.domain.frame import Alpha, Alpha8, Pixels
from app.domain.guided import box_mean

Floats = npt.NDArray[np.float32]

ROUND_CELLS = (3, 1)
"""Radius of each round's averages. Colour error at the rim on the tuning people, true alpha given: 25.4
levels untouched, 6.7 with (3, 1), 7.0 with (5, 1), 8.7 with (5, 2); squared weights take off another 0.4."""

_REACH = sum(ROUND_CELLS) + 1

_TINY = np.float32(1e-4)


def decontaminate(pixels: Pixels, alpha8: Alpha8, *, picture: Pixels | None = None) -> Pixels:
    """The picture with straight foreground colours wherever 0 < alpha < 255.

    pixels (H, W, 3) and alpha8 (H, W) uint8 -> (H, W, 3) uint8. Where alpha is 255 nothing changes; where it is 0 the
    colours mean nothing. picture: `cell_picture` of the pixels, if that is known. Returns `pixels` itself when there
    is no edge, else a new array. ValueError when the sizes differ.
    """
    if pixels.shape[:2] != alpha8.shape:
        raise ValueError(f"picture is {pixels.shape[:2]}, its alpha {alpha8.shape}")
    grid = grid_for(alpha8.shape[1], alpha8.shape[0])
    part = _coverage(alpha8, grid)
    mixed = (part > 0) & (part < 1)
    window = window_where(mixed, _REACH)
    if window is None:
        return pixels
    small = cell_picture(pixels, grid) if picture is None else picture
    near = _colours(small[window], part[window])
    loops = kernels()
    if loops is None:
        return _cleaned_plainly(pixels, alpha8, grid, mixed, window, near)
    result = _foreground_alone(pixels, part > 0, grid)
    edge = np.ascontiguousarray(mixed[window].view(np.uint8))
    place = window[0].start, window[1].start, grid.cell_px
    loops.clean_edge(np.ascontiguousarray(pixels), np.ascontiguousarray(alpha8), near, edge, *place, result)
    return result


def _coverage(alpha8: Alpha8, grid: CellGrid) -> Alpha:
    """Mean alpha of every cell, (rows, columns) in 0..1; never 0 or 1 where a single pixel is not."""
    loops = kernels()
    if loops is None:
        whole = whole_cells(alpha8, grid).astype(np.float32)
        return np.asarray(cv2.resize(whole, grid.size, interpolation=cv2.INTER_AREA), np.float32) / 255
    part = np.empty((grid.rows, grid.columns), np.float32)
    loops.coverage(np.ascontiguousarray(alpha8), grid.cell_px, part)
    return part


def _foreground_alone(pixels: Pixels, covered: npt.NDArray[np.bool_], grid: CellGrid) -> Pixels:
    """A copy of the part of the picture that anything may look at, black around it.

    One cell more than is covered, because moving the foreground mixes neighbours. Fresh zeros cost nothing until they
    are written.
    """
    result = np.zeros(pixels.shape, np.uint8)
    window = window_where(covered, 1)
    if window is not None:
        box = tuple(slice(part.start * grid.cell_px, part.stop * grid.cell_px) for part in window)
        result[box] = pixels[box]
    return result


def _cleaned_plainly(
    pixels: Pixels,
    alpha8: Alpha8,
    grid: CellGrid,
    mixed: npt.NDArray[np.bool_],
    window: Window,
    colours: Floats,
) -> Pixels:
    """The kernel's work in numpy, a run of cells at a time."""
    whole_pixels, whole_alpha = whole_cells(pixels, grid), whole_cells(alpha8, grid)
    result = whole_pixels.copy()
    for edge in in_runs(cells_where(mixed)):
        inside = CellSet(edge.rows - window[0].start, edge.columns - window[1].start)
        averages = interpolate(colours, grid.cell_px, inside)
        fixed = _blend_out(gather(whole_pixels, grid, edge), gather(whole_alpha, grid, edge), averages)
        scatter(result, grid, edge, fixed)
    return np.ascontiguousarray(result[: grid.height, : grid.width])


def _colours(picture: Pixels, alpha: Alpha) -> Floats:
    """Average foreground and background around each cell: (h, w, 3) and (h, w) -> (h, w, 6) float32, 0..255."""
    loops = kernels()
    if loops is None:
        return _colours_plainly(picture, alpha)
    near = np.empty((*alpha.shape, 6), np.float32)
    loops.edge_colours(np.ascontiguousarray(picture), np.ascontiguousarray(alpha), *ROUND_CELLS, near)
    return near


def _colours_plainly(picture: Pixels, alpha: Alpha) -> Floats:
    """By planes (3, h, w): numpy takes ten times as long over (h, w, 1) x (h, w, 3)."""
    planes = np.stack(cv2.split(picture)).astype(np.float32)
    rest = 1 - alpha
    foreground, background = _averages(planes, planes, alpha, ROUND_CELLS[0])
    residual = planes - alpha * foreground - rest * background
    foreground = np.clip(foreground + alpha * residual, 0, 255)
    background = np.clip(background + rest * residual, 0, 255)
    averages = _averages(foreground, background, alpha, ROUND_CELLS[1])
    return np.asarray(cv2.merge([plane for colour in averages for plane in colour]), np.float32)


def _averages(foreground: Floats, background: Floats, alpha: Alpha, radius: int) -> tuple[Floats, Floats]:
    rest = 1 - alpha
    return _weighted_mean(foreground, alpha * alpha, radius), _weighted_mean(background, rest * rest, radius)


def _weighted_mean(planes: Floats, weight: Alpha, radius: int) -> Floats:
    scale = 1 / (box_mean(weight, radius) + _TINY)
    return np.stack([box_mean(plane, radius) for plane in planes * weight]) * scale


def _blend_out(pixels: Pixels, alpha8: Alpha8, colours: Floats) -> Pixels:
    """Take the background out of (n, q, 3) pixels with (n, q) alpha, given (n, 6, q) average colours."""
    alpha = (alpha8 * np.float32(1 / 255))[:, None, :]
    mixture = pixels.swapaxes(1, 2).astype(np.float32, order="C")
    near_foreground, near_background = colours[:, :3], colours[:, 3:]
    mixture -= near_background
    mixture += alpha * (near_background - near_foreground)
    mixture *= alpha
    mixture += near_foreground + np.float32(0.5)
    return np.clip(mixture, 0, 255, out=mixture).astype(np.uint8).swapaxes(1, 2)
