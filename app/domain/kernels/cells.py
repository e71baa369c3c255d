"""Kernels that work at one value a cell: the guided filter's models and the colours along the edge."""

from __future__ import annotations

# Numba reads the types of what is called inside a kernel itself; annotations would say nothing to it.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, misc"
import numpy as np

from app.domain.kernels.declaring import F32, INT, U8, at, compiled, given, inlined, made


@inlined
def box_mean(values, radius, out):
    """Mean over a square of 2 radius + 1 cells, border reflected (cv2.BORDER_REFLECT); values, out (h, w, c).

    Whole lines are added to each other, down and then shifted, which vectorises.
    """
    height, width, step = values.shape[0], values.shape[1], at(values.shape[2])
    reach = at(radius)
    margin, length = reach * step, at(width) * step
    line = np.empty(length + at(2) * margin, np.float32)
    lines, targets = values.reshape(height, width * values.shape[2]), out.reshape(height, width * values.shape[2])
    scale = np.float32(1) / np.float32((2 * radius + 1) * (2 * radius + 1))
    for row in range(height):
        line[:] = 0
        for down in range(-radius, radius + 1):
            source = at(_reflected(row + down, height))
            for j in range(length):
                line[margin + j] += lines[source, j]
        _reflect_ends(line, width, radius, step)
        y = at(row)
        for j in range(length):
            targets[y, j] = line[j]
        for k in range(at(1), at(2) * reach + at(1)):
            shift = k * step
            for j in range(length):
                targets[y, j] += line[j + shift]
        for j in range(length):
            targets[y, j] *= scale


@inlined
def _reflect_ends(line, width, radius, step):
    """Fill the `radius` cells before and after a line of `width` cells of `step` values."""
    reach = at(radius)
    for i in range(radius):
        before, after = at(_reflected(-i - 1, width)), at(_reflected(width + i, width))
        for k in range(step):
            line[(reach - at(1) - at(i)) * step + k] = line[(reach + before) * step + k]
            line[(reach + at(width) + at(i)) * step + k] = line[(reach + after) * step + k]


@inlined
def _reflected(index, count):
    """Index into 0 .. count - 1, mirrored at the borders as often as it takes."""
    while index < 0 or index >= count:
        index = -index - 1 if index < 0 else 2 * count - 1 - index
    return index


@inlined
def _products(picture, guide):
    """R, G, B in [0, 1] and their six products, into guide (h, w, 9)."""
    scale = np.float32(1 / 255)
    for y in range(at(guide.shape[0])):
        for x in range(at(guide.shape[1])):
            r, g, b = picture[y, x, at(0)] * scale, picture[y, x, at(1)] * scale, picture[y, x, at(2)] * scale
            guide[y, x, at(0)], guide[y, x, at(1)], guide[y, x, at(2)] = r, g, b
            guide[y, x, at(3)], guide[y, x, at(4)], guide[y, x, at(5)] = r * r, r * g, r * b
            guide[y, x, at(6)], guide[y, x, at(7)], guide[y, x, at(8)] = g * g, g * b, b * b


@inlined
def _inverse_covariances(means, eps, inverse):
    """Adjugate over determinant of covariance + eps I, from the nine means; rr, rg, rb, gg, gb, bb (h, w, 6)."""
    floor = eps * eps * eps
    for y in range(at(means.shape[0])):
        for x in range(at(means.shape[1])):
            mr, mg, mb = means[y, x, at(0)], means[y, x, at(1)], means[y, x, at(2)]
            rr, rg = means[y, x, at(3)] - mr * mr + eps, means[y, x, at(4)] - mr * mg
            rb, gg = means[y, x, at(5)] - mr * mb, means[y, x, at(6)] - mg * mg + eps
            gb, bb = means[y, x, at(7)] - mg * mb, means[y, x, at(8)] - mb * mb + eps
            crr, crg, crb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
            scale = np.float32(1) / max(rr * crr + rg * crg + rb * crb, floor)
            inverse[y, x, at(0)], inverse[y, x, at(1)], inverse[y, x, at(2)] = crr * scale, crg * scale, crb * scale
            inverse[y, x, at(3)] = (rr * bb - rb * rb) * scale
            inverse[y, x, at(4)] = (rb * rg - rr * gb) * scale
            inverse[y, x, at(5)] = (rr * gg - rg * rg) * scale


@inlined
def _moments(alpha, guide, moments):
    """alpha times R, G, B, and alpha itself, into moments (h, w, 4)."""
    for y in range(at(alpha.shape[0])):
        for x in range(at(alpha.shape[1])):
            value = alpha[y, x]
            for channel in range(at(3)):
                moments[y, x, channel] = value * guide[y, x, channel]
            moments[y, x, at(3)] = value


