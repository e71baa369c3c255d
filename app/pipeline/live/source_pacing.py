"""Handing out frames when they are due, as a camera would."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

LATE_S: Final = 0.25
"""More than this behind, the clock is put back: after a suspend nobody wants the hours in between."""

_DUE_S: Final = 1e-6
"""As near as this counts as reached: sums of binary fractions seldom meet exactly."""


@dataclass(frozen=True, slots=True)
class PaceClock:
    """now: monotonic seconds. sleep: waits so many seconds, give or take."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Pacer:
    """Time since the first question, and waiting for moments in it. Due times are absolute: nothing adds up."""

    def __init__(self, clock: PaceClock) -> None:
        self._clock = clock
        self._start_s: float | None = None

    def elapsed_s(self) -> float:
        """Seconds since the first call, 0 at that."""
        now = self._clock.now()
        if self._start_s is None:
            self._start_s = now
        return now - self._start_s

    def wait_until(self, due_s: float) -> float:
        """Wait until `due_s` of the time `elapsed_s` tells; the monotonic moment at which that is over."""
        while (left_s := due_s - self.elapsed_s()) > _DUE_S:
            self._clock.sleep(left_s)
        return self._clock.now()

    def forgive(self, due_s: float) -> None:
        """Put the clock back to `due_s` when it is over that by more than LATE_S."""
        late_s = self.elapsed_s() - due_s
        if late_s > LATE_S and self._start_s is not None:
            self._start_s += late_s


class Ticker:
    """Steps of an even rate, in Hz."""

    def __init__(self, rate_hz: float, clock: PaceClock) -> None:
        self.rate_hz = rate_hz
        self._pacer = Pacer(clock)
        self._last = -1

    def next(self) -> int:
        """The number of the next step, 0 first; steps that are over already are left out."""
        due = self._last + 1
        self._pacer.forgive(due / self.rate_hz)
        self._last = max(due, int((self._pacer.elapsed_s() + _DUE_S) * self.rate_hz))
        return self._last

    def wait(self) -> float:
        """Wait until the step `next` gave is due; the monotonic moment."""
        return self._pacer.wait_until(self._last / self.rate_hz)
