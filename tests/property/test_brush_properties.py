import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.mask.areas import polygon_coverage
from app.domain.mask.brush import BrushSettings, Stroke, laid
from app.domain.mask.planes import Planes, corrected

modest = settings(deadline=None, max_examples=60)

sizes = st.tuples(st.integers(1, 60), st.integers(1, 60))
places = st.floats(-30, 90, width=32)
brushes = st.builds(
    BrushSettings,
    size_px=st.floats(1, 60),
    hardness=st.floats(0, 1),
    opacity=st.floats(0, 1),
    flow=st.sampled_from([1.0, 0.01, 0.3, 0.99]),
)
events = st.lists(st.tuples(places, places, st.floats(0, 1)), min_size=1, max_size=8)


def planes_of(value, weight):
    return Planes(np.where(weight > 0, value, np.uint8(0)), weight)


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9))
layers = shapes.flatmap(lambda shape: st.tuples(*[arrays(np.uint8, shape)] * 4))


@modest
@given(sizes, brushes, events)
def test_a_stroke_never_covers_more_than_its_opacity_nor_outside_its_boxes(size, brush, path):
    stroke = Stroke(size, brush)
    reported = np.zeros((size[1], size[0]), bool)
    for event in path:
        box = stroke.extend(*event)
        reported[box.rows_columns] = True
        assert box.within(size) == box
    assert stroke.coverage.max() <= round(255 * brush.opacity)
    assert not stroke.coverage[~reported].any()
    inside = np.zeros_like(reported)
    inside[stroke.box.rows_columns] = True
    assert (inside | ~reported).all()


@modest
@given(brushes, st.tuples(places, places), st.tuples(places, places), st.lists(st.floats(0, 1), max_size=12))
def test_it_makes_no_difference_in_how_many_moves_a_straight_line_is_told(brush, start, end, cuts):
    whole, chopped = Stroke((61, 47), brush), Stroke((61, 47), brush)
    for share in (0.0, 1.0):
        whole.extend(*_on_the_way(start, end, share))
    for share in (0.0, *sorted(cuts), 1.0):
        chopped.extend(*_on_the_way(start, end, share))
    difference = whole.coverage.astype(int) - chopped.coverage.astype(int)
    assert np.abs(difference).max() <= 1


def _on_the_way(start, end, share):
    return tuple(a + share * (b - a) for a, b in zip(start, end, strict=True))


@modest
@given(layers, st.sampled_from([("add", 255), ("remove", 0)]))
def test_whatever_the_model_said_paint_moves_the_result_towards_its_value(arrays_, paint):
    value, weight, coverage, model = arrays_
    before = planes_of(value, weight)
    kind, target = paint
    earlier = corrected(model, before).astype(float)
    expected = earlier + (target - earlier) * (coverage / 255)
    after = corrected(model, laid(before, coverage, kind)).astype(float)
    assert np.abs(after - expected).max() <= 2


@modest
@given(layers)
def test_restoring_altogether_leaves_nothing_of_the_hand_and_none_leaves_all(arrays_):
    value, weight, _, model = arrays_
    before = planes_of(value, weight)
    full, none = np.full_like(weight, 255), np.zeros_like(weight)
    after = laid(before, full, "restore")
    assert not after.weight.any()
    assert not after.value.any()
    np.testing.assert_array_equal(corrected(model, after), model)
    for paint in ("restore", "add", "remove"):
        same = laid(before, none, paint)
        np.testing.assert_array_equal(same.value, before.value)
        np.testing.assert_array_equal(same.weight, before.weight)


coordinates = st.floats(-20, 80, width=32)


@modest
@given(sizes, st.tuples(coordinates, coordinates), st.tuples(coordinates, coordinates))
def test_a_rectangle_covers_what_of_it_lies_in_the_picture(size, one, other):
    (x0, x1), (y0, y1) = (sorted(pair) for pair in zip(one, other, strict=True))
    box, coverage = polygon_coverage([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], size)
    wide, high = (max(0.0, min(b, side) - max(a, 0)) for a, b, side in zip((x0, y0), (x1, y1), size, strict=True))
    slack = 0.3 * (wide + high) + 0.3
    assert box.size == coverage.shape[::-1]
    assert abs(coverage.sum() / 255 - wide * high) <= slack


@modest
@given(sizes, st.lists(st.tuples(coordinates, coordinates), max_size=9))
def test_a_polygon_is_the_same_whichever_way_round_it_goes(size, points):
    box, coverage = polygon_coverage(points, size)
    turned_box, turned = polygon_coverage(points[::-1], size)
    assert box == turned_box
    assert box.within(size) == box
    np.testing.assert_allclose(coverage.astype(int), turned.astype(int), atol=64)