@inlined
def _models(moments, means, inverse, models):
    """The linear model of every box, (h, w, 4), from its mean moments; He, Sun, Tang, eq. 14 and 15."""
    for y in range(at(means.shape[0])):
        for x in range(at(means.shape[1])):
            mr, mg, mb = means[y, x, at(0)], means[y, x, at(1)], means[y, x, at(2)]
            mean = moments[y, x, at(3)]
            sr = moments[y, x, at(0)] - mr * mean
            sg = moments[y, x, at(1)] - mg * mean
            sb = moments[y, x, at(2)] - mb * mean
            r = inverse[y, x, at(0)] * sr + inverse[y, x, at(1)] * sg + inverse[y, x, at(2)] * sb
            g = inverse[y, x, at(1)] * sr + inverse[y, x, at(3)] * sg + inverse[y, x, at(4)] * sb
            b = inverse[y, x, at(2)] * sr + inverse[y, x, at(4)] * sg + inverse[y, x, at(5)] * sb
            models[y, x, at(0)], models[y, x, at(1)], models[y, x, at(2)] = r, g, b
            models[y, x, at(3)] = mean - r * mr - g * mg - b * mb


@inlined
def _fitted(alpha, guide, means, inverse, radius, moments, averaged, out):
    """The averaged models that best explain alpha, into out (h, w, 4)."""
    _moments(alpha, guide, moments)
    box_mean(moments, radius, averaged)
    _models(averaged, means, inverse, moments)
    box_mean(moments, radius, out)


@inlined
def _applied(models, guide, here):
    """What the models say at every cell, (h, w)."""
    for y in range(at(here.shape[0])):
        for x in range(at(here.shape[1])):
            value = models[y, x, at(0)] * guide[y, x, at(0)] + models[y, x, at(1)] * guide[y, x, at(1)]
            here[y, x] = value + models[y, x, at(2)] * guide[y, x, at(2)] + models[y, x, at(3)]


@compiled(given(U8, 3), given(F32, 2), INT, F32, F32, F32, made(F32, 3), made(F32, 2))
def edge_models(picture, alpha, radius, eps, low, high, out, here):
    """Two passes of a guided filter (`app.domain.guided`): local models of alpha, and their own alpha `here` (h, w).

    picture (h, w, 3), alpha (h, w), one value a cell. The second pass reads the first one's alpha with [low, high]
    stretched to [0, 1]. out (h, w, 4): alpha ~ out[..., 0:3] . RGB + out[..., 3], RGB in [0, 1].
    """
    guide = np.empty((*alpha.shape, 9), np.float32)
    means = np.empty_like(guide)
    inverse = np.empty((*alpha.shape, 6), np.float32)
    moments = np.empty((*alpha.shape, 4), np.float32)
    averaged, target = np.empty_like(moments), np.empty_like(alpha)
    _products(picture, guide)
    box_mean(guide, radius, means)
    _inverse_covariances(means, eps, inverse)
    _fitted(alpha, guide, means, inverse, radius, moments, averaged, out)
    _applied(out, guide, here)
    for y in range(at(alpha.shape[0])):
        for x in range(at(alpha.shape[1])):
            target[y, x] = min(max((here[y, x] - low) / (high - low), np.float32(0)), np.float32(1))
    _fitted(target, guide, means, inverse, radius, moments, averaged, out)
    _applied(out, guide, here)


@compiled(given(F32, 3), given(F32, 2), F32, F32, made(F32, 3), made(U8, 2))
def matte_levels(models, here, low, high, out, edge):
    """Models (h, w, 4) scaled from 8-bit colours to matte levels, with bounds: out (h, w, 6); and where to use them.

    [low, high] becomes 0 .. 255, plus half a level for rounding. The last two are the least and the most that
    the 3 x 3 cells around say; `edge` (h, w) is 1 where these lie on both sides of being decided.
    """
    height, width = here.shape
    gain = np.float32(255) / (high - low)
    shift = np.float32(0.5) - low * gain
    for row in range(height):
        top, bottom, y = max(row - 1, 0), min(row + 1, height - 1), at(row)
        for column in range(width):
            x = at(column)
            least = most = here[y, x]
            for near in range(top, bottom + 1):
                for beside in range(max(column - 1, 0), min(column + 1, width - 1) + 1):
                    value = here[at(near), at(beside)]
                    least, most = min(least, value), max(most, value)
            for channel in range(at(3)):
                out[y, x, channel] = models[y, x, channel] * (gain / np.float32(255))
            out[y, x, at(3)] = models[y, x, at(3)] * gain + shift
            out[y, x, at(4)] = min(max(least * gain + shift, np.float32(0)), np.float32(255.5))
            out[y, x, at(5)] = min(max(most * gain + shift, np.float32(0)), np.float32(255.5))
            edge[y, x] = most > low and least < high


@inlined
def _as_seen(picture, alpha, weighted):
    """The picture weighted by alpha squared, and by its rest squared, with the weights: (h, w, 8)."""
    for y in range(at(alpha.shape[0])):
        for x in range(at(alpha.shape[1])):
            own, other = alpha[y, x] * alpha[y, x], (np.float32(1) - alpha[y, x]) * (np.float32(1) - alpha[y, x])
            for channel in range(at(3)):
                weighted[y, x, channel] = picture[y, x, channel] * own
                weighted[y, x, channel + at(4)] = picture[y, x, channel] * other
            weighted[y, x, at(3)], weighted[y, x, at(7)] = own, other


