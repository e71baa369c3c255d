import csv
import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from harmonizer.training.checkpoints import add_to_log
from harmonizer.training.evaluate import build_eval_set, network_outputs
from harmonizer.training.loop import (
    LossWeights,
    Trainer,
    TrainingError,
    TrainSettings,
    decayed_apart,
    learning_rate_at,
    run,
    side_px_at,
)
from harmonizer.weights import WeightsError, load_network
from tests.support.training import SETTINGS, assert_equal_states, packed, with_pairs

PICTURES = packed(10)
JUDGED = replace(
    SETTINGS, heads=("fused",), thumbnail_px=80, batch=2, recolourings=1, losses=LossWeights(lab=0.3, adversarial=0.01)
)


def trained(settings, steps, pictures=PICTURES):
    trainer = Trainer(settings)
    for _ in range(steps):
        trainer.train_step(pictures)
    return trainer


def poison(trainer):
    with torch.no_grad():
        trainer.networks["published"].fusion["cr1"].fc_b_1.fc1.bias[0] = float("nan")


def test_rate_warms_up_and_decays():
    settings = TrainSettings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate_at(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02


def test_thumbnails_are_small_first_and_whole_after():
    settings = TrainSettings(steps=100, thumbnail_px=128, small_first=0.25)
    assert [side_px_at(step, settings) for step in (0, 24, 25, 99)] == [64, 64, 128, 128]
    assert side_px_at(0, TrainSettings()) == 128
    assert side_px_at(0, TrainSettings(thumbnail_px=48, small_first=1.0)) == 32


def test_biases_and_normalisation_do_not_decay():
    groups = decayed_apart(Trainer(SETTINGS).networks, 0.05)
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert all(p.ndim <= 1 for p in groups[1]["params"])


def test_heads_share_one_encoder_that_is_trained_once():
    networks = Trainer(SETTINGS).networks
    assert networks["published"].encoder is networks["fused"].encoder
    trainer = trained(SETTINGS, 1)
    assert trainer.networks["published"].encoder is trainer.networks["fused"].encoder


@pytest.mark.parametrize("losses", [LossWeights(), LossWeights(0, 1, 0), LossWeights(lab=1.0)])
def test_training_on_one_batch_lowers_its_loss(losses):
    settings = replace(SETTINGS, heads=("monotone",), losses=losses, learning_rate=2e-3, warmup_steps=1, steps=40)
    trainer = Trainer(settings)
    state = trainer.generator.get_state()
    values = []
    for _ in range(12):
        trainer.generator.set_state(state)
        values.append(trainer.train_step(PICTURES))
    assert min(values[-3:]) < 0.8 * values[0]


def test_fused_curves_learn_though_they_move_too_little_to_be_applied_yet():
    trainer = Trainer(replace(SETTINGS, heads=("fused",)))
    before = {name: value.clone() for name, value in trainer.networks.state_dict().items()}
    trainer.train_step(PICTURES)
    moved = {name for name, value in trainer.networks.state_dict().items() if not torch.equal(value, before[name])}
    assert {"fused.curve.weight", "fused.squeezenet1_1.0.weight"} <= moved


def test_average_follows_slowly():
    trainer = trained(SETTINGS, 2)
    network, average = trainer.networks["published"], trainer.averaged()["published"]
    assert average is not network
    assert not torch.equal(network.encoder[0].weight, average.encoder[0].weight)


@pytest.mark.parametrize("settings", [SETTINGS, JUDGED, replace(SETTINGS, small_first=0.5, batch=2)])
def test_interrupted_and_resumed_run_equals_an_uninterrupted_one(settings, tmp_path):
    pictures = with_pairs(PICTURES, [0, 4, 5])
    whole = trained(settings, 4, pictures)
    trained(settings, 2, pictures).save(tmp_path / "last.pt")
    torch.manual_seed(99)
    second = Trainer(settings)
    second.resume(tmp_path / "last.pt")
    assert second.step == 2
    for _ in range(2):
        second.train_step(pictures)
    assert_equal_states(second, whole)
    if whole.judge is not None:
        for name, value in whole.judge.state_dict().items():
            assert torch.equal(second.judge.state_dict()[name], value), name


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not():
    assert_equal_states(trained(SETTINGS, 2), trained(SETTINGS, 2))
    other = trained(replace(SETTINGS, seed=1), 2)
    assert trained(SETTINGS, 2).smoothed_loss != other.smoothed_loss


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"heads": ("published",)}, "heads published,fused, not published"),
        ({"backbone": "vgg16"}, "backbone squeezenet1_1, not vgg16"),
        ({"thumbnail_px": 64}, "thumbnail px 48, not 64"),
    ],
)
def test_checkpoint_of_another_architecture_is_refused_and_told(changed, told, tmp_path):
    Trainer(SETTINGS).save(tmp_path / "last.pt")
    with pytest.raises(WeightsError, match=f"no checkpoint of this run: it has {told}"):
        Trainer(replace(SETTINGS, **changed)).resume(tmp_path / "last.pt")


def test_checkpoint_without_a_judge_is_refused_by_a_run_that_has_one(tmp_path):
    Trainer(replace(JUDGED, losses=LossWeights())).save(tmp_path / "last.pt")
    with pytest.raises(WeightsError, match="no adversarial judge"):
        Trainer(JUDGED).resume(tmp_path / "last.pt")


