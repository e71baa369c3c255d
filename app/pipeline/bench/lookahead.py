"""Looking ahead against the causal live path, on the same raw estimates of the same clip: flicker, settling, lag."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import edge_band
from app.domain.cells import cell_picture, grid_for, shrunk_into
from app.domain.errors import UserError
from app.domain.frame import Alpha, Frame, Pixels
from app.domain.lookahead import steadied_both_ways
from app.domain.steadiness import carry
from app.pipeline.analyser import ESTIMATE_EVERY_S, looked_for
from app.pipeline.engine_loading import load_engine
from app.pipeline.kernel_cache import ensure_kernels
from app.pipeline.matching import Matcher
from app.pipeline.matte import MatteRefiner, MatteSettings
from app.pipeline.offline.tracks import Track
from app.pipeline.plates import open_plate
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_scenes import LIGHTS, MAX_SIDE_PX, known_curve, sensor_noise
from harmonizer import CurveEngine, KnotSmoother, SmoothingSettings
from harmonizer.curves import apply_lut8, fold
from harmonizer.lookahead import lookahead_tau_s, smooth_scenes
from harmonizer.temporal import settling_time_s

STILL_FRAMES: Final = 180
_STILL_TICK: Final = Fraction(1, 30)
_SWITCH: Final = STILL_FRAMES // 2
_LIGHTS: Final = ("cool", "warm")
_WARM_UP_FRAMES: Final = 15
_SEED: Final = 1

_LIVE: Final = SmoothingSettings()

_LAST_FRAMES: Final = 30
"""Where a curve has to go is the mean of so many at its end."""

_MAX_LAG_FRAMES: Final = 30
_BAND_PX: Final = 6

Array = npt.NDArray[Any]
Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """A figure of the causal path and of looking ahead."""

    causal: float
    ahead: float

    @property
    def ratio(self) -> float:
        """How many times less the latter is; inf for nothing left, nan for nothing to begin with."""
        return self.causal / self.ahead if self.ahead else math.inf if self.causal else math.nan


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """One clip's figures; flicker in levels of 255, mean change from frame to frame.

    curve_flicker: of the curve. edge_flicker: of the finished matte along its edge, the last one carried along the
    picture's motion. Of a frame held still before a noisy camera, in which the light is switched: settling_s, from the
    switch until a tenth of the way is left; lag_s, by which the curve trails the raw one; still_flicker, as
    edge_flicker, before the switch; cell_flicker, the same at one value a cell, where mattes are smoothed. matte_ms:
    CPU time a frame of smoothing the matte.
    """

    clip: str
    frames: int
    curve_flicker: Pair
    settling_s: Pair
    lag_s: Pair
    edge_flicker: Pair
    still_flicker: Pair
    cell_flicker: Pair
    matte_ms: Pair


@dataclass(frozen=True, slots=True)
class _Look:
    """A frame, its picture and the segmenter's alpha at one value a cell. estimate: knots and area, if one was made."""

    frame: Frame
    picture: Pixels
    cells: Alpha
    is_cut: bool
    estimate: tuple[Array | None, float] | None


_Curves = list[Array | None]
"""A curve (3, 256) a frame, levels of 255; None for nobody."""


def bench_lookahead(
    clips: Sequence[Path], plate: str, *, max_frames: int, notice: Notice, tick: Callable[[], None]
) -> list[ClipFigures]:
    """Measure every clip, at most MAX_SIDE_PX large; tick is called for each. UserError for what can't be used."""
    ensure_kernels()
    engine, figures = load_engine(), []
    for path in clips:
        with VideoReader(path, max_frames=max_frames) as reader:
            frames = [replace(f, pixels=shrunk_into(f.pixels, (MAX_SIDE_PX, MAX_SIDE_PX)).copy()) for f in reader]
        looks = _looks(frames, plate, engine, notice)
        if sum(look.estimate is not None and look.estimate[0] is not None for look in looks) < 2:
            raise UserError(f"Nobody was found in “{path.name}”.", "Give a clip that shows a person.")
        fullest = max(looks, key=lambda look: float(look.cells.sum()))
        figures.append(_figures(path.name, looks, _looks(list(_held_still(fullest.frame)), plate, engine, notice)))
        tick()
    return figures


