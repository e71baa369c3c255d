from dataclasses import replace

import pytest
import torch

from harmonizer.config import NetworkConfig
from harmonizer.network import build_network, curves_of
from harmonizer.training.loop import Trainer
from harmonizer.training.precomputed import SCENES, TRUNK, PrecomputedTrainer, precompute
from harmonizer.training.views import draw_batch
from harmonizer.weights import WeightsError
from tests.support.training import SETTINGS, assert_equal_states, packed

PICTURES = packed(10)
FUSED = replace(SETTINGS, heads=("fused",), recolourings=1, batch=SCENES)


def network(seed=3):
    torch.manual_seed(seed)
    return build_network(NetworkConfig(head="fused", thumbnail_px=48))


def shards_of(net, samples=2 * SCENES, settings=FUSED, **more):
    generator = torch.Generator().manual_seed(settings.seed)
    return precompute(net, PICTURES, samples=samples, settings=settings, generator=generator, **more)


def trainer_of(seed=3):
    net = network(seed)
    return PrecomputedTrainer(FUSED, shards_of(net), net)


def test_shards_hold_what_was_asked_for_and_tell_their_progress():
    told = []
    shards = shards_of(network(), samples=100, settings=replace(FUSED, recolourings=2), tick=told.append)
    assert told == [64, 100]
    assert [len(shard.label) for shard in shards] == [64, 64]
    assert len(shards[0].background.maps) == SCENES
    assert shards[0].foreground.maps.dtype == torch.float16
    one, other = shards_of(network(), samples=1), shards_of(network(), samples=1)
    assert torch.equal(one[0].foreground.maps, other[0].foreground.maps)
    assert torch.equal(one[0].levels, other[0].levels)


def test_kept_maps_give_the_curves_of_the_whole_network():
    net = network().eval()
    trainer = PrecomputedTrainer(FUSED, shards_of(net), net)
    trainer.networks.eval()
    shard = trainer.shards[0]
    generator = torch.Generator().manual_seed(FUSED.seed)
    pick = torch.randint(0, len(PICTURES), (SCENES,), generator=generator)
    batch = draw_batch(PICTURES, pick, side_px=48, generator=generator)
    with torch.inference_mode():
        embedded = [trainer._embedded(look) for look in (shard.foreground, shard.background)]
        from_maps = trainer.networks["fused"].knots(*embedded, shard.label, shard.around)
        whole = curves_of(net, batch.views, batch.label)
    torch.testing.assert_close(from_maps, whole, atol=2e-3, rtol=0.0)


def test_the_trunk_stays_and_the_rest_learns():
    trainer = trainer_of()
    before = {name: value.clone() for name, value in trainer.networks.state_dict().items()}
    for _ in range(2):
        trainer.train_step(PICTURES)
    encoder = "fused.squeezenet1_1."
    for name, value in trainer.networks["fused"].state_dict(prefix="fused.").items():
        layer = int(name.removeprefix(encoder).split(".")[0]) if name.startswith(encoder) else TRUNK
        if layer < TRUNK:
            assert torch.equal(value, before[name]), name
    moved = {name for name, value in trainer.networks.state_dict().items() if not torch.equal(value, before[name])}
    assert {"fused.curve.weight", f"{encoder}11.squeeze.weight"} <= moved


def test_interrupted_and_resumed_run_equals_an_uninterrupted_one(tmp_path):
    whole = trainer_of()
    for _ in range(4):
        whole.train_step(PICTURES)
    first = trainer_of()
    for _ in range(2):
        first.train_step(PICTURES)
    first.save(tmp_path / "last.pt")
    second = trainer_of()
    torch.manual_seed(99)
    second.resume(tmp_path / "last.pt")
    for _ in range(2):
        second.train_step(PICTURES)
    assert_equal_states(second, whole)


def test_checkpoint_that_began_with_other_weights_is_refused(tmp_path):
    trainer_of(seed=3).save(tmp_path / "last.pt")
    with pytest.raises(WeightsError, match="began with other weights"):
        trainer_of(seed=4).resume(tmp_path / "last.pt")


def test_an_ordinary_run_can_take_over(tmp_path):
    frozen = trainer_of()
    frozen.train_step(PICTURES)
    frozen.save(tmp_path / "last.pt")
    trainer = Trainer(FUSED)
    trainer.resume(tmp_path / "last.pt")
    assert trainer.train_step(PICTURES) > 0
    assert trainer.step == 2
