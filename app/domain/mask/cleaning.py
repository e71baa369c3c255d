"""Holes and specks of a matte, as areas to paint."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from app.domain.alpha import TRACE, Bools, fill_holes, from_u8, remove_specks
from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha, Alpha8
from app.domain.mask.areas import Area, no_area, tightened
from app.domain.mask.planes import Box

_SKIRT = np.ones((5, 5), np.uint8)
"""A piece's faint rim, too weak to join it to anything, reaches about 2 px further and goes with it."""


def holes(alpha8: Alpha8, max_area_px: float, box: Box) -> Area:
    """Gaps of at most so many px inside the foreground, whole within the box: what to paint with "add".

    alpha8: (H, W) uint8, of the whole picture. What reaches the box's or the picture's border is no hole.
    """
    return _changes(alpha8, box, lambda alpha: fill_holes(alpha, max_area_px), becomes=1)


def specks(alpha8: Alpha8, max_area_px: float, box: Box) -> Area:
    """Pieces whose solid part has at most so many px, whole within the box: what to paint with "remove".

    alpha8: (H, W) uint8, of the whole picture. A piece that the box cuts through may be the tip of something large and
    is left alone.
    """
    return _changes(alpha8, box, lambda alpha: remove_specks(alpha, math.floor(max_area_px) + 1), becomes=0)


def _changes(alpha8: Alpha8, box: Box, clean: Callable[[Alpha], Alpha], *, becomes: float) -> Area:
    height, width = alpha8.shape
    inside = box.within((width, height))
    if inside.is_empty:
        return no_area()
    alpha = from_u8(alpha8[inside.rows_columns])
    cleaned = clean(alpha)
    changed = _whole(cleaned != alpha, inside, (width, height))
    if not changed.any():
        return no_area()
    rim = as_uint8(cv2.dilate(changed.view(np.uint8), _SKIRT)) > 0
    missing = np.abs(alpha - np.float32(becomes))
    faint = (missing > 0) & (missing <= TRACE)
    return tightened(inside, (changed | (rim & faint)).view(np.uint8) * np.uint8(255))


def _whole(changed: Bools, box: Box, size: Size) -> Bools:
    """Without the pieces that reach a side of the box beyond which the picture goes on."""
    _, labels = cv2.connectedComponents(changed.view(np.uint8), connectivity=8)
    labels = np.asarray(labels)
    sides = (
        (box.x0 > 0, labels[:, 0]),
        (box.y0 > 0, labels[0]),
        (box.x1 < size[0], labels[:, -1]),
        (box.y1 < size[1], labels[-1]),
    )
    cut = [side for goes_on, side in sides if goes_on]
    return changed & ~np.isin(labels, np.concatenate(cut)) if cut else changed
