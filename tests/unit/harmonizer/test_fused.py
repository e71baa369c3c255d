import pytest
import torch

from harmonizer.config import CLASSES, NetworkConfig, SemanticClass, one_hot
from harmonizer.curves import identity_knots
from harmonizer.fused import (
    ALONE_BELOW,
    AROUND,
    WHOLE_FROM,
    FusedNet,
    masked_mean,
    move_of,
    quantile_weights,
    settled,
)
from harmonizer.network import build_network, curves_of
from harmonizer.torch_curves import apply_curve
from harmonizer.training.views import views_of
from harmonizer.weights import load_network, save_network
from tests.support.training import packed

CONFIG = NetworkConfig(head="fused", thumbnail_px=48)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return build_network(CONFIG).eval()


def views(count=3):
    pictures = packed(count)
    return views_of(pictures.images.float() / 255, (pictures.masks > 127).float(), 48)


def embedded(network, batch=2):
    shown = views(batch)
    foreground = network.embed(shown.foreground, shown.alpha)
    return foreground, network.embed(shown.background, shown.keep), network.around(shown.background, shown.hole)


@torch.inference_mode()
def test_shapes_are_those_the_docstrings_promise(network):
    foreground, background, around = embedded(network)
    assert isinstance(network, FusedNet)
    assert foreground.shape == background.shape == (2, 512 + 67)
    assert around.shape == (2, AROUND)
    assert network.knots(foreground, background, None, around).shape == (2, 1, 3, 65)
    knots = network.read(foreground, background, torch.from_numpy(one_hot(SemanticClass.PERSON, 2)), around)
    assert knots.shape == (2, 1, 3, 65)
    assert move_of(knots, foreground[:, 512:]).shape == (2,)


@torch.inference_mode()
def test_curves_never_fall(network):
    foreground, background, around = (50 * torch.randn_like(t) for t in embedded(network, 8))
    knots = network.read(foreground, background, None, around)
    assert float(knots.diff(dim=-1).min()) >= 0.0
    assert bool(torch.isfinite(knots).all())


@torch.inference_mode()
def test_no_class_is_the_class_other(network):
    foreground, background, around = embedded(network)
    other = network.read(foreground, background, torch.from_numpy(one_hot(SemanticClass.OTHER, 2)), around)
    none = network.read(foreground, background, None, around)
    person = network.read(foreground, background, torch.from_numpy(one_hot(SemanticClass.PERSON, 2)), around)
    assert torch.equal(none, other)
    assert not torch.equal(person, other)
    assert CLASSES == 5


@torch.inference_mode()
def test_curves_depend_on_every_look(network):
    inputs = embedded(network)
    knots = network.read(*inputs[:2], None, inputs[2])
    for i in range(3):
        changed = [t.flip(0) if i == j else t for j, t in enumerate(inputs)]
        assert not torch.equal(network.read(*changed[:2], None, changed[2]), knots)


@torch.inference_mode()
def test_pixels_outside_of_the_mask_are_not_looked_at_by_the_average():
    features = torch.rand(2, 5, 4, 4, generator=torch.Generator().manual_seed(0))
    cells = torch.zeros(2, 1, 4, 4)
    cells[..., :2, :2] = 1
    torch.testing.assert_close(masked_mean(features, cells), features[..., :2, :2].mean(dim=(2, 3)))
    assert float(masked_mean(features, torch.zeros(2, 1, 4, 4)).abs().max()) == 0.0


def test_small_corrections_are_left_out_and_large_ones_whole():
    identity = torch.from_numpy(identity_knots()).float()
    knots = (0.5 * identity).expand(5, 1, 3, -1)
    middle = (ALONE_BELOW + WHOLE_FROM) / 2
    out = settled(knots, torch.tensor([0.0, ALONE_BELOW, middle, WHOLE_FROM, 1.0]))[:, 0, 0, -1]
    torch.testing.assert_close(out, torch.tensor([1.0, 1.0, 0.75, 0.5, 0.5]))


def test_move_by_quantiles_is_about_the_move_of_the_pixels(network):
    generator = torch.Generator().manual_seed(6)
    pixels = torch.rand(1, 3, 64, 64, generator=generator) * torch.tensor([0.9, 0.5, 0.3]).view(1, 3, 1, 1)
    alpha = torch.ones(1, 1, 64, 64)
    knots = torch.linspace(0.1, 0.8, 65).expand(1, 1, 3, -1)
    moved = (apply_curve(pixels.flatten(2), knots[:, 0]) - pixels.flatten(2)).square().mean().sqrt()
    by_quantiles = move_of(knots, network.statistics(pixels, alpha))
    assert by_quantiles.item() == pytest.approx(moved.item(), rel=0.03)
    assert sum(quantile_weights()) == pytest.approx(1.0)


def test_encoder_has_a_gradient_through_the_curves(network):
    foreground, background, around = embedded(network)
    network.read(foreground, background, None, around).sum().backward()
    assert float(network.encoder[0].weight.grad.abs().max()) > 0
    network.zero_grad()


@torch.inference_mode()
def test_weights_round_trip(network, tmp_path):
    save_network(network, tmp_path / "fused.safetensors")
    again = load_network(tmp_path / "fused.safetensors")
    assert again.config == CONFIG
    assert torch.equal(curves_of(again, views()), curves_of(network, views()))
