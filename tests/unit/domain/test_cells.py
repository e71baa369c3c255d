import cv2
import numpy as np
import pytest

from app.domain.cells import (
    CellGrid,
    cells_where,
    grid_for,
    interpolate,
    shrink,
    shrunk_into,
    whole_cells,
    window_where,
)


@pytest.mark.parametrize(
    ("size", "cell_px", "cells"),
    [
        ((1920, 1080), 8, (240, 135)),
        ((1080, 1920), 8, (135, 240)),
        ((1280, 720), 5, (256, 144)),
        ((3840, 2160), 15, (256, 144)),
        ((641, 359), 3, (214, 120)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_frames_of_any_size_have_about_as_many_cells(size, cell_px, cells):
    grid = grid_for(*size)
    assert (grid.cell_px, grid.size) == (cell_px, cells)


def test_interpolating_many_cells_is_the_same_as_few():
    """More products than one run holds: the seams between runs must not show."""
    values = np.random.default_rng(0).random((40, 50, 6)).astype(np.float32)
    cells = cells_where(np.ones((40, 50), bool))
    got = interpolate(values, 8, cells).reshape(40, 50, 6, 8, 8).transpose(0, 3, 1, 4, 2).reshape(320, 400, 6)
    expected = np.dstack([cv2.resize(values[..., k], (400, 320)) for k in range(6)])
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_interpolating_no_cells_gives_no_values():
    none = cells_where(np.zeros((4, 5), bool))
    assert interpolate(np.zeros((4, 5, 2), np.float32), 3, none).shape == (0, 2, 9)


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_shrinking_with_every_pixel_is_the_mean_of_each_block(factor):
    picture = np.random.default_rng(1).integers(0, 256, (5 * factor, 7 * factor, 3), np.uint8)
    blocks = picture.reshape(5, factor, 7, factor, 3).mean(axis=(1, 3))
    shrunk = shrink(picture, (7, 5), every_pixel=True)
    assert np.abs(shrunk - blocks).max() <= 1.5


def test_fast_shrinking_shifts_nothing():
    ramp = np.broadcast_to(np.linspace(0, 255, 1920).astype(np.uint8), (1080, 1920))
    centres = ramp.reshape(1080, 240, 8).mean(axis=2)[::8]
    np.testing.assert_allclose(shrink(np.ascontiguousarray(ramp), (240, 135)), centres, atol=1)


def test_padding_repeats_the_border_only_where_cells_stick_out():
    grid = CellGrid(5, 4, 3)
    picture = np.arange(20, dtype=np.uint8).reshape(4, 5)
    padded = whole_cells(picture, grid)
    assert padded.shape == (6, 6)
    np.testing.assert_array_equal(padded[:4, :5], picture)
    np.testing.assert_array_equal(padded[:4, 5], picture[:, 4])
    assert whole_cells(picture, CellGrid(5, 4, 1)) is picture


def test_a_window_is_tight_widened_and_kept_inside():
    mask = np.zeros((20, 30), bool)
    mask[1, 10:14] = True
    assert window_where(mask, 3) == (slice(0, 5), slice(7, 17))
    assert window_where(np.zeros((4, 4), bool), 3) is None


@pytest.mark.parametrize(
    ("size", "room", "fitted"),
    [
        ((1280, 720), (923, 519), (923, 519)),
        ((1280, 720), (500, 900), (500, 281)),
        ((640, 480), (5000, 5000), (640, 480)),
        ((1920, 1080), (100, 100), (100, 56)),
        ((9, 4000), (50, 50), (1, 50)),
    ],
)
def test_a_picture_is_made_to_fit_with_its_aspect_and_never_enlarged(size, room, fitted):
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    small = shrunk_into(picture, room)
    assert small.shape == (fitted[1], fitted[0], 3)
    assert np.abs(small.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 4
    assert (small is picture) == (fitted == size)


def test_a_smaller_picture_is_close_to_the_true_area_average():
    picture = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (720, 1280, 3), np.uint8), (0, 0), 2)
    for room in ((923, 519), (400, 225), (200, 112)):
        small = shrunk_into(picture, room)
        exact = cv2.resize(picture, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - exact).mean() < 3
