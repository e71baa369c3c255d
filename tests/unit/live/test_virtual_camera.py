import functools
import os
import threading
from fractions import Fraction

import numpy as np
import pytest
import pyvirtualcam

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.live import camera_formats
from app.pipeline.live.pictures import Finished
from app.pipeline.live.virtual_camera import CameraState, VirtualCamera

SIZE = (32, 18)
RATE_HZ = 8.0  # a period that floats hold exactly
PERSON, PLATE, BLACK = (200, 40, 90), (20, 160, 60), (0, 0, 0)


class Backend:
    """What the camera of the test was sent; `broken` makes `send` raise, `refuses` makes opening raise."""

    made: list["Backend"]
    broken = False
    refuses = False
    native = "I420"
    node = "test camera"

    def __init__(self, *, width, height, fps, fourcc, device):
        if type(self).refuses:
            raise RuntimeError("the test device is busy")
        self.size, self.fps, self.asked = (width, height), fps, device
        self.fmt = pyvirtualcam.PixelFormat(pyvirtualcam.util.decode_fourcc(fourcc)).name
        self.frames, self.closed = [], False
        type(self).made.append(self)

    def send(self, frame):
        assert frame.ndim == 1
        assert frame.dtype == np.uint8
        if type(self).broken:
            raise OSError("no such device")
        self.frames.append(frame.copy())

    def close(self):
        self.closed = True

    def device(self):
        return type(self).node

    def native_fourcc(self):
        return pyvirtualcam.util.encode_fourcc(pyvirtualcam.PixelFormat[type(self).native].value)


@pytest.fixture
def backend():
    kind = type("TestBackend", (Backend,), {"made": []})
    pyvirtualcam.register_backend("test", kind)
    yield kind
    while SETUPS:
        SETUPS.pop().camera.stop()
    del pyvirtualcam.camera.BACKENDS["test"]


class Ticks:
    """A clock that only moves when the sending thread waits; `at` does something before that many pictures are out."""

    def __init__(self, count, at=None):
        self.now_s, self._left, self._at, self._passed = 100.0, count, at or {}, 0
        self.done = threading.Event()

    def clock(self):
        return self.now_s

    def wait(self, ended, seconds):
        self.now_s += max(0.0, seconds)
        self._passed += 1
        self._at.get(self._passed, lambda: None)()
        if self._passed >= self._left:
            self.done.set()
            ended.wait(20)
        return ended.is_set()


SETUPS: list["Setup"] = []


class Setup:
    def __init__(self, count, *, at=None, **more):
        SETUPS.append(self)
        self.ticks, self.events = Ticks(count, at), []
        self.camera = VirtualCamera(
            size=more.pop("size", SIZE),
            rate_hz=RATE_HZ,
            on_event=self.events.append,
            opener=functools.partial(pyvirtualcam.Camera, backend="test"),
            clock=self.ticks.clock,
            wait=self.ticks.wait,
            **more,
        )

    def run(self):
        self.camera.start()
        assert self.ticks.done.wait(20)
        return self


def finished(colour, captured_s, *, cover=False, size=SIZE):
    pixels = np.full((size[1], size[0], 3), colour, np.uint8)
    frame = None if cover else Frame(pixels=pixels, pts=0, time_base=Fraction(1, 30), index=0)
    return Finished(composite=pixels, captured_s=captured_s, frame=frame)


def yuv(colour):
    red, green, blue = np.array(colour, np.float64) / 255
    luma = 16 + 65.481 * red + 128.553 * green + 24.966 * blue
    cb = 128 - 37.797 * red - 74.203 * green + 112.0 * blue
    cr = 128 + 112.0 * red - 93.786 * green - 18.214 * blue
    return luma, cb, cr


