"""Segments that wait to be done on a cluster, and how often and when those that failed are tried again."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.plan import Plan

log = logging.getLogger(__name__)

TRIES: Final = 3
"""Of a segment whose worker fails."""

LOSSES: Final = 8
"""Of a segment whose worker vanishes: machines that are rented cheaply do, now and then."""

PATIENCE_S: Final = 600.0
"""How long a network disk may be away."""

WAIT_S: Final = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Between tries to reach it."""


@dataclass(eq=False)
class Errand:
    """A segment to be done. not_before_s, away_since_s: by the monotonic clock; since when its files are out of reach.

    tries, losses, waits: how often its worker failed, vanished, or could not reach the files.
    """

    index: int
    tries: int = 0
    losses: int = 0
    waits: int = 0
    not_before_s: float = 0.0
    away_since_s: float | None = None


class Errands:
    """What waits of a pass over a plan, the longest first, so that none is left alone at the end.

    Each way to fail puts an errand back, or raises UserError when it has failed often enough.
    """

    def __init__(self, plan: Plan, indices: Sequence[int], *, patience_s: float, notice: Callable[[str], None]) -> None:
        longest_first = sorted(indices, key=lambda i: plan.segments[i].first_pts - plan.segments[i].stop_pts)
        self.waiting = [Errand(index) for index in longest_first]
        self._told: set[str] = set()
        self._clip, self._patience_s, self._notice = plan.job.clip.name, patience_s, notice

    def ready(self) -> list[Errand]:
        """Those that may be begun now."""
        now_s = time.monotonic()
        return [errand for errand in self.waiting if errand.not_before_s <= now_s]

    def again(self, errand: Errand) -> None:
        """It was left unfinished for no fault of its own."""
        self.waiting.insert(0, errand)

    def lost(self, errand: Errand, why: str) -> None:
        """Its worker vanished."""
        errand.losses += 1
        self._notice(f"A worker was lost ({why}); another does its part again.")
        self._put_back(errand, errand.losses >= LOSSES, "the workers vanished, as they do when memory runs out")

    def broken(self, errand: Errand, why: str) -> None:
        """Its worker failed in a way that nobody thought of."""
        errand.tries += 1
        log.warning("segment %d failed: %s", errand.index, why)
        self._put_back(errand, errand.tries >= TRIES, why)

    def away(self, errand: Errand, path: str, node: str) -> None:
        """A file can't be reached: a network disk that went comes back, as a rule; one that isn't there doesn't."""
        now_s = time.monotonic()
        if errand.away_since_s is None:
            errand.away_since_s = now_s
            if path not in self._told:
                self._told.add(path)
                self._notice(f"“{path}” can't be reached from {node}; trying again for {self._patience_s:.0f} s.")
        if now_s - errand.away_since_s > self._patience_s:
            raise UserError(
                f"“{path}” can't be reached from {node}.",
                "Every machine must see the files under the same path; or have them copied: object-store.",
            )
        errand.not_before_s = now_s + WAIT_S[min(errand.waits, len(WAIT_S) - 1)]
        errand.waits += 1
        self.waiting.append(errand)

    def _put_back(self, errand: Errand, is_enough: bool, why: str) -> None:
        if is_enough:
            raise UserError(
                f"Part {errand.index + 1} of “{self._clip}” can't be done on the cluster: {why}.",
                "Try it without --cluster; what is finished is kept.",
                code=ExitCode.FAILED,
            )
        self.again(errand)
