import cv2
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.alpha import fill_holes, from_u8, grow, levels, remove_specks, to_u8
from app.domain.cells import (
    CellGrid,
    cells_where,
    gather,
    grid_for,
    interpolate,
    resample,
    scatter,
    shrink,
    whole_cells,
)
from app.domain.decontamination import decontaminate
from app.domain.upsampling import upsample_guided

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
mattes = sizes.flatmap(lambda s: arrays(np.uint8, s))
modest = settings(deadline=None, max_examples=40)


@modest
@given(mattes)
def test_a_matte_survives_the_way_to_float_and_back(matte):
    np.testing.assert_array_equal(to_u8(from_u8(matte)), matte)


@modest
@given(mattes, st.floats(0, 0.6), st.floats(0.01, 0.4))
def test_levels_keep_the_order_and_the_range(matte, low, width):
    alpha = from_u8(matte)
    result = levels(alpha, low, low + width)
    assert result.min() >= 0
    assert result.max() <= 1
    order = np.argsort(alpha, axis=None, kind="stable")
    assert (np.diff(result.ravel()[order]) >= 0).all()


@modest
@given(mattes, st.floats(0, 50))
def test_cleaning_up_is_done_after_once(matte, area_px):
    alpha = from_u8(matte)
    without = remove_specks(alpha, area_px)
    np.testing.assert_array_equal(remove_specks(without, area_px), without)
    assert (without <= alpha).all()
    assert (fill_holes(alpha, area_px) >= alpha).all()


@modest
@given(mattes, st.floats(0, 5))
def test_growing_only_adds_and_shrinking_only_takes_away(matte, by_px):
    assert (grow(matte, by_px) >= matte).all()
    assert (grow(matte, -by_px) <= matte).all()


@modest
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 9), st.data())
def test_cells_gathered_and_scattered_back_are_the_picture(width, height, cell_px, data):
    grid = CellGrid(width, height, cell_px)
    picture = whole_cells(data.draw(arrays(np.uint8, (height, width, 3))), grid)
    cells = cells_where(np.ones((grid.rows, grid.columns), bool))
    copy = np.zeros_like(picture)
    scatter(copy, grid, cells, gather(picture, grid, cells))
    np.testing.assert_array_equal(copy, picture)


@modest
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 9), st.data())
def test_interpolation_of_cells_is_that_of_cv2_resize(columns, rows, cell_px, data):
    values = data.draw(arrays(np.float32, (rows, columns, 2), elements=st.floats(-4, 4, width=32)))
    grid = CellGrid(columns * cell_px, rows * cell_px, cell_px)
    cells = cells_where(np.ones((rows, columns), bool))
    samples = interpolate(values, cell_px, cells).reshape(rows, columns, 2, cell_px, cell_px)
    expected = cv2.resize(values, (grid.width, grid.height), interpolation=cv2.INTER_LINEAR)
    got = samples.transpose(0, 3, 1, 4, 2).reshape(grid.height, grid.width, 2)
    np.testing.assert_allclose(got, expected, atol=2e-3)


@modest
@given(sizes, sizes, st.integers(0, 255))
def test_resizing_keeps_a_flat_picture_flat(before, after, value):
    picture = np.full((*before, 3), value, np.uint8)
    shrunk = shrink(picture, after)
    assert shrunk.shape[1::-1] == after
    assert (shrunk == value).all()
    alpha = resample(np.full(before, value / 255, np.float32), after)
    assert alpha.shape[::-1] == after
    np.testing.assert_allclose(alpha, value / 255, atol=1e-6)


@modest
@given(mattes, st.integers(0, 255))
def test_decontamination_leaves_the_solid_foreground_alone(matte, value):
    rng = np.random.default_rng(value)
    pixels = rng.integers(0, 256, (*matte.shape, 3), np.uint8)
    result = decontaminate(pixels, matte)
    assert result.shape == pixels.shape
    np.testing.assert_array_equal(result[matte == 255], pixels[matte == 255])


@modest
@given(sizes, st.floats(0, 1), st.integers(0, 1000))
def test_a_flat_alpha_gives_a_flat_matte_on_any_picture(size, value, seed):
    height, width = size
    grid = grid_for(width, height)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    alpha = np.full((height, width), value, np.float32)
    matte = upsample_guided(pixels, pixels, alpha, grid=grid, low=0.2, high=0.8)
    expected = to_u8(levels(levels(alpha, 0.4, 0.7), 0.2, 0.8))
    settled = to_u8(levels(alpha, 0.2, 0.8))
    flat = expected if 0.2 < value < 0.8 else settled
    assert np.abs(matte.astype(int) - flat).max() <= 6
