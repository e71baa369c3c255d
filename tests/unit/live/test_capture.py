"""The capture thread against a source that follows orders: fails, hangs, comes back."""

from __future__ import annotations

import queue
import threading
import time
from fractions import Fraction

import numpy as np
import pytest

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture import Capture, CaptureState, Limits
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.sources import CaptureWish, SourceLost, open_source

WAIT_S = 10.0
PATIENT = Limits(open_s=WAIT_S, release_s=WAIT_S, stream_s=WAIT_S)


class World:
    """Every source opened in it, and what the next one shall do."""

    def __init__(self):
        self.sources = []
        self.refusal = None
        self.crash = None
        self.most_open = 0
        self.may_open = threading.Event()
        self.may_open.set()
        self.asked = []
        self._lock = threading.Lock()

    def open(self, spec, wish):
        self.asked.append((spec, wish))
        assert self.may_open.wait(WAIT_S)
        if self.refusal:
            raise self.refusal
        source = Scripted(spec, self)
        with self._lock:
            self.sources.append(source)
            self.most_open = max(self.most_open, sum(not s.closed.is_set() for s in self.sources))
        return source


class Scripted:
    """Gives a frame each time it is let; `hang` keeps its reads from returning, `lost` ends them."""

    def __init__(self, spec, world):
        self.spec, self.world = spec, world
        self.granted = Granted("Desk cam", (4, 2), 30, "MJPG")
        self.flows = threading.Event()
        self.flows.set()
        self.is_stuck = threading.Event()
        self.closed = threading.Event()
        self.lost = None
        self.step = 1
        self.index = -1

    def read(self):
        time.sleep(0.002)
        if not self.flows.is_set():
            self.is_stuck.set()
        assert self.flows.wait(WAIT_S)
        if self.world.crash:
            raise self.world.crash
        if self.lost:
            raise self.lost
        self.index += self.step
        pixels = np.zeros((self.granted.size[1], self.granted.size[0], 3), np.uint8)
        return Captured(Frame(pixels, self.index, Fraction(1, 30), self.index), time.monotonic())

    def close(self):
        self.closed.set()


class Watch:
    """A capture with its states in the order they came."""

    def __init__(self, world, **options):
        self.slot = LatestSlot()
        self.states = queue.Queue()
        self.seen = []
        options = {"stall_s": 0.15, "retry_s": (0.01, 0.02), "limits": PATIENT} | options
        self.capture = Capture(self.slot, self.states.put, opener=world.open, **options)

    def until(self, state, **fields):
        """The next status of that state (and those fields)."""
        while True:
            status = self.states.get(timeout=WAIT_S)
            self.seen.append(status)
            if status.state is state and all(getattr(status, k) == v for k, v in fields.items()):
                return status


@pytest.fixture
def world():
    return World()


@pytest.fixture
def watch(world):
    watches = []

    def make(**options):
        watches.append(Watch(world, **options))
        return watches[-1]

    yield make
    for source in world.sources:
        source.flows.set()
    world.may_open.set()
    for one in watches:
        one.capture.stop()
    assert all(source.closed.wait(WAIT_S) for source in world.sources)


def started(watch, spec="camera:0", **options):
    one = watch(**options)
    one.capture.start(spec, CaptureWish())
    return one


def test_frames_arrive_and_the_grant_is_told(watch, world):
    one = started(watch)
    live = one.until(CaptureState.LIVE)
    assert one.seen[0].state is CaptureState.OPENING
    assert live.granted == world.sources[0].granted
    assert live.opened_s <= time.monotonic()
    assert one.slot.take(WAIT_S).frame.size == (4, 2)
    assert one.capture.status is live
    assert one.capture.frames > 0


