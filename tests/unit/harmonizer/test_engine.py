import warnings

import numpy as np
import pytest
import torch

from harmonizer.config import NetworkConfig
from harmonizer.curves import identity_knots
from harmonizer.engine import (
    UnstableNetworkWarning,
    foreground_box,
    harmonize_composite,
    render,
)
from harmonizer.fused import FusedNet
from harmonizer.network import S2CRNet
from harmonizer.torch_engine import Harmonizer


@pytest.fixture(scope="module")
def engine():
    torch.manual_seed(0)
    return Harmonizer(S2CRNet(NetworkConfig(head="monotone", thumbnail_px=64)))


def picture(height=90, width=120, seed=0, dtype=np.uint8):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top, (height, width, 3), dtype=dtype, endpoint=True)


def disc(height=90, width=120):
    y, x = np.mgrid[:height, :width]
    return np.where((x - 60) ** 2 + (y - 45) ** 2 < 30**2, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_colours_under_the_mask_change(engine, dtype):
    composite, alpha = picture(dtype=dtype), disc()
    with torch.no_grad():
        engine.network.fusion["cr1"].fc_b_1.fc1.bias[-1] = 0.5  # a gain, so that something changes
    out = harmonize_composite(engine, composite, alpha)
    assert out.dtype == dtype
    assert np.array_equal(out[alpha == 0], composite[alpha == 0])
    assert not np.array_equal(out[alpha > 0], composite[alpha > 0])


def test_empty_mask_changes_nothing(engine):
    composite = picture()
    assert np.array_equal(harmonize_composite(engine, composite, np.zeros((90, 120), np.uint8)), composite)


def test_strength_zero_changes_nothing(engine):
    composite = picture()
    assert np.array_equal(harmonize_composite(engine, composite, disc(), strength=0.0), composite)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_nan_from_the_network_gives_the_identity_and_one_warning(poison):
    network = S2CRNet(NetworkConfig(thumbnail_px=64))
    with torch.no_grad():
        network.fusion["cr1"].fc_b_1.fc1.bias[:] = poison
    engine = Harmonizer(network)
    plate = engine.embed_plate(picture())
    with pytest.warns(UnstableNetworkWarning, match="left as they are"):
        knots = engine.estimate(picture(), disc(), plate)
    np.testing.assert_array_equal(knots, identity_knots(2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.estimate(picture(), disc(), plate)


def test_thumbnails_of_the_right_size_give_the_same_curve_as_the_full_picture(engine):
    from harmonizer.engine import thumbnail

    plate = engine.embed_plate(picture(seed=1))
    whole = engine.estimate(picture(), disc(), plate)
    small = engine.estimate(thumbnail(picture(), 64), thumbnail(disc(), 64), plate)
    np.testing.assert_array_equal(whole, small)


def test_plate_embedding_ignores_what_the_mask_covers(engine):
    plate, altered = picture(seed=2), picture(seed=2)
    altered[20:60, 30:90] ^= 255
    covered = np.zeros((90, 120), np.uint8)
    covered[10:70, 20:100] = 255
    assert not np.array_equal(engine.embed_plate(plate).vector, engine.embed_plate(altered).vector)
    assert np.array_equal(engine.embed_plate(plate, covered).vector, engine.embed_plate(altered, covered).vector)


def test_box_is_tight_and_none_for_an_empty_mask():
    alpha = np.zeros((20, 30), np.uint8)
    assert foreground_box(alpha) is None
    alpha[3:7, 10:29] = 255
    assert foreground_box(alpha) == (10, 3, 29, 7)


def test_render_is_bit_exact_for_the_identity_at_8_and_16_bits():
    for dtype in (np.uint8, np.uint16):
        pixels = picture(dtype=dtype)
        assert np.array_equal(render(pixels, identity_knots()), pixels)


def fused_engine(seed=4):
    torch.manual_seed(seed)
    network = FusedNet(NetworkConfig(head="fused", thumbnail_px=64))
    torch.nn.init.normal_(network.curve.weight, std=0.5)
    return Harmonizer(network)


def test_fused_network_sees_where_on_the_plate_somebody_stands():
    engine = fused_engine()
    plate = np.zeros((64, 64, 3), np.uint8)
    plate[:, 32:] = (255, 120, 0)
    person, alpha = np.full((40, 20, 3), 90, np.uint8), np.full((40, 20), 255, np.uint8)
    left, right = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    left[20:60, 4:14], right[20:60, 50:60] = 255, 255
    embedding = engine.embed_plate(plate)
    there, here, unsaid = (
        engine.estimate(person, alpha, embedding, standing=standing) for standing in (left, right, None)
    )
    assert np.abs(there - here).max() > 1e-3
    assert unsaid.shape == here.shape == (1, 3, 65)


def test_fused_network_that_would_move_little_leaves_the_picture_bit_exact():
    engine = fused_engine()
    torch.nn.init.normal_(engine.network.curve.weight, std=1e-4)
    picture = np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    alpha = np.zeros((48, 64), np.uint8)
    alpha[10:40, 20:50] = 255
    np.testing.assert_array_equal(harmonize_composite(engine, picture, alpha), picture)
