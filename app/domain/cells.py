"""A frame as a grid of square cells: work at one value a cell, then only some cells pixel by pixel.

A matte is flat nearly everywhere: of 1080p's 32 400 cells of 8 x 8 px its edge touches 2 to 8 percent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

Window = tuple[slice, slice]
"""Rows and columns of a grid."""

CELLS_ON_LONG_SIDE = 250
"""Near the selfie models' 256: more cells cost time and gain nothing (IoU +0.0003 at four times the
cells)."""

_RUN = 256

_BLAS_SINGLE_THREAD = 1 << 18
"""Multiplications in one product up to which OpenBLAS stays on the calling thread."""


@dataclass(frozen=True, slots=True)
class CellGrid:
    """How a frame of (width, height) px divides into cells; the last row and column may stick out."""

    width: int
    height: int
    cell_px: int

    @property
    def columns(self) -> int:
        """Cells across."""
        return -(-self.width // self.cell_px)

    @property
    def rows(self) -> int:
        """Cells down."""
        return -(-self.height // self.cell_px)

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows), the order cv2 wants."""
        return self.columns, self.rows


@dataclass(frozen=True, slots=True)
class CellSet:
    """Some cells of a grid, by row and column."""

    rows: npt.NDArray[np.intp]
    columns: npt.NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)


def grid_for(width: int, height: int) -> CellGrid:
    """The grid of a frame: about CELLS_ON_LONG_SIDE cells along its longer side, never under 1 px a cell."""
    return CellGrid(width, height, max(1, round(max(width, height) / CELLS_ON_LONG_SIDE)))


def cells_where(mask: npt.NDArray[np.bool_] | Picture) -> CellSet:
    """The cells that a (rows, columns) mask marks."""
    return CellSet(*np.nonzero(mask))


def in_runs(cells: CellSet) -> Iterator[CellSet]:
    """The same cells, _RUN at a time: what is worked on stays in the cache and out of fresh memory pages.

    130 page faults a 1080p matte instead of 440.
    """
    for start in range(0, len(cells), _RUN):
        yield CellSet(cells.rows[start : start + _RUN], cells.columns[start : start + _RUN])


