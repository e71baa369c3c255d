"""Kernels between Y'CbCr 4:2:0 and RGB, plane by plane: interleaved pixels don't vectorise.

In floating point, which is exact to far below half a level and, on a processor with fused multiply-add, faster than
integers. Chroma lies in the middle of its 2 x 2 pixels.
"""

from __future__ import annotations

# Numba reads the types of what is called inside a kernel itself; annotations would say nothing to it.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
import numpy as np

from app.domain.kernels.declaring import F32, U8, at, compiled_loosely, given, inlined_loosely, made


@inlined_loosely
def _blended(plane, row, line):
    """Chroma of one line of pixels at every second of them, bilinear down: a quarter of the nearer neighbour."""
    here = row // 2
    other = here + (1 if row % 2 else -1)
    near, far = plane[at(here)], plane[at(min(max(other, 0), plane.shape[0] - 1))]
    for x in range(at(line.size)):
        line[x] = np.float32(0.75) * np.float32(near[x]) + np.float32(0.25) * np.float32(far[x])


@inlined_loosely
def _widened(line, out):
    """The same at every pixel, bilinear across, border repeated."""
    last = at(line.size - 1)
    for i in range(at(1), last):
        out[at(2) * i] = np.float32(0.75) * line[i] + np.float32(0.25) * line[i - at(1)]
        out[at(2) * i + at(1)] = np.float32(0.75) * line[i] + np.float32(0.25) * line[i + at(1)]
    for end in (at(0), last):
        before, after = end - at(1) if end > at(0) else end, min(end + at(1), last)
        out[at(2) * end] = np.float32(0.75) * line[end] + np.float32(0.25) * line[before]
        out[at(2) * end + at(1)] = np.float32(0.75) * line[end] + np.float32(0.25) * line[after]


@compiled_loosely(given(U8, 2), given(U8, 2), given(U8, 2), given(F32, 2), made(U8, 2), made(U8, 2), made(U8, 2))
def rgb_planes(luma, blue_chroma, red_chroma, matrix, red, green, blue):
    """Planes of RGB (H, W) from luma (H, W) and chroma (ceil(H / 2), ceil(W / 2)).

    matrix (3, 4): from Y, Cb, Cr to R, G, B with offsets, a half for rounding included; R owes nothing to Cb, B
    nothing to Cr.
    """
    scale, from_red, from_blue = matrix[0, 0], matrix[0, 2], matrix[2, 1]
    green_blue, green_red = matrix[1, 1], matrix[1, 2]
    to_red, to_green, to_blue = matrix[0, 3], matrix[1, 3], matrix[2, 3]
    least, most = np.float32(0), np.float32(255.5)
    line = np.empty(blue_chroma.shape[1], np.float32)
    across = np.empty(2 * blue_chroma.shape[1], np.float32), np.empty(2 * blue_chroma.shape[1], np.float32)
    us, vs = across
    for row in range(luma.shape[0]):
        _blended(blue_chroma, row, line)
        _widened(line, us)
        _blended(red_chroma, row, line)
        _widened(line, vs)
        y = at(row)
        ys, rs, gs, bs = luma[y], red[y], green[y], blue[y]
        for x in range(at(ys.size)):
            level = scale * np.float32(ys[x])
            r = level + from_red * vs[x] + to_red
            g = level + green_blue * us[x] + green_red * vs[x] + to_green
            b = level + from_blue * us[x] + to_blue
            rs[x] = np.uint8(np.int32(min(max(r, least), most)))
            gs[x] = np.uint8(np.int32(min(max(g, least), most)))
            bs[x] = np.uint8(np.int32(min(max(b, least), most)))


@inlined_loosely
def _summed(red, green, blue, upper, lower, weights, out):
    """Two lines of pixels, weighted and added."""
    r, g, b = weights[0], weights[1], weights[2]
    r0, r1, g0, g1, b0, b1 = red[upper], red[lower], green[upper], green[lower], blue[upper], blue[lower]
    for x in range(at(r0.size)):
        own = r * (np.float32(r0[x]) + np.float32(r1[x])) + g * (np.float32(g0[x]) + np.float32(g1[x]))
        out[x] = own + b * (np.float32(b0[x]) + np.float32(b1[x]))


@inlined_loosely
def _halved(line, offset, out, count):
    """Pairs of a line of sums of two, each to its mean."""
    for x in range(at(count)):
        value = np.float32(0.25) * (line[at(2) * x] + line[at(2) * x + at(1)]) + offset
        out[x] = np.uint8(np.int32(min(max(value, np.float32(0)), np.float32(255.5))))


@compiled_loosely(given(U8, 2), given(U8, 2), given(U8, 2), given(F32, 2), made(U8, 2), made(U8, 2), made(U8, 2))
def yuv_planes(red, green, blue, matrix, luma, blue_chroma, red_chroma):
    """Luma (H, >= W) and chroma (ceil(H / 2), >= ceil(W / 2)) of planes of RGB (H, W): the mean of 2 x 2 pixels.

    matrix (3, 4): from R, G, B to Y, Cb, Cr with offsets, a half for rounding included. What is wider in a result
    than the picture is left as it is; at odd sides the last pixel counts twice.
    """
    height, width = red.shape
    chroma = np.empty((2, width + 1), np.float32)
    for row in range(0, height, 2):
        for down in range(min(2, height - row)):
            y = at(row + down)
            rs, gs, bs, ys = red[y], green[y], blue[y], luma[y]
            a, b, c, d = matrix[0, 0], matrix[0, 1], matrix[0, 2], matrix[0, 3]
            for x in range(at(width)):
                ys[x] = np.uint8(np.int32(a * np.float32(rs[x]) + b * np.float32(gs[x]) + c * np.float32(bs[x]) + d))
        upper, lower = at(row), at(min(row + 1, height - 1))
        for k in range(2):
            _summed(red, green, blue, upper, lower, matrix[k + 1], chroma[k])
            chroma[k, width] = chroma[k, width - 1]
        target = at(row // 2)
        _halved(chroma[0], matrix[1, 3], blue_chroma[target], (width + 1) // 2)
        _halved(chroma[1], matrix[2, 3], red_chroma[target], (width + 1) // 2)
