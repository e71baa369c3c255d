"""A room, a person and a camera that do as the test says; every frame can be told from the others."""

import threading
import time
from fractions import Fraction

import numpy as np

from app.domain.frame import Frame
from app.pipeline.live.capture import Capture, Limits
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_protocol import SourceLost

SIZE = (128, 72)
ROOM = (220, 30, 30)
PLATE = (16, 64, 192)
PLATE_SPEC = "#1040c0"
WAIT_S = 15.0
BAR_PX = 24
STEP_PX = 4


def left_of(index):
    """Where the person stands in frame `index`."""
    return STEP_PX * (index % ((SIZE[0] - BAR_PX) // STEP_PX))


def pixels_of(index, *, size=SIZE, left=None):
    """The room with the person in it, whose green says the frame's number."""
    pixels = np.full((size[1], size[0], 3), ROOM, np.uint8)
    start = left_of(index) if left is None else left
    pixels[:, start : start + BAR_PX] = (60, index % 200 + 50, 90)
    return pixels


def number_in(pixels, left):
    return int(pixels[SIZE[1] // 2, left + BAR_PX // 2, 1]) - 50


def alpha_of(index):
    alpha = np.zeros((SIZE[1], SIZE[0]), np.float32)
    alpha[:, left_of(index) : left_of(index) + BAR_PX] = 1
    return alpha


def frame_of(index, *, pixels=None, time_s=None):
    pixels = pixels_of(index) if pixels is None else pixels
    pts = index * 1000 // 30 if time_s is None else round(time_s * 1000)
    return Frame(pixels, pts, Fraction(1, 1000), index)


def captured_of(index, **options):
    return Captured(frame_of(index, **options), time.monotonic())


def room_pixels(picture):
    """How many pixels of a picture might be the room."""
    return int((np.abs(picture.astype(int) - ROOM).max(axis=2) < 90).sum())


class Finder:
    """Finds the person by the frame's number, as a matte that wants no refining; `answer` may be changed."""

    name = "scripted"

    def __init__(self, *, coarse=False):
        self.coarse = coarse
        self.looks = self.resets = 0
        self.closed = False
        self.answer = lambda frame: alpha_of(frame.index)

    def segment(self, frame):
        self.looks += 1
        return self.answer(frame)

    def reset(self):
        self.resets += 1

    def close(self):
        self.closed = True


class World:
    """Cameras by name. `give` lets each open one hand out so many more frames."""

    def __init__(self):
        self.sources = []
        self.asked = []
        self.is_ended = False
        self.changed = threading.Condition()

    def open(self, spec, wish):
        source = Scripted(self, spec)
        with self.changed:
            self.asked.append((spec, wish))
            self.sources.append(source)
            self.changed.notify_all()
        return source

    def make_capture(self, slot, on_status):
        limits = Limits(open_s=60, release_s=60, stream_s=60)
        return Capture(slot, on_status, opener=self.open, stall_s=60, retry_s=(0.05,), limits=limits)

    def end(self):
        with self.changed:
            self.is_ended = True
            self.changed.notify_all()


class Scripted:
    """Hands out the frames it was given, then waits; every 2 ms at most."""

    def __init__(self, world, spec):
        self.granted = Granted(spec, SIZE, 30, "made up")
        self.spec, self.world = spec, world
        self.left, self.index = 0, -1
        self.is_lost = self.closed = False

    def give(self, count=1):
        with self.world.changed:
            self.left += count
            self.world.changed.notify_all()

    def lose(self):
        with self.world.changed:
            self.is_lost = True
            self.world.changed.notify_all()

    def read(self):
        with self.world.changed:
            assert self.world.changed.wait_for(lambda: self.left or self.is_lost or self.world.is_ended, 60)
            if self.is_lost or (self.world.is_ended and not self.left):
                raise SourceLost("The camera was unplugged.", "Plug it in.")
            self.left -= 1
            self.index += 1
        time.sleep(0.002)
        return captured_of(self.index)

    def close(self):
        self.closed = True


def until(condition, what="it"):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.004)
