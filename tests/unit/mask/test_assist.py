import cv2
import numpy as np
import pytest

from app.domain.mask.assist import assisted, click_scribble, scribble_box
from app.domain.mask.planes import NOWHERE, Box, everywhere

SIZE = (320, 240)
NOTHING = np.zeros((240, 320), np.uint8)


def room_with_a_ball():
    """-> pixels and the ball's alpha; there is a second ball of the same colour."""
    rng = np.random.default_rng(3)
    truth = np.zeros((240, 320), np.uint8)
    cv2.circle(truth, (110, 120), 30, 255, -1, cv2.LINE_AA)
    other = np.zeros_like(truth)
    cv2.circle(other, (190, 120), 22, 255, -1, cv2.LINE_AA)
    cover = (np.maximum(truth, other) / 255)[..., None]
    ground = np.array([120, 130, 110]) + 30 * np.sin(np.arange(320) / 25)[None, :, None]
    pixels = cover * np.array([200, 60, 50]) + (1 - cover) * ground + rng.normal(0, 3, (240, 320, 3))
    return np.clip(pixels, 0, 255).astype(np.uint8), truth


def whole(area):
    box, coverage = area
    result = NOTHING.copy()
    result[box.rows_columns] = coverage
    return result


def iou(one, other):
    return ((one > 127) & (other > 127)).sum() / ((one > 127) | (other > 127)).sum()


def test_a_click_takes_the_object_under_it_and_only_that():
    pixels, truth = room_with_a_ball()
    click = click_scribble((105, 115), SIZE)
    found = whole(assisted(pixels, scribble_box(click, NOTHING), click, NOTHING, NOTHING))
    assert iou(found, truth) > 0.95
    assert np.abs(found.astype(int) - truth).mean() < 2


def test_the_box_of_a_click_lies_around_it():
    click = click_scribble((105, 115), SIZE)
    box = scribble_box(click, NOTHING)
    assert box.within(SIZE) == box
    assert box.x0 < 60 < 150 < box.x1
    assert scribble_box(NOTHING, click) == NOWHERE


def test_a_background_scribble_takes_part_of_it_back():
    pixels, truth = room_with_a_ball()
    pixels[:, 110:140][truth[:, 110:140] > 200] = (60, 60, 200)
    inside, outside = click_scribble((95, 120), SIZE), click_scribble((125, 120), SIZE)
    prior = truth.copy()
    with_it = whole(assisted(pixels, everywhere(SIZE), inside, outside, prior))
    assert with_it[120, 95] > 250
    assert with_it[120, 125] < 5


def test_the_matte_helps_where_it_is_right():
    pixels, truth = room_with_a_ball()
    pixels[:, 110:140][truth[:, 110:140] > 200] = (60, 60, 200)
    click = click_scribble((95, 120), SIZE)
    found = whole(assisted(pixels, scribble_box(click, NOTHING), click, NOTHING, truth))
    assert iou(found, truth) > 0.9


def test_the_same_click_gives_the_same_area_whatever_was_drawn_before():
    pixels, _ = room_with_a_ball()
    click = click_scribble((105, 115), SIZE)
    arguments = pixels, scribble_box(click, NOTHING), click, NOTHING, NOTHING
    box, first = assisted(*arguments)
    cv2.randu(np.zeros((9, 9), np.uint8), 0, 255)
    again_box, again = assisted(*arguments)
    assert box == again_box
    np.testing.assert_array_equal(first, again)


def test_large_boxes_are_cut_small_and_come_back_at_full_size():
    pixels, truth = room_with_a_ball()
    size = (1280, 960)
    pixels, truth = (cv2.resize(one, size, interpolation=cv2.INTER_CUBIC) for one in (pixels, truth))
    click = click_scribble((430, 470), size)
    nothing = np.zeros_like(truth)
    box, coverage = assisted(pixels, everywhere(size), click, nothing, nothing)
    assert box.size == coverage.shape[::-1]
    found = nothing.copy()
    found[box.rows_columns] = coverage
    assert iou(found, truth) > 0.95


@pytest.mark.parametrize("place", [(-1.0, 5.0), (5.0, 240.0), (1e9, 1e9)])
def test_a_click_outside_finds_nothing(place):
    pixels, _ = room_with_a_ball()
    click = click_scribble(place, SIZE)
    assert assisted(pixels, scribble_box(click, NOTHING), click, NOTHING, NOTHING)[0] == NOWHERE
    assert assisted(pixels, everywhere(SIZE), click, NOTHING, NOTHING)[0] == NOWHERE


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (3, 3), (1, 40)])
def test_the_smallest_frames_are_no_trouble(size):
    width, height = size
    pixels = np.full((height, width, 3), 90, np.uint8)
    nothing = np.zeros((height, width), np.uint8)
    click = click_scribble((0.5, 0.5), size)
    box, coverage = assisted(pixels, everywhere(size), click, nothing, nothing)
    assert box.size == coverage.shape[::-1]
    assert coverage[0, 0] == 255


def test_a_corner_can_be_clicked():
    pixels, _ = room_with_a_ball()
    click = click_scribble((0.2, 0.2), SIZE)
    box, coverage = assisted(pixels, scribble_box(click, NOTHING), click, NOTHING, NOTHING)
    assert Box(0, 0, 1, 1).within(box.size) == Box(0, 0, 1, 1)
    assert coverage[0, 0] > 200


def test_what_is_taken_out_beside_what_must_stay_has_the_scribbles_colours_only():
    rng = np.random.default_rng(3)
    pixels = np.empty((120, 160, 3), np.uint8)
    pixels[:, :70], pixels[:, 70:110], pixels[:, 110:] = (150, 110, 80), (120, 90, 70), (40, 60, 160)
    pixels = np.clip(pixels + rng.normal(0, 9, pixels.shape), 0, 255).astype(np.uint8)
    scribble, nothing = np.zeros((120, 160), np.uint8), np.zeros((120, 160), np.uint8)
    scribble[40:80, 88:94] = 255
    box, found = assisted(pixels, Box(20, 10, 140, 110), scribble, nothing, nothing, only_alike=True)
    coverage = np.zeros((120, 160), np.uint8)
    coverage[box.rows_columns] = found
    assert coverage[40:80, 88:94].min() == 255
    assert (coverage[:, 122:] > 127).mean() < 0.02
