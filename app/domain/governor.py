"""Holding the frame rate on a machine that is too slow for everything: less work in a stated order, never stutter.

A `Governor` is told, about once a second, what was due and what was reached, and answers with a level: an index into
`LEVELS`. It knows no clock; times are summed up from what it is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

ANALYSIS: Final = "analysis"
COMPOSITING: Final = "compositing"
DISPLAY: Final = "display"
"""The stages whose load is looked at."""

HELD_SHARE: Final = 0.97
"""The rate is held while so many of the frames that were due came through."""

STRAINED_S: Final = 2.0
"""A rate that is not held for so long costs a level; time in which it is held makes good for half of its length."""

CALM_S: Final = 10.0
"""Before something better is tried, the rate has been held for so long."""

RISE_S: Final = 5.0
"""The same while it is on its way up, and the level it came to holds."""

PROOF_S: Final = 20.0
"""A better level that is given up within this time counts as tried in vain."""

LONGEST_WAIT_S: Final = 600.0
"""A level tried in vain is tried again after twice the wait, but at least this often."""

ROOM: Final = 0.85
"""A better level is tried if the busiest stage is expected to be at work for less of the time than this."""

EASED: Final = 0.7
"""A load that fell below this share of what it was when a level was tried in vain is another situation."""

LEAST_DUE: Final = 3
"""Of fewer frames in a reading nothing can be concluded."""

LITTLE: Final = 0.1
"""Of a stage that is at work for less of the time than this, nothing is taken away: it would help nobody."""

CAUTION: Final = 0.9
"""Levels are passed over on the way down while all they save is less than this share of what is lacking."""


@dataclass(frozen=True, slots=True)
class Level:
    """What is done with less; every level keeps what those before it have reduced.

    words: all that it reduces, for people, what it adds last. analyse_every: the mask is looked for in every n-th
    frame and carried along between, and the colours are estimated n times more seldom. fine_edges, decontaminate:
    whether these are done where they are set. preview_share: of the preview's width and height. preview_every: every
    n-th picture is shown there. saves: how many times as long a stage takes for a frame one level better, as measured
    on the default settings at 720p and 1080p with one thread a stage.
    """

    words: tuple[str, ...] = ()
    analyse_every: int = 1
    fine_edges: bool = True
    decontaminate: bool = True
    preview_share: float = 1.0
    preview_every: int = 1
    saves: Mapping[str, float] = field(default_factory=dict)


_CLEANING: Final = {ANALYSIS: 1.1, COMPOSITING: 1.7}
"""The compositing thread does it; the analysis gains what the cores have to spare."""


def _levels() -> tuple[Level, ...]:
    second = Level(("mask every 2nd frame",), 2, saves={ANALYSIS: 1.15})
    third = Level(("mask every 3rd frame",), 3, saves={ANALYSIS: 1.05})
    plain = replace(third, words=(*third.words, "plain edges"), fine_edges=False, saves={ANALYSIS: 1.25})
    stained = replace(plain, words=(*plain.words, "old background left in edges"), decontaminate=False, saves=_CLEANING)
    small = replace(stained, words=(*stained.words, "smaller preview"), preview_share=0.5, saves={DISPLAY: 1.4})
    slow = replace(small, words=(*small.words, "preview at half the rate"), preview_every=2, saves={DISPLAY: 2.0})
    return Level(), second, third, plain, stained, small, slow


LEVELS: Final = _levels()
"""In the order in which quality goes: analysis rate, edge quality, preview."""

ALL_LEVELS: Final = frozenset(range(len(LEVELS)))


@dataclass(frozen=True, slots=True)
class Reading:
    """What came to pass in `seconds` s. due: frames that should have come through; reached: those that did.

    Frames are due only if the machine alone can have lost them: not what the source lost or nobody asked for.
    loads: the share of the time a stage was at work, 0..1; one that is missing is not looked at.
    """

    seconds: float
    due: int
    reached: int
    loads: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_held(self) -> bool:
        """Whether the rate was held."""
        return self.reached >= HELD_SHARE * self.due


@dataclass(slots=True)
class _Try:
    """What is known of a level that was tried in vain. loads: before it was tried."""

    wait_s: float
    loads: Mapping[str, float]


class Governor:
    """Steps down soon, up late, and ever later where a better level did not hold. Not thread-safe."""

    def __init__(self) -> None:
        self.level = 0
        self._strained_s = self._calm_s = 0.0
        self._since_rise_s = 0.0
        self._rose_from: Mapping[str, float] | None = None
        self._loads: dict[str, float] = {}
        self._failed: dict[int, _Try] = {}
        self._recent: deque[Reading] = deque()

    def reset(self) -> None:
        """Forget everything, and do all the work again."""
        self.level = 0
        self._failed.clear()
        self._settle(rose_from=None)

    def follow(self, reading: Reading, *, useful: Collection[int] = ALL_LEVELS) -> int:
        """Take a reading in; the level from now on.

        useful: levels that make a difference with what is set; others are passed over.
        """
        if reading.due < LEAST_DUE or reading.seconds <= 0:
            return self.level
        self._since_rise_s += reading.seconds
        recent = self._recently(reading)
        if not reading.is_held and not recent.is_held:
            self._strained_s += reading.seconds
            self._calm_s = 0.0
            if self._strained_s >= STRAINED_S:
                helpful = [level for level in useful if level > self.level and _helps(level, reading.loads)]
                self._step_down(sorted(helpful), lacking=recent.due / max(1, recent.reached))
            return self.level
        self._strained_s = max(0.0, self._strained_s - reading.seconds / 2)
        self._calm_s += reading.seconds
        self._take_in(reading)
        if self.is_proven:
            self._failed.pop(self.level, None)
        self._step_up(useful)
        return self.level

    @property
    def is_proven(self) -> bool:
        """Whether the level that was come up to has held for long enough to be trusted."""
        return self._rose_from is None or self._since_rise_s > PROOF_S

    def _recently(self, reading: Reading) -> Reading:
        """The last readings as one: of 30 frames a second a single one is more than is allowed to be lost."""
        self._recent.append(reading)
        while sum(one.seconds for one in self._recent) - self._recent[0].seconds >= STRAINED_S:
            self._recent.popleft()
        return Reading(
            sum(one.seconds for one in self._recent),
            sum(one.due for one in self._recent),
            sum(one.reached for one in self._recent),
        )

    def _step_down(self, worse: Sequence[int], *, lacking: float) -> None:
        """Go to the next of the worse levels, or as far as it surely takes to do `lacking` times as many frames."""
        if not worse:
            self._strained_s = 0.0
            return
        if not self.is_proven:
            before = self._failed.get(self.level)
            wait_s = min(LONGEST_WAIT_S, 2 * (CALM_S if before is None else before.wait_s))
            self._failed[self.level] = _Try(wait_s, self._rose_from or {})
        saved = 1.0
        for level in worse:
            self.level = level
            saved *= max(LEVELS[level].saves.values())
            if saved >= CAUTION * lacking:
                break
        self._settle(rose_from=None)

    def _step_up(self, useful: Collection[int]) -> None:
        better = max((level for level in useful if level < self.level), default=0)
        if better == self.level or self._calm_s < self._wait_s(better) or not self._is_room(useful):
            return
        self.level = better
        self._settle(rose_from=dict(self._loads))

    def _wait_s(self, better: int) -> float:
        """How long the rate must have been held before this level is tried."""
        failed = self._failed.get(better)
        if failed is not None and not _is_eased(self._loads, failed.loads):
            return failed.wait_s
        return CALM_S if self._rose_from is None else RISE_S

    def _is_room(self, useful: Collection[int]) -> bool:
        """Whether the stages that get more to do one level up are expected to have the time."""
        saves = LEVELS[self.level].saves if self.level in useful else {}
        return all(self._loads.get(stage, 0.0) * times < ROOM for stage, times in saves.items())

    def _take_in(self, reading: Reading) -> None:
        """Keep the loads of this level, averaged over the last of the calm time."""
        share = min(1.0, reading.seconds / min(self._calm_s, CALM_S))
        for stage, load in reading.loads.items():
            known = self._loads.get(stage, load)
            self._loads[stage] = known + share * (load - known)

    def _settle(self, *, rose_from: Mapping[str, float] | None) -> None:
        """Begin at a level that was just come to; rose_from: the loads before, on the way up."""
        self._strained_s = self._calm_s = self._since_rise_s = 0.0
        self._rose_from = rose_from
        self._loads = {}
        self._recent.clear()


def _helps(level: int, loads: Mapping[str, float]) -> bool:
    """Whether a level spares a stage that has much to do, as far as is known."""
    return any(loads.get(stage, 1.0) >= LITTLE for stage in LEVELS[level].saves)


def _is_eased(loads: Mapping[str, float], before: Mapping[str, float]) -> bool:
    return bool(before) and all(loads.get(stage, 1.0) < EASED * load for stage, load in before.items())


def useful_levels(*, analyse_every: int, fine_edges: bool, decontaminate: bool, has_mask: bool) -> frozenset[int]:
    """The levels that change anything, by what is set. has_mask: whether a mask is looked for by a model at all."""
    useful, before = {0}, (analyse_every, fine_edges, decontaminate, 1.0, 1)
    for index, level in enumerate(LEVELS[1:], start=1):
        looks = max(analyse_every, level.analyse_every) if has_mask else analyse_every
        fine = fine_edges and (level.fine_edges or not has_mask)
        clean = decontaminate and level.decontaminate
        after = looks, fine, clean, level.preview_share, level.preview_every
        if after != before:
            useful.add(index)
        before = after
    return frozenset(useful)