def window_where(mask: npt.NDArray[np.bool_], margin: int) -> Window | None:
    """The smallest window around all a (rows, columns) mask marks, widened; None when that is nothing."""
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    if width == 0:
        return None
    rows = slice(max(0, y - margin), min(mask.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(mask.shape[1], x + width + margin))


def shrink(picture: Picture, size: tuple[int, int], *, every_pixel: bool = False) -> Picture:
    """Reduce (H, W) or (H, W, 3) uint8 to (width, height), averaging; enlarges bilinearly.

    By cv2's fast steps: quarters while four times too large, halvings while twice, then one bilinear step:
    1080p to 240 x 135 in 0.3 ms, against 1.6 to 6 ms for a single INTER_AREA call. A quarter is the mean of the middle
    2 of 4 px; `every_pixel` halves instead, so that nothing small is missed. Bilinear at a factor of 2 is the mean
    too; only for 2 x 2 is cv2's area average faster, for 2 x 4 it takes three times as long.
    """
    width, height = size
    largest = 2 if every_pixel else 4
    while True:
        across = _step(picture.shape[1], width, largest)
        down = _step(picture.shape[0], height, largest)
        if across == down == 1:
            break
        how = cv2.INTER_AREA if across == down == 2 else cv2.INTER_LINEAR
        reduced = (max(width, picture.shape[1] // across), max(height, picture.shape[0] // down))
        picture = np.asarray(cv2.resize(picture, reduced, interpolation=how))
    if picture.shape[1::-1] == size:
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR))


def shrunk_into(picture: Picture, room: tuple[int, int]) -> Picture:
    """A picture, (H, W) or (H, W, 3) uint8, small enough for `room` (width, height), its aspect kept; never enlarged.

    1280x720 to 923x519 in about 1 ms; INTER_AREA takes 9.4.
    """
    height, width = picture.shape[:2]
    scale = min(room[0] / width, room[1] / height)
    if scale >= 1.0:
        return picture
    return shrink(picture, (max(1, round(width * scale)), max(1, round(height * scale))), every_pixel=True)


def _step(length: int, target: int, largest: int) -> int:
    """How far one side shrinks in one go: 4, 2 or 1."""
    return next((step for step in (4, 2) if step <= largest and length >= step * target), 1)


def resample(values: Floats, size: tuple[int, int]) -> Floats:
    """(h, w) float32 to (width, height): averages along a side that shrinks, bilinear along one that grows.

    Side by side, because cv2's INTER_AREA turns bilinear for both when one of them grows.
    """
    for target in ((size[0], values.shape[0]), size):
        shrinks = target[0] < values.shape[1] or target[1] < values.shape[0]
        if target != values.shape[1::-1]:
            how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            values = np.asarray(cv2.resize(values, target, interpolation=how))
    return values


def whole_cells(picture: Picture, grid: CellGrid) -> Picture:
    """The picture itself, or a copy padded (border repeated) to whole cells when its sides don't divide."""
    down = grid.rows * grid.cell_px - grid.height
    right = grid.columns * grid.cell_px - grid.width
    if down == 0 and right == 0:
        return picture
    return np.asarray(cv2.copyMakeBorder(picture, 0, down, 0, right, cv2.BORDER_REPLICATE))


def cell_picture(picture: Picture, grid: CellGrid) -> Picture:
    """A frame (H, W, 3) at one value a cell."""
    return shrink(whole_cells(picture, grid), grid.size)


def gather(picture: Picture, grid: CellGrid, cells: CellSet) -> Picture:
    """The pixels of some cells: (rows * p, columns * p[, c]) -> (n, p * p[, c]), p = cell_px, row-major."""
    return np.asarray(_by_cell(picture, grid)[cells.rows, cells.columns].reshape(len(cells), -1, *picture.shape[2:]))


def scatter(picture: Picture, grid: CellGrid, cells: CellSet, values: Picture) -> None:
    """Write (n, p * p[, c]) back into their cells of `picture`, in place."""
    p = grid.cell_px
    _by_cell(picture, grid)[cells.rows, cells.columns] = values.reshape(len(cells), p, p, *picture.shape[2:])


def interpolate(values: Floats, cell_px: int, cells: CellSet) -> Floats:
    """Bilinear samples of a (rows, columns, c) array at every pixel of some of its cells: (n, c, p * p).

    The same numbers as cv2.resize to full size (cell centres, border repeated), without visiting the other
    cells: one (n c, 9) x (9, p p) product.
    """
    padded = np.asarray(cv2.copyMakeBorder(values, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
    if padded.ndim == 2:
        padded = padded[..., None]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))  # type: ignore[call-overload]
    near = windows[cells.rows, cells.columns].reshape(-1, 9)
    return _product(near, _bilinear_weights(cell_px)).reshape(len(cells), padded.shape[2], cell_px * cell_px)


def _product(left: Floats, right: Floats) -> Floats:
    """left @ right in runs too short for OpenBLAS to split over threads.

    Its threads spin while they wait for a busy core: 2.9 ms at p90 instead of 0.12 ms, for the same product.
    """
    out = np.empty((left.shape[0], right.shape[1]), np.float32)
    run = max(1, _BLAS_SINGLE_THREAD // right.size)
    for start in range(0, len(left), run):
        np.matmul(left[start : start + run], right, out=out[start : start + run])
    return out


def _by_cell(picture: Picture, grid: CellGrid) -> Picture:
    p = grid.cell_px
    view: Picture = picture.reshape(grid.rows, p, grid.columns, p, *picture.shape[2:])
    return view.swapaxes(1, 2)


@lru_cache(maxsize=16)
def _bilinear_weights(cell_px: int) -> Floats:
    """(9, p * p): what each of the 3 x 3 cells around weighs at each pixel of the middle one."""
    offset = (np.arange(cell_px) + 0.5) / cell_px - 0.5
    line = np.stack([np.maximum(-offset, 0), 1 - np.abs(offset), np.maximum(offset, 0)], axis=1)
    weights: Floats = np.einsum("ia,jb->abij", line, line).reshape(9, -1).astype(np.float32)
    weights.setflags(write=False)
    return weights
