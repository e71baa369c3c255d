import io
import time
from itertools import pairwise

import cv2
import numpy as np
import pytest

from app.domain import two_way
from app.domain.dropouts import Dropout, dropouts
from app.domain.lookahead import analyse_mattes, joined, steadied_both_ways
from app.domain.segment_mattes import SegmentMattes
from app.domain.steadiness import Remembered, steadied

ROWS, COLUMNS, RATE_HZ, TAU_S = 60, 80, 30, 0.15
HALF_LEVEL = 0.5 / 255


@pytest.fixture(params=["compiled", "plain"])
def loops(request, monkeypatch):
    """With the kernels, where there are any, and without."""
    if request.param == "plain":
        monkeypatch.setattr("app.domain.steadiness.kernels", lambda: None)


def texture(seed):
    rng = np.random.default_rng(seed)
    small = rng.uniform(40, 215, (ROWS // 6, COLUMNS // 6, 3)).astype(np.float32)
    return cv2.resize(small, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC)


def clip(count, *, speed=0.0, noise=0.15, scene=0, seed=0):
    """A textured disc over a texture, moving at `speed` cells a frame, and a noisy alpha of it: pictures, alphas."""
    rng, ground, skin = np.random.default_rng((seed, scene)), texture(2 * scene), texture(2 * scene + 1)
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    pictures, alphas = [], []
    for i in range(count):
        dx = speed * i
        truth = np.clip(18 - np.hypot(x - 30 - dx, y - 30) + 0.5, 0, 1)
        soft = np.clip((18 - np.hypot(x - 30 - dx, y - 30)) / 2 + 0.5, 0, 1)
        moved = cv2.warpAffine(
            skin, np.float32([[1, 0, dx], [0, 1, 0]]), (COLUMNS, ROWS), borderMode=cv2.BORDER_REFLECT
        )
        picture = ground + truth[..., None] * (moved - ground) + rng.normal(0, 0.7, ground.shape)
        pictures.append(np.clip(picture + 0.5, 0, 255).astype(np.uint8))
        edge = (soft > 0) & (soft < 1)
        alphas.append(np.clip(soft + noise * edge * rng.standard_normal(soft.shape), 0, 1).astype(np.float32))
    return pictures, alphas


def times(count, rate_hz=RATE_HZ):
    return np.arange(count) / rate_hz


def flicker(alphas):
    return np.mean([np.abs(b - a).mean() for a, b in pairwise(alphas)])


def causal(pictures, alphas):
    out = [alphas[0]]
    for i in range(1, len(alphas)):
        last, now = Remembered(pictures[i - 1], out[-1]), Remembered(pictures[i], alphas[i])
        out.append(steadied(last, None, now, dt_s=1 / RATE_HZ, tau_s=TAU_S))
    return out


def test_at_rest_it_is_three_times_as_steady_as_the_causal_smoothing(loops):
    pictures, alphas = clip(40)
    ahead = steadied_both_ways(pictures, alphas, times(40), tau_s=TAU_S)
    assert flicker(ahead[5:-5]) < flicker(causal(pictures, alphas)[5:-5]) / 3


def test_it_does_not_trail_what_moves(loops):
    pictures, clean = clip(24, speed=1.3, noise=0)
    ahead = steadied_both_ways(pictures, clean, times(24), tau_s=TAU_S)
    assert np.abs(np.array(ahead) - clean).mean() < np.abs(np.diff(clean, axis=0)).mean() / 4


def test_time_may_run_either_way():
    pictures, alphas = clip(12)
    forward = steadied_both_ways(pictures, alphas, times(12), tau_s=TAU_S)
    backward = steadied_both_ways(pictures[::-1], alphas[::-1], times(12), tau_s=TAU_S)
    np.testing.assert_allclose(forward, backward[::-1], atol=0.002)


def test_a_change_of_alpha_alone_is_spread_evenly_over_both_sides():
    picture = clip(1)[0][0]
    pictures = [picture] * 41
    alphas = [np.full((ROWS, COLUMNS), 0.3 if i < 20 else 0.7, np.float32) for i in range(41)]
    out = np.array([a.mean() for a in steadied_both_ways(pictures, alphas, times(41), tau_s=0.1)])
    t = times(41) - times(41)[19] - 0.5 / RATE_HZ
    expected = np.where(t < 0, 0.3 + 0.2 * np.exp(t / 0.1), 0.7 - 0.2 * np.exp(-t / 0.1))
    np.testing.assert_allclose(out, expected, atol=0.008)


def test_nothing_crosses_a_cut_or_a_gap():
    one, other = clip(10), clip(10, scene=5)
    dark = [(picture // 3) for picture in other[0]]
    both = steadied_both_ways(one[0] + dark, one[1] + other[1], times(20), tau_s=TAU_S)
    np.testing.assert_array_equal(both[:10], steadied_both_ways(*one, times(10), tau_s=TAU_S))
    later = np.concatenate([times(10), times(10) + 5])
    parted = steadied_both_ways(one[0] * 2, one[1] * 2, later, tau_s=TAU_S)
    np.testing.assert_array_equal(parted[:10], parted[10:])


def test_without_tau_nothing_is_smoothed():
    pictures, alphas = clip(6)
    np.testing.assert_array_equal(steadied_both_ways(pictures, alphas, times(6), tau_s=0), alphas)


def test_a_picture_smaller_than_the_flow_needs_is_smoothed_where_it_is():
    pictures, alphas = clip(20)
    small = [p[20:40, 10:30] for p in pictures], [a[20:40, 10:30] for a in alphas]
    assert flicker(steadied_both_ways(*small, times(20), tau_s=TAU_S)) < flicker(small[1]) / 3


@pytest.mark.parametrize("lost", [1, 2, 4])
def test_who_is_lost_for_a_few_frames_is_found_again_from_both_sides(lost):
    pictures, clean = clip(20, speed=1.0, noise=0)
    broken = list(clean)
    for i in range(8, 8 + lost):
        broken[i] = clean[i] * 0.2
    mended = steadied_both_ways(pictures, broken, times(20), tau_s=0)
    worst = max(np.abs(mended[i] - clean[i]).mean() for i in range(8, 8 + lost))
    assert worst < np.abs(broken[8] - clean[8]).mean() / 8


def test_what_lasts_longer_is_meant():
    areas = np.full(30, 0.2)
    areas[10:15] = 0.02
    assert dropouts(areas, times(30), np.zeros(30, bool)) == []
    areas[10] = 0.2
    assert dropouts(areas, times(30), np.zeros(30, bool)) == [Dropout(i, 10, 15) for i in range(11, 15)]
    assert dropouts(areas, times(30, 10), np.zeros(30, bool)) == []


def test_somebody_who_leaves_or_enters_is_no_dropout():
    areas = np.concatenate([np.linspace(0.2, 0, 8), np.zeros(10), np.linspace(0, 0.2, 8)])
    assert dropouts(areas, times(26), np.zeros(26, bool)) == []


def test_a_flash_of_too_much_goes_and_a_dip_beside_it_does_not_make_it_one():
    flash = np.array([0.1, 0.1, 0.4, 0.1, 0.1])
    assert dropouts(flash, times(5), np.zeros(5, bool)) == [Dropout(2, 1, 3)]
    blinking = np.array([0.1, 0.4, 0.1, 0.4, 0.1, 0.4])
    assert [one.number for one in dropouts(blinking, times(6), np.zeros(6, bool))] == [2, 4]
    cut = np.array([False, False, True, False, False])
    assert dropouts(flash, times(5), cut) == []


def in_segments(pictures, alphas, at_s, lengths, tau_s=TAU_S):
    edges = np.cumsum([0, *lengths])
    parts = [analyse_mattes(pictures[a:b], alphas[a:b], at_s[a:b], tau_s=tau_s) for a, b in pairwise(edges)]
    around = [None, *parts, None]
    return np.concatenate([joined(*around[i : i + 3]) for i in range(len(parts))])


def whole(pictures, alphas, at_s, tau_s=TAU_S):
    out = steadied_both_ways(pictures, alphas, at_s, tau_s=tau_s)
    return np.rint(np.array(out) * 255).astype(int)


@pytest.mark.parametrize("speed", [0.0, 0.3])
def test_segments_joined_are_one_pass_over_the_clip(speed):
    pictures, alphas = clip(160, speed=speed)
    alphas[78:81] = [a * 0.1 for a in alphas[78:81]]  # Lost across the seam.
    difference = np.abs(in_segments(pictures, alphas, times(160), [80, 80]) - whole(pictures, alphas, times(160)))
    assert difference.max() <= 1
    assert difference.mean() < 0.02
    assert difference[60:100].mean() < 0.02


def test_without_their_neighbours_segments_would_show_at_the_seams():
    pictures, alphas = clip(160)
    alone = np.concatenate(
        [analyse_mattes(pictures[a:b], alphas[a:b], times(160)[a:b], TAU_S).result for a, b in ((0, 80), (80, 160))]
    )
    assert np.abs(alone - whole(pictures, alphas, times(160)))[79:81].max() > 5


@pytest.mark.parametrize("lengths", [[8] * 12, [30, 3, 70], [5, 90], [25, 41, 30]])
def test_segments_shorter_than_the_overlap_are_joined_as_well(lengths):
    count = sum(lengths)
    pictures, alphas = clip(count)
    difference = np.abs(in_segments(pictures, alphas, times(count), lengths) - whole(pictures, alphas, times(count)))
    edge = np.std(alphas, axis=0) > 0.01
    assert difference.mean() < 1
    assert difference[:, edge].mean() < 2


def test_segments_of_a_single_frame_know_their_neighbours():
    pictures, alphas = clip(6)
    assert np.abs(in_segments(pictures, alphas, times(6), [1] * 6) - whole(pictures, alphas, times(6))).mean() < 2


def test_a_cut_at_a_seam_is_seen():
    one, other = clip(40), clip(40, scene=5)
    pictures, alphas = one[0] + [p // 3 for p in other[0]], one[1] + other[1]
    difference = np.abs(in_segments(pictures, alphas, times(80), [40, 40]) - whole(pictures, alphas, times(80)))
    assert difference.max() <= 1


def test_a_segment_survives_the_disk():
    pictures, alphas = clip(100)
    segment = analyse_mattes(pictures, alphas, times(100), TAU_S)
    file = io.BytesIO()
    np.savez(file, **segment.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as loaded:
        again = SegmentMattes.from_arrays(dict(loaded))
    for name, array in segment.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)
    np.testing.assert_array_equal(joined(segment, again, segment), joined(again, segment, again))
    with pytest.raises(KeyError):
        SegmentMattes.from_arrays({})


def test_of_a_long_segment_only_the_ends_are_kept():
    pictures, alphas = clip(150)
    segment = analyse_mattes(pictures, alphas, times(150), TAU_S)
    assert len(segment.head) == len(segment.tail) == 30
    assert len(segment.head.beyond_s) == len(segment.tail.beyond_s) == 1


def test_the_flow_is_not_asked_where_nothing_is_unsettled(monkeypatch):
    asked = []
    monkeypatch.setattr(two_way._Motion, "between", lambda *_: asked.append(1))
    pictures, _ = clip(5)
    steadied_both_ways(pictures, [np.zeros((ROWS, COLUMNS), np.float32)] * 5, times(5), tau_s=TAU_S)
    assert not asked


def test_it_is_quick_enough():
    pictures, alphas = (
        [cv2.resize(one, (240, 135), interpolation=cv2.INTER_LINEAR) for one in part] for part in clip(40, speed=0.5)
    )
    started = time.process_time()
    analyse_mattes(pictures, alphas, times(40), TAU_S)
    assert (time.process_time() - started) / 40 < 0.012  # 2 to 4 ms; three times that on a busy machine.
