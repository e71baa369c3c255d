"""How steady a colour match is: temporal loss, velocity of the curve, settling time. Pure numpy.

Pictures are in levels of 255. Motion is the caller's: whatever estimates the flow warps the pictures.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from harmonizer.metrics import PEAK

Levels = npt.NDArray[np.number[Any]]
Floats = npt.NDArray[np.floating[Any]]

SETTLED_SHARE = 0.1
"""A curve counts as settled within this part of the way it had to go."""


def warp_weight(warped_mask: Levels, warped_real: Levels, real: Levels) -> npt.NDArray[np.float32]:
    """How much each pixel of a pair of frames counts for the temporal loss: (H, W) float32 in [0, 1].

    warped_mask (H, W) in [0, 1] and warped_real (H, W, 3): frame t's foreground and picture, moved to t + 1;
    real (H, W, 3): frame t + 1. As CO2Net codes it (scripts/evaluate_flow.py), on pictures in [0, 1]: mask
    times the mean over channels of exp(-|difference|).
    """
    difference = np.abs(np.subtract(warped_real, real, dtype=np.float32))
    likeness = np.exp(difference * np.float32(-1.0 / PEAK)).mean(axis=-1)
    return np.asarray(warped_mask * likeness, np.float32)


def temporal_loss(warped_output: Levels, output: Levels, weight: Floats) -> float:
    """CO2Net's TL of one pair of frames, in squared levels of 255 summed over the channels.

    warped_output, output (H, W, 3): the result at t moved to t + 1, and at t + 1; weight (H, W) as `warp_weight`
    gives it. nan where nothing has weight.
    """
    total = float(weight.sum())
    if total <= 0.0:
        return math.nan
    difference = np.subtract(warped_output, output, dtype=np.float32)
    return float((np.square(difference).sum(axis=-1) * weight).sum()) / total


def curve_velocity(curves: Floats) -> npt.NDArray[np.float64]:
    """RMS change of a curve from frame to frame, levels of 255: (T, 3, N) in [0, 1] -> (T - 1,)."""
    steps = np.diff(np.asarray(curves, np.float64), axis=0) * PEAK
    return np.asarray(np.sqrt(np.square(steps).mean(axis=(1, 2))))


def colour_steps(means: Floats) -> npt.NDArray[np.float64]:
    """Frame-to-frame change of a mean colour, its most restless channel: (T, 3) -> (T - 1,), same unit."""
    steps: npt.NDArray[np.float64] = np.abs(np.diff(np.asarray(means, np.float64), axis=0)).max(axis=1)
    return steps


def rms(values: Floats) -> float:
    """Root of the mean square; nan of nothing."""
    return float(np.sqrt(np.square(values).mean())) if values.size else math.nan


def settling_time_s(values: Floats, times_s: Floats, *, change_s: float, target: Floats) -> float:
    """Seconds from a change until values stay within SETTLED_SHARE of the way from what was to `target`.

    values (T, ...) at times_s (T,), ascending; target (...). The way starts at the last value before change_s,
    time at the first frame from then on; distances are RMS. inf if the last value is still outside; ValueError
    unless there are frames on both sides of the change.
    """
    after = np.flatnonzero(times_s >= change_s)
    if after.size == 0 or after[0] == 0:
        raise ValueError(f"no frames on both sides of {change_s} s")
    start = values[after[0] - 1]
    distances = np.array([rms(np.asarray(values[i] - target)) for i in after])
    outside = np.flatnonzero(distances > SETTLED_SHARE * rms(np.asarray(start - target)))
    first_settled = 0 if outside.size == 0 else int(outside[-1]) + 1
    if first_settled == after.size:
        return math.inf
    return float(times_s[after[first_settled]] - times_s[after[0]])
