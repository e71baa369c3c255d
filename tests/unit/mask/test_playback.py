import threading
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import read_index
from app.pipeline.mask.playback import MAX_LATE_S, MonotonicClock, Playback, Scrubber
from app.pipeline.mask.seeking import FrameSeeker
from app.pipeline.video_reader import VideoReader
from tests.support.long_gop import write_long_gop
from tests.support.media import corrupt, write_clip

WAIT_S = 10.0
VFR_MS = [0, 40, 50, 500, 510, 900, 901, 1500]


class Log:
    """What the threads said, in order, and waiting for it."""

    def __init__(self):
        self.items = []
        self._changed = threading.Condition()

    def __call__(self, item="end"):
        with self._changed:
            self.items.append(item)
            self._changed.notify_all()

    def wait(self, are_enough):
        with self._changed:
            assert self._changed.wait_for(lambda: are_enough(self.items), WAIT_S), self.items

    def pts(self):
        return [item.pts for item in self.items if hasattr(item, "pts")]


class Opener:
    """Opens a seeker where a thread asks for it; holds it back until `gate` is open."""

    def __init__(self, path, cache=None):
        self.index = read_index(path)
        self.cache = cache or FrameCache()
        self.gate = threading.Event()
        self.gate.set()
        self.asked_on = []
        self._path = path

    def __call__(self):
        self.asked_on.append(threading.current_thread().name)
        assert self.gate.wait(WAIT_S)
        return FrameSeeker(self._path, self.index, cache=self.cache)

    def pts(self, *places):
        return [self.index.pts_at(place) for place in places]


class FakeClock:
    """Time passes only by waiting for it, and by `busy_s`."""

    def __init__(self):
        self._now_s = 100.0

    def now_s(self):
        return self._now_s

    def wait(self, over, timeout_s):
        self._now_s += timeout_s

    def busy(self, busy_s):
        self._now_s += busy_s


def names():
    return {thread.name for thread in threading.enumerate()}


@pytest.fixture
def clip(tmp_path):
    return write_long_gop(tmp_path / "clip.mp4")


@pytest.fixture
def scrubbers():
    made = []

    def make(opener):
        log = Log()
        made.append(Scrubber(opener, on_frame=log, on_failure=log))
        return made[-1], log

    yield make
    for scrubber in made:
        scrubber.stop()


@pytest.fixture
def playbacks():
    made = []

    def make(opener, clock=None, on_frame=None):
        log, shown = Log(), Log()
        made.append(Playback(opener, on_frame=on_frame or shown, on_end=log, on_failure=log, clock=clock))
        return made[-1], shown, log

    yield make
    for playback in made:
        playback.stop()


def test_a_request_is_answered_with_the_readers_frame_on_the_scrubbers_thread(clip, scrubbers):
    opener = Opener(clip)
    scrubber, log = scrubbers(opener)
    scrubber.request(opener.index.pts_at(30) + 1)
    log.wait(len)
    with VideoReader(clip) as reader:
        expected = list(reader)[30]
    assert log.items[0].pts == expected.pts
    assert np.array_equal(log.items[0].pixels, expected.pixels)
    assert opener.asked_on == ["scrubber"]


def test_the_latest_request_wins_and_those_before_are_never_decoded(clip, scrubbers):
    opener = Opener(clip)
    opener.gate.clear()
    scrubber, log = scrubbers(opener)
    wanted = opener.pts(*range(0, 60, 3))
    for pts in wanted:
        scrubber.request(pts)
    opener.gate.set()
    log.wait(len)
    assert log.pts() == wanted[-1:]
    assert scrubber.skipped == len(wanted) - 1


@pytest.mark.parametrize(("before", "then", "fetched"), [(20, 30, range(31, 39)), (58, 30, range(6, 30))])
def test_when_idle_the_frames_in_the_direction_of_travel_are_fetched(clip, scrubbers, before, then, fetched):
    opener = Opener(clip)
    scrubber, log = scrubbers(opener)
    scrubber.request(opener.pts(before)[0])
    log.wait(len)
    scrubber.request(opener.pts(then)[0])
    log.wait(lambda items: len(items) == 2)
    wanted = opener.pts(*fetched)
    arrived = threading.Event()
    for _ in range(500):
        if all(pts in opener.cache for pts in wanted):
            break
        arrived.wait(0.02)
    assert [pts in opener.cache for pts in wanted] == [True] * len(wanted)


def test_a_damaged_moment_is_reported_and_the_next_request_answered(tmp_path, scrubbers):
    path = write_long_gop(tmp_path / "damaged.mp4", gop=20, frames=80)
    corrupt(path, start=0.35, length_bytes=400)
    with VideoReader(path) as reader:
        whole = {frame.pts for frame in reader}
    opener = Opener(path)
    lost = next(pts for pts in opener.index.pts.tolist() if pts not in whole)
    scrubber, log = scrubbers(opener)
    scrubber.request(lost)
    log.wait(len)
    assert isinstance(log.items[0], UserError)
    scrubber.request(opener.pts(70)[0])
    log.wait(lambda items: len(items) == 2)
    assert log.items[1].pts == opener.pts(70)[0]


