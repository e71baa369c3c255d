import numpy as np
import pytest

from app.domain.mask.brush import BrushSettings, Stroke
from app.domain.mask.smart_brush import ColourLimit

SIZE = (240, 180)
SHIRT, WALL = (40, 70, 150), (190, 180, 160)


def picture(noise=3.0, shirt=SHIRT):
    """A shirt on the left, up to x = 120, a wall on the right; an island of shirt at 200, 90."""
    pixels = np.full((180, 240, 3), WALL, float)
    pixels[:, :120] = shirt
    pixels[80:100, 190:210] = shirt
    pixels += np.random.default_rng(4).normal(0, noise, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def stroke_over(pixels, places, tolerance=0.5, **settings):
    size = pixels.shape[1], pixels.shape[0]
    stroke = Stroke(
        size,
        BrushSettings(**{"size_px": 100, "hardness": 1.0} | settings),
        limit=ColourLimit(pixels, tolerance=tolerance),
    )
    for place in places:
        stroke.extend(*place)
    return stroke.coverage


def test_paint_stops_at_the_edge_of_the_colour():
    coverage = stroke_over(picture(), [(90, 90)])
    assert coverage[70:110, 60:117].mean() > 250
    assert not coverage[:, 124:].any()


@pytest.mark.parametrize("tolerance", [0.0, 0.5, 1.0])
def test_noise_does_not_stop_it(tolerance):
    assert stroke_over(picture(noise=4), [(60, 90)], tolerance)[70:110, 40:80].mean() > 240


def test_paint_does_not_jump_to_an_island_of_the_same_colour():
    coverage = stroke_over(picture(), [(100, 90)], size_px=220)
    assert coverage[90, 100] == 255
    assert not coverage[80:100, 190:210].any()


def test_where_the_hand_strays_nothing_is_painted():
    coverage = stroke_over(picture(), [(80, 40), (80, 140), (170, 140), (170, 40)], size_px=60)
    assert coverage[30:150, 70:100].mean() > 250
    assert not coverage[:, 124:].any()


def test_shading_along_a_sleeve_is_followed():
    pixels = picture()
    shade = np.linspace(0.7, 1.5, 180)[:, None, None]
    pixels[:, :120] = np.clip(pixels[:, :120] * shade, 0, 255).astype(np.uint8)
    coverage = stroke_over(pixels, [(70, 10), (70, 170)], size_px=40)
    assert coverage[20:160, 60:80].mean() > 235
    assert not coverage[:, 124:].any()


def test_it_never_covers_more_than_the_plain_brush():
    settings = BrushSettings(size_px=90, hardness=0.2, opacity=0.6)
    plain, smart = Stroke(SIZE, settings), Stroke(SIZE, settings, limit=ColourLimit(picture()))
    for place in [(20, 20), (110, 95), (-10, 170)]:
        plain.extend(*place)
        smart.extend(*place)
    assert (smart.coverage <= plain.coverage).all()
    assert smart.coverage.any()


def test_large_dabs_are_limited_too():
    pixels = np.kron(picture(noise=0), np.ones((4, 4, 1), np.uint8))
    coverage = stroke_over(pixels, [(360, 360)], size_px=700)
    assert coverage[360, 100:470].min() == 255
    assert not coverage[:, 500:].any()


def test_borders_and_the_smallest_frames_are_no_trouble():
    assert stroke_over(picture(), [(-60, 90), (-5, 90), (5, 90)])[90, 20] == 255
    assert stroke_over(np.full((1, 1, 3), 90, np.uint8), [(0.5, 0.5)]).item() == 255
    assert stroke_over(np.full((1, 30, 3), 90, np.uint8), [(15, 0)]).max() == 255


def test_a_tolerance_out_of_range_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        ColourLimit(picture(), tolerance=1.5)
