"""Zero-phase smoothing of curves over a whole clip: what live, which can't look ahead, has to do without.

Knots are smoothed by Whittaker's method of order 1 (Whittaker 1923, Eilers 2003) with real time steps. Its kernel is
exp(-|t| / tau), both ways: every result is a convex combination of the curves around it, so that monotone curves stay
monotone and nothing leaves the range of what went in.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from harmonizer.smoothing import SmoothingSettings

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Runs = npt.NDArray[np.intp]

MAX_GAP_S: Final = 1.0
"""Without an estimate for longer than this, what comes after owes nothing to what was before."""

_TAUS: Final = 3.0
"""Of the causal smoothing. On six clips with people, at 3 taus curves were 3.4 to 12 times as steady as the causal path
and settled sooner after a step (0 to 0.07 s for 0.03 to 0.13 s) and a ramp; at 1.5 taus they were 2.3 to 6.4 times. The
mean exposure is not followed faster than the rest: at a quarter of tau the same clips are 2.0 to 5.3 times as steady,
nothing settles sooner, and the curve may leave the range of what went in."""

_SIDE_S: Final = 0.5
_MIN_SIDE: Final = 3
"""What a curve was and what it becomes are medians over this long, and no fewer estimates than this."""

_STEP_SPREADS: Final = 4.0
_STEP_FLOOR: Final = 1.5 / 255.0
_STEP_RAGGEDNESS: Final = 0.35
"""A step is larger than this many times the usual change and this many levels, and rests on both sides, within this
part of its height."""

_LOOSE: Final = 1e-3
"""Of tau, across a step: as good as nothing, and the equations keep one answer."""

_WINDOW: Final = 5
_OUTLIER_SPREADS: Final = 4.0
_MAD_TO_SIGMA: Final = 1.4826
_OUTLIER_FLOOR: Final = 1.0 / 255.0
"""Nobody sees less than a level, however restful the rest is."""

_FULL_WEIGHT_SHARE: Final = 0.5
"""Of a run's median weight: from here on a frame counts in full."""
_MIN_WEIGHT: Final = 1e-4
_MIN_TAU_S: Final = 1e-3
"""Weights above 0 count as this at least, time constants under this as 0: equations stay solvable to 1e-5."""


def lookahead_tau_s(settings: SmoothingSettings) -> float:
    """How slowly a curve at rest is followed where the causal smoothing has these settings; 0 for none.

    Three times the causal tau: what settles is another matter, see `looseness`.
    """
    return 0.0 if settings.kind == "none" else _TAUS * max(settings.tau_s, 0.0)


def smooth_track(
    values: Array,
    times_s: Array,
    weights: Array,
    *,
    tau_s: float,
    held: Bools | None = None,
    loose: Array | None = None,
) -> Array:
    """Smooth one stretch of time: (T, D) float64, without NaN as long as a single row counts.

    values (T, D): a row of NaN is a moment without an estimate. times_s (T,): ascending. weights (T,) >= 0: how much a
    row is to be believed, 1 in full; those of weight 0 are interpolated, as rows of NaN are. held (T,): rows that come
    out as they are, whatever their weight, and that their neighbours flow into. tau_s: of the kernel exp(-|t| / tau_s)
    where weights are 1, wider where they are less; 0 smooths nothing. loose (T - 1,) in (0, 1]: the part of tau_s
    that holds from each row to the next, None for 1. ValueError for times that don't ascend.
    """
    if np.any(np.diff(times_s) <= 0):
        raise ValueError("times must ascend")
    is_known = ~np.isnan(values).any(axis=1)
    is_held = is_known & (np.zeros(len(values), np.bool_) if held is None else held)
    trust = np.where(is_known & (weights > 0), np.maximum(weights, _MIN_WEIGHT), 0.0)
    if not (trust.any() or is_held.any()):
        trust = is_known.astype(np.float64)
    counts = (trust > 0) | is_held
    if not counts.any():
        return np.full_like(values, np.nan)
    if tau_s < _MIN_TAU_S or len(values) == 1:
        return _interpolated(values, times_s, counts)
    given = np.where(counts[:, None], values, 0.0)
    taus_s = np.full(len(values) - 1, tau_s) if loose is None else tau_s * loose
    smoothed = _solved(given, times_s, trust, is_held, taus_s)
    bounds = values[counts].min(axis=0), values[counts].max(axis=0)
    smoothed = np.clip(smoothed, *bounds)  # The last bits of a solution may lie outside.
    smoothed[is_held] = values[is_held]
    return smoothed


