"""Kernels that visit pixels: blending, filling and the two that work along the edge.

They touch only what they change: 32 pixels at a time while these are all plate or all person, single pixels where
the edge runs.
"""

from __future__ import annotations

# Numba reads the types of what is called inside a kernel itself; annotations would say nothing to it.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
from typing import Final

import numpy as np

from app.domain.kernels.declaring import F32, INT, U8, at, compiled, given, inlined, made

_BLOCK: Final = 32
"""Pixels that are looked at together."""


@compiled(given(U8, 1), given(U8, 1), given(U8, 1), given(U8, 2), made(U8, 1))
def composite(foreground, plate, alpha, table, out):
    """out = round((a * table[F] + (255 - a) * P) / 255), exactly.

    foreground, plate, out: pictures of n pixels as (3 n,). alpha (n,). table (256, 3). x / 255 rounded is
    (t + (t >> 8)) >> 8 with t = x + 128, for every x up to 255 * 255.
    """
    count, block, three = at(alpha.size), at(_BLOCK), at(3)
    start = at(0)
    while start < count:
        end = min(start + block, count)
        most, least = np.uint8(0), np.uint8(255)
        for i in range(start, end):
            most |= alpha[i]
            least &= alpha[i]
        if most == 0:
            for i in range(three * start, three * end):
                out[i] = plate[i]
        elif least == 255:
            for i in range(start, end):
                red = three * i
                out[red] = table[foreground[red], 0]
                out[red + at(1)] = table[foreground[red + at(1)], 1]
                out[red + at(2)] = table[foreground[red + at(2)], 2]
        else:
            for i in range(start, end):
                weight = np.uint32(alpha[i])
                rest = np.uint32(255) - weight
                for channel in range(3):
                    j = three * i + at(channel)
                    t = weight * np.uint32(table[foreground[j], channel]) + rest * np.uint32(plate[j])
                    t += np.uint32(128)
                    out[j] = np.uint8((t + (t >> np.uint32(8))) >> np.uint32(8))
        start = end


@compiled(given(U8, 2), INT, made(F32, 2))
def coverage(alpha, cell_px, out):
    """Mean of alpha (H, W) in every cell, 0..1, into out (rows, columns); cells that stick out repeat the border."""
    height, width, side = at(alpha.shape[0]), at(alpha.shape[1]), at(cell_px)
    line = np.empty(out.shape[1] * cell_px, np.uint32)
    scale = np.float32(1) / np.float32(255 * cell_px * cell_px)
    for row in range(at(out.shape[0])):
        line[:] = 0
        for down in range(side):
            y = min(row * side + down, height - at(1))
            for x in range(width):
                line[x] += np.uint32(alpha[y, x])
        for x in range(width, at(line.size)):
            line[x] = line[width - at(1)]
        for column in range(at(out.shape[1])):
            total = np.uint32(0)
            for x in range(column * side, column * side + side):
                total += line[x]
            out[row, column] = np.float32(total) * scale


@compiled(given(U8, 2), INT, made(U8, 2))
def flat_cells(solid, cell_px, out):
    """Every cell of out (H, W) wholly 255 where solid (rows, columns) is 1, else 0."""
    height, width, side = at(out.shape[0]), at(out.shape[1]), at(cell_px)
    for row in range(at(solid.shape[0])):
        first = row * side
        for column in range(at(solid.shape[1])):
            level = np.uint8(255) * solid[row, column]
            for x in range(column * side, min(column * side + side, width)):
                out[first, x] = level
        for y in range(first + at(1), min(first + side, height)):
            for x in range(width):
                out[y, x] = out[first, x]


@inlined
def _offsets(cell_px):
    """How far each pixel of a cell lies from its middle, in cells: (cell_px,) in (-0.5, 0.5)."""
    offsets = np.empty(cell_px, np.float32)
    for i in range(cell_px):
        offsets[i] = (np.float32(i) + np.float32(0.5)) / np.float32(cell_px) - np.float32(0.5)
    return offsets


