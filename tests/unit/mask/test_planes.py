import numpy as np
import pytest

from app.domain.mask.planes import NOWHERE, Box, Planes, box_of, corrected, everywhere, painted, restored


def planes(value, weight):
    return Planes(np.array([value], np.uint8), np.array([weight], np.uint8))


def test_a_box_is_cut_to_the_picture_and_empty_ones_are_nowhere():
    assert Box(-5, 2, 7, 40).within((6, 10)) == Box(0, 2, 6, 10)
    assert Box(8, 2, 9, 4).within((6, 10)) == NOWHERE
    assert Box(3, 3, 3, 9).is_empty


def test_boxes_unite_around_both_and_empty_ones_add_nothing():
    assert Box(0, 0, 2, 2).united(Box(5, 1, 6, 3)) == Box(0, 0, 6, 3)
    assert NOWHERE.united(Box(5, 1, 6, 3)) == Box(5, 1, 6, 3)
    assert Box(5, 1, 6, 3).united(NOWHERE) == Box(5, 1, 6, 3)


def test_the_box_of_a_coverage_holds_all_of_it():
    coverage = np.zeros((9, 7), np.uint8)
    assert box_of(coverage) == NOWHERE
    coverage[2, 3] = coverage[5, 6] = 1
    assert box_of(coverage) == Box(3, 2, 7, 6)


def test_without_weight_the_models_alpha_stands_and_with_all_of_it_the_hands():
    alpha = np.array([[0, 13, 255, 200]], np.uint8)
    assert corrected(alpha, planes([255, 255, 255, 255], [0, 0, 0, 0])).tolist() == [[0, 13, 255, 200]]
    assert corrected(alpha, planes([255, 0, 7, 9], [255, 255, 255, 255])).tolist() == [[255, 0, 7, 9]]


@pytest.mark.parametrize("weight", [1, 64, 127, 128, 200, 254])
def test_in_between_the_nearest_level_is_taken(weight):
    alpha, value = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    exact = alpha + (value.astype(float) - alpha) * weight / 255
    found = corrected(alpha, Planes(value, np.full_like(value, weight)))
    assert np.abs(found - exact).max() <= 0.5


def test_full_paint_decides_and_half_paint_goes_half_way_whatever_was_there():
    before = planes([0, 255, 40], [0, 255, 128])
    full = painted(before, np.full((1, 3), 255, np.uint8), 255)
    assert full.value.tolist() == [[255] * 3]
    assert full.weight.tolist() == [[255] * 3]
    alpha = np.array([[100, 100, 100]], np.uint8)
    half = corrected(alpha, painted(before, np.full((1, 3), 128, np.uint8), 255)).astype(float)
    middle = (corrected(alpha, before) * 127.0 + 255 * 128) / 255
    assert np.abs(half - middle).max() <= 1.5


def test_restoring_takes_the_hands_say_back_and_leaves_no_value_behind():
    after = restored(planes([255, 255], [255, 255]), np.array([[255, 51]], np.uint8))
    assert after.weight.tolist() == [[0, 204]]
    assert after.value.tolist() == [[0, 255]]


def test_empty_planes_have_the_frames_size():
    assert Planes.empty((5, 3)).value.shape == (3, 5)
    assert Planes.empty((5, 3)).size == (5, 3)
    assert everywhere((5, 3)) == Box(0, 0, 5, 3)
