from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app.domain.compositing import blend
from app.pipeline.offline.contents import alpha_wanted, beside, picture_of, premultiplied, straight
from app.pipeline.offline.formats import Encoding

DTYPES = [np.uint8, np.uint16]


def noise(*shape: int, dtype=np.uint8, seed: int = 0):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def soft_disc(size: int, radius: float, dtype=np.uint8):
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    cover = np.clip(radius - np.hypot(x, y), -3, 3) / 6 + 0.5
    return np.rint(np.where(cover < 1e-6, 0, cover) * np.iinfo(dtype).max).astype(dtype)


def layers(dtype, shape=(33, 47)):
    return noise(*shape, 3, dtype=dtype), noise(*shape, dtype=dtype, seed=1)


def rounded_product(foreground, alpha):
    """With Python's integers."""
    full = int(np.iinfo(foreground.dtype).max)
    product = foreground.astype(object) * alpha.astype(object)[..., None]
    return ((2 * product + full) // (2 * full)).astype(foreground.dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_premultiplied_is_the_rounded_product(dtype) -> None:
    foreground, alpha = layers(dtype)
    full = np.iinfo(dtype).max
    alpha[:5], alpha[5:7], alpha[:, -4:], foreground[8:10] = 0, full, 0, full
    assert np.array_equal(premultiplied(foreground, alpha), rounded_product(foreground, alpha))


@given(st.sampled_from(DTYPES), st.data())
@settings(max_examples=60, deadline=None)
def test_premultiplied_whatever_the_values(dtype, data) -> None:
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 5)))
    values = st.integers(0, int(np.iinfo(dtype).max))
    foreground, alpha = (
        data.draw(arrays(dtype, (*size, 3), elements=values)),
        data.draw(arrays(dtype, size, elements=values)),
    )
    assert np.array_equal(premultiplied(foreground, alpha), rounded_product(foreground, alpha))


