"""The measurements of clips as one table, one CSV, and the smoothing that they speak for."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from app.pipeline.curve_recording import REST_RATE_HZ
from app.pipeline.video_evaluation import (
    FIELDS,
    LIGHT_CHANGE,
    PLATE_CHANGE,
    PLATE_CUT,
    REAL,
    UNTOUCHED,
    Measurement,
    finite,
)

MAX_COLOUR_STEP_LEVELS: Final = 0.3
"""A person at rest, in levels of 255: their mean colour may not move more from one frame to the next."""

MAX_SETTLING_S: Final = 0.5
"""90 % of a change of plate or light is to be reached within this."""

_HALF_A_FRAME_S: Final = 0.5 / REST_RATE_HZ
"""Settling is counted in whole frames: half of one separates 0.5 s from the next, whatever the rounding."""

HEADERS: Final = (
    "smoothing",
    "fMSE",
    "PSNR",
    "TL",
    "curve",
    "colour",
    "max",
    "unrounded",
    "plate s",
    "video s",
    "light s",
    "meets",
)

LEGEND: Final = (
    "fMSE, PSNR (dB), TL: moving, means over clips and lights; the real clip's own TL is what the flow can't follow.",
    "curve, colour: RMS change a frame of the curve (mean) and of the person's mean colour (worst clip and light) at",
    "rest, levels of 255; max: the largest one, unrounded: the same before the 8-bit table.",
    "plate, video, light: slowest clip's time to within 10 % of the new curve when a still plate, a video plate or",
    "the light changes.",
    f"meets: colour at most {MAX_COLOUR_STEP_LEVELS}, all settled within {MAX_SETTLING_S} s; * the steadiest of those.",
)


@dataclass(frozen=True)
class Summary:
    """One method over all clips: means of what moves, the worst colour step and the slowest settling.

    nan where nothing was measured, inf where a curve never settled. Units as in `Measurement`.
    """

    weights: str
    smoothing: str
    fmse: float
    psnr_db: float
    temporal_loss: float
    curve_step_levels: float
    colour_step_levels: float
    colour_step_max_levels: float
    colour_step_max_unrounded_levels: float
    still_plate_settling_s: float
    video_plate_settling_s: float
    light_settling_s: float

    @property
    def meets_targets(self) -> bool:
        """Whether a person at rest is steady and changes are followed in time, on every clip."""
        settling_s = (self.still_plate_settling_s, self.video_plate_settling_s, self.light_settling_s)
        return self.colour_step_levels <= MAX_COLOUR_STEP_LEVELS and all(
            s < MAX_SETTLING_S + _HALF_A_FRAME_S for s in settling_s
        )

    def as_dict(self) -> dict[str, str | float | None]:
        """Fields for JSON: nan and inf are None."""
        return {k: finite(v) for k, v in asdict(self).items()} | {"meets_targets": self.meets_targets}


def summarize(rows: Iterable[Measurement]) -> list[Summary]:
    """One summary a network and smoothing, in the order they first come."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for row in rows:
        groups.setdefault((row.weights, row.smoothing), []).append(row)
    return [_summary(*key, group) for key, group in groups.items()]


def _summary(weights: str, smoothing: str, rows: Sequence[Measurement]) -> Summary:
    def settling_s(scene: str) -> float:
        return _max(row.settling_s for row in rows if row.scene == scene)

    return Summary(
        weights,
        smoothing,
        fmse=_mean(row.fmse for row in rows),
        psnr_db=_mean(row.psnr_db for row in rows),
        temporal_loss=_mean(row.temporal_loss for row in rows),
        curve_step_levels=_mean(row.curve_step_levels for row in rows),
        colour_step_levels=_max(row.colour_step_levels for row in rows),
        colour_step_max_levels=_max(row.colour_step_max_levels for row in rows),
        colour_step_max_unrounded_levels=_max(row.colour_step_max_unrounded_levels for row in rows),
        still_plate_settling_s=settling_s(PLATE_CHANGE),
        video_plate_settling_s=settling_s(PLATE_CUT),
        light_settling_s=settling_s(LIGHT_CHANGE),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [v for v in values if v is not None and not math.isnan(v)]


def _mean(values: Iterable[float | None]) -> float:
    known = _known(values)
    return sum(known) / len(known) if known else math.nan


def _max(values: Iterable[float | None]) -> float:
    return max(_known(values), default=math.nan)


def steadiest(summaries: Iterable[Summary]) -> dict[str, Summary]:
    """By network, the smoothing that meets the targets and moves a person at rest least; none if none does."""
    best: dict[str, Summary] = {}
    for summary in summaries:
        known = best.get(summary.weights)
        if summary.meets_targets and (known is None or summary.colour_step_levels < known.colour_step_levels):
            best[summary.weights] = summary
    return best


def tables(summaries: Sequence[Summary]) -> dict[str, list[list[str]]]:
    """Cells under HEADERS by network, what was given first; the smoothing that a table speaks for is starred."""
    chosen = steadiest(summaries)
    given = [_cells(s, is_best=False) for s in summaries if not s.weights]
    names = dict.fromkeys(s.weights for s in summaries if s.weights)
    return {
        name: given + [_cells(s, is_best=chosen.get(name) is s) for s in summaries if s.weights == name]
        for name in names
    }


def _cells(s: Summary, *, is_best: bool) -> list[str]:
    numbers: tuple[tuple[float, Callable[[float], str]], ...] = (
        (s.fmse, "{:.1f}".format),
        (s.psnr_db, "{:.2f}".format),
        (s.temporal_loss, "{:.2f}".format),
        (s.curve_step_levels, "{:.3f}".format),
        (s.colour_step_levels, "{:.3f}".format),
        (s.colour_step_max_levels, "{:.2f}".format),
        (s.colour_step_max_unrounded_levels, "{:.2f}".format),
        (s.still_plate_settling_s, "{:.2f}".format),
        (s.video_plate_settling_s, "{:.2f}".format),
        (s.light_settling_s, "{:.2f}".format),
    )
    cells = [_cell(value, write) for value, write in numbers]
    given = s.smoothing in (REAL, UNTOUCHED)
    meets = "" if given else "no" if not s.meets_targets else "yes *" if is_best else "yes"
    return [s.smoothing, *cells, meets]


def _cell(value: float, write: Callable[[float], str]) -> str:
    if math.isnan(value):
        return "-"
    return "inf" if math.isinf(value) else write(value)


def as_csv(rows: Iterable[Measurement]) -> str:
    """One line a measurement, the header first; empty where nothing applies or a curve never settled."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.as_dict() for row in rows)
    return text.getvalue()
