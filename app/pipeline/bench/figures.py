"""From single measurements to figures: medians, percentiles, straight lines, stages by wall and by CPU time."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.pipeline.stats import StageClock, median

WARM_UP_CALLS: Final = 5


@dataclass(frozen=True, slots=True)
class LineFit:
    """y = slope * x + offset, least squares. r2: share of the variance it explains, 1 for points on one line."""

    slope: float
    offset: float
    r2: float


def line_fit(xs: Sequence[float], ys: Sequence[float]) -> LineFit:
    """The straight line through at least two different x. ValueError otherwise."""
    if len(set(xs)) < 2 or len(xs) != len(ys):
        raise ValueError("a line needs two different points")
    steep, offset = (float(c) for c in np.polyfit(xs, ys, 1))
    residual = np.asarray(ys) - (steep * np.asarray(xs) + offset)
    spread = float(np.sum((np.asarray(ys) - np.mean(ys)) ** 2))
    r2 = 1.0 if spread == 0 else 1 - float(np.sum(residual**2)) / spread
    return LineFit(steep, offset, r2)


def slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Rise of the values a second, least squares; 0 of fewer than two."""
    return line_fit(times_s, values).slope if len(set(times_s)) > 1 else 0.0


def percentiles(values: Sequence[float], wanted: Sequence[float]) -> list[float | None]:
    """Percentiles rounded to hundredths; None each of nothing."""
    return [round(float(p), 2) for p in np.percentile(values, wanted)] if values else [None for _ in wanted]


def rss_facts(samples: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Peak, start, end and slopes of the resident size, of samples (s, MB); late: over their second half."""
    return {
        "rss_mb": max(mb for _, mb in samples),
        "rss_start_mb": samples[0][1],
        "rss_end_mb": samples[-1][1],
        "rss_slope_mb_min": _mb_a_minute(samples),
        "rss_slope_late_mb_min": _mb_a_minute(samples[len(samples) // 2 :]),
    }


def _mb_a_minute(samples: Sequence[tuple[float, float]]) -> float:
    return round(60 * slope([at_s for at_s, _ in samples], [mb for _, mb in samples]), 2)


@dataclass(frozen=True, slots=True)
class StageFigures:
    """One stage, ms a call: median, 95th percentile and mean of wall time, the first two of the process's CPU time."""

    ms: float
    p95_ms: float
    mean_ms: float
    cpu_ms: float
    cpu_p95_ms: float


class StageTimes(StageClock):
    """A stage clock that keeps the process's CPU time too; for stages that run one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._calls_ms: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Time the block as one call of the stage."""
        started_s, cpu_s = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            used_s, took_s = time.process_time() - cpu_s, time.perf_counter() - started_s
            self._calls_ms[stage].append((1000 * took_s, 1000 * used_s))

    def figures(self) -> dict[str, StageFigures]:
        """By stage, in order of first use, the first calls (at most a quarter of them) left out."""
        return {
            stage: _figures(calls[min(WARM_UP_CALLS, len(calls) // 4) :]) for stage, calls in self._calls_ms.items()
        }

    def medians_ms(self) -> dict[str, float]:
        """Median wall time by stage."""
        return {stage: figures.ms for stage, figures in self.figures().items()}

    def as_dict(self) -> dict[str, Any]:
        """All figures, by kind, for JSON."""
        stages = self.figures()
        return {
            "stages_ms": {name: f.ms for name, f in stages.items()},
            "stages_p95_ms": {name: f.p95_ms for name, f in stages.items()},
            "stages_mean_ms": {name: f.mean_ms for name, f in stages.items()},
            "stages_cpu_ms": {name: f.cpu_ms for name, f in stages.items()},
            "stages_cpu_p95_ms": {name: f.cpu_p95_ms for name, f in stages.items()},
        }


def _figures(calls_ms: Sequence[tuple[float, float]]) -> StageFigures:
    wall, cpu = zip(*calls_ms, strict=True)
    return StageFigures(_median(wall), _p95(wall), round(float(np.mean(wall)), 3), _median(cpu), _p95(cpu))


def _median(values: Sequence[float]) -> float:
    return round(median(list(values)), 3)


def _p95(values: Sequence[float]) -> float:
    return round(float(np.percentile(values, 95)), 3)
