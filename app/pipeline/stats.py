"""How long the stages take, and how much memory the process peaked at."""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psutil

T = TypeVar("T")

WARM_UP_CALLS = 3
_KEPT_CALLS = 2000


def median(values: list[float]) -> float:
    """Middle value; nan of nothing."""
    if not values:
        return float("nan")
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(values) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


class StageClock:
    """Collects the duration of named stages. One writer a stage; readers get medians after warm-up."""

    def __init__(self) -> None:
        self._durations_ms: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Time the block as one call of the stage."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Count one call of a stage that took so long."""
        kept = self._durations_ms[stage]
        if len(kept) < _KEPT_CALLS:
            kept.append(1000.0 * seconds)

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The same items, each one's making timed as a call of the stage."""
        iterator = iter(items)
        while True:
            with self.time(stage):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def medians_ms(self) -> dict[str, float]:
        """Median ms a call by stage, in order of first use; the first calls (warm-up) are left out."""
        kept = {stage: calls[WARM_UP_CALLS:] or calls for stage, calls in self._durations_ms.items()}
        return {stage: round(median(calls), 3) for stage, calls in kept.items()}


def peak_rss_mb() -> float:
    """Largest resident size of this process so far, in MB (10^6 bytes)."""
    if sys.platform == "win32":
        return float(psutil.Process().memory_info().peak_wset) / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
