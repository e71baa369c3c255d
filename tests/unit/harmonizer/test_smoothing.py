import numpy as np
import pytest

from harmonizer.curves import identity_knots
from harmonizer.smoothing import KnotSmoother, SmoothingSettings

DARK, BRIGHT = identity_knots() * 0.5, identity_knots()


def settle(smoother, rate_hz, seconds):
    smoother.update(DARK, 0.0)
    steps = round(seconds * rate_hz)
    for i in range(1, steps + 1):
        out = smoother.update(BRIGHT, i / rate_hz)
    return out[0, 0, -1]


def test_first_knots_are_taken_as_they_are():
    assert np.array_equal(KnotSmoother().update(DARK, 12.3), DARK)


def test_settles_at_the_same_speed_at_any_frame_rate():
    at_10, at_60 = (settle(KnotSmoother(SmoothingSettings("ema", tau_s=0.3)), hz, 0.5) for hz in (10, 60))
    assert at_10 == pytest.approx(at_60, abs=1e-9)
    assert at_10 == pytest.approx(1 - 0.5 * np.exp(-0.5 / 0.3))


def test_ninety_percent_of_a_jump_within_half_a_second_by_default():
    assert settle(KnotSmoother(), 30, 0.5) >= 0.5 + 0.9 * 0.5


@pytest.mark.parametrize("kind", ["ema", "one_euro"])
def test_noise_at_rest_is_reduced(kind):
    rng = np.random.default_rng(0)
    smoother = KnotSmoother(SmoothingSettings(kind=kind))
    raw = [BRIGHT + 0.01 * rng.standard_normal(BRIGHT.shape) for _ in range(200)]
    smooth = [smoother.update(k, i / 30) for i, k in enumerate(raw)]

    def jitter(series):
        return np.abs(np.diff(np.stack(series)[50:], axis=0)).mean()

    assert jitter(smooth) < 0.5 * jitter(raw)


@pytest.mark.parametrize("jump_s", [-0.5, 3.0])
def test_starts_over_after_a_step_back_or_a_long_gap(jump_s):
    smoother = KnotSmoother()
    smoother.update(DARK, 10.0)
    assert np.array_equal(smoother.update(BRIGHT, 10.0 + jump_s), BRIGHT)


def test_reset_forgets_the_past():
    smoother = KnotSmoother()
    smoother.update(DARK, 0.0)
    smoother.reset()
    assert np.array_equal(smoother.update(BRIGHT, 0.04), BRIGHT)


def test_change_of_architecture_starts_over():
    smoother = KnotSmoother()
    smoother.update(identity_knots(2), 0.0)
    assert smoother.update(identity_knots(1), 0.04).shape == (1, 3, 65)


def test_none_passes_through():
    smoother = KnotSmoother(SmoothingSettings(kind="none"))
    smoother.update(DARK, 0.0)
    assert np.array_equal(smoother.update(BRIGHT, 0.04), BRIGHT)
