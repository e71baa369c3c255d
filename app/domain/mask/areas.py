"""Areas to paint at once: what a lasso or polygon encloses, and what a fill reaches."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import feather
from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha8, Pixels
from app.domain.mask.planes import NOWHERE, Box, box_of

Area: TypeAlias = tuple[Box, Alpha8]
"""A box within the picture and the coverage (h, w) uint8 of its pixels; nothing is covered outside."""

Point: TypeAlias = tuple[float, float]
"""x, y in px; (0, 0) is the picture's upper left corner."""

FEATHER_PX: Final = (0.0, 100.0)
TOLERANCE: Final = (0, 255)
"""Limits of the tools' settings."""

_LINES: Final = 8
"""Looked at in a row of pixels. Along a line coverage is exact."""

_ROWS: Final = 128
"""Filled at a time: bounds the memory for 8K frames."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def no_area() -> Area:
    """Nothing at all."""
    return NOWHERE, np.zeros((0, 0), np.uint8)


def tightened(box: Box, coverage: Alpha8) -> Area:
    """The same area in the smallest box."""
    inner = box_of(coverage)
    if inner.is_empty:
        return no_area()
    place = Box(box.x0 + inner.x0, box.y0 + inner.y0, box.x0 + inner.x1, box.y0 + inner.y1)
    return place, np.ascontiguousarray(coverage[inner.rows_columns])


def polygon_coverage(points: Sequence[Point], size: Size, *, feather_px: float = 0) -> Area:
    """What a closed polygon covers of a picture of (width, height), smooth at its edges.

    Where it crosses itself everything within any loop counts (non-zero winding), so that a lasso whose ends overlap
    has no hole there. Points may lie outside; fewer than three enclose nothing. feather_px: softens as `feather` does.
    ValueError for points that are no numbers.
    """
    if len(points) < 3:
        return no_area()
    path = np.asarray(points, np.float64)
    if not np.isfinite(path).all():
        raise ValueError("a polygon's point is no number")
    # Beyond this everything is outside anyway, and no product overflows.
    path = np.clip(path, -1e6, 1e6)
    (x0, y0), (x1, y1) = path.min(axis=0), path.max(axis=0)
    whole = Box(math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
    box = whole.grown(math.ceil(2 * feather_px)).within(size)
    if box.is_empty:
        return no_area()
    lines, x, turn = _turns(path, box)
    return tightened(box, feather(_filled(lines, x, turn, box), feather_px))


def flood_coverage(
    picture: Alpha8 | Pixels, seed: Point, *, tolerance: int, contiguous: bool = True, feather_px: float = 0
) -> Area:
    """Pixels like the one at `seed`: none of its values differs by more than `tolerance` levels.

    picture: (H, W) or (H, W, 3) uint8. contiguous: only those joined to it, across sides of pixels. A seed outside
    reaches nothing.
    """
    height, width = picture.shape[:2]
    column, row = math.floor(seed[0]), math.floor(seed[1])
    if not (0 <= column < width and 0 <= row < height):
        return no_area()
    reached = _joined if contiguous else _alike
    box, coverage = tightened(Box(0, 0, width, height), reached(picture, column, row, tolerance))
    return _feathered(box, coverage, (width, height), feather_px)


def _feathered(box: Box, coverage: Alpha8, size: Size, feather_px: float) -> Area:
    if feather_px <= 0:
        return box, coverage
    wide = box.grown(math.ceil(2 * feather_px)).within(size)
    room = np.zeros((wide.y1 - wide.y0, wide.x1 - wide.x0), np.uint8)
    room[box.y0 - wide.y0 : box.y1 - wide.y0, box.x0 - wide.x0 : box.x1 - wide.x0] = coverage
    return tightened(wide, feather(room, feather_px))


def _joined(picture: Alpha8 | Pixels, column: int, row: int, tolerance: int) -> Alpha8:
    height, width = picture.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    flags = 4 | (255 << 8) | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY
    reach = (float(tolerance),) * 4
    # OpenCV refuses read-only pictures, though with MASK_ONLY it writes to none.
    own = picture if picture.flags.writeable else picture.copy()
    cv2.floodFill(own, mask, (column, row), (0, 0, 0, 0), reach, reach, flags)
    return mask[1:-1, 1:-1]


def _alike(picture: Alpha8 | Pixels, column: int, row: int, tolerance: int) -> Alpha8:
    seed = np.atleast_1d(picture[row, column]).astype(float)
    return as_uint8(cv2.inRange(picture, seed - tolerance, seed + tolerance))


def _turns(path: Floats, box: Box) -> tuple[Ints, Floats, Ints]:
    """Where lines through the box enter and leave the polygon: line number, x, +1 or -1; by line, then x.

    _LINES lines a row, numbered from the box's top; the outermost crossings only.
    """
    ends = np.roll(path, -1, axis=0)
    top, bottom = np.minimum(path[:, 1], ends[:, 1]), np.maximum(path[:, 1], ends[:, 1])
    limits = box.y0 * _LINES, box.y1 * _LINES
    first, after = (np.clip(np.ceil(y * _LINES - 0.5), *limits).astype(np.int64) for y in (top, bottom))
    count = after - first
    edge = np.repeat(np.arange(len(path)), count)
    line = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    rise = ends - path
    share = ((line + 0.5) / _LINES - path[edge, 1]) / rise[edge, 1]
    x = path[edge, 0] + share * rise[edge, 0]
    order = np.lexsort((x, line))
    step = np.where(rise[edge[order], 1] > 0, 1, -1)
    winding = np.cumsum(step)
    turn = (winding != 0).astype(np.int64) - (winding - step != 0)
    kept = turn != 0
    return line[order][kept] - limits[0], x[order][kept], turn[kept]


def _filled(lines: Ints, x: Floats, turns: Ints, box: Box) -> Alpha8:
    """Coverage of the box (h, w) uint8 from the turns."""
    width, height = box.size
    result = np.zeros((height, width), np.uint8)
    for rows, part in _strips(lines, height):
        at = np.clip(x[part] - box.x0, 0, width)
        column = np.floor(at).astype(np.int64)
        beside = at - column
        # From here on to the right everything is in (or out): the pixel itself by 1 - beside, the next ones altogether.
        place = (lines[part] // _LINES - rows.start) * (width + 2) + column
        steps = np.concatenate([turns[part] * (1 - beside), turns[part] * beside])
        room = (rows.stop - rows.start) * (width + 2)
        changes = np.bincount(np.concatenate([place, place + 1]), steps, minlength=room)
        inside = np.cumsum(changes.reshape(-1, width + 2), axis=1)[:, :width]
        result[rows] = np.rint(np.clip(inside, 0, _LINES) * (255 / _LINES))
    return result


def _strips(lines: Ints, height: int) -> Iterator[tuple[slice, slice]]:
    """Runs of rows, and which of the turns lie in them."""
    for top in range(0, height, _ROWS):
        rows = slice(top, min(top + _ROWS, height))
        start, stop = np.searchsorted(lines, (rows.start * _LINES, rows.stop * _LINES))
        yield rows, slice(int(start), int(stop))
