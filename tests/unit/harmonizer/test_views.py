import pytest
import torch

from harmonizer.training.evaluate import build_eval_set, network_outputs, per_picture_fmse
from harmonizer.training.loop import Trainer
from harmonizer.training.views import box_affine, compose, draw_batch, fill_hole, random_crop, random_regions, sample
from tests.support.training import SETTINGS, packed, with_pairs


def tensors(batch):
    views, points = batch.views, batch.points
    looks = (views.foreground, views.alpha, views.background, views.keep, views.hole)
    return (*looks, points.composite, points.truth, points.weight, batch.label, batch.real)


def drawn(pictures, pick, *, seed=2, recolourings=1, side_px=48):
    generator = torch.Generator().manual_seed(seed)
    return draw_batch(pictures, pick, side_px=side_px, generator=generator, recolourings=recolourings)


def test_regions_cover_what_they_promise():
    regions = random_regions(64, 40, generator=torch.Generator().manual_seed(1))
    share = regions.mean(dim=(1, 2, 3))
    assert float(share.min()) >= 0.04
    assert float(share.max()) <= 0.42


def test_crop_to_the_box_shows_the_box_and_nothing_else():
    mask = torch.zeros(1, 1, 40, 40)
    mask[:, :, 10:30, 4:20] = 1
    crop = sample(mask, box_affine(mask), 40)
    assert float(crop[..., 2:-2, 2:-2].min()) > 0.99
    assert float(sample(mask, box_affine(torch.zeros_like(mask)), 40).mean()) == pytest.approx(0.2, abs=0.02)


def test_composed_affines_look_through_each_other():
    picture = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.avg_pool2d(picture, 9, 1, 4)
    outer, inner = (random_crop(4, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
    twice = sample(sample(smooth, outer, 128), inner, 32)
    torch.testing.assert_close(sample(smooth, compose(outer, inner), 32), twice, atol=0.02, rtol=0.0)


def test_filled_hole_has_its_surroundings_colour_and_the_rest_is_untouched():
    keep = torch.ones(1, 1, 64, 64)
    keep[:, :, 20:40, 20:40] = 0
    colour = torch.tensor([0.8, 0.3, 0.1]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    filled = fill_hole(colour * keep, keep)
    torch.testing.assert_close(filled, colour.contiguous(), atol=0.02, rtol=0.0)
    assert torch.equal(filled * keep, colour * keep)


def test_batch_is_finite_in_range_and_masked():
    batch = drawn(packed(), torch.arange(12))
    for tensor in tensors(batch):
        assert bool(torch.isfinite(tensor).all())
        assert float(tensor.min()) >= -1e-5
        assert float(tensor.max()) <= 1.0 + 1e-5
    assert bool((batch.points.weight.sum(dim=(1, 2)) > 0).any())
    assert not torch.equal(batch.points.composite, batch.points.truth)
    assert float((batch.views.foreground * (batch.views.alpha == 0)).abs().max()) == 0.0
    assert torch.equal(batch.label.sum(dim=1), torch.ones(12))


def test_recolourings_share_scene_and_truth_but_not_colours():
    batch = drawn(packed(), torch.arange(4), recolourings=3)
    assert batch.views.foreground.shape[0] == 12
    assert batch.views.background.shape[0] == 4
    truths, composites = batch.points.truth.view(3, 4, 3, -1), batch.points.composite.view(3, 4, 3, -1)
    assert torch.equal(truths[0], truths[1])
    assert torch.equal(truths[0], truths[2])
    assert not torch.equal(composites[0], composites[1])


def test_batch_is_the_same_for_the_same_seed():
    pictures = packed(6)
    one, other = (drawn(pictures, torch.arange(6), recolourings=2) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def ratio_inside(batch):
    """Composite over truth where the truth isn't dark, median by sample."""
    points = batch.points
    return [
        float((c / t)[:, w[0] > 0.5][t[:, w[0] > 0.5] > 0.2].median())
        for c, t, w in zip(points.composite, points.truth, points.weight, strict=True)
        if bool((w > 0.5).any())
    ]


def test_half_of_a_published_pairs_samples_are_its_own_composite():
    pictures = with_pairs(packed(8), list(range(8)))
    ratios = [r for seed in range(8) for r in ratio_inside(drawn(pictures, torch.arange(8), seed=seed, recolourings=2))]
    own = sum(abs(r - 0.4) < 0.01 for r in ratios) / len(ratios)
    assert own == pytest.approx(0.5, abs=0.12)


def test_a_sample_shown_its_own_composite_has_the_real_picture_as_truth():
    pictures = packed(8)
    pictures.images[:] = (torch.arange(8).view(8, 1, 1, 1) * 10 + 120).byte()
    pictures = with_pairs(pictures, list(range(8)))
    batch = drawn(pictures, torch.arange(8))
    own = [
        i for i in range(8) if abs(float(batch.points.composite[i].min() / batch.points.truth[i].max()) - 0.4) < 0.01
    ]
    assert own
    for i in own:
        assert float(batch.points.truth[i].mean()) * 255 == pytest.approx(120 + 10 * i, abs=0.1)


def test_pictures_without_a_pair_are_never_shown_anothers():
    pictures = with_pairs(packed(8), [7])
    ratios = [r for seed in range(4) for r in ratio_inside(drawn(pictures, torch.arange(7), seed=seed))]
    assert sum(abs(r - 0.4) < 0.01 for r in ratios) / len(ratios) < 0.1


def test_evaluation_takes_a_pairs_own_composite_and_recolours_all_others():
    pictures = with_pairs(packed(6), [2, 5])
    plain, paired = build_eval_set(packed(6), seed=3), build_eval_set(pictures, seed=3)
    assert torch.equal(paired.composites[[2, 5]], pictures.composites)
    assert torch.equal(paired.composites[[0, 1, 3, 4]], plain.composites[[0, 1, 3, 4]])


def test_untrained_networks_leave_colours_about_as_they_are():
    data = build_eval_set(packed(6), seed=3, limit=4)
    networks = Trainer(SETTINGS).averaged()
    assert len(data) == 4
    for head in ("published", "fused"):
        outputs = network_outputs(networks[head], data)
        assert float((outputs.float() - data.composites.float()).abs().mean()) < 6.0
        outside = data.masks.expand_as(outputs) == 0
        assert torch.equal(outputs[outside], data.composites[outside])
    assert per_picture_fmse(data.truths, data).max() == 0.0
