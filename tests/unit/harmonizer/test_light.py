import pytest
import torch

from harmonizer.training.light import borrow_statistics, linear_to_srgb, random_look, recolour, relight, srgb_to_linear


def test_srgb_round_trip():
    levels = torch.linspace(0, 1, 256)
    torch.testing.assert_close(linear_to_srgb(srgb_to_linear(levels)), levels, atol=1e-5, rtol=1e-5)


def test_recolouring_is_strong_mild_and_sometimes_none():
    generator = torch.Generator().manual_seed(0)
    light = torch.rand(400, 3, 8, 8, generator=generator)
    changed = recolour(light, torch.ones(400, 1, 8, 8), generator=generator)
    assert bool(torch.isfinite(changed).all())
    assert float(changed.min()) >= 0.0
    assert float(changed.max()) <= 1.0
    moved = (changed - linear_to_srgb(light)).abs().mean(dim=(1, 2, 3))
    assert float((moved < 1e-6).float().mean()) == pytest.approx(0.06, abs=0.04)
    assert float((moved > 0.2).float().mean()) > 0.02


def test_recolouring_is_the_same_for_the_same_seed():
    light = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(6, 1, 8, 8)
    one, other = (recolour(light, mask, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(one, other)


def test_relighting_without_strength_changes_no_mid_tone_much():
    light = torch.full((50, 3, 4, 4), 0.18)
    out = relight(light, strength=0.0, generator=torch.Generator().manual_seed(2))
    assert float((out - light).abs().max()) < 0.18


def test_a_random_look_leaves_black_about_black():
    out = random_look(torch.zeros(40, 3, 2, 2), generator=torch.Generator().manual_seed(3))
    assert float(out.max()) <= 0.15


def test_borrowed_statistics_move_the_mean_towards_another_picture():
    levels = torch.cat((torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 8, 8), 0.8)))
    levels = levels + 0.02 * torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(4))
    out = borrow_statistics(levels, torch.ones(2, 1, 8, 8), generator=torch.Generator().manual_seed(4))
    assert float(out[0].mean()) > float(levels[0].mean()) + 0.05
    assert float(out[1].mean()) < float(levels[1].mean()) - 0.05
    alone = levels[:1]
    assert torch.equal(borrow_statistics(alone, torch.ones(1, 1, 8, 8), generator=torch.Generator()), alone)
