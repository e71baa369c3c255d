import numpy as np
import pytest

from app.domain.alpha import feather, from_u8, grow, levels, to_u8
from app.domain.mask.adjusting import MAX_FEATHER_PX, MAX_GROW_PX, Adjustment, adjusted


def matte(height=60, width=80):
    rng = np.random.default_rng(2)
    alpha = np.zeros((height, width), np.uint8)
    alpha[20:50, 25:60] = rng.integers(1, 256, (30, 35))
    return alpha


def test_the_defaults_return_the_same_array():
    alpha = matte()
    assert adjusted(alpha, Adjustment()) is alpha


@pytest.mark.parametrize(
    "values",
    [
        {"low": 0.2, "high": 0.7},
        {"grow_px": 3.5},
        {"grow_px": -2},
        {"feather_px": 6},
        {"low": 0.1, "high": 0.5, "grow_px": 12, "feather_px": 9},
        {"grow_px": 30, "feather_px": 50},
    ],
)
@pytest.mark.parametrize("is_at_the_border", [False, True])
def test_it_does_levels_then_growth_then_feather_as_on_the_whole_frame(values, is_at_the_border):
    alpha = matte()[20:, 25:] if is_at_the_border else matte()
    wish = Adjustment(**values)
    expected = to_u8(levels(from_u8(alpha), wish.low, wish.high))
    expected = feather(grow(expected, wish.grow_px), wish.feather_px)
    difference = adjusted(alpha, wish).astype(int) - expected
    assert np.abs(difference).max() <= 1


def test_what_it_was_given_is_left_as_it_was():
    alpha = matte()
    before = alpha.copy()
    alpha.setflags(write=False)
    adjusted(alpha, Adjustment(low=0.1, high=0.9, grow_px=2, feather_px=2))
    np.testing.assert_array_equal(alpha, before)


def test_an_empty_matte_stays_empty_and_one_pixel_is_enough():
    wish = Adjustment(grow_px=5, feather_px=5)
    assert not adjusted(np.zeros((9, 9), np.uint8), wish).any()
    assert adjusted(np.full((1, 1), 255, np.uint8), wish).item() == 255


def test_levels_may_be_as_near_as_one_level():
    alpha = np.arange(256, dtype=np.uint8)[None]
    result = adjusted(alpha, Adjustment(low=100 / 255, high=101 / 255))[0]
    assert set(result[:101]) == {0}
    assert set(result[101:]) == {255}


@pytest.mark.parametrize(
    "wrong",
    [
        {"low": 0.5, "high": 0.5},
        {"low": 0.6, "high": 0.4},
        {"low": -0.1},
        {"high": 1.1},
        {"grow_px": MAX_GROW_PX + 1},
        {"grow_px": -MAX_GROW_PX - 1},
        {"feather_px": -1},
        {"feather_px": MAX_FEATHER_PX + 1},
        {"feather_px": float("nan")},
    ],
)
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=r"out of range|low < high"):
        Adjustment(**wrong)
