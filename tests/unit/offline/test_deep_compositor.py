from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.compositing import blend
from app.domain.decontamination import decontaminate
from app.domain.frame import Frame
from app.domain.placement import Placement
from app.pipeline.deep_frames import DeepDeveloper, reduced
from app.pipeline.looks import Analysed, Look
from app.pipeline.offline.deep_compositor import DeepCompositor
from app.pipeline.stages import Compositor, placed_foreground
from app.pipeline.video_info import orientation_of
from app.pipeline.video_reader import VideoReader
from harmonizer.curves import HIGH_DEPTH_LUT_ENTRIES, fold, identity_knots, lut8
from tests.support.media import write_planes

WIDTH, HEIGHT = 72, 48
GENTLE = identity_knots()
GENTLE[0, 0] = 0.06 + 0.9 * GENTLE[0, 0]
GENTLE[0, 1] = 0.94 * GENTLE[0, 1]
GENTLE[0, 2] = 0.05 + 0.95 * GENTLE[0, 2]
STEEP = identity_knots() ** 0.6


def soft_noise(rng: np.random.Generator, width: int, height: int, sigma: float = 2.0) -> np.ndarray:
    """Random picture with all levels in it, (H, W, 3) uint16."""
    picture = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), sigma)
    picture = (picture - picture.min()) / np.ptp(picture)
    return np.rint(picture * 65535).astype(np.uint16)


def blob(rng: np.random.Generator) -> np.ndarray:
    """A person-like matte: wholly 255 inside, soft at the edge, 0 around."""
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    middle = (int(rng.integers(20, 52)), int(rng.integers(22, 40)))
    cv2.ellipse(alpha, middle, (int(rng.integers(8, 24)), int(rng.integers(10, 24))), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(alpha, (0, 0), 1.5)


def scene(
    seed: int,
    *,
    curve: np.ndarray | None = None,
    clean: bool = True,
    on_8_bit_grid: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> tuple[Analysed, np.ndarray]:
    """An analysed frame and the same frame at 16 bits."""
    rng = np.random.default_rng(seed)
    deep = soft_noise(rng, WIDTH, HEIGHT)
    if on_8_bit_grid:
        deep = reduced(deep).astype(np.uint16) * 257
    pixels, alpha = reduced(deep), blob(rng)
    plate = reduced(soft_noise(rng, *size))
    foreground = decontaminate(pixels, alpha) if clean else pixels
    table = None if curve is None else lut8(fold(curve))
    return Analysed(Frame(pixels, 0, Fraction(1, 25), 0), alpha, lambda: foreground, plate, seed, table), deep


def folded(curve: np.ndarray | None) -> np.ndarray | None:
    return None if curve is None else fold(curve, HIGH_DEPTH_LUT_ENTRIES)


def difference(analysed: Analysed, deep: np.ndarray, look: Look, curve: np.ndarray | None) -> np.ndarray:
    plain = Compositor().compose(analysed, look).composite
    fine = DeepCompositor().compose(analysed, look, deep, folded(curve)).composite
    return np.abs(reduced(fine).astype(int) - plain)


PLACEMENTS = st.builds(
    Placement,
    scale=st.sampled_from([0.4, 0.7, 0.9, 1.0, 1.0, 1.3, 2.0]),
    offset_x=st.floats(-0.3, 0.3),
    offset_y=st.floats(-0.2, 0.2),
    mirror=st.booleans(),
)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    placement=PLACEMENTS,
    strength=st.sampled_from([0.0, 0.0, 0.2, 1.0]),
    curve=st.sampled_from([None, GENTLE]),
    clean=st.booleans(),
    size=st.sampled_from([(WIDTH, HEIGHT), (100, 60), (40, 90)]),
)
def test_at_8_bits_it_is_the_8_bit_composite(seed, placement, strength, curve, clean, size) -> None:
    """To one level, but for the few pixels in which the 8-bit path's roundings, up to five, add up to two."""
    analysed, deep = scene(seed, curve=curve, clean=clean, size=size)
    apart = difference(analysed, deep, Look(placement=placement, light_wrap=strength), curve)
    assert apart.max() <= 2
    assert (apart > 1).mean() < 2e-3


@pytest.mark.parametrize("wrap", [0.0, 0.7])
@pytest.mark.parametrize("curve", [None, GENTLE, STEEP])
def test_from_a_frame_of_8_bits_it_is_to_one_level_however_steep_the_curve(curve, wrap) -> None:
    """Nothing was rounded away before the curve then."""
    for seed in range(10):
        analysed, deep = scene(seed, curve=curve, clean=False, on_8_bit_grid=True)
        assert difference(analysed, deep, Look(light_wrap=wrap), curve).max() <= 1


def test_a_steep_curve_makes_of_half_a_level_as_many_as_it_is_steep() -> None:
    slope = float(np.diff(fold(STEEP)).max() * 255)
    worst = max(difference(*scene(seed, curve=STEEP), Look(), STEEP).max() for seed in range(20))
    assert worst <= 1 + slope / 2


def test_the_composite_is_the_formula_at_16_bits() -> None:
    analysed, deep = scene(7, curve=STEEP, clean=False)
    made = DeepCompositor().compose(analysed, Look(), deep, folded(STEEP))
    inputs = np.linspace(0, 1, HIGH_DEPTH_LUT_ENTRIES)
    curve = folded(STEEP)
    matched = np.stack([np.interp(deep[..., c] / 65535, inputs, curve[c]) for c in range(3)], -1) * 65535
    share = analysed.alpha[..., None] / 255
    exact = share * matched + (1 - share) * analysed.plate.astype(float) * 257
    assert np.abs(made.composite - exact).max() <= 1.01
    assert np.abs(made.foreground - matched)[analysed.alpha > 0].max() <= 0.51


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), placement=PLACEMENTS, strength=st.sampled_from([0.0, 0.5]))
def test_the_foreground_over_the_plate_is_the_composite(seed, placement, strength) -> None:
    analysed, deep = scene(seed, curve=GENTLE)
    look = Look(placement=placement, light_wrap=strength)
    made = DeepCompositor().compose(analysed, look, deep, folded(GENTLE))
    a = made.alpha[..., None].astype(float)
    over = (a * made.foreground + (255 - a) * analysed.plate.astype(float) * 257) / 255
    assert np.abs(made.composite - over).max() <= 0.5

    pixels, alpha = placed_foreground(analysed, look)
    np.testing.assert_array_equal(alpha, made.alpha)
    np.testing.assert_array_equal(blend(pixels, analysed.plate, alpha), Compositor().compose(analysed, look).composite)
    apart = np.abs(reduced(made.foreground).astype(int) - pixels)[alpha > 0]
    assert apart.max(initial=0) <= (3 if strength else 2)
    assert (apart > 1).sum() < 0.01 * max(1000, apart.size)


