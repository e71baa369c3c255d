import itertools
from fractions import Fraction

import cv2
import numpy as np
import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Frame
from app.pipeline.matte import MatteRefiner, MatteSettings

RATE_HZ = 30
STILL = MatteSettings(tau_s=0)


def disc(width, height, *, centre, radius, softness):
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.clip((radius - np.hypot(x - centre[0], y - centre[1])) / softness + 0.5, 0, 1)


def person_and_truth(width=1280, height=720, *, shift=0.0, seed=0):
    """A dark disc on a bright textured wall, with the camera's noise; pixels and true alpha."""
    alpha = disc(width, height, centre=(width / 2 + shift, height / 2), radius=height / 4, softness=2)
    texture = cv2.resize(np.random.default_rng(1).random((height // 40, width // 40)), (width, height))
    wall = 170 + 60 * texture[..., None] * np.array([1.0, 0.9, 0.8])
    picture = alpha[..., None] * np.array([60.0, 50.0, 90.0]) + (1 - alpha[..., None]) * wall
    noise = np.random.default_rng(seed).normal(0, 2, picture.shape)
    return np.clip(picture + noise, 0, 255).astype(np.uint8), alpha


def coarse_of(alpha, *, columns=64):
    """What a network sees of it: few values, soft, a little too wide."""
    rows = round(columns * alpha.shape[0] / alpha.shape[1])
    small = cv2.resize(alpha, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(small, (0, 0), 1.0) * 1.1, 0, 1).astype(np.float32)


def frame_of(pixels, index=0, time_s=None):
    pts = index if time_s is None else round(time_s * 1000)
    return Frame(pixels.copy(), pts, Fraction(1, RATE_HZ if time_s is None else 1000), index)


def error(matte, alpha):
    return float(np.abs(matte / 255.0 - alpha).mean())


def test_the_matte_finds_the_picture_s_own_edge():
    pixels, alpha = person_and_truth()
    coarse = coarse_of(alpha)
    plain = MatteRefiner(MatteSettings(tau_s=0, refine_edges=False)).refine(frame_of(pixels), coarse)
    refined = MatteRefiner(STILL).refine(frame_of(pixels), coarse)
    assert refined.shape == (720, 1280)
    assert refined.dtype == np.uint8
    assert error(refined, alpha) < error(plain, alpha) / 4


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 7), (31, 9), (251, 3), (641, 363), (1003, 571)])
def test_any_size_works_with_and_without_edge_refinement(size):
    width, height = size
    pixels, alpha = person_and_truth(max(width, 40), max(height, 40))
    pixels, alpha = pixels[:height, :width], alpha[:height, :width]
    for refine_edges in (True, False):
        refiner = MatteRefiner(MatteSettings(refine_edges=refine_edges))
        for index in range(2):
            matte = refiner.refine(frame_of(pixels, index), np.asarray(alpha, np.float32))
            assert matte.shape == (height, width)
            assert matte.flags.c_contiguous


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0), (0.05, 0), (0.97, 255), (1.0, 255)])
def test_nobody_and_everybody_come_out_flat(value, expected):
    pixels, _ = person_and_truth()
    matte = MatteRefiner().refine(frame_of(pixels), np.full((36, 64), value, np.float32))
    assert (matte == expected).all()


def test_lower_levels_take_in_more_and_higher_ones_less():
    pixels, alpha = person_and_truth()
    mattes = [
        MatteRefiner(MatteSettings(low=low, high=high, tau_s=0)).refine(frame_of(pixels), coarse_of(alpha))
        for low, high in ((0.6, 0.9), (0.2, 0.8), (0.05, 0.3))
    ]
    narrow, usual, wide = (int(matte.sum(dtype=int)) for matte in mattes)
    assert 0.8 * usual < narrow < usual < wide < 1.3 * usual


@pytest.mark.parametrize(("low", "high", "value", "expected"), [(0.6, 0.9, 0.58, 0), (0.1, 0.4, 0.42, 255)])
@pytest.mark.parametrize("beside", [0.0, 1.0])
@pytest.mark.parametrize("refine_edges", [True, False])
def test_coverage_beyond_the_levels_is_settled_wherever_it_stands(low, high, value, expected, beside, refine_edges):
    coarse = np.full((144, 256), value, np.float32)
    coarse[:, 128:] = beside
    picture = np.full((720, 1280, 3), 120, np.uint8)
    picture[:, 640:] = 60
    settings = MatteSettings(
        low=low, high=high, tau_s=0, min_blob_fraction=0, max_hole_fraction=0, refine_edges=refine_edges
    )
    matte = MatteRefiner(settings).refine(frame_of(picture), coarse)
    assert (matte[:, :632] == expected).all()


def test_specks_vanish():
    pixels, alpha = person_and_truth()
    coarse = coarse_of(alpha)
    coarse[2:4, 2:4] = 1
    assert MatteRefiner(STILL).refine(frame_of(pixels), coarse)[:100, :100].max() == 0


def test_a_busy_background_throws_no_sparks():
    """Away from the person the matte is clean, though the wall holds every colour the person has."""
    alpha = disc(1280, 720, centre=(640, 360), radius=180, softness=2)
    wall = np.random.default_rng(5).integers(0, 256, (720, 1280, 3)).astype(np.float64)
    pixels = alpha[..., None] * np.array([60.0, 50.0, 90.0]) + (1 - alpha[..., None]) * wall
    matte = MatteRefiner(STILL).refine(frame_of(pixels.astype(np.uint8)), coarse_of(alpha, columns=256))
    near, far = (disc(1280, 720, centre=(640, 360), radius=180 + px, softness=1) == 0 for px in (10, 30))
    assert matte[far].max() == 0
    assert matte[near].sum(dtype=int) / 255 < 80
    assert error(matte, alpha) < 0.01


