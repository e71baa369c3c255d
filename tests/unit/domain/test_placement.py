import math

import numpy as np
import pytest

from app.domain.placement import Placement, apply_placement

OUT = (160, 90)


def scene(width=160, height=90):
    """Foreground with an opaque 40 x 30 block standing on the lower edge, left of the middle."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    alpha = np.zeros((height, width), np.uint8)
    alpha[height - 30 :, 20:60] = 255
    return pixels, alpha


def box(alpha):
    rows, columns = np.nonzero(alpha > 127)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_nothing_to_do_is_free():
    pixels, alpha = scene()
    placed = apply_placement(pixels, alpha, Placement(), OUT)
    assert placed[0] is pixels
    assert placed[1] is alpha


def test_mirror_flips_bit_exactly():
    pixels, alpha = scene()
    mirrored, coverage = apply_placement(pixels, alpha, Placement(mirror=True), OUT)
    np.testing.assert_array_equal(mirrored, pixels[:, ::-1])
    np.testing.assert_array_equal(coverage, alpha[:, ::-1])


def test_offsets_are_fractions_of_the_output():
    pixels, alpha = scene()
    moved, coverage = apply_placement(pixels, alpha, Placement(offset_x=0.25, offset_y=-0.1), OUT)
    assert box(coverage) == (60, 51, 100, 81)
    np.testing.assert_array_equal(coverage[:81, 40:], alpha[9:, :120])
    np.testing.assert_array_equal(moved[:81, 40:], pixels[9:, :120])
    assert not coverage[:, :40].any()


def test_a_mirrored_offset_still_goes_to_the_right():
    pixels, alpha = scene()
    _, coverage = apply_placement(pixels, alpha, Placement(offset_x=0.25, mirror=True), OUT)
    assert box(coverage) == (140, 60, 160, 90)


@pytest.mark.parametrize("scale", [0.5, 0.8, 1.5])
def test_scaling_keeps_the_feet_on_the_lower_edge_and_the_middle_in_the_middle(scale):
    pixels, alpha = scene()
    _, coverage = apply_placement(pixels, alpha, Placement(scale=scale), OUT)
    left, top, right, bottom = box(coverage)
    assert bottom == 90
    assert left == pytest.approx(max(0, 80 - 60 * scale), abs=1)
    assert right == pytest.approx(80 - 20 * scale, abs=1)
    assert top == pytest.approx(90 - 30 * scale, abs=1)


@pytest.mark.parametrize("scale", [0.8, 1.5, 2.3])
def test_the_plate_never_shines_through_along_the_lower_edge(scale):
    pixels, alpha = scene()
    alpha[:] = 255
    _, coverage = apply_placement(pixels, alpha, Placement(scale=scale), OUT)
    assert (coverage[-1, 20:140] == 255).all()


def test_a_source_of_another_shape_is_shown_whole_and_stands_on_the_lower_edge():
    pixels, alpha = scene(90, 160)
    alpha[:] = 255
    _, coverage = apply_placement(pixels, alpha, Placement(), (320, 180))
    assert box(coverage) == (109, 0, 211, 180)
    _, tall = apply_placement(*scene(160, 90), Placement(), (80, 200))
    assert box(tall)[3] == 200
    assert tall.shape == (200, 80)


def test_no_dark_line_is_mixed_into_a_resampled_border():
    pixels = np.full((40, 40, 3), 200, np.uint8)
    alpha = np.full((40, 40), 255, np.uint8)
    placed, coverage = apply_placement(pixels, alpha, Placement(scale=0.77, offset_x=0.013), (40, 40))
    assert (placed[coverage > 0] == 200).all()
    assert coverage.min() == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)])
def test_one_pixel_sizes(size):
    pixels, alpha = scene()
    placed, coverage = apply_placement(pixels, alpha, Placement(scale=0.9, mirror=True), size)
    assert placed.shape == (size[1], size[0], 3)
    assert coverage.shape == (size[1], size[0])


@pytest.mark.parametrize("bad", [{"scale": 0}, {"scale": -1}, {"scale": math.nan}, {"offset_x": math.inf}])
def test_an_impossible_placement_is_refused(bad):
    with pytest.raises(ValueError, match="impossible"):
        Placement(**bad)
