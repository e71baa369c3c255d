import numpy as np
import pytest

from app.domain.mask.brush import BrushSettings, Dab, Stroke, laid
from app.domain.mask.planes import NOWHERE, Box, Planes, corrected

SIZE = (120, 90)


def one_dab(x=60.0, y=45.0, pressure=1.0, size=SIZE, **settings):
    stroke = Stroke(size, BrushSettings(**settings))
    stroke.extend(x, y, pressure)
    return stroke


@pytest.mark.parametrize(("hardness", "size_px"), [(1.0, 40), (1.0, 7.5), (0.95, 40), (1.0, 1)])
def test_a_hard_dab_has_the_area_of_its_disc(hardness, size_px):
    area = one_dab(60.3, 45.7, size_px=size_px, hardness=hardness).coverage.sum() / 255
    # Half of the ramp lies inside the radius; the smallest brush is all ramp.
    assert area == pytest.approx(np.pi * (size_px / 2) ** 2, rel=0.06, abs=0.3)


def test_a_soft_dab_falls_smoothly_from_full_to_nothing():
    row = one_dab(60.5, 45.5, size_px=60, hardness=0.4).coverage[45].astype(int)
    profile = row[60:]
    assert (profile[:12] == 255).all()
    assert (np.diff(profile) <= 0).all()
    assert np.abs(np.diff(profile)).max() <= 255 * 1.5 / 18 + 1
    assert profile[31:].max() == 0


def test_a_dab_is_where_it_was_put_to_a_quarter_of_a_pixel():
    coverage = one_dab(60.25, 45.75, size_px=21, hardness=1).coverage.astype(float)
    ys, xs = np.mgrid[: SIZE[1], : SIZE[0]] + 0.5
    assert (coverage * xs).sum() / coverage.sum() == pytest.approx(60.25, abs=0.02)
    assert (coverage * ys).sum() / coverage.sum() == pytest.approx(45.75, abs=0.02)


def test_the_edge_of_a_hard_line_is_straight():
    stroke = Stroke((600, 240), BrushSettings(size_px=200, hardness=1))
    stroke.extend(-300, 120)
    stroke.extend(900, 120)
    height = stroke.coverage.astype(float).sum(axis=0) / 255
    assert np.ptp(height) <= 0.6


def test_opacity_and_pressure_scale_what_a_dab_covers():
    assert one_dab(opacity=0.5).coverage.max() == 128
    assert one_dab(opacity=0.5, pressure=0.5).coverage.max() == 64
    assert one_dab(pressure=0.0).coverage.max() == 0
    assert one_dab(pressure=7.0).coverage.max() == 255


def test_pressure_changes_evenly_along_a_move():
    stroke = Stroke((220, 40), BrushSettings(size_px=10, hardness=1))
    stroke.extend(10, 20, 0.0)
    stroke.extend(210, 20, 1.0)
    along = stroke.coverage[20, 10:211].astype(float)
    np.testing.assert_allclose(along, np.linspace(0, 255, 201), atol=10)


def test_a_pen_that_presses_harder_without_moving_paints_stronger():
    stroke = one_dab(pressure=0.1)
    box = stroke.extend(60, 45, 0.8)
    assert not box.is_empty
    assert stroke.coverage.max() == 204
    assert stroke.extend(60, 45, 0.3) == NOWHERE


def test_low_flow_builds_up_to_the_opacity_as_dabs_overlap():
    stroke = Stroke(SIZE, BrushSettings(size_px=40, hardness=1, opacity=0.8, flow=0.05))
    stroke.extend(40, 45)
    seen = [int(stroke.coverage[45, 60])]
    for turn in range(200):
        stroke.extend(80 if turn % 2 == 0 else 40, 45)
        seen.append(int(stroke.coverage[45, 60]))
    assert seen[0] == 0 < seen[1] < 120
    assert seen == sorted(seen)
    assert seen[-1] == 204


def test_even_the_least_flow_gets_there():
    stroke = Stroke((30, 30), BrushSettings(size_px=4, hardness=1, flow=0.01))
    for turn in range(400):
        stroke.extend(13 + 4 * (turn % 2), 15)
    assert stroke.coverage[15, 15] == 255


