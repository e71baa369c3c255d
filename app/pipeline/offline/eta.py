"""How much longer: frames of both passes, each at its own measured pace."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Final

from app.pipeline.offline.control import Phase, Progress
from app.pipeline.offline.plan import Stage

_PHASES: Final[dict[Stage, Phase]] = {"analyse": "analysing", "render": "rendering"}
_PRIOR_SHARE: Final = 0.55
"""What a frame's first pass takes, as a share of the second, before that was measured."""
_TRUSTED_FRAMES: Final = 60
"""A pass's own pace counts as much as the guess after so many frames."""


class Estimator:
    """Counts frames and tells how far a delivery is.

    left: frames still to do, by stage.
    """

    def __init__(
        self,
        left: Mapping[Stage, int],
        *,
        total: int,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = dict(left)
        self._guess: dict[Stage, float] = {}
        self._total = total
        self._now_s = now_s
        self._done: dict[Stage, int] = {"analyse": 0, "render": 0}
        self._began_s: dict[Stage, float] = {}
        self._spent_s: dict[Stage, float] = {}
        self._held_s = 0.0
        self._within: dict[tuple[Stage, int], int] = {}

    def guess(self, cost_s: Mapping[Stage, float]) -> None:
        """Take what a trial found: wall seconds a frame, by stage."""
        self._guess = dict(cost_s)

    def begin(self, stage: Stage) -> None:
        """A pass begins."""
        self._began_s[stage] = self._now_s()

    def held(self, seconds: float) -> None:
        """So long was paused, or waited for room on the disk: that is no pace."""
        for stage in self._began_s:
            self._began_s[stage] += seconds

    def within(self, stage: Stage, index: int, frames: int) -> None:
        """A worker has done so many frames of a segment."""
        before = self._within.get((stage, index), 0)
        self._within[stage, index] = max(before, frames)
        self._done[stage] += max(0, frames - before)
        self._spent_s[stage] = self._now_s() - self._began_s[stage]

    def progress(self, stage: Stage) -> Progress:
        """How far it is."""
        left = sum(max(0, self._left[s] - self._done[s]) for s in self._left)
        return Progress(_PHASES[stage], self._total - left, self._total, self._eta_s(), self._fps(stage))

    def _fps(self, stage: Stage) -> float | None:
        seconds = self._spent_s.get(stage, 0.0)
        return self._done[stage] / seconds if seconds > 1 else None

    def _eta_s(self) -> float | None:
        costs = {stage: self._cost_s(stage) for stage in self._left}
        known = {stage: cost for stage, cost in costs.items() if cost is not None}
        if not known:
            return None
        if costs.get("render") is None and "analyse" in known:
            known["render"] = known["analyse"] / _PRIOR_SHARE
        return sum(max(0, self._left[s] - self._done[s]) * known.get(s, 0.0) for s in self._left)

    def _cost_s(self, stage: Stage) -> float | None:
        """Wall seconds a frame: the trial's, gently replaced by what is measured."""
        done, spent = self._done[stage], self._spent_s.get(stage, 0.0)
        guess = self._guess.get(stage)
        if done == 0 or spent <= 0:
            return guess
        own = spent / done
        if guess is None:
            return own
        weight = done / (done + _TRUSTED_FRAMES)
        return weight * own + (1 - weight) * guess
