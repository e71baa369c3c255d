import numpy as np
import pytest

from harmonizer.lookahead import lookahead_tau_s, looseness, smooth_scenes, smooth_track, without_outliers
from harmonizer.smoothing import KnotSmoother, SmoothingSettings
from harmonizer.temporal import settling_time_s

RATE_HZ = 30


def times(count, rate_hz=RATE_HZ):
    return np.arange(count) / rate_hz


def starts(count, *at):
    scene_starts = np.zeros(count, bool)
    scene_starts[[0, *at]] = True
    return scene_starts


def flicker(values):
    return np.abs(np.diff(values, axis=0)).mean()


def test_a_lone_impulse_becomes_the_two_sided_exponential():
    tau_s, count = 0.3, 301
    values = np.zeros((count, 1))
    values[150] = 1
    kernel = smooth_track(values, times(count), np.ones(count), tau_s=tau_s)[:, 0]
    expected = np.exp(-np.abs(times(count) - times(count)[150]) / tau_s)
    np.testing.assert_allclose(kernel / kernel[150], expected, atol=0.003)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)


def test_the_same_curve_comes_out_of_frames_at_a_variable_rate():
    dense = times(240, 60)
    rng = np.random.default_rng(0)
    kept = np.sort(rng.choice(240, 150, replace=False))

    def smoothed(t):
        return smooth_track(np.sin(3 * t)[:, None], t, np.ones(len(t)), tau_s=0.2)[:, 0]

    inner = (dense[kept] > 0.5) & (dense[kept] < 3.5)
    np.testing.assert_allclose(smoothed(dense[kept])[inner], smoothed(dense)[kept][inner], atol=0.01)


def test_it_has_no_delay():
    t = times(120)
    bump = np.exp(-np.square((t - 2) / 0.5))[:, None]
    smoothed = smooth_track(bump, t, np.ones(120), tau_s=0.2)
    assert np.argmax(smoothed) == np.argmax(bump)
    np.testing.assert_allclose(smoothed[::-1], smooth_track(bump[::-1], t, np.ones(120), tau_s=0.2), rtol=1e-6)


def test_what_is_held_comes_out_exactly_and_its_neighbours_flow_into_it():
    values = np.full((61, 2), 0.2)
    values[30] = 0.9
    held = np.zeros(61, bool)
    held[30] = True
    smoothed = smooth_track(values, times(61), np.zeros(61) + 1.0, tau_s=0.2, held=held)
    assert np.array_equal(smoothed[30], [0.9, 0.9])
    assert 0.75 < smoothed[29, 0] < 0.9
    assert 0.75 < smoothed[31, 0] < 0.9
    assert np.all(np.diff(smoothed[:31, 0]) >= 0)
    assert smoothed[0, 0] < 0.22


def test_held_rows_are_kept_whatever_else_is_missing():
    values = np.full((5, 1), np.nan)
    values[2] = 0.7
    held = np.array([False, False, True, False, False])
    smoothed = smooth_track(values, times(5), np.zeros(5), tau_s=0.5, held=held)
    np.testing.assert_allclose(smoothed[:, 0], 0.7)


def test_rows_without_an_estimate_or_a_weight_are_filled_from_both_sides():
    values = np.linspace(0, 1, 11)[:, None].copy()
    values[4:7] = np.nan
    values[2] = 99.0
    weights = np.ones(11)
    weights[2] = 0
    raw = smooth_track(values, times(11), weights, tau_s=0)
    np.testing.assert_allclose(raw[:, 0], np.linspace(0, 1, 11))
    assert smooth_track(values, times(11), weights, tau_s=0.3).max() <= 1


def test_nothing_known_stays_unknown_and_weightless_estimates_still_count():
    nothing = np.full((4, 2), np.nan)
    assert np.isnan(smooth_track(nothing, times(4), np.ones(4), tau_s=0.5)).all()
    np.testing.assert_allclose(smooth_track(np.full((4, 2), 0.3), times(4), np.zeros(4), tau_s=0.5), 0.3)


def test_times_have_to_ascend():
    with pytest.raises(ValueError, match="ascend"):
        smooth_track(np.zeros((3, 1)), np.array([0.0, 0.1, 0.1]), np.ones(3), tau_s=1)


def test_a_curve_like_no_other_is_left_out_and_a_step_is_not():
    rng = np.random.default_rng(1)
    values = 0.5 + 0.002 * rng.standard_normal((40, 8))
    values[20:] += 0.3
    values[8] = 0.9
    weights = without_outliers(values, np.ones(40))
    assert np.flatnonzero(weights == 0).tolist() == [8]
    held = np.zeros(40, bool)
    held[8] = True
    assert without_outliers(values, np.ones(40), held=held).all()


