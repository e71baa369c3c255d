from __future__ import annotations

import itertools
import tempfile
from fractions import Fraction
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.frame import Frame
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_time import frame_step, movie_timescale, next_pts, plausible_rate
from app.pipeline.video_writer import VideoWriter

ticks = st.integers(-(10**9), 10**9)
BASES = [Fraction(1, 25), Fraction(1, 1000), Fraction(1, 12800), Fraction(1, 90000), Fraction(1001, 60000)]


def repaired(raw: list[int | None], step: int) -> list[int]:
    out: list[int] = []
    for pts in raw:
        out.append(next_pts(pts, out[-1] if out else None, step=step))
    return out


@given(st.lists(st.none() | ticks, max_size=40), st.integers(1, 5000))
def test_repaired_times_always_increase(raw: list[int | None], step: int) -> None:
    pts = repaired(raw, step)
    assert all(a < b for a, b in itertools.pairwise(pts))


@given(st.lists(ticks, unique=True, max_size=40), st.integers(1, 5000))
def test_increasing_times_are_left_alone(raw: list[int], step: int) -> None:
    assert repaired(sorted(raw), step) == sorted(raw)


@given(st.integers(0, 10**6), st.integers(2, 5000), st.integers(2, 20), st.integers(1, 18))
def test_one_repeated_time_does_not_move_the_frames_after_it(start: int, step: int, count: int, repeated: int) -> None:
    clean = [start + step * i for i in range(count)]
    at = min(repeated, count - 1)
    raw = [*clean[: at + 1], clean[at], *clean[at + 1 :]]
    assert repaired(raw, step) == [*clean[: at + 1], clean[at] + 1, *clean[at + 1 :]]


@given(st.integers(0, 10**6), st.integers(1, 5000), st.integers(1, 30))
def test_missing_times_are_frame_steps(start: int, step: int, count: int) -> None:
    assert repaired([start, *[None] * count], step) == [start + step * i for i in range(count + 1)]


@given(st.fractions(Fraction(1, 10), 240), st.fractions(Fraction(1, 10**6), Fraction(1, 10)))
def test_a_frame_step_is_at_least_one_tick_and_nearest(rate: Fraction, time_base: Fraction) -> None:
    step = frame_step(rate, time_base)
    assert step >= 1
    assert abs(step * time_base - 1 / rate) <= max(time_base / 2, time_base - 1 / rate)


@given(st.integers(1, 10**6))
def test_the_movie_timescale_holds_every_tick_of_the_track(ticks_hz: int) -> None:
    scale = movie_timescale(Fraction(1, ticks_hz))
    assert scale % ticks_hz == 0
    assert scale >= 48000


def test_absurd_rates_are_no_rates() -> None:
    assert plausible_rate(Fraction(90000)) is None
    assert plausible_rate(Fraction(0)) is None
    assert plausible_rate(Fraction(30000, 1001)) == Fraction(30000, 1001)


@settings(deadline=None, max_examples=12)
@given(
    st.sampled_from(BASES),
    st.sampled_from([".mp4", ".mov"]),
    st.lists(st.integers(1, 200), min_size=1, max_size=15),
    st.integers(0, 500),
)
def test_any_times_written_are_the_times_read(time_base: Fraction, suffix: str, gaps: list[int], start: int) -> None:
    pts = [start + sum(gaps[:i]) for i in range(len(gaps))]
    picture = np.zeros((16, 16, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{suffix}"
        with VideoWriter(
            path,
            width=16,
            height=16,
            time_base=time_base,
            average_rate=Fraction(30),
            settings=EncodeSettings(preset="ultrafast"),
        ) as writer:
            for index, when in enumerate(pts):
                writer.append(Frame(picture, when, time_base, index))
        with VideoReader(path) as reader:
            assert [frame.pts * frame.time_base for frame in reader] == [when * time_base for when in pts]