def test_each_move_reports_what_it_changed():
    stroke = Stroke(SIZE, BrushSettings(size_px=20))
    for x, y in [(20, 20), (50, 30), (51, 30), (50, 80)]:
        before = stroke.coverage.copy()
        box = stroke.extend(x, y)
        changed = stroke.coverage != before
        changed[box.rows_columns] = False
        assert not changed.any()
    outside = stroke.coverage.copy()
    outside[stroke.box.rows_columns] = 0
    assert not outside.any()


def test_a_stroke_outside_of_the_picture_touches_nothing():
    stroke = Stroke(SIZE, BrushSettings(size_px=20))
    assert stroke.extend(-500, -500) == NOWHERE
    assert stroke.extend(-500, 1e9) == NOWHERE
    assert stroke.extend(1e9, 1e9) == NOWHERE
    assert stroke.box == NOWHERE
    assert not stroke.coverage.any()


def test_a_stroke_that_only_crosses_the_picture_paints_there_as_slowly_told():
    fast, slow = (Stroke(SIZE, BrushSettings(size_px=20, hardness=1)) for _ in range(2))
    fast.extend(-3000, 45)
    fast.extend(3000, 45)
    for x in range(-3000, 3001, 50):
        slow.extend(x, 45)
    assert fast.coverage[45].min() == 255
    np.testing.assert_array_equal(fast.coverage, slow.coverage)


def test_a_frame_of_one_pixel_can_be_painted():
    stroke = one_dab(0.5, 0.5, size=(1, 1), size_px=2000, hardness=0)
    assert stroke.box == Box(0, 0, 1, 1)
    planes = stroke.applied(Planes.empty((1, 1)), stroke.box, "add")
    assert (planes.value.item(), planes.weight.item()) == (255, 255)


def test_places_that_are_no_numbers_are_refused():
    stroke = Stroke(SIZE, BrushSettings())
    for place in [(float("nan"), 1.0, 1.0), (1.0, float("inf"), 1.0), (1.0, 1.0, float("nan"))]:
        with pytest.raises(ValueError, match="no place"):
            stroke.extend(*place)


@pytest.mark.parametrize(
    "wrong", [{"size_px": 0}, {"size_px": 2001}, {"hardness": 1.1}, {"opacity": -0.1}, {"flow": 0}, {"flow": np.nan}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match="out of range"):
        BrushSettings(**wrong)


def test_adding_and_removing_override_the_model_and_restoring_returns_to_it():
    alpha = np.full((90, 120), 100, np.uint8)
    empty = Planes.empty(SIZE)
    stroke = one_dab(size_px=30, hardness=1)
    inside = stroke.coverage[stroke.box.rows_columns] == 255
    model = alpha[stroke.box.rows_columns]
    for paint, expected in [("add", 255), ("remove", 0), ("restore", 100)]:
        planes = stroke.applied(empty, stroke.box, paint)
        assert planes.size == stroke.box.size
        assert (corrected(model, planes)[inside] == expected).all()
    added = laid(empty, stroke.coverage, "add")
    assert not laid(added, stroke.coverage, "restore").weight[stroke.coverage == 255].any()
    assert not empty.weight.any()


def test_a_limit_keeps_dabs_to_where_they_may_paint():
    def left_half_only(dab: Dab):
        return np.where(np.arange(dab.box.x0, dab.box.x1) < 60, dab.coverage, np.uint8(0))

    stroke = Stroke(SIZE, BrushSettings(size_px=40, hardness=1), limit=left_half_only)
    stroke.extend(30, 45)
    stroke.extend(90, 45)
    assert stroke.coverage[45, 30:60].min() == 255
    assert not stroke.coverage[:, 60:].any()


def test_tall_patches_are_laid_as_short_ones():
    rng = np.random.default_rng(5)
    value, weight, coverage = (rng.integers(0, 256, (150, 9), np.uint8) for _ in range(3))
    value[weight == 0] = 0
    planes = Planes(value, weight)
    for paint in ("add", "remove", "restore"):
        whole = laid(planes, coverage, paint)
        for y in (0, 63, 64, 149):
            row = laid(planes.at(Box(0, y, 9, y + 1)), coverage[y : y + 1], paint)
            np.testing.assert_array_equal(whole.value[y], row.value[0])
            np.testing.assert_array_equal(whole.weight[y], row.weight[0])