@inlined
def _corrected(picture, alpha, colours, weighted):
    """As `_as_seen`, of the colours that explain the picture exactly."""
    for y in range(at(alpha.shape[0])):
        for x in range(at(alpha.shape[1])):
            a, rest = alpha[y, x], np.float32(1) - alpha[y, x]
            for channel in range(at(3)):
                own, other = colours[y, x, channel], colours[y, x, channel + at(3)]
                residual = picture[y, x, channel] - a * own - rest * other
                own = min(max(own + a * residual, np.float32(0)), np.float32(255))
                other = min(max(other + rest * residual, np.float32(0)), np.float32(255))
                weighted[y, x, channel] = own * (a * a)
                weighted[y, x, channel + at(4)] = other * (rest * rest)


@inlined
def _colours(means, out):
    """Weighted means of two colours, (h, w, 8), to the colours, (h, w, 6)."""
    tiny = np.float32(1e-4)
    for y in range(at(out.shape[0])):
        for x in range(at(out.shape[1])):
            own = np.float32(1) / (means[y, x, at(3)] + tiny)
            other = np.float32(1) / (means[y, x, at(7)] + tiny)
            for channel in range(at(3)):
                out[y, x, channel] = means[y, x, channel] * own
                out[y, x, channel + at(3)] = means[y, x, channel + at(4)] * other


@compiled(given(U8, 3), given(F32, 2), INT, INT, made(F32, 3))
def edge_colours(picture, alpha, first_radius, second_radius, out):
    """Average foreground and background around every cell (`app.domain.decontamination`), out (h, w, 6), 0..255.

    picture (h, w, 3), alpha (h, w) in 0..1: one value a cell. A radius a round.
    """
    weighted = np.empty((*alpha.shape, 8), np.float32)
    means = np.empty_like(weighted)
    _as_seen(picture, alpha, weighted)
    box_mean(weighted, first_radius, means)
    _colours(means, out)
    _corrected(picture, alpha, out, weighted)
    box_mean(weighted, second_radius, means)
    _colours(means, out)


@inlined
def _sample(picture, alpha, x, y, values):
    """R, G, B and alpha at (x, y) in cells, bilinear, border repeated; into values (4,)."""
    left, top = np.floor(x), np.floor(y)
    right, down = x - left, y - top
    x0 = at(min(max(left, np.float32(0)), np.float32(alpha.shape[1] - 1)))
    x1 = at(min(max(left + np.float32(1), np.float32(0)), np.float32(alpha.shape[1] - 1)))
    y0 = at(min(max(top, np.float32(0)), np.float32(alpha.shape[0] - 1)))
    y1 = at(min(max(top + np.float32(1), np.float32(0)), np.float32(alpha.shape[0] - 1)))
    for k in range(at(3)):
        upper = picture[y0, x0, k] + right * (np.float32(picture[y0, x1, k]) - picture[y0, x0, k])
        lower = picture[y1, x0, k] + right * (np.float32(picture[y1, x1, k]) - picture[y1, x0, k])
        values[k] = upper + down * (lower - upper)
    above = alpha[y0, x0] + right * (alpha[y0, x1] - alpha[y0, x0])
    below = alpha[y1, x0] + right * (alpha[y1, x1] - alpha[y1, x0])
    values[at(3)] = above + down * (below - above)


@compiled(given(U8, 3), given(F32, 2), given(F32, 3), given(U8, 3), given(F32, 2), F32, F32, F32, made(F32, 2))
def steadied(last_picture, last_alpha, flow, picture, alpha, slow, same, other, out):
    """One step of the smoothing (`app.domain.steadiness`), carrying the last picture and alpha along the flow.

    Pictures (h, w, 3), alphas and out (h, w), flow (h, w, 2) in cells. slow: how much of a change is taken where the
    pictures agree to `same` levels; from `other` levels on all of it is.
    """
    height, width = at(alpha.shape[0]), at(alpha.shape[1])
    carried = np.empty_like(alpha)
    apart = np.empty((*alpha.shape, 1), np.float32)
    around, values = np.empty_like(apart), np.empty(4, np.float32)
    for y in range(height):
        for x in range(width):
            across, down = np.float32(x) + flow[y, x, at(0)], np.float32(y) + flow[y, x, at(1)]
            _sample(last_picture, last_alpha, across, down, values)
            most = np.float32(0)
            for k in range(at(3)):
                most = max(most, abs(values[k] - picture[y, x, k]))
            apart[y, x, at(0)], carried[y, x] = most, values[at(3)]
    box_mean(apart, 1, around)
    scale = np.float32(1) / (other - same)
    for y in range(height):
        for x in range(width):
            t = min(max((around[y, x, at(0)] - same) * scale, np.float32(0)), np.float32(1))
            follow = slow + (np.float32(1) - slow) * (t * t * (np.float32(3) - np.float32(2) * t))
            out[y, x] = carried[y, x] + follow * (alpha[y, x] - carried[y, x])
