from itertools import pairwise

import numpy as np
import pytest

from app.domain.skin import protect_skin, skin_colour

SKIN = np.array((0.78, 0.58, 0.48))
RAMP = np.repeat(np.linspace(0, 1, 256)[None], 3, axis=0)


def blue_lut(lift=0.0):
    """Takes red out and puts blue in, besides brightening all alike."""
    bump = 0.2 * RAMP * (1 - RAMP) * 4
    return np.clip(RAMP + lift * RAMP * (1 - RAMP) + bump * np.array((-0.6, 0.0, 0.8))[:, None], 0, 1)


def change_at(lut, colour):
    return np.array([np.interp(colour[c] * 255, np.arange(256), lut[c]) for c in range(3)]) - colour


def hue_shift(lut, colour=SKIN):
    """Largest change of a channel besides what all three do alike at that level."""
    change = lut - RAMP
    hue = change - change.mean(axis=0)
    return max(abs(np.interp(colour[c] * 255, np.arange(256), hue[c])) for c in range(3))


@pytest.mark.parametrize(("amount", "allowed"), [(0.25, 0.09), (0.5, 0.03), (0.75, 0.01), (1.0, 0.0)])
def test_shift_of_hue_at_skin_is_limited_as_said(amount, allowed):
    assert hue_shift(blue_lut()) > 0.1
    assert hue_shift(protect_skin(blue_lut(), SKIN, amount)) == pytest.approx(allowed, abs=1e-6)


def test_change_of_brightness_stays():
    lut = blue_lut(lift=0.3)
    alike = (lut - RAMP).mean(axis=0)
    kept = (protect_skin(lut, SKIN, 1.0) - RAMP).mean(axis=0)
    assert np.abs(kept - alike).max() < 1e-9
    assert np.abs(alike).max() > 0.05


def test_nothing_asked_for_changes_nothing():
    lut = blue_lut()
    assert protect_skin(lut, SKIN, 0.0) is lut


def test_a_curve_that_leaves_skin_its_hue_is_left_alone():
    gentle = RAMP + 0.1 * (blue_lut() - RAMP)
    assert protect_skin(gentle, SKIN, 0.5) is gentle


def test_more_protection_never_lets_more_through():
    shifts = [hue_shift(protect_skin(blue_lut(), SKIN, amount)) for amount in np.linspace(0, 1, 21)]
    assert all(a >= b - 1e-12 for a, b in pairwise(shifts))


def test_result_stays_between_black_and_white():
    wild = np.clip(RAMP + np.array((0.5, -0.5, 0.5))[:, None], 0, 1)
    out = protect_skin(wild, SKIN, 0.7)
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("rgb", [(241, 194, 168), (198, 145, 116), (141, 95, 70), (92, 58, 44)])
def test_skin_of_every_tone_is_found(rgb):
    pixels = np.full((64, 64, 3), (40, 60, 160), np.uint8)
    pixels[10:30, 10:30] = rgb
    alpha = np.full((64, 64), 255, np.uint8)
    assert skin_colour(pixels, alpha) == pytest.approx(np.array(rgb) / 255, abs=1e-6)


def test_skin_colour_of_a_wall_behind_the_person_does_not_count():
    pixels = np.full((64, 64, 3), (198, 145, 116), np.uint8)
    pixels[20:40, 20:40] = (30, 60, 160)
    alpha = np.zeros((64, 64), np.uint8)
    alpha[20:40, 20:40] = 255
    assert skin_colour(pixels, alpha) is None


def test_too_little_skin_and_nobody_count_as_none():
    pixels = np.full((100, 100, 3), (30, 60, 160), np.uint8)
    pixels[0, :90] = (198, 145, 116)
    assert skin_colour(pixels, np.full((100, 100), 255, np.uint8)) is None
    assert skin_colour(pixels, np.zeros((100, 100), np.uint8)) is None