def test_a_clip_that_can_not_be_opened_is_reported_once(tmp_path, clip, scrubbers, playbacks):
    (tmp_path / "gone.mp4").write_text("no video")
    index = read_index(clip)

    def opener():
        return FrameSeeker(tmp_path / "gone.mp4", index)

    scrubber, log = scrubbers(opener)
    scrubber.request(0)
    playback, _, failures = playbacks(opener)
    playback.play(0, span=(0, 0))
    for said in (log, failures):
        said.wait(len)
        assert [type(item) for item in said.items] == [UserError]


def test_stopped_threads_are_gone_whatever_they_were_doing(clip):
    opener = Opener(clip)
    log = Log()
    scrubber = Scrubber(opener, on_frame=log, on_failure=log)
    for pts in opener.pts(50, 3, 44):
        scrubber.request(pts)
    scrubber.stop()
    scrubber.request(0)
    playback = Playback(opener, on_frame=log, on_end=log, on_failure=log)
    playback.play(0, span=(0, opener.index.pts_at(59)), loops=True)
    log.wait(len)
    assert {"playback", "read-ahead"} & names()
    playback.stop()
    assert not {"scrubber", "playback", "read-ahead"} & names()


def test_frames_come_when_they_are_due_by_the_clips_own_times(tmp_path, playbacks):
    path = write_clip(tmp_path / "vfr.mkv", pts=VFR_MS, time_base=Fraction(1, 1000))
    opener, clock, times = Opener(path), FakeClock(), []
    playback, _, log = playbacks(opener, clock, lambda frame: times.append((frame.pts, clock.now_s())))
    playback.play(0, span=(0, 1500))
    log.wait(len)
    assert [pts for pts, _ in times] == VFR_MS
    assert [now_s - times[0][1] for _, now_s in times] == pytest.approx([pts / 1000 for pts in VFR_MS])
    assert playback.dropped == 0
    assert log.items == ["end"]


def test_a_loop_goes_on_from_its_first_frame_without_a_gap(tmp_path, playbacks):
    path = write_clip(tmp_path / "clip.mkv", frames=20, time_base=Fraction(1, 1000))
    opener, clock, shown = Opener(path), FakeClock(), Log()
    playback, _, log = playbacks(opener, clock, lambda frame: shown((frame.index, clock.now_s())))
    playback.play(opener.pts(7)[0], span=tuple(opener.pts(5, 9)), loops=True)
    shown.wait(lambda items: len(items) >= 12)
    playback.stop()
    places = [place for place, _ in shown.items[:12]]
    moments = [moment for _, moment in shown.items[:12]]
    assert places == [7, 8, 9, 5, 6, 7, 8, 9, 5, 6, 7, 8]
    assert np.diff(moments) == pytest.approx(0.04)
    assert log.items == []


def test_frames_that_are_late_are_dropped_counted_and_the_rest_is_on_time(clip, playbacks):
    opener, clock, times = Opener(clip), FakeClock(), []

    def slow(frame):
        times.append((frame.index, clock.now_s()))
        clock.busy(0.1)

    playback, _, log = playbacks(opener, clock, slow)
    playback.play(0, span=tuple(opener.pts(0, 59)))
    log.wait(len)
    places = [place for place, _ in times]
    assert playback.dropped == 60 - len(places) > 30
    assert places == sorted(places)
    began_s = times[0][1]
    assert all(0 <= now_s - began_s - place * 0.04 < 0.04 + 1e-6 for place, now_s in times)


def test_far_behind_playing_slows_down_instead_of_showing_nothing(clip, playbacks):
    opener, clock, places = Opener(clip), FakeClock(), []

    def very_slow(frame):
        places.append(frame.index)
        clock.busy(MAX_LATE_S + 0.2)

    playback, _, log = playbacks(opener, clock, very_slow)
    playback.play(0, span=tuple(opener.pts(0, 19)))
    log.wait(len)
    assert places == list(range(20))
    assert playback.dropped == 0


def test_paused_it_shows_no_more_and_plays_again_from_elsewhere(clip, playbacks):
    opener = Opener(clip, FrameCache(0))
    playback, shown, log = playbacks(opener, MonotonicClock())
    span = tuple(opener.pts(0, 59))
    playback.play(span[0], span=span)
    shown.wait(lambda items: len(items) >= 2)
    playback.pause()
    count = len(shown.items)
    playback.play(opener.pts(55)[0], span=span)
    log.wait(len)
    assert log.items == ["end"]
    assert shown.pts()[-1] >= opener.pts(55)[0]
    assert len(shown.items) <= count + 1 + 5


def test_damaged_moments_are_passed_over_while_playing(tmp_path, playbacks):
    path = write_long_gop(tmp_path / "damaged.mp4", gop=20, frames=80)
    corrupt(path, start=0.35, length_bytes=400)
    with VideoReader(path) as reader:
        whole = [frame.pts for frame in reader]
    opener = Opener(path)
    playback, shown, log = playbacks(opener, FakeClock())
    playback.play(0, span=tuple(opener.pts(0, 79)))
    log.wait(len)
    assert shown.pts() == whole
    assert len(whole) < 80


def test_outside_its_span_playing_begins_at_its_start(clip, playbacks):
    opener = Opener(clip)
    playback, shown, log = playbacks(opener, FakeClock())
    playback.play(opener.pts(50)[0], span=tuple(opener.pts(10, 14)))
    log.wait(len)
    assert shown.pts() == opener.pts(10, 11, 12, 13, 14)
