import threading
from dataclasses import replace

import numpy as np
import pytest

from app.domain.errors import UserError
from app.pipeline.live.live_plates import (
    COVER_RGB,
    KEY_GREEN,
    NonePlate,
    SourcePlate,
    TransparentPlate,
    checkerboard,
    is_live_source,
    open_live_plate,
)
from app.pipeline.live.source_pattern import PatternSource, pattern_pixels
from app.pipeline.plates import ColourPlate
from tests.unit.live.scripted import frame_of, until

SIZE = (160, 96)


def capture_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("capture")]


def shown(plate, size=SIZE):
    return plate.pixels(frame_of(0), size)


@pytest.fixture
def pattern():
    with open_live_plate("pattern") as plate:
        yield plate


def test_none_and_transparent_are_plain_and_known_by_their_kind():
    with open_live_plate("none") as none, open_live_plate("transparent") as transparent:
        assert isinstance(none, NonePlate)
        assert isinstance(transparent, TransparentPlate)
        assert (shown(none) == COVER_RGB).all()
        assert (shown(transparent) == KEY_GREEN).all()


def test_other_names_are_those_of_any_plate():
    with open_live_plate("#102030") as plate:
        assert isinstance(plate, ColourPlate)
        assert (shown(plate) == (16, 32, 48)).all()
    with pytest.raises(UserError, match="no plate"):
        open_live_plate("/there/is/nothing.png")


@pytest.mark.parametrize("spec", ["camera:0", "camera:", "screen:1", "rtsp://host/x", "http://host/x.mjpg", "pattern"])
def test_live_sources_are_known_by_name(spec):
    assert is_live_source(spec)


@pytest.mark.parametrize("spec", ["sunset", "blur", "#ffffff", "/home/me/camera:0.png", "none", "transparent", ""])
def test_everything_else_is_no_live_source(spec):
    assert not is_live_source(spec)


def test_source_shows_its_picture_which_moves_and_its_key_with_it(pattern):
    until(lambda: shown(pattern).max() > 100, "the pattern")
    first, key = shown(pattern).copy(), pattern.key
    until(lambda: pattern.key != key or shown(pattern) is None, "another picture")
    assert not np.array_equal(shown(pattern), first)
    bar = pattern_pixels((1280, 720), 0)[10, 640 + 200]
    assert (np.abs(shown(pattern)[5].astype(int) - bar).max(axis=1) < 12).any()


def test_same_key_means_same_picture_and_size(pattern):
    until(lambda: shown(pattern).max() > 100, "the pattern")
    pictures = {}
    for i in range(60):
        size = SIZE if i % 2 else (64, 64)
        picture = shown(pattern, size)
        assert picture.shape == (size[1], size[0], 3)
        known = pictures.setdefault(pattern.key, picture)
        assert np.array_equal(known, picture)


def test_dark_until_the_first_picture(monkeypatch):
    may_open = threading.Event()

    def late(wish):
        assert may_open.wait(10)
        return PatternSource(wish)

    monkeypatch.setattr("app.pipeline.live.sources.PatternSource", late)
    with open_live_plate("pattern") as plate:
        assert (shown(plate) == COVER_RGB).all()
        may_open.set()
        until(lambda: shown(plate).max() > 100, "the pattern")


def test_closing_ends_its_threads():
    plate = open_live_plate("pattern")
    until(lambda: shown(plate).max() > 100, "the pattern")
    assert capture_threads()
    plate.close()
    until(lambda: not capture_threads(), "the end of its threads")


def test_resting_lets_go_of_the_source_and_asking_again_wakes_it(pattern):
    assert isinstance(pattern, SourcePlate)
    until(lambda: shown(pattern).max() > 100, "the pattern")
    pattern.rest()
    until(lambda: not [t for t in capture_threads() if t.name == "capture-reader"], "the release")
    key = pattern.key
    until(lambda: shown(pattern) is None or pattern.key != key, "another picture")


def test_frames_of_any_time_are_served(pattern):
    later = replace(frame_of(5), pts=10**9)
    assert pattern.pixels(later, SIZE).shape == (96, 160, 3)
    assert pattern.pixels(frame_of(0), SIZE).shape == (96, 160, 3)


def test_checkerboard_alternates_and_fits_any_size():
    board = checkerboard((70, 33))
    assert board.shape == (33, 70, 3)
    assert board[0, 0, 0] != board[0, 16, 0]
    assert board[0, 0, 0] == board[16, 16, 0]
