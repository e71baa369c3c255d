"""A screen as a camera, by a stand-in for mss and, where there is one, on a real X display."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.live.source_pacing import PaceClock
from app.pipeline.live.source_protocol import CaptureWish, SourceLost
from app.pipeline.live.source_screen import ScreenSource
from app.pipeline.live.sources import open_source


class Shot:
    def __init__(self, bgra):
        self.height, self.width = bgra.shape[:2]
        self.bgra = bgra.tobytes()


class TwoScreens:
    """Two screens side by side, each pixel telling its place: R is x / 4, G is y / 4, B the screen."""

    def __init__(self):
        self.monitors = [
            {"left": 0, "top": 0, "width": 600, "height": 200},
            {"left": 0, "top": 0, "width": 300, "height": 200},
            {"left": 300, "top": 0, "width": 300, "height": 200},
        ]
        self.closed = 0
        self.gone = False

    def grab(self, box):
        if self.gone:
            raise OSError("the display is gone")
        y, x = np.mgrid[box["top"] : box["top"] + box["height"], box["left"] : box["left"] + box["width"]]
        bgra = np.stack([(x >= 300) * 100, y // 4, x // 4, np.full_like(x, 255)], axis=-1)
        return Shot(bgra.astype(np.uint8))

    def close(self):
        self.closed += 1


class Now:
    def __init__(self):
        self.now_s = 10.0

    def sleep(self, seconds):
        self.now_s += seconds


def source_on(screens, spec, wish=None):
    now = Now()
    clock = PaceClock(lambda: now.now_s, now.sleep)
    return ScreenSource(spec, wish or CaptureWish(), clock=clock, grabber=lambda: screens)


def test_a_screen_is_read_at_the_wished_rate():
    source = source_on(TwoScreens(), "screen:1", CaptureWish(rate_hz=20))
    read = [source.read() for _ in range(4)]
    assert source.granted.text == "300 \u00d7 200, 20 fps, screen"
    assert source.granted.name == "Screen 2"
    assert read[0].frame.pixels[8, 0].tolist() == [75, 2, 100]
    assert [c.captured_s - 10 for c in read] == pytest.approx([0, 0.05, 0.1, 0.15])
    assert [c.frame.time_s for c in read] == pytest.approx([0, 0.05, 0.1, 0.15])


@pytest.mark.parametrize(
    ("box", "first", "size"),
    [
        ("40,80,100,60", [10, 20, 0], (100, 60)),
        ("-20,-20,60,60", [0, 0, 0], (40, 40)),
        ("280,160,999,999", [70, 40, 0], (20, 40)),
    ],
)
def test_a_part_is_cut_at_the_edges_of_its_screen(box, first, size):
    source = source_on(TwoScreens(), f"screen:0:{box}")
    frame = source.read().frame
    assert frame.size == source.granted.size == size
    assert frame.pixels[0, 0].tolist() == first


def test_a_screen_over_the_wished_size_is_made_smaller():
    source = source_on(TwoScreens(), "screen:0", CaptureWish(size=(150, 150)))
    assert source.granted.size == source.read().frame.size == (150, 100)


@pytest.mark.parametrize("spec", ["screen:", "screen:x", "screen:0:1,2,3", "screen:0:0,0,0,0", "screen:0:900,0,5,5"])
def test_what_names_no_screen_is_refused(spec):
    screens = TwoScreens()
    with pytest.raises(UserError):
        source_on(screens, spec)


def test_a_screen_there_is_not():
    screens = TwoScreens()
    with pytest.raises(UserError, match="no screen 2: this computer has 2"):
        source_on(screens, "screen:2")
    assert screens.closed == 1


def test_a_screen_that_goes_away_is_lost():
    screens = TwoScreens()
    source = source_on(screens, "screen:0")
    source.read()
    screens.gone = True
    with pytest.raises(SourceLost):
        source.read()
    source.close()
    assert screens.closed == 1


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="Linux alone may be without a screen")
def test_no_display_is_said_in_words(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match=r"can't be (read|listed) here"):
        open_source("screen:0", CaptureWish())


@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="Xvfb is not installed")
def test_a_real_x_display_is_read(monkeypatch):
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "320x240x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as told:
            monkeypatch.setenv("DISPLAY", f":{told.readline().strip()}")
        try:
            source = open_source("screen:0:10,10,100,50", CaptureWish())
            frames = [source.read().frame for _ in range(2)]
            source.close()
        finally:
            server.terminate()
    assert [frame.size for frame in frames] == [(100, 50)] * 2
    assert frames[1].pts > frames[0].pts
