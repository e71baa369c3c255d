import math

import numpy as np
import pytest

from harmonizer.temporal import colour_steps, curve_velocity, rms, settling_time_s, temporal_loss, warp_weight

RATE_HZ = 1000


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (24, 32, 3)).astype(np.uint8)


def ones():
    return np.ones((24, 32), np.float32)


def test_known_translation_undone_costs_nothing():
    before = picture()
    now = np.roll(before, 3, axis=1)
    weight = warp_weight(ones(), np.roll(before, 3, axis=1), now)
    assert weight == pytest.approx(1.0)
    assert temporal_loss(np.roll(before, 3, axis=1), now, weight) == 0.0
    assert temporal_loss(before, now, weight) > 100.0


def test_uniform_flicker_costs_its_square_once_a_channel():
    still = np.full((24, 32, 3), 100, np.uint8)
    assert temporal_loss(still, still + 2, ones()) == pytest.approx(3 * 2**2)
    assert temporal_loss(still + 2, still, ones()) == pytest.approx(3 * 2**2)


def test_weight_falls_with_difference_of_the_real_pictures_and_outside_the_mask():
    real = np.zeros((24, 32, 3), np.uint8)
    other = real.copy()
    other[:, 16:] = 255
    mask = ones()
    mask[:12] = 0
    weight = warp_weight(mask, real, other)
    assert (weight[:12] == 0).all()
    assert weight[12:, :16] == pytest.approx(1.0)
    assert weight[12:, 16:] == pytest.approx(math.exp(-1))


def test_loss_is_a_weighted_mean_and_nan_without_weight():
    still, moved = np.zeros((24, 32, 3), np.uint8), np.zeros((24, 32, 3), np.uint8)
    moved[:, 16:] = 10
    weight = ones()
    weight[:, 16:] = 0.5
    assert temporal_loss(still, moved, weight) == pytest.approx(300 * 0.5 / 1.5)
    assert math.isnan(temporal_loss(still, moved, np.zeros_like(weight)))


def test_velocity_of_a_curve_that_rises_evenly():
    curves = np.zeros((4, 3, 256)) + np.arange(4).reshape(4, 1, 1) * 2 / 255
    assert curve_velocity(curves) == pytest.approx([2.0, 2.0, 2.0])
    curves[:, 1:] = 0
    assert curve_velocity(curves) == pytest.approx([2 / math.sqrt(3)] * 3)


def test_colour_steps_are_those_of_the_most_restless_channel():
    means = np.array([[1.0, 2.0, 3.0], [1.5, 2.0, 2.0], [1.5, 2.0, 2.0]])
    assert colour_steps(means) == pytest.approx([1.0, 0.0])


def test_rms_of_nothing_is_nan():
    assert rms(np.array([3.0, 4.0])) == pytest.approx(math.sqrt(12.5))
    assert math.isnan(rms(np.array([])))


@pytest.mark.parametrize("tau_s", [0.05, 0.2, 0.4])
def test_exponential_settles_in_ln_10_tau(tau_s):
    times_s = np.arange(3 * RATE_HZ) / RATE_HZ
    values = np.where(times_s < 1, 0.0, 1 - np.exp(-(times_s - 1) / tau_s))[:, None] * np.ones(5)
    measured_s = settling_time_s(values, times_s, change_s=1.0, target=np.ones(5))
    assert measured_s == pytest.approx(math.log(10) * tau_s, abs=2 / RATE_HZ)


def test_a_step_taken_at_once_settles_in_no_time():
    times_s = np.arange(60) / 30
    values = (times_s >= 1).astype(float)
    assert settling_time_s(values, times_s, change_s=1.0, target=np.array(1.0)) == 0.0


def test_an_overshoot_counts_until_it_is_over():
    times_s = np.arange(10.0)
    values = np.array([0, 0, 1, 1, 1.5, 1, 1, 1, 1, 1])
    assert settling_time_s(values, times_s, change_s=2.0, target=np.array(1.0)) == 3.0


def test_what_never_arrives_takes_for_ever_and_a_change_needs_frames_around_it():
    times_s = np.arange(10.0)
    assert settling_time_s(np.zeros(10), times_s, change_s=2.0, target=np.array(1.0)) == math.inf
    for change_s in (0.0, 10.0):
        with pytest.raises(ValueError, match="both sides"):
            settling_time_s(np.zeros(10), times_s, change_s=change_s, target=np.array(1.0))
