"""Temporal smoothing of curves: pure steps, and one small shell that knows when to start over.

Smoothing happens on knots, not on pixels: a convex mix of two curves is a curve between them. Time
constants are in seconds and steps take the real time between frames, so variable-rate sources and
dropped frames settle at the same speed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harmonizer.curves import Knots

Array = npt.NDArray[np.float64]
_MIN_TAU_S = 1e-4


def ema_step(state: Array, value: Array, *, dt_s: float, tau_s: float) -> Array:
    """Exponential moving average after dt_s: 63 % of a jump is reached in tau_s, 90 % in 2.3 tau_s.

    tau_s <= 0 follows at once; dt_s < 0 counts as 0.
    """
    if tau_s <= 0.0:
        return value
    return state + (1.0 - math.exp(-max(dt_s, 0.0) / tau_s)) * (value - state)


@dataclass(frozen=True)
class OneEuroState:
    """Filtered value, filtered rate of change (per second) and the last raw value, equal shapes."""

    value: Array
    rate: Array
    raw: Array


def _tau_of(cutoff_hz: Array | float) -> Array:
    return 1.0 / (2.0 * math.pi * np.maximum(cutoff_hz, 1e-6))


def one_euro_step(
    state: OneEuroState | None,
    value: Array,
    *,
    dt_s: float,
    min_cutoff_hz: float,
    beta: float,
    rate_cutoff_hz: float = 1.0,
) -> OneEuroState:
    """One-Euro filter (Casiez, Roussel & Vogel, CHI 2012): smooth at rest, quick when things move.

    beta: Hz of cut-off gained per unit of rate. Element-wise; a state of None starts at the value.
    """
    if state is None:
        return OneEuroState(value, np.zeros_like(value), value)
    if dt_s <= 0.0:
        return state
    rate = ema_step(state.rate, (value - state.raw) / dt_s, dt_s=dt_s, tau_s=float(_tau_of(rate_cutoff_hz)))
    cutoff_hz = min_cutoff_hz + beta * np.abs(rate)
    weight = 1.0 - np.exp(-dt_s / _tau_of(cutoff_hz))
    return OneEuroState(state.value + weight * (value - state.value), rate, value)


@dataclass(frozen=True)
class SmoothingSettings:
    """kind: `ema`, `one_euro` or `none`. tau_s: time constant, One-Euro's at rest; beta: One-Euro's quickening.

    The defaults are the steadiest of `eval-video` that settle within half a second.
    """

    kind: Literal["ema", "one_euro", "none"] = "one_euro"
    tau_s: float = 0.5
    beta: float = 5.0
    max_gap_s: float = 1.0

    @property
    def min_cutoff_hz(self) -> float:
        """One-Euro's cut-off at rest."""
        return 1.0 / (2.0 * math.pi * max(self.tau_s, _MIN_TAU_S))


class KnotSmoother:
    """Smooths a stream of knots by its time stamps; starts over at cuts, plate changes and long gaps."""

    def __init__(self, settings: SmoothingSettings = SmoothingSettings()) -> None:
        self.settings = settings
        self._state: OneEuroState | None = None
        self._time_s = 0.0

    def reset(self) -> None:
        """Forget the past: the next knots are taken as they are."""
        self._state = None

    def update(self, knots: Knots, time_s: float) -> Knots:
        """Smoothed knots, of the shape given. A change of shape, a step back or a gap starts over."""
        dt_s = time_s - self._time_s
        self._time_s = time_s
        if self.settings.kind == "none":
            return knots
        if self._state is None or self._is_break(knots, dt_s):
            self._state = OneEuroState(knots, np.zeros_like(knots), knots)
        else:
            self._state = self._step(self._state, knots, dt_s)
        return self._state.value

    def _is_break(self, knots: Knots, dt_s: float) -> bool:
        assert self._state is not None  # noqa: S101  (narrowing for the type checker)
        return knots.shape != self._state.value.shape or not 0.0 <= dt_s <= self.settings.max_gap_s

    def _step(self, state: OneEuroState, knots: Knots, dt_s: float) -> OneEuroState:
        s = self.settings
        if s.kind == "ema":
            value = ema_step(state.value, knots, dt_s=dt_s, tau_s=s.tau_s)
            return OneEuroState(value, state.rate, knots)
        return one_euro_step(state, knots, dt_s=dt_s, min_cutoff_hz=s.min_cutoff_hz, beta=s.beta)
