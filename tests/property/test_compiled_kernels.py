"""The compiled loops against their plain twins and against exact arithmetic, at any size and alpha."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain import compiled
from app.domain.cells import cell_picture, grid_for
from app.domain.compositing import blend
from app.domain.decontamination import decontaminate
from app.domain.steadiness import Remembered, steadied
from app.domain.upsampling import upsample_guided
from app.pipeline.color_tags import ColorTags, rgb_from_yuv
from app.pipeline.video_writer import FrameConverter
from app.pipeline.yuv import RgbConverter
from tests.support.shapes import soft_alpha, textured

MATTE_BOUND_LEVELS = 2
"""Sums in another order, scaled by steep local models."""

sizes = st.tuples(st.integers(1, 257), st.integers(1, 257))
seeds = st.integers(0, 2**32 - 1)
modest = settings(max_examples=40, deadline=None)


def both(function):
    """(compiled, plain) results of a call."""
    loops = compiled.kernels()
    assert loops is not None
    fast = function()
    compiled.use(None)
    try:
        return fast, function()
    finally:
        compiled.use(loops)


def exact_blend(foreground, plate, alpha, table):
    """round((a T[F] + (255 - a) P) / 255) in float64, half up; there are no halves."""
    looked_up = np.stack([table[foreground[..., c], c] for c in range(3)], axis=-1).astype(np.float64)
    weight = alpha[..., None].astype(np.float64)
    return np.floor((weight * looked_up + (255 - weight) * plate) / 255 + 0.5).astype(np.uint8)


@modest
@given(sizes, seeds, st.sampled_from(["noise", "edges", "empty", "full"]))
def test_blending_is_exact_whatever_the_size(size, seed, kind):
    rng = np.random.default_rng(seed)
    foreground, plate = rng.integers(0, 256, (2, *size, 3), np.uint8)
    alpha = {
        "noise": lambda: rng.integers(0, 256, size, np.uint8),
        "edges": lambda: (soft_alpha(size, rng) * 255).astype(np.uint8),
        "empty": lambda: np.zeros(size, np.uint8),
        "full": lambda: np.full(size, 255, np.uint8),
    }[kind]()
    table = rng.integers(0, 256, (256, 3), np.uint8)
    expected = exact_blend(foreground, plate, alpha, table)
    for result in both(lambda: blend(foreground, plate, alpha, table=table)):
        np.testing.assert_array_equal(result, expected)


def test_blending_is_exact_for_every_alpha_and_level():
    levels = np.arange(256, dtype=np.uint8)
    foreground = np.repeat(np.broadcast_to(levels[:, None], (256, 256))[..., None], 3, axis=2)
    plate = np.repeat(np.broadcast_to(levels[None, :], (256, 256))[..., None], 3, axis=2)
    table = np.repeat(levels[:, None], 3, axis=1)
    for alpha in range(256):
        weight = np.full((256, 256), alpha, np.uint8)
        np.testing.assert_array_equal(
            blend(foreground, plate, weight), exact_blend(foreground, plate, weight, table), err_msg=str(alpha)
        )


@modest
@given(sizes, seeds)
def test_blending_takes_views_with_gaps_and_writes_where_it_is_told(size, seed):
    rng = np.random.default_rng(seed)
    height, width = size
    foreground = rng.integers(0, 256, (height, width + 5, 3), np.uint8)[:, 2 : 2 + width]
    plate = rng.integers(0, 256, (height, width, 3), np.uint8)[::-1]
    alpha = (soft_alpha(size, rng) * 255).astype(np.uint8)
    plate.flags.writeable = False
    out = np.empty((height, width, 3), np.uint8)
    assert blend(foreground, plate, alpha, out=out) is out
    np.testing.assert_array_equal(out, both(lambda: blend(foreground, plate, alpha))[1])
    own = plate.copy()
    assert blend(foreground, own, alpha, out=own) is own
    np.testing.assert_array_equal(own, out)


@modest
@given(sizes, seeds)
def test_edges_are_cleaned_as_by_the_twin(size, seed):
    rng = np.random.default_rng(seed)
    pixels, alpha = textured(size, rng), (soft_alpha(size, rng) * 255).astype(np.uint8)
    fast, plain = both(lambda: decontaminate(pixels, alpha))
    seen = alpha > 0
    assert np.abs(fast.astype(int) - plain)[seen].max(initial=0) <= 1


@modest
@given(sizes, seeds)
def test_mattes_are_refined_as_by_the_twin(size, seed):
    rng = np.random.default_rng(seed)
    height, width = size
    grid = grid_for(width, height)
    pixels = textured((grid.rows * grid.cell_px, grid.columns * grid.cell_px), rng)
    coarse = soft_alpha((grid.rows, grid.columns), rng)
    picture = cell_picture(pixels, grid)
    fast, plain = both(lambda: upsample_guided(pixels, picture, coarse, grid=grid, low=0.2, high=0.8))
    assert fast.shape == plain.shape
    assert np.abs(fast.astype(int) - plain).max() <= MATTE_BOUND_LEVELS


@modest
@given(sizes, seeds, st.booleans(), st.floats(1 / 240, 0.5))
def test_time_smooths_as_by_the_twin(size, seed, moves, dt_s):
    rng = np.random.default_rng(seed)
    before, now = (Remembered(textured(size, rng), soft_alpha(size, rng)) for _ in range(2))
    flow = rng.normal(0, 3, (*size, 2)).astype(np.float32) if moves else None
    fast, plain = both(lambda: steadied(before, flow, now, dt_s=dt_s, tau_s=0.15))
    assert fast.min() >= -1e-6
    assert fast.max() <= 1 + 1e-6
    # cv2 rounds where it samples to 1/32 of a cell.
    assert np.abs(fast - plain).mean() < 0.01


@pytest.mark.usefixtures("plain_loops")
def test_the_twins_run_where_nothing_is_compiled():
    assert compiled.kernels() is None
    pixels = np.full((9, 7, 3), 40, np.uint8)
    assert (blend(pixels, pixels + 100, np.full((9, 7), 255, np.uint8)) == 40).all()


def exact_yuv(pixels, tags):
    """Y (H, W), Cb and Cr (ceil(H / 2), ceil(W / 2)) in float64: the mean of 2 x 2 pixels, the last one repeated."""
    matrix = rgb_from_yuv(tags, 8).astype(np.float64)
    codes = (pixels.astype(np.float64) - matrix[:, 3]) @ np.linalg.inv(matrix[:, :3]).T
    height, width = pixels.shape[:2]
    padded = np.pad(codes[..., 1:], ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    chroma = padded.reshape(-(-height // 2), 2, -(-width // 2), 2, 2).mean(axis=(1, 3))
    return codes[..., 0], chroma[..., 0], chroma[..., 1]


def exact_rgb(planes, tags):
    """RGB in float64 from planes: chroma bilinear between its samples, each in the middle of 2 x 2 pixels."""
    luma, *chroma = (plane.astype(np.float64) for plane in planes)
    height, width = luma.shape

    def widened(plane, count, axis):
        place = (np.arange(count) + 0.5) / 2 - 0.5
        low = np.clip(np.floor(place).astype(int), 0, plane.shape[axis] - 1)
        high = np.clip(np.floor(place).astype(int) + 1, 0, plane.shape[axis] - 1)
        part = (place - np.floor(place)).reshape((-1, 1) if axis == 0 else (1, -1))
        return np.take(plane, low, axis) * (1 - part) + np.take(plane, high, axis) * part

    full = [widened(widened(plane, height, 0), width, 1) for plane in chroma]
    matrix = rgb_from_yuv(tags, 8).astype(np.float64)
    return np.clip(np.stack([luma, *full], axis=-1) @ matrix[:, :3].T + matrix[:, 3], 0, 255)


TAGS = ColorTags("bt709", "limited", "bt709", "bt709", guessed=False)


@modest
@given(sizes, seeds)
def test_colours_for_an_encoder_are_within_half_a_level_of_exact(size, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8)
    height, width = size
    frame = FrameConverter("yuv420p").frame(pixels, "rgb24")
    assert (frame.width, frame.height) == (width, height)
    for plane, exact in zip(frame.planes, exact_yuv(pixels, TAGS), strict=True):
        codes = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: exact.shape[0], : exact.shape[1]]
        assert np.abs(codes - exact).max() <= 0.5 + 1e-3


@modest
@given(sizes, seeds, st.sampled_from(["limited", "full"]))
def test_colours_of_a_video_are_within_half_a_level_of_exact(size, seed, span):
    rng = np.random.default_rng(seed)
    height, width = size
    frame = av.VideoFrame(width, height, "yuv420p")
    planes = []
    for plane in frame.planes:
        codes = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        codes[:] = rng.integers(0, 256, codes.shape, np.uint8)
        planes.append(codes[: plane.height, : plane.width])
    tags = ColorTags("bt709", span, "bt709", "bt709", guessed=False)
    pixels = RgbConverter(tags)(frame)
    assert pixels.shape == (height, width, 3)
    assert np.abs(pixels - exact_rgb(planes, tags)).max() <= 0.5 + 1e-2