def test_stop_releases_the_device_and_ends_the_threads(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    one.capture.stop()
    assert world.sources[0].closed.is_set()
    assert one.until(CaptureState.STOPPED).reason == ""
    assert one.slot.take(0) is None
    assert not [t for t in threading.enumerate() if t.name.startswith("capture")]
    frames = one.capture.frames
    one.capture.start("camera:0", CaptureWish())
    one.until(CaptureState.LIVE)
    assert one.capture.frames > frames


def test_a_lost_source_is_named_and_comes_back_by_itself(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    world.refusal = UserError("The camera “Desk cam” is not there.", "Plug it in.")
    world.sources[0].lost = SourceLost("The camera “Desk cam” was unplugged.", "Plug it in again.")
    lost = one.until(CaptureState.LOST)
    assert (lost.reason, lost.hint) == ("The camera “Desk cam” was unplugged.", "Plug it in again.")
    assert one.until(CaptureState.LOST, retries=3).reason == "The camera “Desk cam” is not there."
    assert one.slot.take(0) is None
    assert world.sources[0].closed.is_set()
    world.refusal = None
    assert one.until(CaptureState.LIVE).retries == 0
    assert CaptureState.OPENING not in [s.state for s in one.seen[1:]]


def test_a_busy_camera_is_tried_until_it_is_free(watch, world):
    world.refusal = UserError("The camera is in use by another program.", "Close that program.")
    one = started(watch)
    assert one.until(CaptureState.LOST).hint == "Close that program."
    world.refusal = None
    one.until(CaptureState.LIVE)


def test_a_read_that_hangs_is_named_from_outside_and_nothing_old_stays(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    stuck = world.sources[0]
    stuck.flows.clear()
    lost = one.until(CaptureState.LOST)
    assert "“Desk cam”" in lost.reason
    assert one.slot.take(0) is None
    assert not stuck.closed.is_set()
    assert "not been let go of" in one.until(CaptureState.LOST).hint
    assert len(world.sources) == 1
    stuck.flows.set()
    one.until(CaptureState.LIVE)
    assert stuck.closed.is_set()
    assert world.most_open == 1


def test_a_frame_that_comes_too_late_never_reaches_the_slot(watch, world):
    one = started(watch, retry_s=(WAIT_S,))
    one.until(CaptureState.LIVE)
    world.sources[0].flows.clear()
    one.until(CaptureState.LOST)
    world.sources[0].flows.set()
    assert world.sources[0].closed.wait(WAIT_S)
    assert one.slot.take(0) is None


def test_a_device_that_is_never_let_go_of_is_tried_all_the_same_in_the_end(watch, world):
    one = started(watch, limits=Limits(open_s=WAIT_S, release_s=0.05))
    one.until(CaptureState.LIVE)
    world.sources[0].flows.clear()
    one.until(CaptureState.LOST)
    one.until(CaptureState.LIVE)
    assert len(world.sources) == 2


def test_stop_does_not_wait_for_a_read_that_hangs(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    stuck = world.sources[0]
    stuck.flows.clear()
    assert stuck.is_stuck.wait(WAIT_S)
    one.capture.stop()
    assert "hangs" in one.until(CaptureState.STOPPED).reason
    assert not stuck.closed.is_set()
    stuck.flows.set()
    assert stuck.closed.wait(WAIT_S)
    assert one.slot.take(0) is None


def test_a_source_that_opens_too_late_is_closed_again(watch, world):
    world.may_open.clear()
    one = started(watch, limits=Limits(open_s=0.05, release_s=WAIT_S))
    assert "too long to open" in one.until(CaptureState.LOST).reason
    one.capture.stop()
    world.may_open.set()
    while not world.sources:
        time.sleep(0.005)
    assert world.sources[0].closed.wait(WAIT_S)
    assert one.capture.frames == 0


def test_a_camera_that_never_sends_a_first_frame_is_named(watch, world):
    make = world.open

    def silent(spec, wish):
        source = make(spec, wish)
        source.flows.clear()
        return source

    world.open = silent
    one = started(watch, limits=Limits(open_s=0.05, release_s=WAIT_S))
    assert "Desk cam" in one.until(CaptureState.LOST).reason


def test_a_stream_that_hiccups_is_named_but_kept(watch, world):
    one = started(watch, "rtsp://cam.local/", limits=PATIENT)
    one.until(CaptureState.LIVE)
    world.sources[0].flows.clear()
    assert one.until(CaptureState.LOST).reason == "The stream from cam.local sends no pictures."
    assert one.slot.take(0) is None
    world.sources[0].flows.set()
    one.until(CaptureState.LIVE)
    assert len(world.sources) == 1


def test_a_stream_that_stays_silent_is_opened_again(watch, world):
    one = started(watch, "rtsp://cam.local/", limits=Limits(open_s=WAIT_S, release_s=0.05, stream_s=0.05))
    one.until(CaptureState.LIVE)
    world.sources[0].flows.clear()
    one.until(CaptureState.LOST)
    one.until(CaptureState.LIVE)
    assert len(world.sources) == 2


def test_pausing_releases_the_device_and_resuming_opens_it_again(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    one.capture.pause()
    one.until(CaptureState.PAUSED)
    assert world.sources[0].closed.is_set()
    assert one.slot.take(0) is None
    one.capture.resume()
    one.until(CaptureState.LIVE)
    assert len(world.sources) == 2


def test_a_pause_right_after_the_start_is_a_pause(watch, world):
    one = started(watch)
    one.capture.pause()
    one.until(CaptureState.PAUSED)
    assert all(source.closed.is_set() for source in world.sources)


def test_switching_to_another_source(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    wish = CaptureWish(size=(1920, 1080))
    one.capture.start("camera:1", wish)
    one.until(CaptureState.OPENING)
    one.until(CaptureState.LIVE)
    assert world.asked[-1] == ("camera:1", wish)
    assert world.sources[0].closed.wait(WAIT_S)


def test_another_wish_for_the_same_camera_waits_until_it_is_free(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    for rate_hz in (15, 24, 60):
        one.capture.start("camera:0", CaptureWish(rate_hz=rate_hz))
        one.until(CaptureState.LIVE)
    assert world.most_open == 1
    assert len(world.sources) == 4


def test_a_size_that_changes_midway_is_told(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    world.sources[0].granted = Granted("Desk cam", (8, 6), 30, "MJPG")
    assert one.until(CaptureState.LIVE).granted.size == (8, 6)


def test_lost_frames_are_counted_by_the_gaps_they_leave(watch, world):
    one = started(watch)
    one.until(CaptureState.LIVE)
    assert one.capture.lost == 0
    world.sources[0].step = 3
    one.slot.clear()
    indices = [one.slot.take(WAIT_S).frame.index for _ in range(5)]
    one.capture.stop()
    assert indices[-1] - indices[-2] >= 3
    assert one.capture.lost % 2 == 0
    assert one.capture.lost >= 2


def test_a_driver_that_fails_in_an_unlisted_way_is_no_traceback(watch, world, caplog):
    one = started(watch)
    one.until(CaptureState.LIVE)
    world.crash = RuntimeError("rtsp://user:hunter2@cam/")
    lost = one.until(CaptureState.LOST)
    world.crash = None
    one.until(CaptureState.LIVE)
    assert lost.reason == "The camera failed."
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_the_real_pattern_flows_through(watch):
    slot, states = LatestSlot(), queue.Queue()
    capture = Capture(slot, states.put, opener=open_source)
    capture.start("pattern", CaptureWish(size=(64, 48), rate_hz=60))
    first, second = slot.take(WAIT_S), slot.take(WAIT_S)
    capture.stop()
    assert second.frame.index > first.frame.index
    assert second.captured_s > first.captured_s
    assert capture.status.state is CaptureState.STOPPED