def _interpolated(values: Array, times_s: Array, counts: Bools) -> Array:
    """Rows that count as they are, the others in proportion between them."""
    columns = [np.interp(times_s, times_s[counts], column[counts]) for column in values.T]
    return np.stack(columns, axis=1) if columns else values.copy()


def _solved(values: Array, times_s: Array, trust: Array, is_held: Bools, taus_s: Array) -> Array:
    """Least squares: distance to what was given, in time and trust, and tau^2 times the square of the slope."""
    from scipy.linalg import solveh_banded

    steps_s = np.diff(times_s)
    pull = trust * _duration_s(steps_s)
    tie = np.square(taus_s) / steps_s
    diagonal = pull.copy()
    diagonal[:-1] += tie
    diagonal[1:] += tie
    right = pull[:, None] * values
    # A held row is a given: it moves to the other side of its neighbours' equations.
    right[:-1] += (tie * is_held[1:])[:, None] * values[1:]
    right[1:] += (tie * is_held[:-1])[:, None] * values[:-1]
    diagonal[is_held], right[is_held] = 1.0, values[is_held]
    beside = np.where(is_held[1:] | is_held[:-1], 0.0, -tie)
    bands = np.stack([np.concatenate([[0.0], beside]), diagonal])
    return np.asarray(solveh_banded(bands, right, check_finite=False), np.float64)


def _duration_s(steps_s: Array) -> Array:
    """How long each frame stands for: half of the steps on both sides."""
    padded = np.concatenate([steps_s[:1], steps_s, steps_s[-1:]])
    durations: Array = (padded[:-1] + padded[1:]) / 2
    return durations


def looseness(values: Array, times_s: Array, weights: Array, *, tau_s: float, beta: float) -> Array:
    """The part of tau_s that is to hold from each row to the next, (T - 1,) in (0, 1]; as rows for `smooth_track`.

    One-Euro's rule looking both ways: 1 / tau grows by 2 pi beta with each unit that the curve moves a second, by the
    medians of the half seconds before and after. Across a clean step, when a lamp is switched, next to nothing holds.
    """
    loose = np.ones(len(values) - 1)
    known = np.flatnonzero(~np.isnan(values).any(axis=1) & (weights > 0))
    if len(known) < 2 * _MIN_SIDE:
        return loose
    curves, moments_s, trust = values[known], times_s[known], weights[known]
    usual = float(np.median(_rms(np.diff(curves, axis=0))))
    for number, (row, following) in enumerate(pairwise(known)):
        before, after = _sides(moments_s, number)
        height, is_clean = _change(curves[before], curves[after])
        # What is hardly to be believed moves nothing.
        height *= min(1.0, float(np.median(trust[before])), float(np.median(trust[after])))
        rate = height / float(moments_s[after].mean() - moments_s[before].mean())
        loose[row:following] = 1 / (1 + 2 * math.pi * beta * tau_s * rate)
        if is_clean and height > max(_STEP_SPREADS * usual, _STEP_FLOOR):
            loose[following - 1] = _LOOSE
    return loose


def _change(before: Array, after: Array) -> tuple[float, bool]:
    """How far apart the medians of curves before and after a moment are, RMS, and whether both sides rest there."""
    was, becomes = np.median(before, axis=0), np.median(after, axis=0)
    height = float(_rms(becomes - was))
    ragged = max(_rms(before[-2:] - was).max(), _rms(after[:2] - becomes).max())
    return height, min(len(before), len(after)) >= _MIN_SIDE and ragged < _STEP_RAGGEDNESS * height


def _sides(times_s: Array, number: int) -> tuple[slice, slice]:
    """The half seconds, at least _MIN_SIDE moments as far as there are any, up to this moment and from the next."""
    first = int(np.searchsorted(times_s, times_s[number] - _SIDE_S, side="right"))
    stop = int(np.searchsorted(times_s, times_s[number + 1] + _SIDE_S))
    first, stop = min(first, number + 1 - _MIN_SIDE), max(stop, number + 1 + _MIN_SIDE)
    return slice(max(0, first), number + 1), slice(number + 1, min(len(times_s), stop))


def _rms(values: Array) -> Array:
    return np.asarray(np.sqrt(np.square(values).mean(axis=-1)))