def test_across_a_clean_step_next_to_nothing_holds_but_across_an_outlier_it_does():
    values = np.where(np.arange(40) < 20, 0.2, 0.6)[:, None] * np.ones((1, 4))
    loose = looseness(values, times(40, 11), np.ones(40), tau_s=1.5, beta=5.0)
    assert np.argmin(loose) == 19
    assert loose[19] < 0.01
    assert loose[5] == 1
    lonely = np.full((40, 4), 0.2)
    lonely[20] = 0.6
    assert looseness(lonely, times(40, 11), np.ones(40), tau_s=1.5, beta=5.0).min() == 1


def causal(values, at_s):
    smoother = KnotSmoother(SmoothingSettings())
    return np.stack([smoother.update(value[None, None], t)[0, 0] for value, t in zip(values, at_s, strict=True)])


def ahead(values, at_s, tau_s=None):
    tau_s = lookahead_tau_s(SmoothingSettings()) if tau_s is None else tau_s
    count = len(values)
    return smooth_scenes(values, at_s, np.ones(count), scene_starts=starts(count), tau_s=tau_s)[0]


def test_it_is_three_times_as_steady_as_the_causal_path_and_settles_no_later():
    at_s, rng = times(120, 11), np.random.default_rng(2)
    noise = rng.standard_normal((120, 1)) * 0.01 + 0.003 * rng.standard_normal((120, 30))
    rest = 0.4 + noise
    assert flicker(ahead(rest, at_s)[10:-10]) < flicker(causal(rest, at_s)[10:-10]) / 3
    step = np.where(np.arange(120) < 60, 0.4, 0.55)[:, None] + noise
    target = np.full(30, 0.55)
    change_s = at_s[60] - 1e-6
    late = settling_time_s(causal(step, at_s), at_s, change_s=change_s, target=target)
    assert settling_time_s(ahead(step, at_s), at_s, change_s=change_s, target=target) <= late


def test_tau_follows_the_settings():
    assert lookahead_tau_s(SmoothingSettings("none")) == 0
    assert lookahead_tau_s(SmoothingSettings(tau_s=0)) == 0
    assert lookahead_tau_s(SmoothingSettings(tau_s=1.0)) == 2 * lookahead_tau_s(SmoothingSettings(tau_s=0.5))


def test_scenes_owe_each_other_nothing():
    values = np.where(np.arange(60) < 30, 0.1, 0.9)[:, None]
    smoothed, runs = smooth_scenes(values, times(60), np.ones(60), scene_starts=starts(60, 30), tau_s=2.0)
    np.testing.assert_allclose(smoothed, values, atol=1e-9)
    assert runs.tolist() == [0] * 30 + [1] * 30


def test_short_gaps_are_bridged_and_long_ones_part_runs():
    values = np.full((120, 1), np.nan)
    values[:20], values[40:60], values[100:] = 0.1, 0.3, 0.9
    smoothed, runs = smooth_scenes(values, times(120), np.ones(120), scene_starts=starts(120), tau_s=0.2)
    assert runs[:60].tolist() == [0] * 60
    assert np.all(np.diff(smoothed[20:40, 0]) > 0)
    assert runs[79] == 0
    assert runs[81] == 1
    np.testing.assert_allclose(smoothed[runs == 1], 0.9)


def test_who_enters_has_their_curve_from_the_first_frame_of_the_scene():
    values = np.full((90, 1), np.nan)
    values[60:] = 0.4
    smoothed, runs = smooth_scenes(values, times(90), np.ones(90), scene_starts=starts(90, 30), tau_s=0.5)
    assert np.isnan(smoothed[:30]).all()
    assert (runs[:30] == -1).all()
    np.testing.assert_allclose(smoothed[30:], 0.4)


def test_a_sliver_of_an_arm_counts_little():
    values = np.full((60, 1), 0.5)
    values[:6] = 0.8
    area = np.full(60, 0.2)
    area[:6] = 0.001
    smoothed, _ = smooth_scenes(values, times(60), area, scene_starts=starts(60), tau_s=0.5)
    assert smoothed[0, 0] < 0.55


def test_a_lock_is_reached_smoothly_though_it_is_far_from_what_was_found():
    values = np.full((60, 4), 0.2)
    held = np.zeros(60, bool)
    held[28:32], values[28:32] = True, 0.9
    smoothed, _ = smooth_scenes(values, times(60), np.ones(60), scene_starts=starts(60), tau_s=0.5, held=held)
    assert np.array_equal(smoothed[28:32], values[28:32])
    assert np.abs(np.diff(smoothed, axis=0)).max() < 0.1


def test_without_smoothing_what_was_found_is_left_alone():
    rng = np.random.default_rng(3)
    values = rng.random((20, 5))
    smoothed, _ = smooth_scenes(values, times(20), np.ones(20), scene_starts=starts(20), tau_s=0)
    np.testing.assert_array_equal(smoothed, values)


def test_nothing_at_all_is_no_error():
    smoothed, runs = smooth_scenes(np.zeros((0, 3)), np.zeros(0), np.zeros(0), scene_starts=np.zeros(0, bool), tau_s=1)
    assert smoothed.shape == (0, 3)
    assert len(runs) == 0
