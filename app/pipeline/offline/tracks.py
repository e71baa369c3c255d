"""Between the passes: all estimates of a clip become one curve over time, scene by scene, looking both ways."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.skin import Colour
from app.domain.steadiness import is_cut
from app.pipeline.matching import MatchKey
from app.pipeline.offline.analysing import SegmentAnalysis
from app.pipeline.offline.plan import Plan
from harmonizer import SmoothingSettings
from harmonizer.lookahead import lookahead_tau_s, smooth_scenes

_SKIN_TAU_S: Final = 0.5
_MARGIN_S: Final = 2.0
"""Estimates this long before and after a segment are among its own, for the times between them."""

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The curve over time. times_s (N,): of the estimates that count, ascending. knots (N, S, 3, K + 1).

    skin (N, 3): NaN where unknown. run (N,) int: the stretch that an estimate belongs to, a scene in which somebody is
    there; nothing is mixed between runs. scenes_s (M,): where scenes begin, the first at the clip's start.
    """

    times_s: Array
    knots: Array
    skin: Array
    run: Array
    scenes_s: Array

    def at(self, time_s: float) -> tuple[Array, Colour | None] | None:
        """Curve and skin at a moment: between two estimates of a run in proportion, else the scene's nearest one."""
        low, high = self._scene_around(time_s)
        if low == high:
            return None
        after = int(np.searchsorted(self.times_s[low:high], time_s)) + low
        before, after = max(low, after - 1), min(after, high - 1)
        share = self._share(before, after, time_s)
        knots = (1 - share) * self.knots[before] + share * self.knots[after]
        skin = (1 - share) * self.skin[before] + share * self.skin[after]
        return knots, None if np.isnan(skin).any() else skin

    def _scene_around(self, time_s: float) -> tuple[int, int]:
        """Places of the first estimate of the scene at this moment, and of the first after it."""
        scene = int(np.searchsorted(self.scenes_s, time_s, side="right"))
        begin = self.scenes_s[scene - 1] if scene else -np.inf
        end = self.scenes_s[scene] if scene < len(self.scenes_s) else np.inf
        return int(np.searchsorted(self.times_s, begin)), int(np.searchsorted(self.times_s, end))

    def _share(self, before: int, after: int, time_s: float) -> float:
        start, end = float(self.times_s[before]), float(self.times_s[after])
        if after == before or end <= start:
            return 0.0
        share = min(1.0, max(0.0, (time_s - start) / (end - start)))
        return share if self.run[before] == self.run[after] else float(share >= 0.5)

    def between(self, first_s: float, stop_s: float) -> Self:
        """The part that frames of this stretch need: from the run's estimate before it to the one after it."""
        low = max(0, int(np.searchsorted(self.times_s, first_s - _MARGIN_S)) - 1)
        high = int(np.searchsorted(self.times_s, stop_s + _MARGIN_S)) + 1
        return type(self)(
            self.times_s[low:high], self.knots[low:high], self.skin[low:high], self.run[low:high], self.scenes_s
        )

    def to_arrays(self) -> dict[str, Array]:
        """As plain arrays, for a file."""
        return {name: getattr(self, name) for name in ("times_s", "knots", "skin", "run", "scenes_s")}

    @classmethod
    def from_arrays(cls, arrays: dict[str, Array]) -> Self:
        """Out of a file. TypeError when it is none."""
        return cls(**arrays)


def scene_starts(analyses: Sequence[SegmentAnalysis]) -> list[int]:
    """pts of the frames at which scenes begin, the clip's first among them."""
    starts: list[int] = []
    for number, one in enumerate(analyses):
        begins = one.cuts.copy()
        if len(begins) and (number == 0 or _is_cut_between(analyses[number - 1], one)):
            begins[0] = True
        starts += [int(pts) for pts in one.pts[begins]]
    return starts


def _is_cut_between(before: SegmentAnalysis, after: SegmentAnalysis) -> bool:
    one, other = (cv2.cvtColor(np.asarray(p, np.uint8), cv2.COLOR_RGB2GRAY) for p in (before.last, after.first))
    return is_cut(np.asarray(one, np.uint8), np.asarray(other, np.uint8))


def track_of(
    plan: Plan, analyses: Sequence[SegmentAnalysis], key_at: Callable[[float], MatchKey | None] | None = None
) -> Track:
    """Smooth all estimates of a clip. key_at: what was locked by hand; the curve flows into it on both sides."""
    match = plan.job.look.match
    scenes = np.array(scene_starts(analyses), np.int64)
    tick = float(plan.index.time_base)
    knots, skin, at, area = _joined(analyses)
    times_s = at * tick
    if match is None or not len(at):
        return Track(np.zeros(0), np.zeros((0, 1, 3, 2)), np.zeros((0, 3)), np.zeros(0, int), scenes * tick)
    held = np.zeros(len(at), bool)
    for place, time_s in enumerate(times_s) if key_at is not None else ():
        key = key_at(float(time_s)) if key_at is not None else None
        if key is not None and key.knots is not None and key.knots.shape == knots.shape[1:]:
            knots[place], held[place] = key.knots, True
    is_scene_start = _starts_among(at, scenes)
    smoothed, run = _smoothed(knots, times_s, area, is_scene_start, match.smoothing, held)
    colours, _ = _smoothed(skin, times_s, area, is_scene_start, SmoothingSettings(tau_s=_SKIN_TAU_S), held & False)
    kept = run >= 0
    return Track(times_s[kept], smoothed[kept], colours[kept], run[kept], scenes * tick)


def _smoothed(
    values: Array, times_s: Array, area: Array, starts: Array, settings: SmoothingSettings, held: Array
) -> tuple[Array, Array]:
    flat = values.reshape(len(values), -1)
    smoothed, run = smooth_scenes(flat, times_s, area, scene_starts=starts, tau_s=lookahead_tau_s(settings), held=held)
    return smoothed.reshape(values.shape), run


def _starts_among(at: Array, scenes: Array) -> Array:
    """Which estimates are the first of their scene."""
    scene = np.searchsorted(scenes, at, side="right")
    return np.concatenate(([True], scene[1:] != scene[:-1]))


def _joined(analyses: Sequence[SegmentAnalysis]) -> tuple[Array, Array, Array, Array]:
    """(knots, skin, pts, area) of all estimates of all segments."""
    shape = next((a.knots.shape[1:] for a in analyses if np.isfinite(a.knots).any()), (1, 3, 2))
    knots = [a.knots if a.knots.shape[1:] == shape else np.full((len(a.at), *shape), np.nan) for a in analyses]
    areas = [a.area[np.searchsorted(a.pts, a.at)] for a in analyses]
    parts = (knots, [a.skin for a in analyses], [a.at for a in analyses], areas)
    joined = [np.concatenate(part) if part else np.zeros(0) for part in parts]
    return joined[0], joined[1], joined[2], joined[3]
