import numpy as np
import pytest

from app.domain.cells import CellGrid
from app.domain.person_region import Region, cut_off, followed, people_box, whole_frame

GRID = CellGrid(1920, 1080, 8)
FRAME = whole_frame(GRID)


def alpha_with(*boxes):
    alpha = np.zeros((GRID.rows, GRID.columns), np.float32)
    for left, top, right, bottom in boxes:
        alpha[top:bottom, left:right] = 1
    return alpha


def test_the_box_is_around_everybody_sizeable():
    assert people_box(alpha_with((20, 30, 60, 130), (150, 50, 170, 120))) == Region(20, 30, 170, 130)


def test_specks_do_not_stretch_the_box():
    assert people_box(alpha_with((20, 30, 60, 130), (200, 5, 204, 9))) == Region(20, 30, 60, 130)


@pytest.mark.parametrize("boxes", [(), ((3, 3, 6, 6),)])
def test_nobody_is_in_an_empty_or_specked_alpha(boxes):
    assert people_box(alpha_with(*boxes)) is None


def test_the_region_leaves_room_around_people_and_stays_in_the_frame():
    region = followed(FRAME, Region(100, 60, 140, 135), GRID)
    assert region == Region(90, 41, 150, 135)


def test_small_movements_leave_the_region_alone():
    region = followed(FRAME, Region(100, 40, 140, 120), GRID)
    for shift in (-4, 3, 5):
        assert followed(region, Region(100 + shift, 40, 140 + shift, 121), GRID) == region


def test_the_region_follows_when_people_leave_its_margins():
    region = followed(FRAME, Region(100, 40, 140, 120), GRID)
    moved = followed(region, Region(112, 40, 152, 120), GRID)
    assert moved != region
    assert moved.contains(Region(112, 40, 152, 120))


def test_people_who_nearly_fill_the_frame_are_looked_at_whole():
    assert followed(FRAME, Region(20, 10, 220, 135), GRID) == FRAME


def test_it_never_looks_closer_than_a_sixth_of_the_frame():
    region = followed(FRAME, Region(120, 60, 124, 66), GRID)
    assert min(region.size) >= 40


def test_people_are_cut_off_at_the_region_but_not_at_the_frame():
    region = Region(50, 0, 150, 135)
    assert cut_off(region, Region(50, 20, 100, 130), GRID)
    assert cut_off(region, Region(80, 20, 150, 130), GRID)
    assert not cut_off(region, Region(60, 0, 140, 135), GRID)