def _held_still(frame: Frame) -> Iterator[Frame]:
    """One frame before a noisy camera; half way the light is switched."""
    rng, lights = np.random.default_rng(_SEED), [known_curve(LIGHTS[name]) for name in _LIGHTS]
    for i in range(STILL_FRAMES):
        pixels = sensor_noise(apply_lut8(frame.pixels, lights[i >= _SWITCH]), rng)
        yield Frame(pixels, i, _STILL_TICK, i)


def _looks(frames: Sequence[Frame], plate: str, engine: CurveEngine, notice: Notice) -> list[_Look]:
    """Go through frames as the live path does, noting what both ways of smoothing start from."""
    refiner, matcher, size, looks = MatteRefiner(), Matcher(engine), frames[0].size, []
    due_s = -math.inf
    with (
        closing(open_segmenter(SegmenterChoice(), size, on_notice=notice)) as segmenter,
        open_plate(plate) as opened,
    ):
        for i, frame in enumerate(frames):
            cuts, coarse = refiner.cuts, looked_for(segmenter, frame)
            picture = cell_picture(frame.pixels, grid_for(*size))
            alpha = refiner.refine(frame, coarse, picture=picture)
            is_cut, estimate = i == 0 or refiner.cuts > cuts, None
            if is_cut or frame.time_s >= due_s:
                due_s, pixels = frame.time_s + ESTIMATE_EVERY_S, opened.pixels(frame, size)
                found = matcher.found(
                    frame.pixels,
                    alpha,
                    pixels,
                    plate_key=opened.key,
                    is_static=opened.is_static,
                    time_s=frame.time_s,
                )
                estimate = (None if found is None else found[0], float(np.mean(alpha > 127)))
            looks.append(_Look(frame, picture, refiner.cells_of(frame, coarse, picture), is_cut, estimate))
    return looks


def _figures(name: str, looks: Sequence[_Look], still: Sequence[_Look]) -> ClipFigures:
    still_raw = _causal(still, SmoothingSettings("none"))
    curves, still_curves = ([way(seen) for way in (_causal, _ahead)] for seen in (looks, still))
    at_rest = still[_WARM_UP_FRAMES:_SWITCH]
    cells, costs_ms = _smoothed_cells(looks)
    still_cells, _ = _smoothed_cells(at_rest)
    finished, still_finished = (
        [_finished(one, seen) for one in ways] for ways, seen in ((cells, looks), (still_cells, at_rest))
    )
    return ClipFigures(
        clip=name,
        frames=len(looks),
        curve_flicker=Pair(*(_curve_flicker(one, looks) for one in curves)),
        settling_s=Pair(*(_settling_s(one, still_raw, still) for one in still_curves)),
        lag_s=Pair(*(_lag_s(one, still_raw, still) for one in still_curves)),
        edge_flicker=Pair(*(_edge_flicker(one, looks, carried=_along_the_motion) for one in finished)),
        still_flicker=Pair(*(_edge_flicker(one, at_rest, carried=_as_it_is) for one in still_finished)),
        cell_flicker=Pair(*(_edge_flicker(one, at_rest, carried=_as_it_is) for one in still_cells)),
        matte_ms=Pair(*costs_ms),
    )


def _causal(looks: Sequence[_Look], settings: SmoothingSettings = _LIVE) -> _Curves:
    """Every frame's curve as live: the last estimate, smoothed on every frame."""
    smoother, curves, knots = KnotSmoother(settings), [], None
    for look in looks:
        if look.estimate is not None:
            knots = look.estimate[0]
        if look.is_cut or knots is None:
            smoother.reset()
        curves.append(None if knots is None else 255 * fold(smoother.update(knots, look.frame.time_s)))
    return curves


def _ahead(looks: Sequence[_Look]) -> _Curves:
    """Every frame's curve as delivered."""
    estimates = [(look.frame.time_s, *look.estimate) for look in looks if look.estimate is not None]
    shape = next(knots.shape for _, knots, _ in estimates if knots is not None)
    values = np.stack([np.full(shape, np.nan) if knots is None else knots for _, knots, _ in estimates])
    times_s, area = np.array([t for t, _, _ in estimates]), np.array([share for _, _, share in estimates])
    scenes_s = np.array([look.frame.time_s for look in looks if look.is_cut])
    smoothed, runs = smooth_scenes(
        values.reshape(len(values), -1),
        times_s,
        area,
        scene_starts=np.isin(times_s, scenes_s),
        tau_s=lookahead_tau_s(_LIVE),
    )
    nowhere = np.full((len(values), 3), np.nan)
    kept = runs >= 0
    track = Track(times_s[kept], smoothed.reshape(values.shape)[kept], nowhere[kept], runs[kept], scenes_s)
    found = [track.at(look.frame.time_s) for look in looks]
    return [None if one is None else 255 * fold(one[0]) for one in found]


