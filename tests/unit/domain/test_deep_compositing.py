from __future__ import annotations

import numpy as np
import pytest

from app.domain.compositing import blend
from app.domain.deep_compositing import apply_deep_table, corrected, deep_blend, deep_table, deepened, screened
from app.domain.placement import Placement, apply_placement
from harmonizer.curves import fold, identity_knots, lut8

RNG = np.random.default_rng(11)


def noise(height=40, width=60):
    return RNG.integers(0, 65536, (height, width, 3)).astype(np.uint16)


def noise8(height=40, width=60):
    return RNG.integers(0, 256, (height, width, 3)).astype(np.uint8)


def coverage(height=40, width=60):
    alpha = RNG.integers(0, 256, (height, width)).astype(np.uint8)
    alpha[:10], alpha[10:20] = 0, 255
    return alpha


def test_the_blend_is_exact_for_every_alpha():
    foreground, plate, alpha = noise(), noise(), coverage()
    a = alpha.astype(object)[..., None]
    exact = a * foreground.astype(object) + (255 - a) * plate.astype(object)
    np.testing.assert_array_equal(deep_blend(foreground, plate, alpha), ((2 * exact + 255) // 510).astype(np.uint16))


def test_the_blend_does_not_overflow_at_white():
    white = np.full((1, 256, 3), 65535, np.uint16)
    every = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(deep_blend(white, white, every), white)


def test_the_blend_of_deepened_pictures_is_the_8_bit_one():
    foreground, plate, alpha = noise8(), noise8(), coverage()
    deep = deep_blend(deepened(foreground), deepened(plate), alpha)
    np.testing.assert_array_equal(np.rint(deep / 257), blend(foreground, plate, alpha))


def test_large_edges_are_blended_in_parts(monkeypatch):
    foreground, plate, alpha = noise(), noise(), coverage()
    whole = deep_blend(foreground, plate, alpha)
    monkeypatch.setattr("app.domain.deep_compositing._AT_ONCE", 100)
    np.testing.assert_array_equal(deep_blend(foreground, plate, alpha), whole)


def test_a_blend_of_unlike_shapes_is_refused():
    with pytest.raises(ValueError, match="shapes differ"):
        deep_blend(noise(), noise(30), coverage())
    with pytest.raises(ValueError, match="shapes differ"):
        corrected(noise(), noise8(30), noise8(30), coverage(30))


def test_the_table_is_the_curve_and_hits_the_8_bit_one():
    knots = identity_knots(stages=2)
    knots[0] = knots[0] ** 0.7
    knots[1, 2] = 1 - (1 - knots[1, 2]) ** 1.4
    table = deep_table(fold(knots, 4096))
    assert table.shape == (65536, 3)
    assert np.diff(table.astype(int), axis=0).min() >= 0
    at_8_bits = table[np.arange(256) * 257] / 257
    # The curve is bent within the first of 4096 pieces, where 256 entries know it no better.
    assert np.abs(at_8_bits - lut8(fold(knots))).max() <= 0.55
    np.testing.assert_array_equal(deep_table(fold(identity_knots()))[:, 1], np.arange(65536))


def test_the_table_is_looked_up_where_alpha_covers_and_nowhere_else():
    pixels, alpha = noise(), np.zeros((40, 60), np.uint8)
    table = deep_table(fold(identity_knots() ** 0.5))
    assert apply_deep_table(pixels, alpha, table) is pixels
    alpha[5:9, 7:20] = 1
    out = apply_deep_table(pixels, alpha, table)
    np.testing.assert_array_equal(out[0], pixels[0])
    for channel in range(3):
        np.testing.assert_array_equal(out[5:9, 7:20, channel], table[pixels[5:9, 7:20, channel], channel])


def test_corrections_leave_what_they_did_not_touch_at_full_depth():
    deep = noise()
    before = np.rint(deep / 257).astype(np.uint8)
    after = before.copy()
    after[:20] = noise8(20)
    alpha = coverage()
    out = corrected(deep, before, after, alpha)
    np.testing.assert_array_equal(out[20:], deep[20:])
    assert np.abs(out[:20] / 257 - after[:20]).max() <= 0.5
    assert corrected(deep, before, before, alpha) is deep
    assert corrected(deep, before, after, np.zeros_like(alpha)) is deep


def test_screened_light_only_brightens_and_stays_in_range():
    pixels, alpha, glow = noise(), coverage(), noise8()
    lit = screened(pixels, glow, alpha)
    exact = pixels + glow / 255 * (65535 - pixels.astype(float))
    assert np.abs(lit[alpha > 0] - exact[alpha > 0]).max() <= 1
    assert screened(pixels, glow, np.zeros_like(alpha)) is pixels


@pytest.mark.parametrize(
    "placement",
    [Placement(mirror=True), Placement(scale=1.3, offset_x=0.1), Placement(scale=0.5), Placement(offset_y=-0.03)],
)
def test_placement_keeps_16_bits(placement):
    smooth = np.linspace(20000, 21000, 60).astype(np.uint16)
    pixels = np.broadcast_to(smooth[None, :, None], (40, 60, 3)).copy()
    alpha = np.full((40, 60), 255, np.uint8)
    placed, own_alpha = apply_placement(pixels, alpha, placement, (60, 40))
    placed8, alpha8 = apply_placement(np.rint(pixels / 257).astype(np.uint8), alpha, placement, (60, 40))
    assert placed.dtype == np.uint16
    np.testing.assert_array_equal(own_alpha, alpha8)
    inside = own_alpha == 255
    assert np.abs(placed[inside] / 257 - placed8[inside]).max() <= 1
    assert len(np.unique(placed[inside])) > 25, "8 bits have 4 or 5 levels here"
