import numpy as np
import pytest
import torch

from harmonizer.config import SemanticClass, one_hot
from harmonizer.curves import fold
from harmonizer.reference import cascade
from harmonizer.torch_curves import apply_cascade
from harmonizer.weights import load_published, network_from_published
from tests.support import numpy_s2crnet as reference
from tests.support.published import published_state

# float32 network against float64 numpy: encoder and heads accumulate about 1e-6 relative.
KNOT_TOLERANCE = 2e-4


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    state = published_state(seed=3)
    path = tmp_path_factory.mktemp("published") / "latest.pth"
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    return path, {key: value.double().numpy() for key, value in state.items()}


@pytest.fixture(scope="module")
def thumbnails():
    generator = torch.Generator().manual_seed(11)
    return torch.rand(2, 3, 65, 65, generator=generator)


@pytest.mark.parametrize("label", [None, SemanticClass.PERSON, SemanticClass.OTHER])
def test_published_checkpoint_gives_the_curves_of_the_formula(checkpoint, thumbnails, label):
    path, state = checkpoint
    network = load_published(path)
    embedded = network.embed(thumbnails)
    hot = None if label is None else torch.from_numpy(one_hot(label))
    knots = network.knots(embedded[:1], embedded[1:], hot)

    levels = np.tile(np.linspace(0, 1, 777), (3, 1))
    foreground, background = (
        reference.squeezenet_embedding(state, t.double().numpy(), "squeezenet1_1") for t in thumbnails
    )
    np.testing.assert_allclose(embedded[0].numpy(), foreground, rtol=1e-4, atol=1e-5)
    expected = levels
    for stage in ("cr1", "cr2"):
        vector = None if label is None else np.eye(5)[int(label)]
        slopes = reference.crm_slopes(state, f"fusion.{stage}", foreground, background, vector)
        expected = reference.curve(np.clip(expected, 0, 1), slopes)

    got = apply_cascade(torch.from_numpy(levels).float()[None], knots)[-1][0].numpy()
    np.testing.assert_allclose(got, expected, atol=KNOT_TOLERANCE)


def test_folded_table_equals_the_published_64_step_loop_on_pixels():
    generator = torch.Generator().manual_seed(5)
    slopes = 0.2 + torch.rand(1, 2, 3, 64, generator=generator, dtype=torch.float64)
    image = torch.randint(0, 256, (1, 3, 16, 16), generator=generator)
    long_way = cascade(image.double() / 255.0, slopes)[0]

    from harmonizer.torch_curves import knots_from_slopes

    table = fold(knots_from_slopes(slopes)[0].numpy())
    short_way = np.stack([table[c][image[0, c].numpy()] for c in range(3)])
    np.testing.assert_allclose(short_way, long_way.numpy(), atol=1e-12)


def test_vgg_layout_loads_strictly_whatever_the_encoder_is_called():
    network = network_from_published(published_state("vgg16", seed=1))
    assert network.config.backbone == "vgg16"
    assert network.embed(torch.zeros(1, 3, 64, 64)).shape == (1, 512)


def test_parameter_count_is_the_published_one():
    count = sum(v.numel() for v in published_state().values())
    assert count == 1_145_472
    assert sum(p.numel() for p in network_from_published(published_state()).parameters()) == count
