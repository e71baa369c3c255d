import numpy as np
import pytest
import torch
from skimage.color import rgb2lab

from harmonizer.curves import identity_knots
from harmonizer.training.loss import (
    Discriminator,
    LossWeights,
    cascade_loss,
    generator_term,
    judge_loss,
    lab,
)
from harmonizer.training.views import Points


def knots_of(*, gain, batch=2, stages=1):
    identity = torch.from_numpy(identity_knots(stages)).float()
    return (gain * identity).expand(batch, stages, 3, -1).clone()


def points_of(composite=0.25, truth=0.5, batch=2):
    shape = (batch, 3, 10)
    return Points(torch.full(shape, composite), torch.full(shape, truth), torch.ones(batch, 1, 10))


ONLY_L1 = LossWeights(l1=1, squared=0, relative=0)


def test_a_curve_that_hits_the_truth_costs_nothing():
    weights = LossWeights(lab=1.0)
    assert float(cascade_loss(knots_of(gain=2.0), points_of(), weights)) == pytest.approx(0.0, abs=1e-5)


def test_terms_are_what_they_say():
    points, knots = points_of(), knots_of(gain=1.0)
    assert float(cascade_loss(knots, points, ONLY_L1)) == pytest.approx(3 * 0.25)
    assert float(cascade_loss(knots, points, LossWeights(0, 1, 0))) == pytest.approx(3 * 0.25**2)
    relative = float(cascade_loss(knots, points, LossWeights(0, 0, 1)))
    assert relative == pytest.approx(0.1875 / (0.1875 + 0.003))


def test_l1_counts_every_stage_and_squared_the_last():
    points = points_of(truth=0.25)
    knots = torch.cat((knots_of(gain=2.0), knots_of(gain=0.5)), dim=1)
    assert float(cascade_loss(knots, points, ONLY_L1)) == pytest.approx(3 * 0.25)
    assert float(cascade_loss(knots, points, LossWeights(0, 1, 0))) == pytest.approx(0.0, abs=1e-9)


def test_pictures_without_weight_do_not_count():
    points = points_of()
    points.truth[1] = 0.9
    points.weight[1] = 0
    assert float(cascade_loss(knots_of(gain=2.0), points, ONLY_L1)) == pytest.approx(0.0, abs=1e-6)
    points.weight[0] = 0
    assert float(cascade_loss(knots_of(gain=1.0), points, ONLY_L1)) == 0.0


def test_lab_is_cielab_over_100_with_a_gradient_even_at_black():
    rgb = np.random.default_rng(0).random((1, 200, 3))
    ours = lab(torch.from_numpy(rgb).permute(0, 2, 1)).permute(0, 2, 1).numpy()
    np.testing.assert_allclose(ours, rgb2lab(rgb) / 100, atol=2e-3)
    black = torch.zeros(1, 3, 4, requires_grad=True)
    lab(black).sum().backward()
    assert bool(torch.isfinite(black.grad).all())


def test_judge_tells_real_from_fake_and_the_generator_term_rewards_fooling_it():
    torch.manual_seed(0)
    judge = Discriminator()
    optimizer = torch.optim.RMSprop(judge.parameters(), lr=5e-6)
    real, fake = torch.rand(4, 3, 80, 80) * 0.2 + 0.8, torch.rand(4, 3, 80, 80) * 0.2
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = judge_loss(judge, fake, real)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert generator_term(judge, real).item() < generator_term(judge, fake).item()
