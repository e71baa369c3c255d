import cv2
import numpy as np
import pytest

from app.domain.exposure import light_table, observe

SIZE = (160, 96)
ROOM = np.array((150, 140, 120))


def picture(rgb, *, person=(60, 90, 160), seed=0):
    rng = np.random.default_rng(seed)
    pixels = np.full((SIZE[1], SIZE[0], 3), rgb, float) + rng.normal(0, 2, (SIZE[1], SIZE[0], 3))
    pixels[30:, 60:110] = person
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def matte():
    alpha = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    alpha[30:, 60:110] = 255
    return alpha


def background(pixels):
    return pixels[matte() == 0].reshape(-1, 3).mean(axis=0)


def corrected(light, pixels, *, lift=0.0, lock=True):
    table = light_table(light, lift=lift, lock=lock)
    return pixels if table is None else cv2.LUT(pixels, table.reshape(1, 256, 3))


def watched(colours, alphas, *, seconds_each=0.1, light=None, start_s=0.0):
    for i, (rgb, alpha) in enumerate(zip(colours, alphas, strict=True)):
        light = observe(light, picture(rgb, seed=i), alpha, time_s=start_s + i * seconds_each, lock=True)
    return light


def test_locked_white_balance_undoes_a_drift_of_the_backgrounds_colour():
    drift = [ROOM * (1 + 0.15 * np.array((i / 30, 0, -i / 30))) for i in range(31)]
    light = watched(drift + [drift[-1]] * 60, [matte()] * 91)
    now = picture(drift[-1])
    fixed = background(corrected(light, now))
    assert np.abs(background(now) / background(now).mean() - ROOM / ROOM.mean()).max() > 0.1
    assert np.abs(fixed / fixed.mean() - ROOM / ROOM.mean()).max() < 0.02
    assert fixed.mean() == pytest.approx(background(now).mean(), rel=0.05)


def test_person_in_another_shirt_changes_nothing():
    light = watched([ROOM] * 10, [matte()] * 10)
    for i in range(40):
        light = observe(light, picture(ROOM, person=(220, 40, 40)), matte(), time_s=1 + i / 10, lock=True)
    assert light_table(light, lift=0, lock=True) is None


def test_frame_without_a_matte_keeps_the_colour_as_it_was():
    drifted = ROOM * (1.15, 1, 0.9)
    light = watched([ROOM] * 3 + [drifted] * 60, [matte()] * 63)
    before = light_table(light, lift=0, lock=True)
    blind = observe(light, picture(drifted), None, time_s=6.4, lock=True)
    assert np.array_equal(light_table(blind, lift=0, lock=True), before)
    after = observe(blind, picture(drifted), matte(), time_s=6.5, lock=True)
    assert np.abs(light_table(after, lift=0, lock=True).astype(int) - before).max() <= 1


def test_colour_is_locked_at_the_first_frame_that_has_a_background():
    light = observe(None, picture(ROOM), None, time_s=0.0, lock=True)
    assert light_table(light, lift=0, lock=True) is None
    light = observe(light, picture(ROOM), matte(), time_s=0.1, lock=True)
    assert light.reference == pytest.approx(ROOM, abs=1)


def test_unlocking_forgets_and_locking_again_takes_the_light_of_then():
    light = watched([ROOM] * 3, [matte()] * 3)
    light = observe(light, picture(ROOM), matte(), time_s=0.4, lock=False)
    warm = ROOM * (1.15, 1, 0.9)
    light = observe(light, picture(warm), matte(), time_s=0.5, lock=True)
    assert light.reference == pytest.approx(warm, abs=1)
    assert light_table(light, lift=0, lock=True) is None


def test_gains_are_limited():
    light = watched([ROOM] + [np.array((230, 60, 40))] * 100, [matte()] * 101)
    table = light_table(light, lift=0, lock=True)
    assert table[100].min() >= np.floor(100 / 1.3) - 1
    assert table[100].max() <= np.ceil(100 * 1.3) + 1


def test_burnt_out_and_black_walls_lend_no_colour():
    for level in (0, 255):
        light = observe(None, np.full((96, 160, 3), level, np.uint8), matte(), time_s=0.0, lock=True)
        assert light.reference is None


@pytest.mark.parametrize("lift", [0.25, 0.5, 1.0])
def test_lift_raises_the_median_of_a_dark_picture(lift):
    dark = picture((45, 45, 45), person=(50, 40, 35))
    light = observe(None, dark, None, time_s=0.0, lock=False)
    lit = corrected(light, dark, lift=lift, lock=False)
    median, before = np.median(lit), np.median(dark)
    assert before + lift * 25 < median <= 115
    if lift == 1.0:
        assert median == pytest.approx(110, abs=4)


def test_lift_of_nothing_and_of_a_bright_picture_do_nothing():
    dark = observe(None, picture((45, 45, 45)), None, time_s=0.0, lock=False)
    bright = observe(None, picture((160, 160, 160)), None, time_s=0.0, lock=False)
    assert light_table(dark, lift=0.0, lock=False) is None
    assert light_table(bright, lift=1.0, lock=False) is None


def test_lift_keeps_black_white_and_order():
    light = observe(None, picture((20, 20, 20)), None, time_s=0.0, lock=False)
    table = light_table(light, lift=1.0, lock=False).astype(int)
    assert (table[0] == 0).all()
    assert (table[255] == 255).all()
    assert (np.diff(table, axis=0) >= 0).all()


def test_light_switched_on_is_followed_without_a_jump():
    light = observe(None, picture((40, 40, 40)), None, time_s=0.0, lock=False)
    medians = []
    for i in range(1, 120):
        light = observe(light, picture((160, 160, 160)), None, time_s=i / 30, lock=False)
        medians.append(light.median)
    assert medians[0] - 40 < 12
    assert medians[-1] == pytest.approx(160, abs=2)
    assert (np.diff(medians) > 0).all()