def test_a_plate_of_16_bits_is_used_as_it_is() -> None:
    analysed, deep = scene(3)
    plate = soft_noise(np.random.default_rng(9), WIDTH, HEIGHT)
    made = DeepCompositor().compose(analysed, Look(), deep, None, plate=plate)
    outside = made.alpha == 0
    assert outside.any()
    np.testing.assert_array_equal(made.composite[outside], plate[outside])


def test_nobody_there_leaves_the_plate() -> None:
    analysed, deep = scene(3)
    empty = Analysed(analysed.frame, np.zeros_like(analysed.alpha), analysed.clean, analysed.plate, 1, None)
    made = DeepCompositor().compose(empty, Look(light_wrap=0.5), deep, folded(GENTLE))
    np.testing.assert_array_equal(made.composite, analysed.plate.astype(np.uint16) * 257)


def test_another_plate_is_not_mistaken_for_the_last_one() -> None:
    compositor, look = DeepCompositor(), Look(light_wrap=0.5)
    for seed in (1, 2, 1):
        analysed, deep = scene(seed)
        again = DeepCompositor().compose(analysed, look, deep, None)
        np.testing.assert_array_equal(compositor.compose(analysed, look, deep, None).composite, again.composite)


def test_a_frame_of_another_size_is_refused() -> None:
    analysed, deep = scene(1)
    with pytest.raises(ValueError, match="shapes differ"):
        DeepCompositor().compose(analysed, Look(), deep[:-2], None)


def test_a_10_bit_gradient_keeps_every_level_through_curve_and_composite(tmp_path: Path) -> None:
    codes = np.arange(200, 800)
    luma = np.tile(codes.astype(np.uint16), (16, 1))
    chroma = np.full((8, 300), 512, np.uint16)
    tags = {"colorspace": 1, "color_range": 1, "color_trc": 1, "color_primaries": 1}
    clip = write_planes(tmp_path / "ramp.mkv", [luma, chroma, chroma], pix_fmt="yuv420p10le", **tags)
    with VideoReader(clip) as reader:
        info, frame = reader.info, next(reader)
    with av.open(str(clip)) as source:
        first = next(source.decode(video=0))
        deep = DeepDeveloper(info)(first, orientation_of(first))
    # Nowhere flatter than 1, so that no two levels of the input may become one.
    knots = identity_knots()
    knots[0] = np.clip(knots[0] * 1.15 - 0.05, 0, 1)
    alpha = np.full((16, 600), 255, np.uint8)
    alpha[:, :30] = np.linspace(0, 254, 30)
    alpha[:4] = 0
    clean = decontaminate(frame.pixels, alpha)
    assert clean is not frame.pixels
    plate = np.full((16, 600, 3), 90, np.uint8)
    analysed = Analysed(frame, alpha, lambda: clean, plate, 0, lut8(fold(knots)))
    made = DeepCompositor().compose(analysed, Look(), deep, folded(knots))
    inside = np.rint(made.composite[12, 60:, 1] / 65535 * 876).astype(int)
    assert np.all(np.diff(inside) >= 1), "every 10-bit level of the source is one of its own"
    assert len(np.unique(inside)) == 540
    eight = Compositor().compose(analysed, Look()).composite[12, 60:, 1]
    assert len(np.unique(eight)) < 200, "which 8 bits can't give"
