"""Sound on the picture's clock: what a microphone's own clock gets wrong is put right here, array by array."""

from __future__ import annotations

import statistics
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
"""(n,) float32 mono in [-1, 1]."""

RATE_HZ: Final = 48_000

MAX_STRETCH: Final = 0.001
"""Sound is made longer or shorter by at most this share: 1.7 cents, which nobody hears."""
_SLACK: Final = RATE_HZ // 500
_JUMP: Final = RATE_HZ // 50
_WINDOW: Final = 5
"""Blocks whose median says how far off the sound is: one callback that came late must not move it."""


def stretched(samples: Samples, length: int) -> Samples:
    """Play the same sound in `length` samples, by linear interpolation."""
    positions = np.arange(length) * (len(samples) / length)
    return np.interp(positions, np.arange(len(samples)), samples).astype(np.float32)


class SoundFitter:
    """Lays blocks of sound end to end so that each lies within a few ms of its own time.

    A microphone's clock runs up to some 200 ppm off the computer's: 120 ms in ten minutes. Differences over 2 ms
    are worked off by stretching (MAX_STRETCH), over 20 ms (lost blocks, a changed device) by silence put
    in or sound left out. `position` counts the samples handed out.
    """

    def __init__(self) -> None:
        self.position = 0
        self._errors: deque[float] = deque(maxlen=_WINDOW)
        self._allowance = 0.0
        self._surplus = 0

    def fit(self, samples: Samples, start_s: float) -> Samples:
        """Return what to append for a block whose first sample belongs at `start_s` of the recording."""
        cut = self._take_surplus(samples)
        samples, error = samples[cut:], start_s * RATE_HZ + cut - self.position
        if len(samples) == 0:
            return samples
        self._errors.append(error)
        if self.position == 0:
            fitted = self._jump(samples, round(error))
        elif len(self._errors) == _WINDOW:
            fitted = self._corrected(samples, statistics.median(self._errors))
        else:
            fitted = samples
        self.position += len(fitted)
        return fitted

    def silence(self, until_s: float) -> Samples:
        """Fill with silence up to `until_s`; empty where there is sound already."""
        missing = max(0, round(until_s * RATE_HZ) - self.position)
        if missing:
            self.position += missing
            self._errors.clear()
        return np.zeros(missing, np.float32)

    def _take_surplus(self, samples: Samples) -> int:
        left_out = min(self._surplus, len(samples))
        self._surplus -= left_out
        return left_out

    def _corrected(self, samples: Samples, error: float) -> Samples:
        if abs(error) > _JUMP:
            return self._jump(samples, round(error))
        self._allowance = min(self._allowance + len(samples) * MAX_STRETCH, 1 + len(samples) * MAX_STRETCH)
        if abs(error) <= _SLACK:
            return samples
        step = min(int(self._allowance), round(abs(error)))
        self._allowance -= step
        return stretched(samples, len(samples) + (step if error > 0 else -step)) if step else samples

    def _jump(self, samples: Samples, error: int) -> Samples:
        self._errors.clear()
        if error >= 0:
            return np.concatenate([np.zeros(error, np.float32), samples])
        self._surplus = -error
        return samples[self._take_surplus(samples) :]


class AdcClock:
    """Turns the sound system's time stamps into monotonic seconds.

    Python sees a block when it gets its turn, up to some 10 ms late and never early: the smallest difference
    of the two clocks seen lately is the true one.
    """

    def __init__(self) -> None:
        self._offsets: deque[float] = deque(maxlen=200)

    def captured_s(self, *, now_s: float, current_s: float, adc_s: float, length_s: float, latency_s: float) -> float:
        """When a block's first sample was heard.

        now_s: monotonic; current_s, adc_s: the sound system's own clock at the call and at the first sample. Some
        drivers leave them at 0 or off by hours: then the block's length and the device's latency say it.
        """
        self._offsets.append(now_s - current_s)
        captured_s = adc_s + min(self._offsets)
        if adc_s <= 0 or not now_s - 2 <= captured_s <= now_s:
            return now_s - length_s - latency_s
        return captured_s