def test_damaged_and_foreign_checkpoints_are_refused(tmp_path):
    path, trainer = tmp_path / "last.pt", Trainer(replace(SETTINGS, heads=("fused",)))
    trainer.save(path)
    data = path.read_bytes()
    for junk in (data[: len(data) // 2], b"junk", b""):
        path.write_bytes(junk)
        with pytest.raises(WeightsError, match=r"last\.pt cannot be read"):
            trainer.resume(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(WeightsError, match="no checkpoint of a training run"):
        trainer.resume(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        trainer.resume(tmp_path / "none.pt")


def test_nan_weight_stops_the_run_and_keeps_the_last_good_files(tmp_path):
    trainer = Trainer(replace(SETTINGS, steps=2))
    validation = build_eval_set(PICTURES, seed=1, limit=2)
    run(trainer, PICTURES, validation, tmp_path, lambda _: None)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    average = {name: value.clone() for name, value in trainer.average.module.state_dict().items()}
    longer = Trainer(SETTINGS)
    longer.resume(tmp_path / "last.pt")
    poison(longer)
    with pytest.raises(TrainingError, match="nan or infinite at step 2"):
        run(longer, PICTURES, validation, tmp_path, lambda _: None)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == files
    for name, value in longer.average.module.state_dict().items():
        assert torch.equal(value, average[name])


def test_overflowing_gradient_stops_before_it_reaches_a_weight():
    trainer = Trainer(replace(SETTINGS, heads=("monotone",), losses=LossWeights(l1=0, squared=1e37, relative=0)))
    before = {name: value.clone() for name, value in trainer.networks.state_dict().items()}
    with pytest.raises(TrainingError, match="gradient became inf at step 0"):
        trainer.train_step(PICTURES)
    for name, value in trainer.networks.state_dict().items():
        assert torch.equal(value, before[name])


def test_run_writes_log_checkpoint_and_weights_that_load(tmp_path):
    seen, saved = [], []
    validation = build_eval_set(PICTURES, seed=1, limit=4)
    trainer = Trainer(SETTINGS)
    run(trainer, PICTURES, validation, tmp_path, seen.append, on_save=saved.append)
    assert [p.step for p in seen] == [1, 2, 3, 4]
    assert [bool(p.validation) for p in seen] == [False, True, False, True]
    assert seen[0].eta_s > 0
    assert seen[-1].eta_s == 0
    assert [s.step for s in saved] == [2, 4]
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(r["step"]) for r in rows] == [2, 4]
    for head in ("published", "fused"):
        network = load_network(tmp_path / f"{head}.safetensors")
        assert network.config.head == head
        assert torch.equal(network_outputs(network, validation), saved[-1].outputs[head])
        assert float(rows[-1][f"val_fmse_{head}"]) == pytest.approx(saved[-1].scores[head], abs=0.06)
    assert {path.name for path in tmp_path.iterdir()} == {
        "log.csv",
        "last.pt",
        "published.safetensors",
        "fused.safetensors",
    }


def test_log_of_a_resumed_run_equals_an_uninterrupted_ones(tmp_path):
    validation = build_eval_set(PICTURES, seed=1, limit=2)
    run(Trainer(SETTINGS), PICTURES, validation, tmp_path / "whole", lambda _: None)
    half = Trainer(SETTINGS)
    for _ in range(2):
        half.train_step(PICTURES)
    (tmp_path / "parts").mkdir()
    half.checkpoint(tmp_path / "parts", validation)
    again = Trainer(SETTINGS)
    again.resume(tmp_path / "parts" / "last.pt")
    run(again, PICTURES, validation, tmp_path / "parts", lambda _: None)
    assert (tmp_path / "parts" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


def test_log_lines_of_steps_that_are_done_again_are_replaced(tmp_path):
    log = tmp_path / "log.csv"
    for step in (2, 4, 6):
        add_to_log(log, step, loss=1.0, scores={"fused": 10.0})
    add_to_log(log, 4, loss=2.0, scores={"fused": 20.0})
    assert log.read_text() == "step,loss,val_fmse_fused\n2,1.00000,10.0\n4,2.00000,20.0\n"


def test_start_takes_weights_of_one_head_and_its_encoder(tmp_path):
    first = trained(replace(SETTINGS, heads=("fused",)), 1)
    first.export(tmp_path)
    notes = json.loads(load_metadata(tmp_path / "fused.safetensors")["config"])
    assert notes["head"] == "fused"
    second = Trainer(SETTINGS)
    second.start_from({"fused": load_network(tmp_path / "fused.safetensors")})
    exported = first.averaged()["fused"]
    for module in (second.networks["fused"], second.averaged()["fused"]):
        for name, value in module.state_dict().items():
            assert torch.equal(value, exported.state_dict()[name])
    assert torch.equal(second.networks["published"].encoder[0].weight, exported.encoder[0].weight)


def load_metadata(path):
    data = path.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


def test_start_from_another_architecture_is_refused(tmp_path):
    trained(replace(SETTINGS, heads=("monotone",)), 0).export(tmp_path)
    with pytest.raises(WeightsError, match="do not fit this run"):
        Trainer(SETTINGS).start_from({"monotone": load_network(tmp_path / "monotone.safetensors")})
    wrong = {name: value[:1].clone() for name, value in load_file(tmp_path / "monotone.safetensors").items()}
    save_file(wrong, tmp_path / "wrong.safetensors", load_metadata(tmp_path / "monotone.safetensors"))
    with pytest.raises(WeightsError, match="do not fit their architecture"):
        load_network(tmp_path / "wrong.safetensors")
