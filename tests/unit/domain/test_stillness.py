import numpy as np
import pytest

from app.domain.stillness import change_levels, glance

DEFAULT_LEVELS = 0.6


def room(seed=0, size=(1280, 720)):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 200, (9, 16, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, size[1] // 9, axis=0), size[0] // 16, axis=1)


def change(one, other):
    return change_levels(glance(one), glance(other))


def test_same_picture_has_no_change_and_change_is_symmetric():
    assert change(room(), room()) == 0.0
    assert change(room(1), room(2)) == change(room(2), room(1)) > 10


@pytest.mark.parametrize("corner", [(0, 0), (0, 1220), (650, 0), (650, 1220)])
def test_hand_moving_in_a_corner_is_noticed(corner):
    top, left = corner
    before, after = room().copy(), room().copy()
    before[top : top + 70, left : left + 60] = (200, 150, 120)
    after[top : top + 70, left : left + 60] = (60, 50, 40)
    assert change(before, after) > 50 > DEFAULT_LEVELS


def test_finger_of_twenty_pixels_that_moves_by_its_width_is_noticed():
    before, after = room().copy(), room().copy()
    before[300:400, 600:620] = (200, 150, 120)
    after[300:400, 620:640] = (200, 150, 120)
    assert change(before, after) > DEFAULT_LEVELS


def test_change_of_colour_at_equal_brightness_elsewhere_does_not_hide_light_going_off():
    assert change(room(), (room() * 0.97).astype(np.uint8)) > DEFAULT_LEVELS


def test_quiet_sensor_noise_does_not_count_as_a_movement():
    rng = np.random.default_rng(5)
    noisy = [np.clip(room() + rng.normal(0, 0.5, room().shape), 0, 255).round().astype(np.uint8) for _ in range(2)]
    assert change(*noisy) < DEFAULT_LEVELS


@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 33, 3), (1080, 1920, 3), (640, 360, 3)])
def test_every_size_gives_the_same_form(shape):
    assert glance(np.zeros(shape, np.uint8)).shape == (18, 32)
