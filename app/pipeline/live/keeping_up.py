"""Watches whether the live pipeline holds its rate, and says how much work it may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from app.domain.governor import DISPLAY, LEVELS, Governor, Level, Reading, useful_levels
from app.domain.settings import Settings
from app.pipeline.live.live_plates import NONE
from app.pipeline.live.live_stats import LiveFigures, LiveStats

READ_EVERY_S: Final = 1.0

ANALYSIS_BUSY: Final = "analysis was busy"
COMPOSITING_BUSY: Final = "compositing was busy"
DISPLAY_BUSY: Final = "the display was busy"
LOST_BY_SOURCE: Final = "lost by the source"
OVER_THE_RATE: Final = "over the frame rate"
"""Causes of drops. The first three mean that the machine is too slow, the others that a frame was never due."""

_NOT_REACHED: Final = frozenset({ANALYSIS_BUSY, COMPOSITING_BUSY, DISPLAY_BUSY, LOST_BY_SOURCE, OVER_THE_RATE})


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted so far. persons: finished pictures that are no cover. worked_s: by stage."""

    at_s: float
    persons: int
    drops: Mapping[str, int]
    worked_s: Mapping[str, float]


class KeepingUp:
    """Feeds the governor from the pipeline's counters. One thread calls `watch`; any may read `level` and `loads`."""

    def __init__(self) -> None:
        self.level: Level = LEVELS[0]
        self.index = 0
        self.loads: Mapping[str, float] = {}
        self._governor = Governor()
        self._since: Counts | None = None

    def is_due(self, now_s: float) -> bool:
        """Whether the next counts are wanted."""
        return self._since is None or now_s - self._since.at_s >= READ_EVERY_S

    def wait(self) -> None:
        """Nothing that happens now says anything: the picture is covered, paused or lost. The level stays."""
        self._since, self.loads = None, {}

    def watch(self, counts: Counts, settings: Settings) -> None:
        """Take in what was counted up to now."""
        before, self._since = self._since, counts
        if before is None or not _follows(before, counts):
            return
        self.loads = _loads(before, counts)
        if settings.camera.keep_up:
            reading = reading_of(before, counts, rate_hz=float(settings.camera.rate_hz))
            self._use(self._governor.follow(reading, useful=_useful(settings)))
        elif self.index:
            self._governor.reset()
            self._use(0)

    def _use(self, index: int) -> None:
        self.index, self.level = index, LEVELS[index]


def counts_of(stats: LiveStats, figures: LiveFigures, now_s: float) -> Counts:
    """What stands counted now."""
    worked_s = {stage: meter.worked_s(now_s) for stage, meter in stats.meters.items()}
    return Counts(now_s, figures.frames - figures.covered, figures.drops, worked_s)


def reading_of(before: Counts, now: Counts, *, rate_hz: float) -> Reading:
    """What came to pass between two counts: every frame that was due met one fate.

    A display that did no work is not slow: nobody looks. Of a camera faster than `rate_hz` only so many frames are
    due.
    """
    drops = {cause: count - before.drops.get(cause, 0) for cause, count in now.drops.items()}
    persons, seconds = now.persons - before.persons, now.at_s - before.at_s
    loads = _loads(before, now)
    unseen = drops.get(DISPLAY_BUSY, 0) if DISPLAY in loads else 0
    busy = drops.get(ANALYSIS_BUSY, 0) + drops.get(COMPOSITING_BUSY, 0)
    # Covered for a reason of their own, frames came through as fast as they should.
    others = sum(count for cause, count in drops.items() if cause not in _NOT_REACHED)
    reached = persons - unseen + others
    return Reading(seconds, min(reached + unseen + busy, round(rate_hz * seconds)), reached, loads)


def _follows(before: Counts, now: Counts) -> bool:
    """Whether nothing was counted anew in between."""
    return now.persons >= before.persons and all(now.drops.get(cause, 0) >= n for cause, n in before.drops.items())


def _loads(before: Counts, now: Counts) -> dict[str, float]:
    """Shares of the time between, by stage; a stage that did nothing at all is left out."""
    seconds = max(1e-6, now.at_s - before.at_s)
    worked = {stage: done_s - before.worked_s.get(stage, 0.0) for stage, done_s in now.worked_s.items()}
    return {stage: min(1.0, done_s / seconds) for stage, done_s in worked.items() if done_s > 0}


def _useful(settings: Settings) -> Collection[int]:
    person, is_replaced = settings.person, settings.plate != NONE
    return useful_levels(
        analyse_every=round(settings.camera.analyse_every),
        fine_edges=person.fine_edges,
        decontaminate=person.decontaminate and is_replaced,
        has_mask=is_replaced and person.model != "key",
    )