def without_outliers(values: Array, weights: Array, *, held: Bools | None = None) -> Array:
    """The weights (T,), 0 where a curve is nothing like those around it (Hampel's test on the median of five).

    values (T, D): rows of NaN are passed over. How far apart two curves are is the RMS over D; too far is four times
    the usual and at least a level of 255. Held rows keep their weight.
    """
    known = np.flatnonzero(~np.isnan(values).any(axis=1) & (weights > 0))
    if len(known) < _WINDOW:
        return weights
    first = np.clip(np.arange(len(known)) - _WINDOW // 2, 0, len(known) - _WINDOW)
    median = np.median(values[known][first[:, None] + np.arange(_WINDOW)], axis=1)
    distance = _rms(values[known] - median)
    limit = max(_OUTLIER_FLOOR, _OUTLIER_SPREADS * _MAD_TO_SIGMA * float(np.median(distance)))
    is_outlier = np.zeros(len(values), np.bool_)
    is_outlier[known[distance > limit]] = True
    if held is not None:
        is_outlier &= ~held
    return np.where(is_outlier, 0.0, weights)


def smooth_scenes(
    values: Array,
    times_s: Array,
    weights: Array,
    *,
    scene_starts: Bools,
    tau_s: float,
    beta: float = SmoothingSettings.beta,
    held: Bools | None = None,
    max_gap_s: float = MAX_GAP_S,
) -> tuple[Array, Runs]:
    """Smooth a clip scene by scene: ((T, D) float64, (T,) which run each row belongs to, -1 for none).

    As `smooth_track`, with outliers left out, for every run by itself: a scene, or the part of one between times in
    which nothing was found for longer than max_gap_s. Frames without an estimate belong to the nearest run of their
    scene, so that somebody who enters has their curve from the first sliver on; in a scene with nothing at all they
    stay NaN. weights (T,): relative ones, like the person's area; half a run's median counts in full. tau_s: 0 smooths
    nothing; beta: how much quicker what moves is followed.
    """
    held = np.zeros(len(values), np.bool_) if held is None else held
    runs = _runs(~np.isnan(values).any(axis=1), times_s, scene_starts, max_gap_s)
    smoothed = np.full_like(values, np.nan)
    for run in range(int(runs.max(initial=-1)) + 1):
        rows = runs == run
        smoothed[rows] = _smoothed_run(values[rows], times_s[rows], weights[rows], held[rows], tau_s, beta)
    return smoothed, runs


def _smoothed_run(values: Array, times_s: Array, weights: Array, held: Bools, tau_s: float, beta: float) -> Array:
    trust = _trust(values, weights)
    if tau_s < _MIN_TAU_S:
        return smooth_track(values, times_s, trust, tau_s=0.0, held=held)
    trust = without_outliers(values, trust, held=held)
    loose = looseness(values, times_s, np.where(held, 0.0, trust), tau_s=tau_s, beta=beta)
    loose[held[1:] | held[:-1]] = 1.0  # A step into what was set by hand is to be a smooth one.
    return smooth_track(values, times_s, trust, tau_s=tau_s, held=held, loose=loose)


def _runs(is_known: Bools, times_s: Array, scene_starts: Bools, max_gap_s: float) -> Runs:
    """Which run each row belongs to, (T,); -1 where the scene has none."""
    runs = np.full(len(times_s), -1, np.intp)
    scene = np.cumsum(scene_starts)
    known = np.flatnonzero(is_known)
    if not len(known):
        return runs
    begins = (np.diff(scene[known]) > 0) | (np.diff(times_s[known]) > max_gap_s)
    run_of_known = np.concatenate([[0], np.cumsum(begins)])
    after = np.searchsorted(known, np.arange(len(times_s)))
    before, after = np.maximum(after - 1, 0), np.minimum(after, len(known) - 1)
    rows = np.arange(len(times_s))
    far = [np.where(scene[known[k]] == scene, np.abs(times_s[known[k]] - times_s), np.inf) for k in (before, after)]
    nearest = np.where(far[0] < far[1], before, after)
    has_one = scene[known[nearest]] == scene
    runs[rows[has_one]] = run_of_known[nearest[has_one]]
    return runs


def _trust(values: Array, weights: Array) -> Array:
    """Weights relative to a run's usual one, at most 1."""
    known = weights[~np.isnan(values).any(axis=1) & (weights > 0)]
    if not len(known):
        return np.zeros_like(weights)
    return np.minimum(1.0, weights / (_FULL_WEIGHT_SHARE * float(np.median(known))))