@given(st.sampled_from(DTYPES), st.integers(0, 9), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_only_the_foregrounds_own_colours_are_in_a_straight_picture(dtype, bleed_px, seed) -> None:
    """The room, which the foreground's array still shows where alpha is 0, is of a colour the person never is."""
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 50)), int(rng.integers(1, 50)))
    full = int(np.iinfo(dtype).max)
    alpha = (rng.integers(0, full, size) * (rng.random(size) < rng.random() * 0.3)).astype(dtype)
    person = rng.integers(full // 4, full // 2, (*size, 3)).astype(dtype)
    person[alpha == 0] = full
    made = straight(person, alpha, bleed_px)
    assert made.dtype == dtype
    assert np.array_equal(made[..., 3], alpha)
    assert np.array_equal(made[alpha > 0][:, :3], person[alpha > 0])
    reached = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((2 * bleed_px + 1,) * 2, np.uint8)).astype(bool)
    empty = made[alpha == 0][:, :3]
    assert empty.max(initial=0) < full // 2, "nothing of the room"
    assert not made[~reached][:, :3].any()
    assert np.all(made[reached][:, :3] >= full // 4), "everything in reach is filled"


def test_without_bleed_what_is_empty_is_zero() -> None:
    foreground, alpha = noise(20, 30, 3), soft_disc(30, 8)[:20]
    made = picture_of(
        "foreground", "straight", source=foreground, composite=foreground, foreground=foreground, alpha=alpha
    )
    assert not made[alpha == 0].any()
    assert (alpha == 0).any()


@pytest.mark.parametrize("matrix", [cv2.COLOR_RGB2YUV_I420])
def test_bleed_keeps_black_out_of_shared_chroma(matrix) -> None:
    """An orange disc through 4:2:0: over its own edge its colour stays nearer with the bleed than without."""
    alpha = soft_disc(64, 20)
    foreground = np.empty((64, 64, 3), np.uint8)
    foreground[:] = (230, 120, 30)
    seen = (alpha > 0) & (alpha < 255)
    errors = []
    for bleed_px in (0, 4):
        colours = np.ascontiguousarray(straight(foreground, alpha, bleed_px)[..., :3])
        back = cv2.cvtColor(cv2.cvtColor(colours, matrix), cv2.COLOR_YUV2RGB_I420)
        errors.append(np.abs(back[seen].astype(int) - foreground[seen]).max())
    assert errors[1] <= 6 < 20 < errors[0]


@pytest.mark.parametrize("mode", ["straight", "premultiplied"])
def test_laid_over_a_plate_it_is_the_composite(mode) -> None:
    foreground, plate = noise(64, 64, 3), noise(64, 64, 3, seed=2)
    alpha = soft_disc(64, 22)
    composite = blend(foreground, plate, alpha)
    made = picture_of(
        "foreground", mode, source=plate, composite=composite, foreground=foreground, alpha=alpha, bleed_px=3
    ).astype(np.float64)
    cover = made[..., 3:] / 255
    over = made[..., :3] * (cover if mode == "straight" else 1) + plate * (1 - cover)
    assert np.abs(over - composite).max() <= 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_other_contents(dtype) -> None:
    foreground, alpha = layers(dtype)
    full = np.iinfo(dtype).max
    parts = {"source": noise(33, 47, 3, dtype=dtype, seed=3), "composite": noise(33, 47, 3, dtype=dtype, seed=4)}
    parts |= {"foreground": foreground, "alpha": alpha}
    assert picture_of("composite", "none", **parts) is parts["composite"]
    opaque = picture_of("composite", "straight", **parts)
    assert np.array_equal(opaque[..., :3], parts["composite"])
    assert np.all(opaque[..., 3] == full)
    assert picture_of("matte", "none", **parts) is alpha
    assert picture_of("matte", "straight", **parts) is alpha
    assert np.array_equal(picture_of("foreground", "none", **parts), rounded_product(foreground, alpha))
    both = picture_of("side-by-side", "none", **parts)
    assert np.array_equal(both[:, :47], parts["source"])
    assert np.array_equal(both[:, 47:], parts["composite"])
    assert picture_of("side-by-side", "premultiplied", **parts).shape == (33, 94, 4)
    for content in ("composite", "matte", "foreground", "side-by-side"):
        assert picture_of(content, "none", **parts).dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_alpha_of_the_other_depth(dtype) -> None:
    foreground = noise(9, 9, 3, dtype=dtype)
    alpha = noise(9, 9)
    deep = alpha.astype(np.uint16) * 257
    parts = {"source": foreground, "composite": foreground, "foreground": foreground}
    for mode in ("straight", "premultiplied"):
        one = picture_of("foreground", mode, **parts, alpha=alpha)
        assert np.array_equal(one, picture_of("foreground", mode, **parts, alpha=deep))
        assert one.dtype == dtype
    assert picture_of("matte", "none", **parts, alpha=alpha).dtype == dtype


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("source", [(90, 160), (45, 80), (120, 40), (1, 1000), (1000, 1)])
def test_a_source_of_another_size_stands_on_its_halfs_lower_edge(dtype, source) -> None:
    full = np.iinfo(dtype).max
    picture, composite = np.full((*source, 3), full, dtype), np.zeros((90, 160, 3), dtype)
    made = beside(picture, composite)
    assert made.shape == (90, 320, 3)
    left, top, width, height = cv2.boundingRect((made[..., 0] > 0).astype(np.uint8))
    scale = min(90 / source[0], 160 / source[1])
    assert (width, height) == (max(1, round(source[1] * scale)), max(1, round(source[0] * scale)))
    assert top + height == 90
    assert abs(left + width / 2 - 80) <= 0.5
    assert np.all(made[top : top + height, left : left + width] == full)


def test_formats_that_want_straight_colours_get_them() -> None:
    assert alpha_wanted(Encoding(format="exr", alpha="premultiplied")) == "straight"
    assert alpha_wanted(Encoding(format="webp", alpha="premultiplied")) == "straight"
    assert alpha_wanted(Encoding(format="exr")) == "none"
    assert alpha_wanted(Encoding(format="prores4444", alpha="premultiplied")) == "premultiplied"
