from dataclasses import replace

import numpy as np
import pytest

from app.domain.mask.planes import Box, Planes, corrected, everywhere
from app.domain.mask.views import (
    ADDED_RGB,
    REMOVED_RGB,
    Layers,
    MaskView,
    ViewOptions,
    final_alpha,
    outline_reach_px,
    outlined,
    shown_view,
    view_pixels,
)

SIZE = (61, 47)
EVERYWHERE = everywhere(SIZE)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(level):
    return np.full(SIZE[::-1], level, np.uint8)


@pytest.fixture
def layers():
    height, width = SIZE[::-1]
    pixels, foreground, plate = (noise(height, width, 3, seed=seed) for seed in range(3))
    return Layers(pixels, noise(height, width, seed=3), foreground, plate, noise(256, 3, seed=4))


@pytest.fixture
def planes():
    """Corrected in a box only, as a stroke leaves it."""
    planes = Planes.empty(SIZE)
    planes.value[10:30, 5:40], planes.weight[10:30, 5:40] = noise(20, 35, seed=5), noise(20, 35, seed=6) | 1
    return planes


@pytest.mark.parametrize("view", MaskView)
@pytest.mark.parametrize("box", [Box(0, 0, 1, 1), Box(7, 9, 38, 31), Box(60, 46, 61, 47), Box(0, 20, 61, 21)])
def test_a_part_is_the_same_as_cut_from_the_whole(layers, planes, view, box):
    options = ViewOptions(check_px=4)
    whole = view_pixels(view, layers, planes, EVERYWHERE, options=options)

    part = view_pixels(view, layers, planes, box, options=options)

    assert np.array_equal(part, whole[box.rows_columns])
    assert (part.dtype, part.shape) == (np.uint8, (*box.size[::-1], 3))


@pytest.mark.parametrize("view", MaskView)
def test_a_view_changes_none_of_its_layers(layers, planes, view):
    arrays = (layers.pixels, layers.alpha, layers.foreground, layers.plate, planes.value, planes.weight)
    before = [array.copy() for array in arrays]

    view_pixels(view, layers, planes, EVERYWHERE)

    assert all(np.array_equal(array, old) for array, old in zip(arrays, before, strict=True))


def test_the_compiled_loops_and_their_twins_show_the_same(layers, planes, request):
    compiled = [view_pixels(view, layers, planes, EVERYWHERE) for view in MaskView]
    request.getfixturevalue("plain_loops")

    plain = [view_pixels(view, layers, planes, EVERYWHERE) for view in MaskView]

    assert all(np.array_equal(one, other) for one, other in zip(compiled, plain, strict=True))


def test_the_final_alpha_is_the_corrected_one(layers, planes):
    assert np.array_equal(final_alpha(layers.alpha, planes), corrected(layers.alpha, planes))


def test_rubylith_covers_what_is_replaced_and_leaves_the_rest(layers, planes):
    alpha = flat(0)
    alpha[:, 30:] = 255
    layers = replace(layers, alpha=alpha)

    shown = view_pixels(
        MaskView.RUBYLITH, layers, Planes.empty(SIZE), EVERYWHERE, options=ViewOptions(tint=(10, 20, 30), opacity=1.0)
    )

    assert np.array_equal(shown[:, 30:], layers.pixels[:, 30:])
    assert (shown[:, :30] == (10, 20, 30)).all()


