from fractions import Fraction

import cv2
import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.given_matte import ChromaKeySegmenter, GivenMatte
from tests.support.media import write_clip


def frame(index=0, *, size=(64, 48), time_s=None, rate_hz=30):
    pts = index if time_s is None else round(time_s * 1000)
    time_base = Fraction(1, rate_hz) if time_s is None else Fraction(1, 1000)
    return Frame(np.zeros((size[1], size[0], 3), np.uint8), pts, time_base, index)


def write_png(path, level, *, size=(64, 48)):
    cv2.imwrite(str(path), np.full((size[1], size[0]), level, np.uint8))
    return path


def level_of(alpha):
    return round(float(alpha.mean()) * 255)


@pytest.fixture
def folder(tmp_path):
    """Ten numbered mattes, the 10th of which sorts before the 9th by plain text."""
    mattes = tmp_path / "mattes"
    mattes.mkdir()
    for number in range(1, 11):
        write_png(mattes / f"matte_{number}.png", 20 * number)
    return mattes


def test_one_picture_serves_every_frame(tmp_path):
    notices = []
    with_one = GivenMatte(write_png(tmp_path / "m.png", 200), on_notice=notices.append)
    assert [level_of(with_one.segment(frame(i))) for i in (0, 1, 500)] == [200, 200, 200]
    assert (with_one.held_frames, notices, with_one.coarse) == (0, [], False)


def test_a_folder_is_matched_by_frame_index_in_the_order_of_its_numbers(folder):
    given = GivenMatte(folder)
    assert [level_of(given.segment(frame(i))) for i in (0, 1, 8, 9)] == [20, 40, 180, 200]


def test_a_folder_that_ends_early_holds_its_last_matte_and_says_so_once(folder):
    notices = []
    given = GivenMatte(folder, on_notice=notices.append)
    assert [level_of(given.segment(frame(i))) for i in (9, 10, 11)] == [200, 200, 200]
    assert given.held_frames == 2
    assert notices == ["The matte ends before the clip: its last picture is held."]


def test_another_size_is_resized_with_one_notice(tmp_path):
    notices = []
    given = GivenMatte(write_png(tmp_path / "m.png", 90, size=(32, 24)), on_notice=notices.append)
    assert given.segment(frame(0)).shape == (48, 64)
    given.segment(frame(1))
    assert notices == ["The mask was resized from 32 x 24 to 64 x 48."]


@pytest.mark.parametrize("kind", ["picture", "video"])
def test_another_shape_is_refused(tmp_path, kind):
    path = tmp_path / "m.png"
    if kind == "picture":
        write_png(path, 90, size=(64, 64))
    else:
        path = write_clip(tmp_path / "m.mp4", frames=2, size=(64, 64))
    given = GivenMatte(path)
    with pytest.raises(UserError, match="2 %") as caught:
        given.segment(frame())
    given.close()
    assert caught.value.code == ExitCode.BAD_INPUT


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="no pictures"):
        GivenMatte(tmp_path)


@pytest.mark.parametrize("name", ["nowhere.png", "nowhere.mp4"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(UserError) as caught:
        GivenMatte(tmp_path / name).segment(frame())
    assert caught.value.code == ExitCode.BAD_INPUT


def grey(width, height, index):
    return np.full((height, width, 3), 20 * (index + 1), np.uint8)


@pytest.fixture
def film(tmp_path):
    """Ten mattes at 10 frames a second: 20, 40 ... 200."""
    return write_clip(tmp_path / "m.mkv", frames=10, rate=10, draw=grey)


@pytest.fixture
def open_film(film):
    notices = []
    given = GivenMatte(film, on_notice=notices.append)
    yield given, notices
    given.close()


def test_a_video_is_matched_by_time_at_another_frame_rate(open_film):
    given, _ = open_film
    levels = [level_of(given.segment(frame(i, rate_hz=30))) for i in range(7)]
    np.testing.assert_allclose(levels, [20, 20, 20, 40, 40, 40, 60], atol=2)


def test_both_are_counted_from_their_own_first_frame(open_film):
    given, _ = open_film
    levels = [level_of(given.segment(frame(i, time_s=7.5 + i / 10))) for i in range(3)]
    np.testing.assert_allclose(levels, [20, 40, 60], atol=2)


def test_a_clip_joined_midway_is_matched_by_the_files_times(open_film):
    given, _ = open_film
    assert level_of(given.segment(frame(5, time_s=0.5))) == pytest.approx(120, abs=2)


def test_a_time_rounded_up_to_the_next_millisecond_still_matches(open_film):
    given, _ = open_film
    given.segment(frame(0, time_s=0))
    assert level_of(given.segment(frame(1, time_s=0.099))) == pytest.approx(40, abs=2)


def test_a_video_that_ends_early_holds_its_last_matte(open_film):
    given, notices = open_film
    levels = [level_of(given.segment(frame(i, time_s=i / 10))) for i in (0, 9, 12)]
    np.testing.assert_allclose(levels, [20, 200, 200], atol=2)
    assert given.held_frames == 1
    assert notices == ["The matte ends before the clip: its last picture is held."]


@pytest.mark.parametrize("explicitly", [True, False])
def test_going_back_starts_the_video_over(open_film, explicitly):
    given, _ = open_film
    given.segment(frame(0, time_s=0))
    given.segment(frame(8, time_s=0.8))
    if explicitly:
        given.reset()
    assert level_of(given.segment(frame(0, time_s=0))) == pytest.approx(20, abs=2)
    assert level_of(given.segment(frame(1, time_s=0.1))) == pytest.approx(40, abs=2)


def green_screen(size=(320, 180)):
    pixels = np.full((size[1], size[0], 3), (40, 190, 60), np.uint8)
    pixels[:, : size[0] // 2] = (30, 150, 45)
    pixels[60:180, 120:200] = (200, 140, 120)
    return Frame(pixels, 0, Fraction(1, 30), 0)


@pytest.mark.parametrize("key", [None, (36, 170, 52)])
def test_a_green_screen_is_clear_in_light_and_shadow_and_the_person_solid(key):
    keyer = ChromaKeySegmenter(key)
    alpha = keyer.segment(green_screen())
    assert alpha.shape == (180, 320)
    assert alpha[:50].max() < 0.05
    assert alpha[70:170, 130:190].min() == 1


def test_the_key_is_taken_anew_after_a_reset():
    keyer = ChromaKeySegmenter()
    keyer.segment(green_screen())
    green = keyer.key
    keyer.reset()
    blue = Frame(np.full((90, 160, 3), (20, 40, 200), np.uint8), 0, Fraction(1, 30), 0)
    assert keyer.segment(blue).max() == 0
    assert keyer.key == (20, 40, 200) != green