def _curve_flicker(curves: _Curves, looks: Sequence[_Look]) -> float:
    pairs = zip(pairwise(curves), looks[1:], strict=True)
    steps = [np.abs(b - a).mean() for (a, b), look in pairs if a is not None and b is not None and not look.is_cut]
    return float(np.mean(steps)) if steps else math.nan


def _lag_s(curves: _Curves, raw: _Curves, looks: Sequence[_Look]) -> float:
    """The shift at which the curve's mean goes most like the raw one's; nan where somebody was lost."""
    both = [(a.mean(), b.mean()) for a, b in zip(curves, raw, strict=True) if a is not None and b is not None]
    if len(both) < len(looks):
        return math.nan
    smooth, rough = np.array(both).T
    inner = slice(_MAX_LAG_FRAMES, -_MAX_LAG_FRAMES)
    shifts = range(-_MAX_LAG_FRAMES, _MAX_LAG_FRAMES + 1)
    best = max(shifts, key=lambda shift: _likeness(np.roll(smooth, -shift)[inner], rough[inner]))
    return best * float(_STILL_TICK)


def _likeness(one: Array, other: Array) -> float:
    size = float(np.linalg.norm(one - one.mean()) * np.linalg.norm(other - other.mean()))
    return float((one - one.mean()) @ (other - other.mean())) / size if size else 0.0


def _settling_s(curves: _Curves, raw: _Curves, looks: Sequence[_Look]) -> float:
    known, target = [c for c in curves if c is not None], [c for c in raw[-_LAST_FRAMES:] if c is not None]
    if len(known) < len(curves):
        return math.nan
    times_s = np.array([look.frame.time_s for look in looks])
    change_s = float(times_s[_SWITCH]) - 1e-6
    return settling_time_s(np.stack(known), times_s, change_s=change_s, target=np.mean(target, axis=0))


def _smoothed_cells(looks: Sequence[_Look]) -> tuple[list[list[Array]], list[float]]:
    """Alphas smoothed both ways, at one value a cell in levels of 255, and CPU time a frame of it."""
    refiner, tau_s = MatteRefiner(), MatteSettings().tau_s
    started_s = time.process_time()
    causal = [refiner.steadied(look.frame.time_s, look.picture, look.cells) for look in looks]
    middle_s = time.process_time()
    ahead = steadied_both_ways(
        [look.picture for look in looks],
        [look.cells for look in looks],
        [look.frame.time_s for look in looks],
        tau_s=tau_s,
    )
    costs_ms = [seconds / len(looks) * 1e3 for seconds in (middle_s - started_s, time.process_time() - middle_s)]
    return [[255 * alpha for alpha in way] for way in (causal, ahead)], costs_ms


def _finished(cells: Sequence[Array], looks: Sequence[_Look]) -> list[Array]:
    refiner, levels = MatteRefiner(), zip(cells, looks, strict=True)
    return [refiner.enlarged(look.frame, look.picture, alpha / np.float32(255)) for alpha, look in levels]


def _edge_flicker(
    mattes: Sequence[Array], looks: Sequence[_Look], *, carried: Callable[[Array, Pixels, Pixels], Array]
) -> float:
    """Along the edge, wherever it is in one of two frames. mattes: in levels of 255."""
    steps = []
    for (last, matte), (last_look, look) in zip(pairwise(mattes), pairwise(looks), strict=True):
        if look.is_cut:
            continue
        before = carried(last.astype(np.float32), last_look.frame.pixels, look.frame.pixels)
        band = np.logical_or(*(edge_band(one / np.float32(255), _BAND_PX) for one in (before, matte)))
        if band.any():
            steps.append(float(np.abs(matte - before)[band].mean()))
    return float(np.mean(steps)) if steps else math.nan


def _as_it_is(matte: Array, _before: Pixels, _now: Pixels) -> Array:
    return matte


def _along_the_motion(matte: Array, before: Pixels, now: Pixels) -> Array:
    """By DIS, as `clip_scoring` has it."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    luma, last_luma = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (now, before))
    return carry(matte, np.asarray(dis.calc(luma, last_luma, np.empty(0, np.float32)), np.float32))
