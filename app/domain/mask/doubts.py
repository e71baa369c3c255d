"""How far a frame's matte is to be doubted, from the model's own guess and the frame before: no truth is needed.

Three signs of a bad matte, each with a value that good mattes stay under and one that only bad ones reach. They were
set by looking at the worst frames of seven clips of people (talking, signing, juggling, walking through a room).
What is wrong steadily and firmly, as a chair that is taken for a person all the time, shows none of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import cv2
import numpy as np

from app.domain.alpha import SOLID
from app.domain.cells import resample, shrink
from app.domain.frame import Alpha, Alpha8, Pixels
from app.domain.steadiness import is_cut

ROWS: Final = 80
"""Cells a frame is judged at, from top to bottom."""

HAZE: Final = (0.06, 0.30)
"""In-between probability away from the outline, in cells for each cell of outline. The webcam clips, whose mattes are
firm: 0.04 to 0.08 at p95; a crown of hair or a fast hand that is half lost: 0.1 to 0.3; a floor taken in: up to 3."""

FLICKER: Final = (0.09, 0.35)
"""Change of the matte where the picture stayed the same, in cells for each cell of outline. The webcam clips: 0.05 at
p95, 0.065 at most; hair that comes and goes before a blurred room: 0.1 to 0.18; worse failures: up to 2."""

LEAP: Final = (0.12, 0.50)
"""Change of the person's area, as a share of it. People at 24 to 30 frames a second: 0.035 at most, 0.12 with a ball
that is joined and left; somebody missed for a frame, or walking out of it at 10 frames a second: 0.35 to 1."""

SAME_LEVELS: Final = 4.0
"""Colours this close, in 8-bit levels averaged over 3 x 3 cells, are the same surface ..."""

OTHER_LEVELS: Final = 14.0
"""... and from this difference on something moved, which explains any change of the matte."""

_LEAST_OUTLINE: Final = 120.0
_LEAST_AREA: Final = 200.0
_NEAR: Final = np.ones((3, 3), np.uint8)


class Glimpse(NamedTuple):
    """A frame as it is judged: alpha (ROWS, w) float32 in [0, 1], picture (ROWS, w, 3) uint8."""

    alpha: Alpha
    picture: Pixels


def glimpse(alpha: Alpha, pixels: Pixels) -> Glimpse:
    """A frame (H, W, 3) uint8 and the model's coarse alpha (h, w) float32 of it, at the size they are judged at.

    pixels: the frame, or a reduction of it to no fewer rows, which is quicker (0.2 ms instead of about 1
    at 720p). Keep the last one: it is the next frame's `before`. Values that are no numbers count as nobody there.
    """
    height, width = pixels.shape[:2]
    size = (max(1, round(ROWS * width / height)), ROWS)
    if not np.isfinite(alpha.sum()):
        alpha = np.nan_to_num(alpha, nan=0.0, posinf=0.0, neginf=0.0)
    return Glimpse(np.clip(resample(alpha, size), 0, 1), shrink(pixels, size))


def doubt(now: Glimpse, before: Glimpse | None) -> float:
    """How far the matte is to be doubted, 0 (not at all) to 1.

    before: the frame before; None for a clip's first. After a cut, or a change of the frame's size, the frame is
    judged by itself.
    """
    outline = np.asarray(cv2.morphologyEx(_solid(now.alpha), cv2.MORPH_GRADIENT, _NEAR), np.uint8)
    length = max(_LEAST_OUTLINE, cv2.countNonZero(outline) / 2)  # the gradient marks a cell on either side
    haze = _share(_haze(now.alpha, outline) / length, HAZE)
    if before is None or is_other_scene(now, before):
        return haze
    flicker = _share(_flicker(now, before) / length, FLICKER)
    leap = _share(_leap(now.alpha, before.alpha), LEAP)
    return 1 - (1 - haze) * (1 - flicker) * (1 - leap)


def confidence(now: Glimpse, before: Glimpse | None) -> float:
    """How far the matte can be trusted, 0 to 1: what is left by `doubt`."""
    return 1 - doubt(now, before)


def is_other_scene(now: Glimpse, before: Glimpse) -> bool:
    """Whether there is a cut between two frames, or the size changed."""
    lumas = (np.asarray(cv2.cvtColor(one.picture, cv2.COLOR_RGB2GRAY), np.uint8) for one in (before, now))
    return is_cut(*lumas)


def _share(value: float, ramp: tuple[float, float]) -> float:
    low, high = ramp
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _solid(alpha: Alpha) -> Alpha8:
    return (alpha >= SOLID).view(np.uint8)


def _haze(alpha: Alpha, outline: Alpha8) -> float:
    """In-between probability further than two cells from the outline, in cells; 0.5 counts as one."""
    between = 4 * alpha * (1 - alpha)
    between[cv2.dilate(outline, _NEAR) > 0] = 0
    return float(between.sum())


def _flicker(now: Glimpse, before: Glimpse) -> float:
    """Change of alpha that no change of the picture explains, in cells."""
    red, green, blue = cv2.split(cv2.absdiff(now.picture, before.picture))
    levels = cv2.blur(cv2.max(cv2.max(red, green), blue).astype(np.float32), (3, 3))
    moved = (cv2.dilate(levels, _NEAR) - SAME_LEVELS) * (1 / (OTHER_LEVELS - SAME_LEVELS))
    same = 1 - np.clip(moved, 0, 1)
    return float((cv2.absdiff(now.alpha, before.alpha) * same).sum())


def _leap(now: Alpha, before: Alpha) -> float:
    """Change of the person's area as a share of the larger one.

    Movement explains none of it: who enters or leaves at speed is blurred or cut off, and worth a look.
    """
    areas = cv2.countNonZero(_solid(now)), cv2.countNonZero(_solid(before))
    return abs(areas[0] - areas[1]) / max(_LEAST_AREA, *areas)
