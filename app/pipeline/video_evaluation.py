"""How right and how steady the colour match is over time, by every smoothing, on clips recoloured by known curves.

Rightness and temporal loss: the clip as it moves, its own background as a moving plate. Flicker and settling:
its fullest frame held still under sensor noise, through the whole chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.compositing import Table
from app.pipeline.clip_scoring import IDENTITY, ClipScorer, PictureScore, rendered
from app.pipeline.curve_recording import (
    REST_RATE_HZ,
    Moment,
    RestRecord,
    RestScene,
    record_moving,
    record_rest,
    replay,
)
from app.pipeline.engine_loading import load_reference
from app.pipeline.plate_kinds import ImagePlate, Plate
from app.pipeline.plates import open_plate
from app.pipeline.video_scenes import LIGHTS, FilmedClip, Light, Notice, PlayedPlate, film, known_curve
from harmonizer import CurveEngine, SmoothingSettings
from harmonizer.curves import Lut, lut8
from harmonizer.metrics import PEAK
from harmonizer.temporal import colour_steps, curve_velocity, rms, settling_time_s

SMOOTHINGS: Final = (
    SmoothingSettings("none"),
    *(SmoothingSettings("ema", tau_s=tau_s) for tau_s in (0.1, 0.2, 0.4, 1.0)),
    *(
        SmoothingSettings("one_euro", tau_s=tau_s, beta=beta)
        for tau_s, beta in ((0.8, 2.0), (0.8, 5.0), (0.5, 5.0), (0.5, 10.0), (0.3, 2.0), (0.3, 5.0))
    ),
)
"""EMA of 1 s is the Harmonizer demo's 0.96 a frame at 25 Hz; the default settings are among these."""

REAL, UNTOUCHED = "the real clip", "untouched composite"
LIGHT_SWITCH: Final = ("cool", "warm")
"""A change of light with little change of brightness: a large one is taken for a cut, which starts over at once."""

PLATES: Final = ("studio", "night-street")
MIN_REST_S: Final = 1.0
_WARM_UP_FRAMES: Final = 15
BEFORE_FRAMES: Final = 32
"""About a second before a change. The last of them looks at a video plate, so that its cut comes at the worst time:
just after (a test holds this to the matcher)."""

_SEED: Final = 20


@dataclass(frozen=True)
class Measurement:
    """One scene of one clip by one method; what does not apply is None.

    fmse, psnr_db: over the person, against the real frames. temporal_loss: as CO2Net's TL. curve_step_levels,
    colour_step_levels: RMS change a frame at rest, of the curve and of the rendered person's mean colour, in
    levels of 255; colour_step_max_levels: the largest; colour_step_max_unrounded_levels: the same through the curve
    before it is rounded to an 8-bit table. settling_s: inf when never.
    """

    clip: str
    weights: str
    smoothing: str
    scene: str
    fmse: float | None = None
    psnr_db: float | None = None
    temporal_loss: float | None = None
    curve_step_levels: float | None = None
    colour_step_levels: float | None = None
    colour_step_max_levels: float | None = None
    colour_step_max_unrounded_levels: float | None = None
    settling_s: float | None = None

    def as_dict(self) -> dict[str, str | float | None]:
        """Fields for JSON and CSV, which know no infinity: None then."""
        return {name: finite(getattr(self, name)) for name in FIELDS}


FIELDS: Final = tuple(field.name for field in fields(Measurement))


