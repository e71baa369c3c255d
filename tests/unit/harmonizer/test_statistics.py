import numpy as np
import pytest
import torch

from harmonizer.statistics import QUANTILES, STATISTICS
from harmonizer.torch_statistics import colour_quantiles, ring_around


def quantiles_of(pictures, coverage):
    return colour_quantiles(pictures, coverage).view(len(pictures), 6, len(QUANTILES))


def test_quantiles_of_a_flat_picture_are_its_signals():
    colour = torch.tensor([0.8, 0.4, 0.2]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    got = quantiles_of(colour, torch.ones(1, 1, 16, 16))
    luma = 0.299 * 0.8 + 0.587 * 0.4 + 0.114 * 0.2
    expected = torch.tensor([0.3, -0.1, -0.3, luma - 0.5, 0.4, luma - 0.2])
    torch.testing.assert_close(got[0], expected.view(6, 1).expand(6, len(QUANTILES)), atol=1e-6, rtol=0.0)


def test_quantiles_are_those_of_numpy_over_every_second_pixel_inside():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(2, 3, 32, 32, generator=generator)
    coverage = (torch.rand(2, 1, 32, 32, generator=generator) > 0.4).float()
    got = quantiles_of(pictures, coverage)
    for i in range(2):
        inside = coverage[i, 0, ::2, ::2].numpy() > 0.5
        for channel in range(3):
            values = pictures[i, channel, ::2, ::2].numpy()[inside] - 0.5
            expected = np.quantile(values, QUANTILES, method="closest_observation")
            step = np.diff(np.sort(values)).max()
            np.testing.assert_allclose(got[i, channel].numpy(), expected, atol=step + 1e-6)


def test_what_lies_outside_of_the_mask_does_not_matter():
    pictures = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    coverage = torch.zeros(1, 1, 16, 16)
    coverage[..., 4:12, 4:12] = 1
    other = torch.where(coverage > 0, pictures, 1 - pictures)
    assert torch.equal(colour_quantiles(pictures, coverage), colour_quantiles(other, coverage))


def test_nothing_covered_gives_zeros():
    got = colour_quantiles(torch.rand(2, 3, 16, 16), torch.zeros(2, 1, 16, 16))
    assert got.shape == (2, STATISTICS)
    assert float(got.abs().max()) == 0.0


@pytest.mark.parametrize("side_px", [48, 64, 128])
def test_ring_lies_within_an_eighth_around_the_foreground(side_px):
    hole = torch.zeros(1, 1, side_px, side_px)
    low, high = side_px * 3 // 8, side_px * 5 // 8
    hole[..., low:high, low:high] = 1
    ring = ring_around(hole)[0, 0]
    middle, reach = side_px // 2, side_px // 8
    assert float((ring * hole[0, 0]).max()) == 0.0
    assert float(ring[middle, low - reach + 2 : low - 1].min()) == 1.0
    assert float(ring[middle, : low - reach - side_px // 16].max()) == 0.0
    assert float(ring_around(torch.zeros(1, 1, side_px, side_px)).max()) == 0.0
