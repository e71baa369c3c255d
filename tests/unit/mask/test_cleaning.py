import numpy as np
import pytest

from app.domain.mask.brush import laid
from app.domain.mask.cleaning import holes, specks
from app.domain.mask.planes import NOWHERE, Box, Planes, corrected, everywhere

SIZE = (90, 70)


def person_with_a_hole():
    alpha = np.zeros((70, 90), np.uint8)
    alpha[10:60, 20:70] = 255
    alpha[28:36, 38:48] = 10
    alpha[27, 38:48] = 240
    return alpha


def person_with_a_speck():
    alpha = np.zeros((70, 90), np.uint8)
    alpha[10:60, 20:50] = 255
    alpha[30:34, 70:75] = 220
    alpha[29, 70:75] = 15
    return alpha


def painted(alpha, area, paint):
    box, coverage = area
    planes = Planes.empty(alpha.shape[::-1])
    patch = laid(planes.at(box), coverage, paint)
    planes.value[box.rows_columns], planes.weight[box.rows_columns] = patch.value, patch.weight
    return corrected(alpha, planes)


def test_painting_a_hole_closes_it_with_its_faint_rim_and_nothing_else():
    alpha = person_with_a_hole()
    area = holes(alpha, 80, everywhere(SIZE))
    closed = painted(alpha, area, "add")
    assert (closed[10:60, 20:70] == 255).all()
    assert area[0] == Box(38, 27, 48, 36)
    closed[10:60, 20:70] = 0
    assert not closed.any()


def test_larger_holes_stay():
    assert holes(person_with_a_hole(), 79, everywhere(SIZE))[0] == NOWHERE


def test_painting_a_speck_removes_it_with_its_faint_rim_and_nothing_else():
    alpha = person_with_a_speck()
    cleaned = painted(alpha, specks(alpha, 20, everywhere(SIZE)), "remove")
    expected = alpha.copy()
    expected[:, 60:] = 0
    np.testing.assert_array_equal(cleaned, expected)


def test_larger_specks_stay():
    assert specks(person_with_a_speck(), 19, everywhere(SIZE))[0] == NOWHERE


@pytest.mark.parametrize(
    "box", [Box(0, 0, 23, 70), Box(48, 0, 90, 70), Box(0, 0, 90, 12), Box(0, 58, 90, 70), Box(72, 0, 90, 70)]
)
def test_a_box_never_takes_the_tip_of_something_large_for_a_speck(box):
    found, coverage = specks(person_with_a_speck(), 500, box)
    picture = np.zeros((70, 90), bool)
    picture[found.rows_columns] = coverage > 0
    assert not picture[:, 20:50].any()
    assert picture[31, 73] == (box == Box(48, 0, 90, 70) or (box.x0 == 0 and box.x1 == 90 and box.y1 == 0))


def test_a_hole_that_leaves_the_box_is_left_alone():
    alpha = person_with_a_hole()
    assert holes(alpha, 500, Box(20, 10, 43, 60))[0] == NOWHERE
    assert holes(alpha, 500, Box(30, 20, 60, 50))[0] == Box(38, 27, 48, 36)


def test_a_speck_at_the_border_of_the_picture_goes_too():
    alpha = np.zeros((20, 30), np.uint8)
    alpha[:3, :3] = 255
    assert specks(alpha, 9, everywhere((30, 20)))[0] == Box(0, 0, 3, 3)


def test_boxes_reach_only_as_far_as_the_picture():
    alpha = person_with_a_hole()
    assert holes(alpha, 80, Box(-50, -50, 500, 500))[0] == Box(38, 27, 48, 36)
    assert holes(alpha, 80, Box(200, 200, 300, 300))[0] == NOWHERE
    assert specks(np.full((1, 1), 255, np.uint8), 1, Box(0, 0, 1, 1))[0] == Box(0, 0, 1, 1)