def test_rubylith_can_cover_what_stays(layers):
    alpha = flat(0)
    alpha[:, 30:] = 255
    layers = replace(layers, alpha=alpha)
    options = ViewOptions(tint=(0, 255, 0), opacity=0.5, tints_inside=True)

    shown = view_pixels(MaskView.RUBYLITH, layers, Planes.empty(SIZE), EVERYWHERE, options=options)

    assert np.array_equal(shown[:, :30], layers.pixels[:, :30])
    assert np.abs(shown[:, 30:].astype(int) - (layers.pixels[:, 30:] // 2 + np.array((0, 127, 0)))).max() <= 2


def test_pasted_shows_foreground_over_plate_by_the_hands_alpha(layers):
    planes = Planes.empty(SIZE)
    planes.weight[:] = 255
    planes.value[:, 30:] = 255

    shown = view_pixels(MaskView.PASTED, layers, planes, EVERYWHERE)

    assert np.array_equal(shown[:, :30], layers.plate[:, :30])
    assert np.array_equal(shown[:, 30:], layers.foreground[:, 30:])


def test_without_clean_edges_the_frame_itself_is_pasted(layers):
    layers = replace(layers, foreground=None, alpha=flat(255))

    assert np.array_equal(view_pixels(MaskView.PASTED, layers, Planes.empty(SIZE), EVERYWHERE), layers.pixels)


def test_matched_looks_the_foreground_up_and_leaves_the_plate(layers):
    alpha = flat(0)
    alpha[:, 30:] = 255
    layers = replace(layers, alpha=alpha)

    shown = view_pixels(MaskView.MATCHED, layers, Planes.empty(SIZE), EVERYWHERE)

    assert np.array_equal(shown[:, :30], layers.plate[:, :30])
    for channel in range(3):
        expected = layers.table[layers.foreground[:, 30:, channel], channel]
        assert np.array_equal(shown[:, 30:, channel], expected)


def test_matte_is_the_final_alpha_as_grey(layers, planes):
    shown = view_pixels(MaskView.MATTE, layers, planes, EVERYWHERE)

    assert all(np.array_equal(shown[..., channel], final_alpha(layers.alpha, planes)) for channel in range(3))


def test_the_checkerboard_has_two_greys_in_squares(layers):
    layers = replace(layers, alpha=flat(0))

    shown = view_pixels(MaskView.CHECKERBOARD, layers, Planes.empty(SIZE), EVERYWHERE, options=ViewOptions(check_px=8))

    assert len(np.unique(shown)) == 2
    assert (shown[:8, :8] == shown[0, 0]).all()
    assert (shown[:8, 8:16] != shown[0, 0]).all()
    assert np.array_equal(shown[8:16, 8:16], shown[:8, :8])


def test_difference_colours_what_was_added_and_what_was_taken_and_greys_the_rest(layers):
    planes = Planes.empty(SIZE)
    planes.weight[:, :40], planes.value[:, :20] = 255, 255
    alpha = flat(0)
    alpha[:, 20:] = 255

    shown = view_pixels(MaskView.DIFFERENCE, replace(layers, alpha=alpha), planes, EVERYWHERE)

    assert (shown[:, :20] == ADDED_RGB).all()
    assert (shown[:, 20:40] == REMOVED_RGB).all()
    rest = shown[:, 40:]
    assert (rest[..., 0] == rest[..., 1]).all()
    assert (rest[..., 1] == rest[..., 2]).all()


@pytest.mark.parametrize(
    ("view", "missing"), [(MaskView.PASTED, "plate"), (MaskView.MATCHED, "plate"), (MaskView.MATCHED, "table")]
)
def test_a_view_without_its_layer_is_shown_as_rubylith(layers, planes, view, missing):
    layers = replace(layers, **{missing: None})

    assert shown_view(view, layers) is MaskView.RUBYLITH
    assert np.array_equal(
        view_pixels(view, layers, planes, EVERYWHERE), view_pixels(MaskView.RUBYLITH, layers, planes, EVERYWHERE)
    )


def test_every_other_view_is_shown_as_itself(layers):
    assert [shown_view(view, layers) for view in MaskView] == list(MaskView)


def test_an_outline_runs_around_what_is_more_than_half():
    alpha = np.zeros((30, 30), np.uint8)
    alpha[10:20, 10:20] = 128
    picture = np.full((30, 30, 3), 90, np.uint8)

    shown = outlined(picture, alpha, rgb=(255, 0, 0), width_px=2)

    is_red = (shown == (255, 0, 0)).all(axis=2)
    assert is_red[8:10, 8:22].all()
    assert is_red[10:20, 8:10].all()
    assert is_red.sum() == 14 * 14 - 10 * 10
    assert (shown[10:20, 10:20] == 90).all()
    assert (shown[7, 10] < 90).all()
    assert (shown[: 10 - outline_reach_px(2)] == 90).all()


def test_nothing_is_drawn_around_nothing():
    picture = noise(20, 20, 3)

    assert outlined(picture, np.full((20, 20), 127, np.uint8), rgb=(255, 0, 0), width_px=2) is picture
    assert outlined(picture, np.full((20, 20), 255, np.uint8), rgb=(255, 0, 0), width_px=2) is picture


def test_planes_of_another_size_are_refused(layers):
    with pytest.raises(ValueError, match="planes of"):
        view_pixels(MaskView.MATTE, layers, Planes.empty((8, 8)), EVERYWHERE)


def test_every_view_has_a_name_and_a_sentence():
    assert len({view.label for view in MaskView}) == len(MaskView)
    assert len({view.hint for view in MaskView}) == len(MaskView)
