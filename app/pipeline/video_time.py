"""Presentation times: whole ticks, never i / fps."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

MAX_RATE_HZ: Final = 1000
"""Rates above are an artefact of the time base (a missing pts read as one tick), not a camera."""
DEFAULT_RATE_HZ: Final = Fraction(30)
MAX_TIMESCALE: Final = 1_000_000
"""Ticks per second an MP4 track can carry with gaps of an hour: its durations are 32-bit."""
MIN_MOVIE_TIMESCALE: Final = 48_000


def plausible_rate(rate: Fraction | None) -> Fraction | None:
    """Keep the rate, or None where it can't be a frame rate."""
    return rate if rate is not None and 0 < rate <= MAX_RATE_HZ else None


def frame_step(rate: Fraction | None, time_base: Fraction) -> int:
    """Ticks from one frame to the next at the average rate, at least 1."""
    return max(1, round(1 / ((plausible_rate(rate) or DEFAULT_RATE_HZ) * time_base)))


def next_pts(raw: int | None, last: int | None, *, step: int) -> int:
    """Find a pts after `last` for a frame whose file says `raw`: strictly increasing, unchanged if it can be.

    No pts: one step on. Repeated or at most two steps late: one tick on, so that the frames after keep their
    own times. Further back (a splice, a reset clock): one step on, as if the clock had not been set back.
    """
    if last is None:
        return 0 if raw is None else raw
    if raw is None:
        return last + step
    if raw > last:
        return raw
    return last + (step if last - raw > 2 * step else 1)


def rescaled(ticks: int, source: Fraction, target: Fraction) -> int:
    """`ticks` of `source` seconds in ticks of `target` seconds, to the nearest."""
    return ticks if source == target else round(ticks * source / target)


def encoder_time_base(time_base: Fraction) -> Fraction:
    """Keep the source's own time base where an MP4 can hold it, else microseconds."""
    return time_base if time_base.denominator <= MAX_TIMESCALE else Fraction(1, MAX_TIMESCALE)


def movie_timescale(time_base: Fraction) -> int:
    """MP4 movie ticks per second: a multiple of the track's, so that start offsets are not rounded.

    FFmpeg's default of 1000 moved a start at 7 frames of 29.97 Hz by 0.57 ms; a multiple moves it by 0.
    """
    scale = time_base.denominator
    return scale * -(-MIN_MOVIE_TIMESCALE // scale) if scale < MIN_MOVIE_TIMESCALE else scale
