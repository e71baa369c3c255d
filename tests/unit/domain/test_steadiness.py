import math

import numpy as np
import pytest

from app.domain.steadiness import carry, is_cut, joined, steady_step


def picture(seed=0, shape=(40, 60)):
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def test_noise_on_a_standing_picture_follows_the_time_constant():
    still = picture()
    last = joined(still, np.zeros(still.shape[:2], np.float32))
    noisy = np.ones(still.shape[:2], np.float32)
    result = steady_step(last, still, noisy, dt_s=0.1, tau_s=0.2)
    np.testing.assert_allclose(result, 1 - math.exp(-0.5), atol=1e-6)


def test_two_half_steps_are_one_whole_step():
    still = picture()
    start, target = np.zeros(still.shape[:2], np.float32), np.ones(still.shape[:2], np.float32)
    once = steady_step(joined(still, start), still, target, dt_s=0.08, tau_s=0.15)
    half = steady_step(joined(still, start), still, target, dt_s=0.04, tau_s=0.15)
    twice = steady_step(joined(still, half), still, target, dt_s=0.04, tau_s=0.15)
    np.testing.assert_allclose(twice, once, atol=1e-6)


def test_where_the_picture_changed_nothing_of_the_old_matte_stays():
    before, now = np.full((40, 60, 3), 90, np.uint8), np.full((40, 60, 3), 90, np.uint8)
    now[:, 30:] = 140
    last = joined(before, np.ones((40, 60), np.float32))
    result = steady_step(last, now, np.zeros((40, 60), np.float32), dt_s=1 / 30, tau_s=0.15)
    assert (result[:, 32:] == 0).all()
    assert (result[:, :28] > 0.7).all()


def test_carrying_moves_picture_and_alpha_together():
    still = picture()
    alpha = np.random.default_rng(3).random(still.shape[:2]).astype(np.float32)
    flow = np.zeros((*still.shape[:2], 2), np.float32)
    flow[..., 0] = -5
    moved = carry(joined(still, alpha), flow)
    np.testing.assert_allclose(moved[:, 5:, :3], still[:, :-5], atol=1e-3)
    np.testing.assert_allclose(moved[:, 5:, 3], alpha[:, :-5], atol=1e-6)


@pytest.mark.parametrize(("level", "cut"), [(100, False), (120, False), (160, True)])
def test_a_cut_is_a_large_change_of_the_whole_picture(level, cut):
    before = np.full((30, 40), 100, np.uint8)
    assert is_cut(before, np.full((30, 40), level, np.uint8)) is cut


def test_another_size_is_a_cut():
    assert is_cut(np.zeros((30, 40), np.uint8), np.zeros((30, 41), np.uint8))
