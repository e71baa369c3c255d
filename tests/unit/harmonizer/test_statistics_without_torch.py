import numpy as np
import pytest
import torch

from harmonizer import statistics, torch_statistics
from harmonizer.statistics import QUANTILE_SCALE, read_around, read_statistics

TO_WITHIN = 1 / 65280 + 1e-6
"""Half a sorting step, and rounding."""


def as_batch(array):
    return torch.from_numpy(array)[None] if array.ndim == 3 else torch.from_numpy(array)[None, None]


def masked_picture(seed, side_px):
    """Levels already times their coverage, which is soft, hard, or empty."""
    rng = np.random.default_rng(seed)
    coverage = rng.random((side_px, side_px), np.float32)
    if seed % 3:
        coverage = (coverage > (0.0, 0.3, 0.99)[seed % 3]).astype(np.float32)
    return rng.random((3, side_px, side_px), np.float32) * coverage, coverage


def blob(seed, side_px):
    """A foreground somewhere in the picture, with a soft edge."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side_px, :side_px] / side_px
    distance = np.hypot(x - rng.random(), (y - rng.random()) * (0.3 + rng.random()))
    return np.clip((rng.random() * 0.6 - distance) * 8, 0, 1).astype(np.float32)


@pytest.mark.parametrize("side_px", [31, 48, 64, 128])
@pytest.mark.parametrize("seed", range(6))
def test_quantiles_are_the_references(seed, side_px):
    levels, coverage = masked_picture(seed, side_px)
    expected = torch_statistics.colour_quantiles(as_batch(levels), as_batch(coverage))[0].numpy()
    np.testing.assert_allclose(statistics.colour_quantiles(levels, coverage), expected, rtol=0, atol=TO_WITHIN)


def test_quantiles_of_differences_of_eight_bit_levels_are_whole_steps():
    rng = np.random.default_rng(4)
    levels = rng.integers(0, 256, (3, 64, 64)).astype(np.float32) / np.float32(255)
    everywhere = np.ones((64, 64), np.float32)
    got = statistics.colour_quantiles(levels, everywhere).reshape(6, -1)[4] * 255
    np.testing.assert_allclose(got, np.rint(got), rtol=0, atol=1e-4)


def test_nothing_covered_gives_zeros():
    levels, nothing = masked_picture(1, 32)[0], np.zeros((32, 32), np.float32)
    assert not read_statistics(levels, nothing).any()
    assert not read_around(levels, nothing).any()


@pytest.mark.parametrize("side_px", [48, 64, 100, 128, 256])
@pytest.mark.parametrize("seed", range(8))
def test_ring_is_the_references(seed, side_px):
    hole = blob(seed, side_px)
    expected = torch_statistics.ring_around(as_batch(hole))[0, 0].numpy()
    np.testing.assert_allclose(statistics.ring_around(hole), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_what_the_network_reads_of_a_picture_is_what_the_reference_makes_it_read(seed):
    from harmonizer.config import NetworkConfig
    from harmonizer.fused import FusedNet

    network = FusedNet(NetworkConfig(head="fused", thumbnail_px=64)).eval()
    (levels, coverage), hole = masked_picture(seed, 64), blob(seed, 64)
    looks = network.statistics(as_batch(levels), as_batch(coverage))[0].numpy()
    around = network.around(as_batch(levels), as_batch(hole))[0].numpy()
    bound = QUANTILE_SCALE * TO_WITHIN
    np.testing.assert_allclose(read_statistics(levels, coverage), looks, rtol=0, atol=bound)
    np.testing.assert_allclose(read_around(levels, hole), around, rtol=0, atol=bound)
