"""Files, pictures, the pattern and the sample: paced by a clock that only the test moves."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import cv2
import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.live.source_file import HOLD_S, FileSource
from app.pipeline.live.source_pacing import LATE_S, PaceClock, Ticker
from app.pipeline.live.source_pattern import NUMBER_BITS, PatternSource, pattern_pixels
from app.pipeline.live.source_protocol import CaptureWish, SourceLost
from app.pipeline.live.source_sample import SampleSource
from app.pipeline.live.source_still import StillSource
from tests.support.media import write_clip


class Hand:
    """A clock that stands still but for sleeping and `pass_by`."""

    def __init__(self):
        self.now_s = 1000.0
        self.slept = []

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now_s += seconds

    def pass_by(self, seconds):
        self.now_s += seconds

    @property
    def clock(self):
        return PaceClock(lambda: self.now_s, self.sleep)


def shade(width, height, index):
    return np.full((height, width, 3), 20 + 20 * index, np.uint8)


def content(captured):
    return round((float(captured.frame.pixels.mean()) - 20) / 20)


def read_times(source, count):
    return [source.read() for _ in range(count)]


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def ten(tmp_path):
    """Ten frames at 10 Hz that do not begin at zero."""
    return write_clip(tmp_path / "ten.mp4", frames=10, rate=10, draw=shade, start_pts=4)


@pytest.fixture
def opened():
    sources = []
    yield lambda source: sources.append(source) or source
    for source in sources:
        source.close()


def test_a_file_is_paced_by_its_own_times_and_goes_round(ten, hand, opened):
    source = opened(FileSource(ten, clock=hand.clock))
    read = [source.read() for _ in range(35)]
    assert [content(c) for c in read] == [i % 10 for i in range(35)]
    assert [c.frame.index for c in read] == list(range(35))
    assert np.diff([c.frame.time_s for c in read]) == pytest.approx([0.1] * 34)
    assert [c.captured_s - 1000 for c in read] == pytest.approx([i / 10 for i in range(35)])
    assert source.granted.size == (64, 48)
    assert source.granted.rate_hz == pytest.approx(10)
    assert source.granted.name == "ten.mp4"


def test_a_varying_rate_is_kept(tmp_path, hand, opened):
    times = [0, 1, 4, 5, 8]
    clip = write_clip(tmp_path / "vfr.mkv", pts=times, time_base=Fraction(1, 10), draw=shade)
    source = opened(FileSource(clip, clock=hand.clock))
    read = [source.read() for _ in range(5)]
    assert [c.captured_s - 1000 for c in read] == pytest.approx([t / 10 for t in times])
    assert [c.frame.time_s for c in read] == pytest.approx([t / 10 for t in times])


def test_work_between_frames_adds_nothing_up(ten, hand, opened):
    source = opened(FileSource(ten, clock=hand.clock))
    arrived = []
    for _ in range(50):
        arrived.append(source.read().captured_s - 1000)
        hand.pass_by(0.037)
    assert arrived == pytest.approx([i / 10 for i in range(50)])


def test_late_frames_of_a_file_are_left_out_and_leave_a_gap(ten, hand, opened):
    source = opened(FileSource(ten, clock=hand.clock))
    source.read()
    hand.pass_by(0.33)
    late = source.read()
    assert (content(late), late.frame.index) == (3, 3)
    assert late.frame.time_s == pytest.approx(0.3)
    following = source.read()
    assert (content(following), following.captured_s - 1000) == (4, pytest.approx(0.4))


def test_after_a_suspend_a_file_goes_on_where_it_was(ten, hand, opened):
    source = opened(FileSource(ten, clock=hand.clock))
    source.read()
    hand.pass_by(7200)
    read = [source.read() for _ in range(3)]
    assert [content(c) for c in read] == [1, 2, 3]
    assert np.diff([c.captured_s for c in read]) == pytest.approx([0.1, 0.1])


def test_a_slide_show_is_no_hanging_camera(tmp_path, hand, opened):
    clip = write_clip(tmp_path / "slides.mkv", pts=[0, 2], time_base=Fraction(1, 1), rate=1, draw=shade)
    source = opened(FileSource(clip, clock=hand.clock))
    read = [source.read() for _ in range(10)]
    assert max(np.diff([c.captured_s for c in read])) <= HOLD_S + 1e-6
    assert min(np.diff([c.frame.pts for c in read])) > 0
    assert [c.frame.index for c in read] == list(range(10))
    assert [content(c) for c in read[:5]] == [0, 0, 0, 0, 1]


def test_a_rotated_file_of_odd_size_stands_upright(tmp_path, hand, opened):
    clip = write_clip(tmp_path / "odd.mp4", frames=3, size=(63, 47), pix_fmt="yuv444p", rotation=90)
    source = opened(FileSource(clip, clock=hand.clock))
    assert source.read().frame.size == (47, 63) == source.granted.size


def test_a_file_that_goes_away_is_lost_at_the_next_round(ten, hand, opened):
    source = opened(FileSource(ten, clock=hand.clock))
    source.read()
    ten.unlink()
    with pytest.raises(SourceLost, match=r"ten\.mp4"):
        read_times(source, 20)


def test_steps_that_are_over_are_left_out(hand):
    ticker = Ticker(10, hand.clock)
    numbers = []
    for busy_s in (0, 0, 0.25, 0, 0):
        numbers.append(ticker.next())
        ticker.wait()
        hand.pass_by(busy_s)
    assert numbers == [0, 1, 2, 4, 5]
    hand.pass_by(3600 + LATE_S)
    assert ticker.next() == 6


def test_even_steps_do_not_drift(hand):
    ticker = Ticker(30000 / 1001, hand.clock)
    for expected in range(3000):
        assert ticker.next() == expected
        moment = ticker.wait()
        hand.pass_by(0.011)
    assert moment - 1000 == pytest.approx(2999 * 1001 / 30000)


def test_a_picture_is_given_again_and_again(tmp_path, hand, opened):
    pixels = np.random.default_rng(1).integers(0, 256, (30, 50, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "still.png"), pixels[..., ::-1])
    source = opened(StillSource(tmp_path / "still.png", CaptureWish(), clock=hand.clock))
    read = [source.read() for _ in range(3)]
    assert all(np.array_equal(c.frame.pixels, pixels) for c in read)
    assert [c.captured_s - 1000 for c in read] == pytest.approx([0, 0.1, 0.2])
    assert [c.frame.time_s for c in read] == pytest.approx([0, 0.1, 0.2])


def test_a_large_picture_is_made_to_fit(tmp_path, hand, opened):
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((100, 400, 3), np.uint8))
    source = opened(StillSource(tmp_path / "large.png", CaptureWish(size=(200, 200)), clock=hand.clock))
    assert source.granted.size == source.read().frame.size == (200, 50)


def number_in(pixels):
    height, width = pixels.shape[:2]
    cells = [int((2 * i + 1) * width / (2 * NUMBER_BITS)) for i in range(NUMBER_BITS)]
    return sum((int(pixels[height - 2, x, 0]) > 127) << (NUMBER_BITS - 1 - i) for i, x in enumerate(cells))


def test_every_frame_of_the_pattern_can_be_told_and_something_moves(hand, opened):
    source = opened(PatternSource(CaptureWish(size=(322, 181), rate_hz=50), clock=hand.clock))
    read = [source.read() for _ in range(300)]
    assert [number_in(c.frame.pixels) for c in read] == [c.frame.index for c in read] == list(range(300))
    assert [c.frame.time_s for c in read] == pytest.approx([i / 50 for i in range(300)])
    assert np.array_equal(read[7].frame.pixels, pattern_pixels((322, 181), 7))
    upper = [c.frame.pixels[:150] for c in read]
    assert all(not np.array_equal(a, b) for a, b in pairwise(upper))


def test_the_sample_goes_round_from_memory_and_never_ends(hand, opened):
    source = opened(SampleSource(clock=hand.clock, size=(96, 54)))
    read = [source.read() for _ in range(820)]
    assert [c.frame.index for c in read] == [c.frame.pts for c in read] == list(range(820))
    assert read[-1].captured_s - 1000 == pytest.approx(819 / 25)
    pictures = [c.frame.pixels.tobytes() for c in read]
    assert len(set(pictures)) == 200
    first, *later = [pictures[end - 200 : end] for end in (620, 820)]
    assert later == [first]
    assert pictures[0:398:2] == pictures[1:399:2]
    assert all(a != b for a, b in pairwise(pictures[400:]))
    source.close()
    assert source.kept_bytes == 0


def test_the_sample_made_too_slowly_moves_slowly_but_on_time(hand, opened):
    source = opened(SampleSource(clock=hand.clock, size=(96, 54)))
    slow = []
    for _ in range(20):
        slow.append(source.read())
        hand.pass_by(0.09)
    whole = opened(SampleSource(clock=Hand().clock, size=(96, 54)))
    in_order = list(dict.fromkeys(whole.read().frame.pixels.tobytes() for _ in range(60)))
    shown = list(dict.fromkeys(c.frame.pixels.tobytes() for c in slow))
    assert slow[-1].frame.index > 30
    assert len(shown) > 10
    assert shown == in_order[: len(shown)]


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(UserError, match="no file"):
        FileSource(tmp_path / "missing.mp4")
