"""Temporal smoothing of a matte that neither trails nor flickers.

The last matte is carried along the optical flow of the picture. Where the carried picture agrees with the
new one, a change in the matte is the segmenter's noise and is smoothed; where it disagrees, something moved
or was uncovered, and the new matte is taken as it is.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compiled import kernels
from app.domain.frame import Alpha

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Memory = npt.NDArray[np.float32]
"""(h, w, 4) float32: R, G, B in 8-bit levels, and alpha."""

Flow = npt.NDArray[np.float32]
"""(h, w, 2) float32: where in the last picture each pixel comes from, as an offset in px (x, y)."""


class Remembered(NamedTuple):
    """A small picture (h, w, 3) uint8 and its alpha (h, w) float32."""

    picture: Picture
    alpha: Alpha


SAME_LEVELS = 2.0
"""Carried colours this close (in 8-bit levels, averaged over 3 x 3) are the same surface; sensor noise is
~0.5."""

OTHER_LEVELS = 10.0
"""From this difference on the surface is another one, and nothing of the old matte is kept."""

CUT_LEVELS = 32.0
"""A mean luma difference this large is a scene cut: moving people stay under 12 on every clip measured."""

MAX_GAP_S = 0.5
"""Over a longer gap between frames nothing is carried."""


def is_cut(last_luma: Picture, luma: Picture) -> bool:
    """Whether two small luma pictures, (h, w) uint8, show different scenes; as two sizes do."""
    if last_luma.shape != luma.shape:
        return True
    return float(cv2.absdiff(last_luma, luma).mean()) > CUT_LEVELS


def joined(picture: Picture, alpha: Alpha) -> Memory:
    """A picture (h, w, 3) uint8 and its alpha (h, w) float32 as one array, to be carried in one go."""
    return np.asarray(cv2.merge((picture.astype(np.float32), alpha)), np.float32)


def carry(memory: Memory | Alpha, flow: Flow) -> Memory:
    """Move what is remembered, (h, w[, 4]) float32, along the flow: bilinear, border repeated."""
    source = flow + _pixel_positions(*flow.shape[:2])
    nothing = np.empty(0, np.float32)
    return np.asarray(cv2.remap(memory, source, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def steadied(last: Remembered, flow: Flow | None, now: Remembered, *, dt_s: float, tau_s: float) -> Alpha:
    """The new alpha smoothed over time, (h, w) float32.

    last: the last picture and result. flow: where they have moved to, None for nowhere. now: the new ones. dt_s > 0
    since the last frame; tau_s > 0: how slowly noise is followed.
    """
    loops = kernels()
    if loops is None:
        carried = joined(last.picture, last.alpha)
        carried = carried if flow is None else carry(carried, flow)
        return steady_step(carried, now.picture, now.alpha, dt_s=dt_s, tau_s=tau_s)
    flow = np.zeros((*now.alpha.shape, 2), np.float32) if flow is None else flow
    slow = 1 - math.exp(-dt_s / tau_s)
    given = (last.picture, last.alpha, flow, now.picture, now.alpha)
    out = np.empty(now.alpha.shape, np.float32)
    loops.steadied(*(np.ascontiguousarray(a) for a in given), slow, SAME_LEVELS, OTHER_LEVELS, out)
    return out


def steady_step(carried: Memory, picture: Picture, alpha: Alpha, *, dt_s: float, tau_s: float) -> Alpha:
    """One step of the smoothing: (h, w) float32.

    carried: the last picture and result, moved along the flow. picture (h, w, 3) uint8 and alpha (h, w)
    float32: the new ones. dt_s > 0 since the last frame; tau_s > 0: how slowly noise is followed.
    """
    slow = np.float32(1 - math.exp(-dt_s / tau_s))
    follow = slow + (1 - slow) * _otherness(carried[..., :3], picture)
    last = carried[..., 3]
    return np.asarray(last + follow * (alpha - last), np.float32)


def _otherness(carried: Floats, picture: Picture) -> Alpha:
    """0 where the pictures show the same surface to 1 where they certainly don't; (h, w) float32."""
    red, green, blue = cv2.split(cv2.absdiff(carried, picture.astype(np.float32)))
    levels = cv2.boxFilter(cv2.max(cv2.max(red, green), blue), -1, (3, 3))
    t = np.clip((levels - SAME_LEVELS) * (1 / (OTHER_LEVELS - SAME_LEVELS)), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


@lru_cache(maxsize=4)
def _pixel_positions(rows: int, columns: int) -> Flow:
    """(rows, columns, 2) float32: each pixel's own x and y."""
    x, y = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
    positions: Flow = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=2)
    positions.setflags(write=False)
    return positions
