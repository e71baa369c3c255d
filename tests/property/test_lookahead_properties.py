import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.domain.dropouts import MAX_FRAMES, REACH_FRAMES, dropouts
from harmonizer.lookahead import smooth_scenes, smooth_track

ROUNDING = 1e-9


@st.composite
def tracks(draw, columns=5):
    """Monotone curves in [0, 1], some missing, at uneven times, some weightless, some held."""
    count = draw(st.integers(1, 24))
    steps = draw(hnp.arrays(np.float64, count, elements=st.floats(0.004, 1.4)))
    curves = np.sort(draw(hnp.arrays(np.float64, (count, columns), elements=st.floats(0, 1))), axis=1)
    curves[draw(hnp.arrays(bool, count))] = np.nan
    weights = draw(hnp.arrays(np.float64, count, elements=st.one_of(st.just(0.0), st.floats(1e-6, 1))))
    held = draw(hnp.arrays(bool, count))
    return curves, np.cumsum(steps), weights, held


def check(smoothed, curves, held):
    known = ~np.isnan(curves).any(axis=1)
    given_rows, out = curves[known], smoothed[~np.isnan(smoothed).any(axis=1)]
    if len(out):
        assert (np.diff(out, axis=1) >= -ROUNDING).all()
        assert (out >= given_rows.min(axis=0) - ROUNDING).all()
        assert (out <= given_rows.max(axis=0) + ROUNDING).all()
    np.testing.assert_array_equal(smoothed[held & known], curves[held & known])


@settings(deadline=None, max_examples=150)
@given(tracks(), st.floats(0, 5))
def test_smoothed_curves_are_monotone_within_what_went_in_and_exact_where_held(track, tau_s):
    curves, times_s, weights, held = track
    smoothed = smooth_track(curves, times_s, weights, tau_s=tau_s, held=held)
    assert np.isnan(smoothed).any() == np.isnan(curves).any(axis=1).all()
    check(smoothed, curves, held)


@settings(deadline=None, max_examples=150)
@given(tracks(), st.floats(0, 5), st.data())
def test_so_are_scenes_and_every_frame_of_a_scene_with_a_curve_has_one(track, tau_s, data):
    curves, times_s, weights, held = track
    scene_starts = data.draw(hnp.arrays(bool, len(curves)))
    scene_starts[0] = True
    smoothed, runs = smooth_scenes(curves, times_s, weights, scene_starts=scene_starts, tau_s=tau_s, held=held)
    check(smoothed, curves, held)
    scene = np.cumsum(scene_starts)
    known = ~np.isnan(curves).any(axis=1)
    has_one = np.isin(scene, scene[known])
    assert np.array_equal(runs >= 0, has_one)
    assert np.array_equal(~np.isnan(smoothed).any(axis=1), has_one)


@settings(deadline=None, max_examples=100)
@given(tracks(), st.floats(0.01, 3), st.floats(0.2, 1), st.floats(0, 0.2))
def test_smoothing_is_linear(track, tau_s, gain, lift):
    curves, times_s, weights, held = track
    one = smooth_track(curves, times_s, weights, tau_s=tau_s, held=held)
    other = smooth_track(gain * curves + lift, times_s, weights, tau_s=tau_s, held=held)
    np.testing.assert_allclose(other, gain * one + lift, atol=1e-7)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 10**6))
def test_dropouts_are_mended_by_frames_that_are_none(areas, seed):
    rng = np.random.default_rng(seed)
    areas, times_s = np.array(areas), np.arange(len(areas)) / 30
    cuts = rng.random(len(areas)) < 0.1
    found = dropouts(areas, times_s, cuts)
    broken = {one.number for one in found}
    assert len(broken) == len(found)
    for one in found:
        assert one.before < one.number < one.after <= one.before + MAX_FRAMES + 1
        assert not broken & {one.before, one.after}
        assert not cuts[one.before + 1 : one.after + 1].any()


@settings(deadline=None, max_examples=100)
@given(hnp.arrays(np.float64, 60, elements=st.sampled_from([0.1, 0.14, 0.2, 0.5])), st.integers(0, 59))
def test_whether_a_frame_is_a_dropout_depends_on_none_far_away(areas, at):
    times_s, cuts = np.arange(60) / 30, np.zeros(60, bool)
    low, high = max(0, at - REACH_FRAMES), min(60, at + REACH_FRAMES + 1)
    whole = [one for one in dropouts(areas, times_s, cuts) if one.number == at]
    part = [one for one in dropouts(areas[low:high], times_s[low:high], cuts[low:high]) if one.number == at - low]
    assert [(one.before, one.after) for one in whole] == [(one.before + low, one.after + low) for one in part]
