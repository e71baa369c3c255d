"""The camera's side of the light: lifting a dark room, holding the white balance still."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha8, Pixels

Table = npt.NDArray[np.uint8]
"""(256, 3) uint8: look-up table for an interleaved RGB picture."""

Colour = npt.NDArray[np.float64]
"""(3,) float64: R, G, B in levels of 255."""

_GOAL_LEVEL: Final = 110.0
"""What full lift brings the picture's median to: a well-lit face in a room lies a little above."""

_MAX_LIFT: Final = 2.5
"""Largest exponent of the lift; more only shows the sensor's noise."""

_MAX_GAIN: Final = 1.3
_TAU_S: Final = 0.7
_BACKGROUND: Final = 8
_MIN_BACKGROUND_SHARE: Final = 0.05
_STEP_PX: Final = 8


@dataclass(frozen=True, slots=True)
class Light:
    """What is remembered of the light. median: followed level; reference: the locked background, now: it today."""

    time_s: float
    median: float
    reference: Colour | None = None
    now: Colour | None = None


def observe(light: Light | None, pixels: Pixels, alpha: Alpha8 | None, *, time_s: float, lock: bool) -> Light:
    """The light after another frame, (H, W, 3), followed with a time constant of 0.7 s.

    alpha (H, W): the last frame's matte of the same size, which says where the background is: it lends the colour
    that a locked white balance is held to. None keeps the colour as it was.
    """
    seen = pixels[::_STEP_PX, ::_STEP_PX]
    median = float(np.median(cv2.cvtColor(np.ascontiguousarray(seen), cv2.COLOR_RGB2GRAY)))
    background = _background(seen, alpha) if lock else None
    if light is None:
        return Light(time_s, median, background, background)
    follow = 1.0 - math.exp(-max(0.0, time_s - light.time_s) / _TAU_S)
    median = light.median + follow * (median - light.median)
    if not lock:
        return Light(time_s, median)
    if background is None:
        return replace(light, time_s=time_s, median=median)
    if light.now is None:
        return Light(time_s, median, background, background)
    return Light(time_s, median, light.reference, light.now + follow * (background - light.now))


def _background(seen: Pixels, alpha: Alpha8 | None) -> Colour | None:
    """Mean colour where nobody is, leaving out what is too dark or too bright to have a colour."""
    if alpha is None or alpha[::_STEP_PX, ::_STEP_PX].shape != seen.shape[:2]:
        return None
    usable = (alpha[::_STEP_PX, ::_STEP_PX] < _BACKGROUND) & (seen.min(axis=2) > 10) & (seen.max(axis=2) < 245)
    if np.count_nonzero(usable) < _MIN_BACKGROUND_SHARE * usable.size:
        return None
    return np.asarray(seen[usable].mean(axis=0), np.float64)


def light_table(light: Light, *, lift: float, lock: bool) -> Table | None:
    """The table that corrects a frame, None where there is nothing to do. lift: 0..1, see `PersonOptions`."""
    gains = _gains(light) if lock else np.ones(3)
    exponent = _lift_exponent(light.median, lift)
    if exponent == 1.0 and np.abs(gains - 1.0).max() < 0.004:
        return None
    levels = np.linspace(0.0, 1.0, 256)[:, None] * gains
    table: Table = np.rint(255.0 * np.clip(levels, 0.0, 1.0) ** (1.0 / exponent)).astype(np.uint8)
    return table


def _gains(light: Light) -> Colour:
    """What brings the background back to its locked colour, brightness left alone."""
    if light.reference is None or light.now is None:
        return np.ones(3)
    gains = light.reference / np.maximum(light.now, 1.0)
    gains = gains / gains.mean()
    return np.asarray(np.clip(gains, 1 / _MAX_GAIN, _MAX_GAIN))


def _lift_exponent(median: float, lift: float) -> float:
    """Gamma that takes the median `lift` of the way to the goal; 1 for a picture that is bright already."""
    if lift <= 0 or median >= _GOAL_LEVEL:
        return 1.0
    level = max(median, 8.0) / 255.0
    whole = math.log(level) / math.log(_GOAL_LEVEL / 255.0)
    return min(_MAX_LIFT, 1.0 + lift * (whole - 1.0))
