import numpy as np
import pytest

from app.domain.alpha import (
    bbox,
    edge_band,
    feather,
    fill_holes,
    from_u8,
    grow,
    levels,
    remove_specks,
    threshold,
    to_u8,
)


def square(size=41, start=10, end=31, value=1.0):
    alpha = np.zeros((size, size), np.float32)
    alpha[start:end, start:end] = value
    return alpha


def test_to_u8_rounds_clips_and_takes_nan_for_nobody():
    alpha = np.array([[-1, 0, 0.5, 1, 2, np.nan, np.inf, -np.inf]], np.float32)
    assert to_u8(alpha).tolist() == [[0, 0, 128, 255, 255, 0, 255, 0]]


def test_levels_map_the_ends_exactly_and_the_middle_linearly():
    alpha = np.array([[0.0, 0.2, 0.5, 0.8, 1.0]], np.float32)
    np.testing.assert_allclose(levels(alpha, 0.2, 0.8), [[0, 0, 0.5, 1, 1]], atol=1e-6)


def test_levels_need_low_below_high():
    with pytest.raises(ValueError, match="low < high"):
        levels(square(), 0.5, 0.5)


def test_threshold_includes_its_own_value():
    assert threshold(np.array([[0.49, 0.5]], np.float32)).tolist() == [[0, 1]]


def test_feather_softens_the_edge_and_leaves_the_inside():
    soft = feather(to_u8(square()), 4)
    assert soft[20, 20] == 255
    assert 0 < soft[20, 9] < 128 < soft[20, 10] < 255


def test_no_feather_returns_the_matte_itself():
    matte = to_u8(square())
    assert feather(matte, 0) is matte


@pytest.mark.parametrize(("by_px", "side"), [(3, 27), (-4, 13), (0, 21)])
def test_grow_moves_every_side_by_the_radius(by_px, side):
    grown = grow(to_u8(square()), by_px)
    assert np.count_nonzero(grown[20]) == side
    assert np.count_nonzero(grown[:, 20]) == side


def test_grow_by_a_fraction_lies_between_the_whole_steps():
    grown = grow(to_u8(square()), 1.5)
    assert grown[20, 9] == 255
    assert grown[20, 8] == 128
    assert grown[20, 7] == 0


def test_growing_keeps_a_matte_that_fills_the_frame():
    full = np.full((9, 9), 255, np.uint8)
    assert (grow(full, -3) == 255).all()


def test_specks_go_and_the_person_stays():
    alpha = square()
    alpha[2:5, 2:5] = 1
    cleaned = remove_specks(alpha, 10)
    np.testing.assert_array_equal(cleaned, square())


def test_a_soft_skirt_goes_with_its_speck_but_stays_with_the_person():
    alpha = square()
    alpha[2:6, 2:6] = 0.3
    alpha[3:5, 3:5] = 1
    alpha[9, 10:31] = 0.3
    cleaned = remove_specks(alpha, 10)
    assert cleaned[:8, :8].max() == 0
    assert (cleaned[9, 10:31] == np.float32(0.3)).all()


def test_haze_without_a_core_goes_whatever_its_size():
    assert remove_specks(square(value=0.4), 1).max() == 0


def test_small_holes_are_filled_and_large_ones_kept():
    alpha = square(size=81, start=5, end=76)
    alpha[10:12, 10:12] = 0
    alpha[30:50, 30:50] = 0
    filled = fill_holes(alpha, 50)
    assert (filled[10:12, 10:12] == 1).all()
    assert (filled[30:50, 30:50] == 0).all()


def test_a_gap_at_the_frame_border_is_no_hole():
    alpha = np.ones((20, 20), np.float32)
    alpha[0:2, 5:7] = 0
    np.testing.assert_array_equal(fill_holes(alpha, 100), alpha)


def test_edge_band_is_as_wide_as_asked_on_either_side():
    band = edge_band(square(), 3)
    assert np.flatnonzero(band[20]).tolist() == [7, 8, 9, 10, 11, 12, 28, 29, 30, 31, 32, 33]


def test_an_empty_or_full_matte_has_no_edge():
    assert not edge_band(np.zeros((9, 9), np.float32), 2).any()
    assert not edge_band(np.ones((9, 9), np.float32), 2).any()


def test_bbox_is_tight_and_half_open():
    assert bbox(square()) == (10, 10, 31, 31)
    assert bbox(np.zeros((5, 5), np.float32)) is None


def test_from_u8_spans_zero_to_one():
    alpha = from_u8(np.array([[0, 255]], np.uint8))
    assert alpha.dtype == np.float32
    assert alpha.tolist() == [[0, 1]]