def test_feather_and_edge_shift_act_on_the_full_size_matte():
    pixels, alpha = person_and_truth()
    frame, coarse = frame_of(pixels), coarse_of(alpha)
    base = MatteRefiner(STILL).refine(frame, coarse)
    wider = MatteRefiner(MatteSettings(tau_s=0, grow_px=5)).refine(frame, coarse)
    softer = MatteRefiner(MatteSettings(tau_s=0, feather_px=12)).refine(frame, coarse)
    assert np.count_nonzero(wider[360] > 127) - np.count_nonzero(base[360] > 127) == 10
    partial = [np.count_nonzero((m[360] > 5) & (m[360] < 250)) for m in (base, softer)]
    assert partial[1] > partial[0] + 10


def flickering(alpha, index):
    """The coarse alpha of a network that can't decide about the edge."""
    noise = np.random.default_rng(index).normal(0, 0.25, (36, 64))
    soft = coarse_of(alpha)
    return np.clip(soft + noise * 4 * soft * (1 - soft), 0, 1).astype(np.float32)


def test_flicker_of_a_standing_person_is_smoothed():
    mattes = {}
    for tau_s in (0.0, 0.15):
        refiner = MatteRefiner(MatteSettings(tau_s=tau_s))
        mattes[tau_s] = []
        for index in range(12):
            pixels, alpha = person_and_truth(640, 360, seed=index)
            mattes[tau_s].append(refiner.refine(frame_of(pixels, index), flickering(alpha, index)))
    flicker = {
        tau_s: np.mean([cv2.absdiff(a, b).mean() for a, b in itertools.pairwise(m[4:])]) for tau_s, m in mattes.items()
    }
    assert flicker[0.15] < flicker[0.0] / 2


def test_a_fast_move_leaves_no_trail():
    refiner = MatteRefiner()
    for index in range(4):
        pixels, alpha = person_and_truth(640, 360, seed=index)
        refiner.refine(frame_of(pixels, index), coarse_of(alpha))
    pixels, alpha = person_and_truth(640, 360, shift=150, seed=9)
    matte = refiner.refine(frame_of(pixels, 4), coarse_of(alpha))
    fresh = MatteRefiner().refine(frame_of(pixels), coarse_of(alpha))
    assert error(matte, alpha) < error(fresh, alpha) + 0.001


def test_smoothing_goes_by_the_clock_and_not_by_the_frame():
    """The same second at 15 and at 60 frames a second ends at the same matte."""
    ends = []
    for rate_hz in (15, 60):
        refiner = MatteRefiner(MatteSettings(tau_s=0.5, min_blob_fraction=0))
        pixels, alpha = person_and_truth(320, 180)
        start, target = coarse_of(alpha), np.zeros((36, 64), np.float32)
        refiner.refine(frame_of(pixels, time_s=0), start)
        for index in range(1, rate_hz // 3 + 1):
            refiner.refine(frame_of(pixels, index, index / rate_hz), target)
        ends.append(refiner._last.alpha)
    assert ends[0].max() > 0.3
    np.testing.assert_allclose(ends[0], ends[1], atol=0.02)


def test_a_scene_cut_carries_nothing_over_and_is_counted():
    refiner = MatteRefiner(MatteSettings(tau_s=10))
    pixels, alpha = person_and_truth()
    refiner.refine(frame_of(pixels), coarse_of(alpha))
    matte = refiner.refine(frame_of(255 - pixels, 1), np.zeros((36, 64), np.float32))
    assert matte.max() == 0
    assert refiner.cuts == 1


@pytest.mark.parametrize("time_s", [0.0, -1.0, 5.0])
def test_a_repeated_backward_or_far_time_starts_over(time_s):
    refiner = MatteRefiner(MatteSettings(tau_s=10))
    pixels, alpha = person_and_truth()
    refiner.refine(frame_of(pixels, time_s=0), coarse_of(alpha))
    assert refiner.refine(frame_of(pixels, 1, time_s), np.zeros((36, 64), np.float32)).max() == 0
    assert refiner.cuts == 0


def test_reset_forgets_the_last_frame():
    refiner = MatteRefiner(MatteSettings(tau_s=10))
    pixels, alpha = person_and_truth()
    refiner.refine(frame_of(pixels), coarse_of(alpha))
    refiner.reset()
    assert refiner.refine(frame_of(pixels, 1), np.zeros((36, 64), np.float32)).max() == 0


def test_the_frame_size_may_change_on_the_way():
    refiner = MatteRefiner()
    for index, (width, height) in enumerate([(1280, 720), (640, 480), (641, 479)]):
        pixels, alpha = person_and_truth(width, height)
        matte = refiner.refine(frame_of(pixels, index), coarse_of(alpha))
        assert error(matte, alpha) < 0.02


@pytest.mark.parametrize(
    "values",
    [{"low": 0.8, "high": 0.2}, {"low": -0.1}, {"high": 1.1}, {"tau_s": -1}, {"feather_px": -1}],
)
def test_settings_out_of_range_are_refused(values):
    with pytest.raises(UserError) as caught:
        MatteSettings(**values)
    assert caught.value.code == ExitCode.USAGE