def finite(value: str | float | None) -> str | float | None:
    """The value, or None for an infinite or undefined number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def smoothing_name(settings: SmoothingSettings) -> str:
    """As tables call it: `ema 0.2 s`, `one_euro 0.5 s 5`, `none`."""
    if settings.kind == "ema":
        return f"ema {settings.tau_s:g} s"
    return "none" if settings.kind == "none" else f"one_euro {settings.tau_s:g} s {settings.beta:g}"


def evaluate_video(
    clips: Sequence[Path],
    weights: Sequence[str | None],
    *,
    max_frames: int,
    rest_s: float,
    notice: Notice,
    tick: Callable[[], None],
) -> list[Measurement]:
    """All measurements; tick is called SCENES_A_CLIP times a clip and network.

    weights: shipped names or files, None the default. rest_s: how long frames are held still, at least MIN_REST_S,
    and looked at after a change. UserError for weights and clips that can't be used.
    """
    engines = [load_reference(name) for name in weights]
    rest_frames = round(rest_s * REST_RATE_HZ)
    rows: list[Measurement] = []
    for path in clips:
        clip = film(path, max_frames=max_frames, notice=notice)
        scorer = ClipScorer(clip)
        rows += _given(clip, scorer)
        for engine in engines:
            rows += _moving(clip, scorer, engine, tick)
            rows += _at_rest(clip, engine, rest_frames, notice, tick)
            rows += _settling(clip, engine, rest_frames, notice, tick)
    return rows


def _scenes(count: int) -> Iterator[tuple[str, list[Table]]]:
    """The moving scenes: each known light, and a switch of light halfway."""
    curves = {name: known_curve(light) for name, light in LIGHTS.items()}
    for name, curve in curves.items():
        yield name, [curve] * count
    first, second = (curves[name] for name in LIGHT_SWITCH)
    yield " to ".join(LIGHT_SWITCH), [first] * (count // 2) + [second] * (count - count // 2)


SCENES_A_CLIP: Final = (len(LIGHTS) + 1) + len(LIGHTS) + 3


def _row(clip: FilmedClip, weights: str, smoothing: str, scene: str, score: PictureScore) -> Measurement:
    return Measurement(clip.name, weights, smoothing, scene, **vars(score))


def _given(clip: FilmedClip, scorer: ClipScorer) -> Iterator[Measurement]:
    """What the match starts from, and what the measure says of the truth itself."""
    real = scorer.score(scorer.reals)
    for scene, recolouring in _scenes(len(clip.frames)):
        yield _row(clip, "", REAL, scene, real)
        untouched: list[Lut | None] = [IDENTITY] * len(clip.frames)
        yield _row(clip, "", UNTOUCHED, scene, scorer.score(rendered(scorer, recolouring, untouched)))


def _moving(
    clip: FilmedClip, scorer: ClipScorer, engine: CurveEngine, tick: Callable[[], None]
) -> Iterator[Measurement]:
    for scene, recolouring in _scenes(len(clip.frames)):
        moments = record_moving(clip, recolouring, engine)
        for smoothing in SMOOTHINGS:
            score = scorer.score(rendered(scorer, recolouring, replay(moments, smoothing)))
            yield _row(clip, engine.name, smoothing_name(smoothing), scene, score)
        tick()


def _still(clip: FilmedClip, lights: Sequence[Light], plates: Sequence[Plate]) -> RestScene:
    at = clip.fullest
    curves = {light: known_curve(light) for light in set(lights)}
    return RestScene(clip.frames[at].pixels, clip.mattes[at], [curves[light] for light in lights], plates)


def _at_rest(
    clip: FilmedClip, engine: CurveEngine, frames: int, notice: Notice, tick: Callable[[], None]
) -> Iterator[Measurement]:
    plate = ImagePlate(clip.plates[clip.fullest])
    for name, light in LIGHTS.items():
        scene = _still(clip, [light] * frames, [plate] * frames)
        record = record_rest(scene, engine, seed=_SEED, notice=notice)
        for smoothing in SMOOTHINGS:
            yield rest_measurement(record, smoothing, clip=clip.name, weights=engine.name, scene=f"rest, {name}")
        tick()


def rest_measurement(
    record: RestRecord, smoothing: SmoothingSettings, *, clip: str, weights: str, scene: str
) -> Measurement:
    """Flicker after half a second's warm-up; a frame on which nobody was found is left out."""
    curves = replay(record.moments, smoothing)
    seen = [i for i, curve in enumerate(curves) if curve is not None and i >= _WARM_UP_FRAMES]
    if len(seen) < 2:
        return Measurement(clip, weights, smoothing_name(smoothing), scene)
    shown = [curve for i in seen if (curve := curves[i]) is not None]
    part = RestRecord(record.moments, record.histograms[seen])
    steps = colour_steps(part.mean_colours([lut8(c) for c in shown]))
    unrounded = colour_steps(part.mean_colours([PEAK * c.T for c in shown]))
    return Measurement(
        clip,
        weights,
        smoothing_name(smoothing),
        scene,
        curve_step_levels=rms(curve_velocity(np.stack(shown))),
        colour_step_levels=rms(steps),
        colour_step_max_levels=float(steps.max()),
        colour_step_max_unrounded_levels=float(unrounded.max()),
    )


PLATE_CHANGE, PLATE_CUT, LIGHT_CHANGE = "still plate changes", "video plate cuts", "light changes"


def _changes(clip: FilmedClip, after: int) -> Iterator[tuple[str, RestScene]]:
    before, count = BEFORE_FRAMES, BEFORE_FRAMES + after
    first, second = (_built_in(name, clip) for name in PLATES)
    as_filmed = [Light()] * count
    yield PLATE_CHANGE, _still(clip, as_filmed, [first] * before + [second] * after)
    yield PLATE_CUT, _still(clip, as_filmed, [PlayedPlate(first, second, cut_index=before)] * count)
    lights = [LIGHTS[name] for name in LIGHT_SWITCH]
    own = ImagePlate(clip.plates[clip.fullest])
    yield LIGHT_CHANGE, _still(clip, [lights[0]] * before + [lights[1]] * after, [own] * count)


def _built_in(name: str, clip: FilmedClip) -> ImagePlate:
    with open_plate(name) as plate:
        return ImagePlate(plate.pixels(clip.frames[0], clip.frames[0].size))


def _settling(
    clip: FilmedClip, engine: CurveEngine, frames: int, notice: Notice, tick: Callable[[], None]
) -> Iterator[Measurement]:
    for name, scene in _changes(clip, frames):
        moments = record_rest(scene, engine, seed=_SEED, notice=notice).moments
        for smoothing in SMOOTHINGS:
            settling_s = settling_of(moments, smoothing)
            yield Measurement(clip.name, engine.name, smoothing_name(smoothing), name, settling_s=settling_s)
        tick()


def settling_of(moments: Sequence[Moment], smoothing: SmoothingSettings) -> float:
    """Settling time of the curve; where it has to go is the mean of the last second's raw curves."""
    raw, smooth = replay(moments, SmoothingSettings("none")), replay(moments, smoothing)
    if any(curve is None for curve in raw):
        return math.nan
    curves = np.stack([curve for curve in smooth if curve is not None])
    target = np.mean([curve for curve in raw[-REST_RATE_HZ:] if curve is not None], axis=0)
    change_s = BEFORE_FRAMES / REST_RATE_HZ
    return settling_time_s(curves, np.arange(len(raw)) / REST_RATE_HZ, change_s=change_s - 1e-6, target=target)