@inlined
def _interpolated(values, row, column, offset, offsets, line):
    """Six values a cell, (h, w, 6), between the cells: line (6, cell_px) of the pixels of one cell.

    offset: the line's, as `_offsets` gives it. The border is repeated.
    """
    other = row
    if offset < 0 and row > at(0):
        other = row - at(1)
    elif offset > 0 and row + at(1) < at(values.shape[0]):
        other = row + at(1)
    down, side = abs(offset), at(offsets.size)
    half = side // at(2)
    before = column - at(1) if column > at(0) else column
    after = min(column + at(1), at(values.shape[1] - 1))
    for k in range(at(6)):
        left = values[row, before, k] + down * (values[other, before, k] - values[row, before, k])
        here = values[row, column, k] + down * (values[other, column, k] - values[row, column, k])
        right = values[row, after, k] + down * (values[other, after, k] - values[row, after, k])
        for x in range(half):
            line[k, x] = here - offsets[x] * (left - here)
        for x in range(half, side):
            line[k, x] = here + offsets[x] * (right - here)


@compiled(given(U8, 3), given(F32, 3), given(U8, 2), INT, INT, INT, made(U8, 2))
def edge_matte(pixels, models, edge, top, left, cell_px, out):
    """The matte at every pixel of the cells that `edge` marks: max(min(c . RGB + d, most), least), truncated.

    pixels (H, W, 3), out (H, W). models (h, w, 6): c as R, G, B, d, least, most, one a cell of a window that starts
    at cell (top, left), interpolated between cells; edge (h, w) of the same window.
    """
    height, width, side = at(out.shape[0]), at(out.shape[1]), at(cell_px)
    offsets, line = _offsets(cell_px), np.empty((6, cell_px), np.float32)
    for row in range(at(edge.shape[0])):
        for column in range(at(edge.shape[1])):
            if edge[row, column] == 0:
                continue
            first, start = (row + at(top)) * side, (column + at(left)) * side
            for y in range(first, min(first + side, height)):
                _interpolated(models, row, column, offsets[y - first], offsets, line)
                for x in range(min(side, width - start)):
                    value = line[at(3), x] + pixels[y, start + x, at(0)] * line[at(0), x]
                    value += pixels[y, start + x, at(1)] * line[at(1), x]
                    value += pixels[y, start + x, at(2)] * line[at(2), x]
                    out[y, start + x] = np.uint8(min(max(value, line[at(4), x]), line[at(5), x]))


@compiled(given(U8, 3), given(U8, 2), given(F32, 3), given(U8, 2), INT, INT, INT, made(U8, 3))
def clean_edge(pixels, alpha, colours, edge, top, left, cell_px, out):
    """The foreground's own colour at every pixel of the cells that `edge` marks: a (I - B + a (B - F)) + F, rounded.

    pixels and out (H, W, 3), alpha (H, W). colours (h, w, 6): F and B, as `edge_matte` takes its models.
    """
    height, width, side = at(alpha.shape[0]), at(alpha.shape[1]), at(cell_px)
    offsets, line = _offsets(cell_px), np.empty((6, cell_px), np.float32)
    for row in range(at(edge.shape[0])):
        for column in range(at(edge.shape[1])):
            if edge[row, column] == 0:
                continue
            first, start = (row + at(top)) * side, (column + at(left)) * side
            for y in range(first, min(first + side, height)):
                _interpolated(colours, row, column, offsets[y - first], offsets, line)
                for x in range(min(side, width - start)):
                    a = alpha[y, start + x] * np.float32(1 / 255)
                    for channel in range(at(3)):
                        own, other = line[channel, x], line[channel + at(3), x]
                        mixture = pixels[y, start + x, channel] - other
                        value = a * (mixture + a * (other - own)) + own + np.float32(0.5)
                        out[y, start + x, channel] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
