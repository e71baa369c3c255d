import cv2
import numpy as np
import pytest

from app.domain.mask.motion import (
    FlowEstimator,
    View,
    depth,
    difference_levels,
    extended,
    positions,
    sampled,
    similarity_flow,
    without_spots,
)
from app.pipeline.bench.moving_objects import texture

SIZE = (160, 120)


@pytest.fixture
def picture():
    return texture(SIZE, np.random.default_rng(4))


def shifted(picture, dx, dy):
    matrix = np.float32([[1, 0, dx], [0, 1, dy]])
    return cv2.warpAffine(picture, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)


def test_flow_points_to_where_the_pixels_were(picture):
    dense = FlowEstimator().checked(View.of(picture), View.of(shifted(picture, 5, -3)))
    inner = dense.flow[20:-20, 20:-20]
    assert np.abs(np.median(inner, axis=(0, 1)) - (-5, 3)).max() < 0.2
    assert dense.trust[20:-20, 20:-20].mean() > 0.9


def test_unrelated_pictures_are_not_trusted(picture):
    other = texture(SIZE, np.random.default_rng(5))
    assert FlowEstimator().checked(View.of(picture), View.of(other)).trust.mean() < 0.2


def test_difference_counts_only_what_lies_inside(picture):
    one, other = View.of(picture), picture.copy()
    other[:, 80:] = 255 - other[:, 80:]
    inside = np.zeros(SIZE[::-1], np.float32)
    inside[:, :80] = 1
    still = np.zeros((*SIZE[::-1], 2), np.float32)
    everywhere = difference_levels(one, View.of(other), still)
    assert everywhere[:, 78:80].max() > 5
    assert difference_levels(one, View.of(other), still, inside)[:, :80].max() == 0


def test_a_shift_seen_in_the_middle_is_carried_on_to_the_rim():
    flow = np.zeros((90, 90, 2), np.float32)
    flow[30:60, 30:60] = (4, -2)
    belief = np.zeros((90, 90), np.float32)
    belief[32:58, 32:58] = 1
    assert np.abs(extended(flow, belief)[10:80, 10:80] - (4, -2)).max() < 0.1


def test_turning_and_growing_are_carried_on_too():
    places = positions(120, 120) - np.float32(60)
    true = cv2.transform(places, np.array([[0.02, -0.03, 1], [0.03, 0.02, 0]]))
    belief = np.zeros((120, 120), np.float32)
    belief[40:80, 40:80] = 1
    damaged = np.where(belief[..., None] > 0, true, 9).astype(np.float32)
    assert np.abs(extended(damaged, belief)[20:100, 20:100] - true[20:100, 20:100]).max() < 0.3


def test_nothing_believed_means_no_motion():
    flow = np.full((60, 60, 2), 7, np.float32)
    assert np.abs(extended(flow, np.zeros((60, 60), np.float32))).max() == 0


def test_depth_is_none_at_the_rim_and_full_within():
    inside = np.zeros((120, 120), np.float32)
    inside[20:100, 20:100] = 1
    deep = depth(inside)
    assert deep[60, 60] == pytest.approx(1)
    assert deep[22, 60] == deep[10, 10] == 0


def test_small_spots_of_doubt_are_filled_but_not_what_comes_in_at_the_rim():
    weights = np.zeros((60, 60), np.float32)
    weights[10:50, 10:50] = 1
    trust = np.ones((60, 60), np.float32)
    trust[30:32, 30:32] = 0
    trust[:, 10:13] = 0
    filled = without_spots(trust, weights)
    assert filled[30:32, 30:32].min() == 1
    assert filled[20:40, 10:12].max() == 0


def test_points_agree_on_a_turn_and_a_scaling(picture):
    matrix = cv2.getRotationMatrix2D((80, 60), 6, 1.04)
    now = cv2.warpAffine(picture, matrix, SIZE, borderMode=cv2.BORDER_REFLECT)
    inside = np.zeros(SIZE[::-1], np.uint8)
    inside[30:90, 40:120] = 1
    flow = similarity_flow(View.of(picture).gray, View.of(now).gray, inside)
    back = cv2.transform(positions(120, 160), cv2.invertAffineTransform(matrix))
    assert np.abs(flow - (back - positions(120, 160)))[30:90, 40:120].max() < 0.7


def test_without_points_there_is_no_rigid_motion():
    flat = np.full((100, 100), 90, np.uint8)
    assert similarity_flow(flat, flat, np.ones((100, 100), np.uint8)) is None


def test_points_that_disagree_give_no_rigid_motion(picture):
    other = texture(SIZE, np.random.default_rng(6))
    inside = np.ones(SIZE[::-1], np.uint8)
    assert similarity_flow(View.of(picture).gray, View.of(other).gray, inside) is None


def test_sampling_keeps_the_type_and_repeats_the_border():
    values = np.arange(12, dtype=np.uint8).reshape(3, 4)
    out = sampled(values, np.full((3, 4, 2), (1, 0), np.float32))
    assert out.dtype == np.uint8
    assert out.tolist() == [[1, 2, 3, 3], [5, 6, 7, 7], [9, 10, 11, 11]]
