import cv2
import numpy as np
import pytest

from app.domain.mask.doubts import ROWS, Glimpse, confidence, doubt, glimpse, is_other_scene

WIDTH = 142


def noise(seed=0, levels=0.7):
    return np.random.default_rng(seed).normal(0, levels, (ROWS, WIDTH, 3))


def scene(*, at=60, seed=0):
    """A person (head and body) before a wall of soft stripes: a picture and the alpha a firm model gives."""
    alpha = np.zeros((ROWS, WIDTH), np.float32)
    cv2.circle(alpha, (at, 25), 12, 1.0, -1)
    cv2.rectangle(alpha, (at - 20, 36), (at + 20, ROWS), 1.0, -1)
    wall = np.empty((ROWS, WIDTH, 3), np.float32)
    wall[:] = 120 + 30 * np.sin(np.arange(WIDTH) / 9)[None, :, None]
    person = np.full_like(wall, (190, 140, 60))
    picture = wall + alpha[..., None] * (person - wall) + noise(seed)
    return Glimpse(cv2.GaussianBlur(alpha, (0, 0), 0.8), np.clip(picture, 0, 255).astype(np.uint8))


def with_alpha(one, change):
    alpha = one.alpha.copy()
    change(alpha)
    return Glimpse(alpha, one.picture)


def disc(value, x, y, radius):
    return lambda alpha: cv2.circle(alpha, (x, y), radius, value, -1)


def test_a_firm_matte_of_who_holds_still_is_not_doubted():
    assert doubt(scene(seed=1), scene(seed=2)) < 0.02
    assert confidence(scene(seed=1), scene(seed=2)) > 0.98


@pytest.mark.parametrize("by", [1, 3, 6])
def test_moving_explains_a_moving_matte(by):
    assert doubt(scene(at=60 + by, seed=1), scene(seed=2)) < 0.15


@pytest.mark.parametrize(
    "damage",
    [disc(0.0, 60, 60, 9), disc(1.0, 120, 30, 9), disc(0.4, 120, 30, 9), disc(0.45, 60, 60, 12)],
    ids=["hole", "piece of wall", "haze on the wall", "haze on the person"],
)
def test_what_comes_and_goes_while_the_picture_stands_still_is_doubted_on_both_frames(damage):
    bad = with_alpha(scene(seed=1), damage)
    assert doubt(bad, scene(seed=2)) > 0.5
    assert doubt(scene(seed=2), bad) > 0.3


def test_more_damage_is_more_doubt():
    values = [doubt(with_alpha(scene(seed=1), disc(1.0, 115, 30, radius)), scene(seed=2)) for radius in (0, 3, 5, 8)]
    assert values == sorted(values)
    assert values[0] < 0.05 < 0.9 < values[-1]


def test_haze_is_doubted_without_a_frame_before_and_for_as_long_as_it_stays():
    hazy = with_alpha(scene(), disc(0.4, 115, 30, 9))
    assert doubt(hazy, None) > 0.5
    assert doubt(hazy, hazy) == doubt(hazy, None)


def test_a_matte_blurred_everywhere_is_doubted():
    soft = Glimpse(cv2.GaussianBlur(scene().alpha, (0, 0), 5), scene().picture)
    assert doubt(soft, None) > 0.5


def test_a_person_missed_for_a_frame_is_doubted_even_though_everything_moved():
    missed = Glimpse(np.zeros((ROWS, WIDTH), np.float32), scene(at=70).picture)
    assert doubt(missed, scene(at=60)) == 1
    assert doubt(scene(at=80), missed) == 1


def test_the_first_frame_and_the_one_behind_a_cut_are_judged_by_themselves():
    now = scene(at=100)
    dark = Glimpse(scene(at=30).alpha, scene(at=30).picture // 4)
    assert is_other_scene(now, dark)
    assert doubt(now, dark) == doubt(now, None) < 0.02
    smaller = Glimpse(now.alpha[:, :100], now.picture[:, :100])
    assert is_other_scene(now, smaller)
    assert doubt(now, smaller) == doubt(now, None)
    assert not is_other_scene(scene(at=60), scene(at=70))


def test_an_empty_room_is_not_doubted_and_a_whole_frame_of_person_neither():
    for value in (0.0, 1.0):
        flat = Glimpse(np.full((ROWS, WIDTH), value, np.float32), scene().picture)
        assert doubt(flat, flat) == 0
        assert doubt(flat, None) == 0


def test_nothing_decided_anywhere_is_full_doubt():
    flat = Glimpse(np.full((ROWS, WIDTH), 0.4, np.float32), scene().picture)
    assert doubt(flat, None) == 1


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (360, 640), (33, 21)])
def test_a_glimpse_has_the_frames_shape_and_says_the_same_at_every_size(size):
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2] = 200
    alpha = np.zeros((144, 256), np.float32)
    alpha[:, :128] = 1
    seen = glimpse(alpha, pixels)
    assert seen.alpha.shape == seen.picture.shape[:2] == (ROWS, round(ROWS * width / height))
    assert seen.alpha.dtype == np.float32
    assert seen.picture.dtype == np.uint8
    assert seen.alpha.mean() == pytest.approx(0.5, abs=0.02)
    assert seen.picture.mean() == pytest.approx(100, abs=4)


def test_values_that_are_no_numbers_count_as_nobody():
    alpha = np.full((144, 256), np.nan, np.float32)
    alpha[0, 0] = np.inf
    seen = glimpse(alpha, np.zeros((180, 320, 3), np.uint8))
    assert seen.alpha.max() == 0
    assert doubt(seen, None) == 0


def test_doubt_changes_neither_frame():
    now, before = scene(at=62, seed=1), scene(seed=2)
    copies = [array.copy() for array in (*now, *before)]
    doubt(now, before)
    assert all(np.array_equal(a, b) for a, b in zip(copies, (*now, *before), strict=True))
