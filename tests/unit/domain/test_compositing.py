import numpy as np
import pytest

from app.domain.compositing import blend, blur_plate, fit_plate, solid_plate
from app.domain.light_wrap import light_wrap, wrap_light

RED, BLUE = (255, 0, 0), (0, 0, 255)


def checker(width, height, *, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def exact_blend(foreground, plate, alpha):
    weight = alpha.astype(np.float64)[..., None] / 255
    return np.floor(weight * foreground + (1 - weight) * plate + 0.5)


def test_blend_is_exact_for_every_foreground_plate_and_alpha_value():
    # 256 x 65536 pixels of one channel each cover all 2^24 combinations.
    plate_value, alpha = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    plate = np.dstack([plate_value] * 3)
    for first in range(0, 256, 3):
        channels = [min(first + step, 255) for step in range(3)]
        foreground = solid_plate((256, 256), tuple(channels))
        numerator = alpha[..., None].astype(np.int64) * foreground + (255 - alpha[..., None].astype(np.int64)) * plate
        expected = (2 * numerator + 255) // 510
        np.testing.assert_array_equal(blend(foreground, plate, alpha), expected)


def test_blend_leaves_the_plate_bit_exact_where_alpha_is_zero_and_the_foreground_where_it_is_full():
    foreground, plate = checker(37, 29), checker(37, 29, seed=1)
    alpha = np.zeros((29, 37), np.uint8)
    alpha[5:20, 7:30] = 255
    alpha[5, 7:30] = 101
    composite = blend(foreground, plate, alpha)
    np.testing.assert_array_equal(composite[alpha == 0], plate[alpha == 0])
    np.testing.assert_array_equal(composite[alpha == 255], foreground[alpha == 255])
    np.testing.assert_array_equal(composite, exact_blend(foreground, plate, alpha))


def test_blend_of_nothing_is_a_copy_of_the_plate_not_the_plate():
    plate = checker(8, 6)
    composite = blend(checker(8, 6, seed=1), plate, np.zeros((6, 8), np.uint8))
    np.testing.assert_array_equal(composite, plate)
    assert not np.shares_memory(composite, plate)


def test_blend_reads_frozen_inputs_and_writes_into_out_even_when_that_is_the_plate():
    foreground, plate = checker(9, 7), checker(9, 7, seed=1)
    alpha = checker(9, 7, seed=2)[..., 0].copy()
    expected = exact_blend(foreground, plate, alpha)
    foreground.setflags(write=False)
    alpha.setflags(write=False)
    assert blend(foreground, plate, alpha, out=plate) is plate
    np.testing.assert_array_equal(plate, expected)


@pytest.mark.parametrize(("foreground_size", "alpha_size"), [((8, 7), (9, 7)), ((9, 7), (8, 7))])
def test_blend_refuses_shapes_that_differ(foreground_size, alpha_size):
    with pytest.raises(ValueError, match="shapes differ"):
        blend(checker(*foreground_size), checker(9, 7), np.zeros(alpha_size[::-1], np.uint8))


@pytest.mark.parametrize("mode", ["cover", "contain", "stretch"])
def test_fit_returns_a_plate_of_the_right_size_itself(mode):
    plate = checker(16, 9)
    assert np.shares_memory(fit_plate(plate, (16, 9), mode), plate)


def thirds():
    """Red, green and blue vertical stripes: 90 x 30."""
    plate = np.zeros((30, 90, 3), np.uint8)
    for channel in range(3):
        plate[:, 30 * channel : 30 * channel + 30, channel] = 255
    return plate


def test_cover_crops_the_sides_evenly():
    fitted = fit_plate(thirds(), (60, 60), "cover")
    np.testing.assert_array_equal(fitted[:, :], np.broadcast_to((0, 255, 0), (60, 60, 3)))


def test_contain_shows_everything_centred_on_the_fill_colour():
    fitted = fit_plate(thirds(), (90, 60), "contain", fill=(1, 2, 3))
    np.testing.assert_array_equal(fitted[15:45], thirds())
    assert (fitted[:15] == (1, 2, 3)).all()
    assert (fitted[45:] == (1, 2, 3)).all()


def test_stretch_keeps_every_stripe_in_proportion():
    fitted = fit_plate(thirds(), (45, 200), "stretch")
    for channel in range(3):
        assert (fitted[:, 15 * channel + 2 : 15 * channel + 13, channel] > 250).all()


def test_shrinking_averages_rather_than_skips():
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 200
    fitted = fit_plate(stripes, (8, 8), "stretch")
    assert (np.abs(fitted.astype(int) - 100) <= 1).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (33, 17)])