def shows(frame, colour, size=SIZE):
    """Whether an I420 frame is all of one colour, within rounding."""
    count = size[0] * size[1]
    planes = np.split(frame.astype(float), [count, count + count // 4])
    return all(np.abs(plane - level).max() <= 1 for plane, level in zip(planes, yuv(colour), strict=True))


def test_size_rate_and_steady_black_until_the_first_picture(backend):
    setup = Setup(25).run()
    setup.camera.stop()
    (made,) = backend.made
    assert (made.size, made.fps, made.fmt) == (SIZE, RATE_HZ, "I420")
    assert len(made.frames) == 25 + 1  # one a period of the clock, and the cover that stop sends
    assert setup.ticks.now_s == 100 + 25 / 8
    assert all(frame.size == SIZE[0] * SIZE[1] * 3 // 2 for frame in made.frames)
    assert all(shows(frame, BLACK) for frame in made.frames)
    assert made.closed


def test_newest_picture_is_sent_and_repeated_while_fresh_then_the_cover_stands_in(backend):
    setup = Setup(
        25,
        at={
            1: lambda: setup.camera.put(finished(PLATE, setup.ticks.now_s, cover=True)),
            2: lambda: setup.camera.put(finished(PERSON, setup.ticks.now_s)),
        },
    )
    setup.run().camera.stop()
    frames = backend.made[0].frames
    assert shows(frames[0], BLACK)
    assert shows(frames[1], PLATE)
    assert all(shows(frame, PERSON) for frame in frames[2:10])  # for 1 s
    assert all(shows(frame, PLATE) for frame in frames[10:])


def test_without_any_cover_black_replaces_a_stale_picture(backend):
    setup = Setup(20, at={1: lambda: setup.camera.put(finished(PERSON, setup.ticks.now_s))})
    setup.run().camera.stop()
    frames = backend.made[0].frames
    assert shows(frames[5], PERSON)
    assert all(shows(frame, BLACK) for frame in frames[9:])


def test_picture_from_the_future_grows_stale_all_the_same(backend):
    setup = Setup(20, at={1: lambda: setup.camera.put(finished(PERSON, 1e9))})
    setup.run().camera.stop()
    assert shows(backend.made[0].frames[8], PERSON)
    assert shows(backend.made[0].frames[9], BLACK)


def test_last_picture_of_a_stopped_camera_is_not_the_person(backend):
    setup = Setup(3, at={2: lambda: setup.camera.put(finished(PERSON, setup.ticks.now_s))})
    setup.run().camera.stop()
    frames = backend.made[0].frames
    assert shows(frames[-2], PERSON)
    assert shows(frames[-1], BLACK)


def test_pictures_of_another_size_are_letterboxed(backend):
    setup = Setup(3, at={1: lambda: setup.camera.put(finished(PERSON, setup.ticks.now_s, size=(90, 90)))})
    setup.run().camera.stop()
    luma = backend.made[0].frames[1][: SIZE[0] * SIZE[1]].reshape(18, 32).astype(float)
    assert np.abs(luma[:, 7:25] - yuv(PERSON)[0]).max() <= 1
    assert np.abs(luma[:, :7] - 16).max() <= 1
    assert np.abs(luma[:, 25:] - 16).max() <= 1


def test_odd_size_is_made_even(backend):
    setup = Setup(2, size=(33, 19)).run()
    assert setup.camera.status.size == (32, 18)
    setup.camera.stop()
    assert backend.made[0].size == (32, 18)


def test_camera_is_opened_again_in_the_format_it_takes_as_it_is(backend):
    backend.native = "UYVY"
    setup = Setup(2).run()
    setup.camera.stop()
    first, second = backend.made
    assert first.closed
    assert not first.frames
    assert second.fmt == "UYVY"
    assert second.frames[0].size == SIZE[0] * SIZE[1] * 2


def test_drops_are_counted_and_put_never_waits(backend):
    setup = Setup(2, at={1: lambda: [setup.camera.put(finished(PERSON, setup.ticks.now_s)) for _ in range(5)]})
    setup.run()
    status = setup.camera.status
    assert (status.state, status.sent, status.dropped) == (CameraState.ON, 2, 4)
    setup.camera.stop()
    assert setup.camera.status.state is CameraState.OFF
    setup.camera.put(finished(PERSON, 0.0))  # off: thrown away


def test_dead_device_fails_with_a_sentence_and_is_tried_again_by_itself(backend):
    def revive():
        backend.broken = False

    setup = Setup(12, at={3: lambda: setattr(backend, "broken", True), 4: revive})
    setup.run()
    states = [event.state for event in setup.events]
    assert states == [CameraState.STARTING, CameraState.ON, CameraState.FAILED, CameraState.ON]
    failure = setup.events[2].failure
    assert isinstance(failure, UserError)
    assert "virtual camera" in failure.message
    assert setup.events[3].failure is None
    # 3 pictures, 2 s of waiting, then on again.
    assert len(backend.made) == 2
    assert backend.made[0].closed
    assert len(backend.made[0].frames) == 3
    assert setup.ticks.now_s == 100 + 3 / 8 + 2 + 8 / 8
    setup.camera.stop()


def test_node_that_vanishes_is_noticed_within_a_second_though_send_says_nothing(backend, tmp_path):
    node = tmp_path / "video9"
    node.write_bytes(b"")
    backend.node = str(node)
    setup = Setup(15, at={3: node.unlink})
    setup.run()
    failed = next(event for event in setup.events if event.state is CameraState.FAILED)
    assert "has gone" in failed.failure.message
    assert len(backend.made[0].frames) == 8  # looked at after 1 s
    setup.camera.stop()


def test_node_that_was_replaced_is_noticed(backend, tmp_path):
    node, other = tmp_path / "video9", tmp_path / "other"
    node.write_bytes(b"")
    other.write_bytes(b"")
    backend.node = str(node)
    setup = Setup(15, at={3: lambda: other.replace(node)})
    setup.run()
    failed = next(event for event in setup.events if event.state is CameraState.FAILED)
    assert "was replaced" in failed.failure.message
    setup.camera.stop()


def test_camera_that_counts_no_pictures_is_noticed(backend):
    setup = Setup(25)
    opened = setup.camera._opener

    def silent(*args, **more):
        camera = opened(*args, **more)
        camera.send = lambda frame: None
        return camera

    setup.camera._opener = silent
    setup.run()
    assert any("takes no pictures" in str(event.failure) for event in setup.events)
    setup.camera.stop()


def test_refused_opening_fails_and_stop_ends_the_trying(backend):
    backend.refuses = True
    setup = Setup(3).run()
    status = setup.camera.status
    assert status.state is CameraState.FAILED
    assert status.failure.code is ExitCode.FAILED
    assert [event.state for event in setup.events] == [CameraState.STARTING, CameraState.FAILED]
    setup.camera.stop()
    assert setup.camera.status.failure is None


def test_stopped_camera_starts_again_without_the_old_picture(backend):
    setup = Setup(3, at={2: lambda: setup.camera.put(finished(PERSON, setup.ticks.now_s))})
    setup.run().camera.stop()
    setup.ticks.done.clear()
    setup.run().camera.stop()
    assert len(backend.made) == 2
    assert all(shows(frame, BLACK) for frame in backend.made[1].frames)


def test_watchers_of_a_device_that_is_no_file_are_unknown(backend):
    setup = Setup(2).run()
    assert not setup.camera._ended.wait(1.2)  # one look of the counting thread
    assert setup.camera.status.users is None
    setup.camera.stop()


def test_watchers_of_a_device_are_counted(backend, tmp_path):
    node = tmp_path / "video9"
    node.write_bytes(b"")
    backend.node = str(node)
    told = threading.Event()
    setup = Setup(2)
    setup.camera._on_event = lambda status: told.set() if status.users is not None else None
    setup.run()
    if os.path.isdir("/proc/self/fd"):
        assert told.wait(20)
        assert setup.camera.status.users == 0
    setup.camera.stop()
    assert setup.camera.status.users is None


def test_listener_that_raises_does_not_end_the_picture(backend, caplog):
    ticks = Ticks(5)

    def listener(status):
        raise ValueError("listener")

    camera = VirtualCamera(
        size=SIZE,
        rate_hz=RATE_HZ,
        on_event=listener,
        opener=functools.partial(pyvirtualcam.Camera, backend="test"),
        clock=ticks.clock,
        wait=ticks.wait,
    )
    camera.start()
    assert ticks.done.wait(20)
    camera.stop()
    assert len(backend.made[0].frames) == 6


def reference(pixels):
    """Y (H, W), Cb and Cr (H, W) in exact arithmetic."""
    planes = yuv(np.moveaxis(pixels.astype(np.float64), -1, 0))
    return planes


def halved(plane, down, across):
    height, width = plane.shape
    return plane.reshape(height // down, down, width // across, across).mean(axis=(1, 3))


@pytest.fixture
def noise():
    return np.random.default_rng(5).integers(0, 256, (36, 64, 3), dtype=np.uint8)


def test_i420_and_nv12_are_exact_within_rounding(noise):
    luma, cb, cr = reference(noise)
    small = [halved(plane, 2, 2) for plane in (cb, cr)]
    packed = camera_formats.i420(noise).astype(float)
    expected = np.concatenate([luma.ravel(), small[0].ravel(), small[1].ravel()])
    assert packed.shape == expected.shape
    assert np.abs(packed - expected).max() <= 1.01  # the mean of 4 is rounded before chroma is
    assert np.abs(packed - expected).mean() < 0.3
    both = camera_formats.nv12(noise).astype(float)
    assert np.abs(both - np.concatenate([luma.ravel(), np.stack(small, -1).ravel()])).max() <= 1.01


def test_uyvy_is_exact_within_rounding(noise):
    luma, cb, cr = reference(noise)
    expected = np.empty((36, 32, 4))
    expected[..., 0], expected[..., 2] = halved(cb, 1, 2), halved(cr, 1, 2)
    expected[..., 1], expected[..., 3] = luma[:, 0::2], luma[:, 1::2]
    packed = camera_formats.uyvy(noise).astype(float)
    assert np.abs(packed - expected.ravel()).max() <= 1.01


def test_rgba_is_opaque_and_exact(noise):
    packed = camera_formats.rgba(noise)
    assert np.array_equal(packed[..., :3], noise)
    assert (packed[..., 3] == 255).all()
