import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.mask.planes import Box
from app.ui.mask.canvas_transform import Placement, step_of, wheel_factor

sides = st.integers(1, 8192)
placements = st.builds(
    Placement,
    st.tuples(sides, sides),
    st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    margin_px=st.integers(0, 30),
).map(Placement.fitted)


@given(placements)
def test_a_fitted_picture_is_whole_and_in_the_middle(place):
    area, (width, height) = place.area, place.room

    assert area.x0 >= -1
    assert area.y0 >= -1
    assert area.x1 <= width + 1
    assert area.y1 <= height + 1
    assert abs(area.x0 + area.x1 - width) <= 2
    assert abs(area.y0 + area.y1 - height) <= 2
    assert place.is_fitted


@given(st.lists(st.floats(30, 3200), min_size=1, max_size=30), st.floats(400, 600), st.floats(300, 400))
def test_zooming_keeps_the_point_under_the_cursor(percents, x, y):
    place = Placement((4000, 3000), (1000, 700)).fitted().zoomed(100)
    shown = place.to_picture(x, y)

    for percent in percents:
        place = place.zoomed(percent, (x, y))

    # The corner is painted at a whole px: up to half a one aside when the point was read, and again now.
    aside = 0.5 * place.scale + 0.5 + 1e-6
    assert place.to_room(*shown) == pytest.approx((x, y), abs=aside)


@pytest.mark.parametrize(("asked", "given_percent"), [(1, 5), (5, 5), (3200, 3200), (1e6, 3200), (0, 5)])
def test_the_zoom_has_limits(asked, given_percent):
    assert Placement((800, 600), (400, 300)).fitted().zoomed(asked).percent == pytest.approx(given_percent)


def test_a_picture_too_large_to_fit_at_the_least_zoom_is_fitted_all_the_same():
    place = Placement((8192, 4320), (320, 180)).fitted()

    assert place.percent < 5
    assert place.zoomed(0.1).percent == pytest.approx(place.percent)


def test_the_smallest_picture_is_shown():
    place = Placement((1, 1), (320, 180), margin_px=14).fitted()

    assert place.percent == 3200
    assert place.shown_size == (32, 32)
    assert Placement((1, 1), (320, 180)).fitted().zoomed(5).shown_size == (1, 1)


def test_a_fitted_picture_follows_the_room_until_it_is_zoomed():
    place = Placement((800, 600), (400, 300)).fitted()
    assert place.in_room((800, 600)).percent == pytest.approx(100)

    zoomed = place.zoomed(70)
    assert zoomed.in_room((800, 600)).percent == pytest.approx(70)
    assert not zoomed.is_fitted


def test_what_is_in_the_middle_stays_there_in_another_room():
    place = Placement((4000, 3000), (400, 300)).fitted().zoomed(200, (100, 100))
    middle = place.to_picture(200, 150)

    resized = place.in_room((500, 380))

    assert resized.to_picture(250, 190) == pytest.approx(middle, abs=0.5)


@given(placements, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_a_picture_cannot_be_lost(place, dx, dy):
    area, (width, height) = place.panned(dx, dy).area, place.room

    assert area.x0 <= width / 2 + 1
    assert area.x1 >= width / 2 - 1
    assert area.y0 <= height / 2 + 1
    assert area.y1 >= height / 2 - 1


def test_another_picture_keeps_the_zoom():
    place = Placement((4000, 3000), (400, 300)).fitted().zoomed(150)

    assert place.of_picture((1920, 1080)).percent == pytest.approx(150)
    assert Placement((4000, 3000), (400, 300)).fitted().of_picture((800, 600)).percent == pytest.approx(50)


@given(placements, st.floats(5, 3200), st.floats(-0.2, 1.2), st.floats(-0.2, 1.2))
def test_there_and_back_is_the_same_place(place, percent, across, down):
    place = place.zoomed(percent)
    point = (across * place.picture[0], down * place.picture[1])

    assert place.to_picture(*place.to_room(*point)) == pytest.approx(point, abs=1e-6)


@pytest.mark.parametrize("percent", [5, 25, 33.3, 100, 130, 250, 1600])
def test_the_area_of_a_box_holds_the_box(percent):
    place = Placement((640, 480), (320, 240)).fitted().zoomed(percent)
    area = place.area_of(Box(300, 200, 317, 231))
    (left, top), (right, bottom) = place.to_room(300, 200), place.to_room(317, 231)

    assert area.x0 <= left
    assert area.y0 <= top
    assert area.x1 >= right
    assert area.y1 >= bottom
    assert area.size[0] <= right - left + 2 + 4 * max(1.0, place.scale) + 2


def test_pictures_are_averaged_by_whole_steps():
    assert [step_of(scale) for scale in (2.0, 1.0, 0.51, 0.5, 1 / 3, 0.25, 0.05)] == [1, 1, 1, 2, 3, 4, 20]


def test_four_notches_of_the_wheel_double_the_zoom():
    assert wheel_factor(120) ** 4 == pytest.approx(2)
    assert wheel_factor(-120) == pytest.approx(1 / wheel_factor(120))