@pytest.mark.parametrize("source", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
@pytest.mark.parametrize("mode", ["cover", "contain", "stretch"])
def test_one_pixel_and_extreme_shapes_still_give_the_exact_size(mode, source, size):
    assert fit_plate(checker(*source), size, mode).shape == (size[1], size[0], 3)


def test_fit_refuses_what_has_no_meaning():
    with pytest.raises(ValueError, match="cannot fit"):
        fit_plate(checker(4, 4), (0, 4))
    with pytest.raises(ValueError, match="unknown fit mode"):
        fit_plate(checker(4, 4), (5, 4), "squeeze")


def test_blur_keeps_a_flat_colour_and_spreads_a_point():
    flat = solid_plate((50, 40), (12, 200, 99))
    np.testing.assert_array_equal(blur_plate(flat, 30), flat)
    assert blur_plate(flat, 0) is flat
    point = solid_plate((65, 65), (0, 0, 0))
    point[32, 32] = 255
    spread = blur_plate(point, 8).astype(int)
    assert spread[32, 32, 0] < 10
    assert spread[32, 28, 0] == pytest.approx(spread[32, 36, 0], abs=1) == pytest.approx(spread[28, 32, 0], abs=1)


def test_what_is_hidden_from_the_blur_leaves_no_trace_in_it():
    frame = solid_plate((200, 120), BLUE)
    hide = np.zeros((120, 200), np.uint8)
    hide[30:, 80:120] = 255
    frame[hide > 0] = RED
    plain, clean = blur_plate(frame, 24), blur_plate(frame, 24, hide=hide)
    assert plain[80, 70, 0] > 40
    assert clean[..., 0].max() <= 2
    assert clean[..., 2].min() >= 253


def test_a_blur_with_everything_hidden_still_gives_a_picture():
    frame = checker(40, 30)
    assert blur_plate(frame, 10, hide=np.full((30, 40), 255, np.uint8)).shape == frame.shape


def wrapped_disc(*, strength, plate_rgb=(255, 255, 255)):
    size, radius_px = (120, 120), 16
    y, x = np.mgrid[:120, :120]
    alpha = np.where((x - 60) ** 2 + (y - 60) ** 2 < 45**2, 255, 0).astype(np.uint8)
    foreground = solid_plate(size, (80, 80, 80))
    light = wrap_light(solid_plate(size, plate_rgb), radius_px)
    return foreground, light_wrap(foreground, alpha, light, strength=strength, radius_px=radius_px)


def test_light_wraps_round_the_edge_and_leaves_the_middle_alone():
    _, wrapped = wrapped_disc(strength=0.5)
    assert wrapped[60, 60, 0] == 80
    assert wrapped[60, 17, 0] > 140
    profile = wrapped[60, 17:60, 0].astype(int)
    assert (np.diff(profile) <= 1).all()


def test_light_wrap_only_ever_brightens_and_black_changes_nothing():
    foreground, dark = wrapped_disc(strength=1.0, plate_rgb=(0, 0, 0))
    np.testing.assert_array_equal(dark, foreground)
    _, bright = wrapped_disc(strength=1.0, plate_rgb=(30, 200, 60))
    assert (bright >= foreground).all()


def test_no_strength_and_no_person_return_the_foreground_itself():
    foreground, wrapped = wrapped_disc(strength=0.0)
    assert wrapped is foreground
    empty = np.zeros(foreground.shape[:2], np.uint8)
    assert light_wrap(foreground, empty, wrap_light(foreground, 9), strength=1.0, radius_px=9) is foreground


def test_light_wrap_refuses_a_strength_outside_its_range():
    with pytest.raises(ValueError, match="strength"):
        wrapped_disc(strength=1.5)
