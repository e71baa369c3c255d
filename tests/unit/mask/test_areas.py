import numpy as np
import pytest

from app.domain.mask.areas import flood_coverage, no_area, polygon_coverage
from app.domain.mask.planes import NOWHERE, Box

SIZE = (200, 160)


def area_of(points):
    x, y = np.array(points).T
    return abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def whole(area, size=SIZE):
    box, coverage = area
    picture = np.zeros((size[1], size[0]), np.uint8)
    picture[box.rows_columns] = coverage
    return picture


@pytest.mark.parametrize(
    "points",
    [
        [(10.3, 12.7), (180.2, 30.1), (150.5, 150.9), (30, 140)],
        [(10, 10), (190.5, 11), (20.25, 12.5)],
        [(50.1, 50.1), (50.9, 50.1), (50.9, 50.9), (50.1, 50.9)],
        [(20, 20), (100, 80), (180, 20), (100, 150)],
    ],
)
def test_the_area_of_a_polygon_is_right(points):
    box, coverage = polygon_coverage(points, SIZE)
    assert coverage.sum() / 255 == pytest.approx(area_of(points), rel=0.003, abs=0.12)
    assert coverage[0].any()
    assert coverage[:, -1].any()
    assert box.size == coverage.shape[::-1]


def test_edges_are_smooth_and_in_place():
    picture = whole(polygon_coverage([(10.5, 20.25), (60.25, 20.25), (60.25, 40), (10.5, 40)], SIZE))
    assert picture[30, 9:12].tolist() == [0, 128, 255]
    assert picture[30, 59:62].tolist() == [255, 64, 0]
    assert picture[19:22, 30].tolist() == [0, 191, 255]
    assert picture[39:41, 30].tolist() == [255, 0]


def test_a_lasso_that_crosses_its_start_has_no_hole_there():
    turn = np.linspace(0, 2.4 * 2 * np.pi, 300)
    radius = 40 + 5 * turn
    points = [(100 + r * np.cos(t), 80 + r * np.sin(t)) for t, r in zip(turn, radius / 2, strict=True)]
    assert whole(polygon_coverage(points, SIZE))[70:90, 90:110].min() == 255


def test_both_loops_of_an_eight_are_covered():
    picture = whole(polygon_coverage([(20, 20), (120, 120), (120, 20), (20, 120)], SIZE))
    assert picture[70, 25] == 255
    assert picture[70, 115] == 255
    assert picture[30, 70] == 0
    assert picture.sum() / 255 == pytest.approx(5000, rel=0.01)


def test_points_outside_cut_the_area_at_the_border():
    assert (whole(polygon_coverage([(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)], SIZE)) == 255).all()
    box, coverage = polygon_coverage([(-50, -50), (20, -50), (20, 20), (-50, 20)], SIZE)
    assert box == Box(0, 0, 20, 20)
    assert (coverage == 255).all()
    assert polygon_coverage([(300, 0), (400, 0), (400, 90)], SIZE)[0] == NOWHERE


@pytest.mark.parametrize("points", [[], [(1, 1)], [(1, 1), (50, 50)], [(5, 5)] * 4, [(0, 0), (9, 9), (18, 18)]])
def test_what_encloses_nothing_covers_nothing(points):
    box, coverage = polygon_coverage(points, SIZE)
    assert box == NOWHERE
    assert coverage.size == 0


def test_points_that_are_no_numbers_are_refused():
    with pytest.raises(ValueError, match="no number"):
        polygon_coverage([(0, 0), (float("nan"), 5), (9, 9)], SIZE)


def test_feather_softens_the_edge_and_keeps_to_the_picture():
    square = [(50, 50), (100, 50), (100, 100), (50, 100)]
    hard, soft = (whole(polygon_coverage(square, SIZE, feather_px=px)) for px in (0, 10))
    assert soft[75, 75] == 255
    assert 100 < soft[75, 50] < 155
    assert soft[75, 45] > 0 == hard[75, 45]
    assert soft.astype(float).sum() == pytest.approx(hard.astype(float).sum(), rel=0.01)
    everything = polygon_coverage([(-9, -9), (300, -9), (300, 300), (-9, 300)], SIZE, feather_px=20)
    assert (whole(everything) == 255).all()


def test_large_polygons_are_filled_in_strips_without_seams():
    picture = whole(polygon_coverage([(5, 5), (35, 5), (35, 595), (5, 595)], (40, 600)), (40, 600))
    assert (picture[5:595, 5:35] == 255).all()
    assert picture.sum() / 255 == 30 * 590


def plus_and_dot():
    picture = np.zeros((40, 50), np.uint8)
    picture[10:30, 18:22] = 200
    picture[18:22, 10:30] = 205
    picture[5:8, 40:44] = 200
    return picture


def test_a_fill_reaches_what_is_joined_and_alike():
    box, coverage = flood_coverage(plus_and_dot(), (19.9, 11.2), tolerance=5)
    assert box == Box(10, 10, 30, 30)
    assert (coverage == 255).sum() == 20 * 4 * 2 - 16
    assert set(np.unique(coverage)) == {0, 255}


def test_a_fill_keeps_to_its_tolerance():
    box, _ = flood_coverage(plus_and_dot(), (19, 11), tolerance=4)
    assert box == Box(18, 10, 22, 18)


def test_a_fill_that_need_not_be_joined_takes_the_dot_too():
    picture = plus_and_dot()
    filled = whole(flood_coverage(picture, (19, 11), tolerance=5, contiguous=False), (50, 40))
    np.testing.assert_array_equal(filled == 255, picture >= 200)


@pytest.mark.parametrize("contiguous", [True, False])
def test_colours_can_be_filled_and_read_only_pictures_too(contiguous):
    pixels = np.zeros((30, 30, 3), np.uint8)
    pixels[:, 15:] = (10, 200, 10)
    pixels[::2, 15:, 1] = 190
    pixels.setflags(write=False)
    box, coverage = flood_coverage(pixels, (20, 0), tolerance=10, contiguous=contiguous)
    assert box == Box(15, 0, 30, 30)
    assert (coverage == 255).all()


@pytest.mark.parametrize("seed", [(-0.1, 3), (3, -0.1), (50, 3), (3, 40), (1e9, 1e9)])
def test_a_fill_from_outside_reaches_nothing(seed):
    assert flood_coverage(plus_and_dot(), seed, tolerance=255)[0] == no_area()[0]


def test_a_fill_can_be_feathered():
    box, coverage = flood_coverage(plus_and_dot(), (19, 11), tolerance=5, feather_px=4)
    assert box.x0 < 10
    assert box.x1 > 30
    assert len(np.unique(coverage)) > 10


def test_a_picture_of_one_pixel_can_be_filled():
    one = np.full((1, 1), 9, np.uint8)
    assert flood_coverage(one, (0.5, 0.5), tolerance=0)[0] == Box(0, 0, 1, 1)
    assert polygon_coverage([(-5, -5), (9, -5), (9, 9)], (1, 1))[0] == Box(0, 0, 1, 1)
