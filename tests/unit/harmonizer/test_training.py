import csv

import numpy as np
import pytest
import torch
from PIL import Image

from harmonizer.network import SemanticClass
from harmonizer.training.evaluate import build_eval_set, network_outputs, per_picture_fmse
from harmonizer.training.light import linear_to_srgb, recolour, srgb_to_linear
from harmonizer.training.loop import Trainer, TrainingError, TrainSettings, learning_rate_at, run
from harmonizer.training.pictures import (
    Collection,
    NothingUsableError,
    group_near_duplicates,
    load_pictures,
    split_of,
    split_pictures,
)
from harmonizer.training.views import box_affine, draw_batch, fill_hole, random_regions, sample
from harmonizer.weights import WeightsError, load_network

SETTINGS = TrainSettings(steps=4, batch=4, thumbnail_px=48, warmup_steps=2, bf16=False, save_every_steps=2)


def scene(seed, size=(80, 60)):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("people")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    for i in range(24):
        scene(i).save(root / "images" / f"{i:03}.png")
        mask = np.zeros((60, 80), np.uint8)
        mask[15:50, 20 + i : 50 + i] = 255
        Image.fromarray(mask).save(root / "masks" / f"{i:03}.png")
    return root


@pytest.fixture(scope="module")
def pictures(folder):
    return load_pictures([Collection(folder, SemanticClass.PERSON)], side_px=72)


def test_broken_files_are_named_and_left_out(folder, tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for path in sorted((folder / part).iterdir())[:5]:
            (tmp_path / part / path.name).write_bytes(path.read_bytes())
    (tmp_path / "images" / "000.png").write_bytes(b"not a picture")
    (tmp_path / "masks" / "001.png").unlink()
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(tmp_path / "masks" / "002.png")
    truncated = (tmp_path / "images" / "003.png").read_bytes()
    (tmp_path / "images" / "003.png").write_bytes(truncated[: len(truncated) // 2])
    loaded = load_pictures([Collection(tmp_path)], side_px=32)
    assert loaded.names == (f"{tmp_path.name}/004.png",)
    assert len(loaded.broken) == 4
    assert "no mask of that name" in " ".join(loaded.broken)


def test_nothing_usable_is_an_error_that_names_a_reason(tmp_path):
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(NothingUsableError, match=r"a\.png"):
        load_pictures([Collection(tmp_path)], side_px=32)


def test_split_is_by_name_alone_and_keeps_near_duplicates_together(pictures):
    doubled = pictures.subset([0, 0, 1, 1, 2, 2, 3, 3])
    renamed = type(doubled)(**{**vars(doubled), "names": tuple(f"copy{i}/{n}" for i, n in enumerate(doubled.names))})
    parts = split_pictures(renamed)
    for part in parts.values():
        scenes = [n.split("/")[-1] for n in part.names]
        assert all(scenes.count(s) == 2 for s in scenes)
    assert sum(len(p) for p in parts.values()) == 8


def test_split_shares_are_about_80_10_10():
    parts = [split_of(f"people/{i}.jpg") for i in range(4000)]
    assert parts.count("train") == pytest.approx(3200, abs=120)
    assert parts.count("val") == pytest.approx(400, abs=80)


def test_grouping_joins_what_is_close_and_nothing_else():
    groups = group_near_duplicates([0, 0b111, 2**63 - 1, 2**63 - 2])
    assert groups[0] == groups[1]
    assert groups[2] == groups[3]
    assert groups[0] != groups[2]


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
    assert float((moved < 1e-6).float().mean()) == pytest.approx(0.07, abs=0.04)
    assert float((moved > 0.2).float().mean()) > 0.02


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


def test_filled_hole_has_its_surroundings_colour_and_the_rest_is_untouched():
    keep = torch.ones(1, 1, 64, 64)
    keep[:, :, 20:40, 20:40] = 0
    colour = torch.tensor([0.8, 0.3, 0.1]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    filled = fill_hole(colour * keep, keep)
    torch.testing.assert_close(filled, colour.contiguous(), atol=0.02, rtol=0.0)
    assert torch.equal(filled * keep, colour * keep)


def test_batch_is_finite_in_range_and_masked(pictures):
    pick = torch.arange(16)
    batch = draw_batch(pictures, pick, side_px=48, generator=torch.Generator().manual_seed(2))
    for tensor in (batch.foreground, batch.background, batch.composite, batch.truth):
        assert bool(torch.isfinite(tensor).all())
        assert float(tensor.min()) >= -1e-5
        assert float(tensor.max()) <= 1.0 + 1e-5
    assert bool((batch.weight.sum(dim=(1, 2)) > 0).any())
    assert not torch.equal(batch.composite, batch.truth)


def test_rate_warms_up_and_decays():
    settings = TrainSettings(steps=100, warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate_at(step, settings) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02


def test_interrupted_and_resumed_run_equals_an_uninterrupted_one(pictures, tmp_path):
    whole = Trainer(SETTINGS)
    for _ in range(4):
        whole.train_step(pictures)
    first = Trainer(SETTINGS)
    for _ in range(2):
        first.train_step(pictures)
    first.save(tmp_path / "last.pt")
    second = Trainer(SETTINGS)
    second.resume(tmp_path / "last.pt")
    for _ in range(2):
        second.train_step(pictures)
    for name, value in whole.networks.state_dict().items():
        assert torch.equal(second.networks.state_dict()[name], value), name


def test_checkpoint_of_another_architecture_is_refused(pictures, tmp_path):
    Trainer(SETTINGS).save(tmp_path / "last.pt")
    other = Trainer(TrainSettings(heads=("published",), thumbnail_px=48))
    with pytest.raises(WeightsError, match="no checkpoint of this run"):
        other.resume(tmp_path / "last.pt")


def test_nan_loss_stops_and_keeps_the_last_good_weights(pictures, tmp_path):
    trainer = Trainer(SETTINGS)
    before = {k: v.clone() for k, v in trainer.average.module.state_dict().items()}
    with torch.no_grad():
        trainer.networks["published"].fusion["cr1"].fc_b_1.fc1.bias[:] = float("nan")
    with pytest.raises(TrainingError, match="nan"):
        run(trainer, pictures, build_eval_set(pictures, seed=1, limit=2), tmp_path, lambda _: None)
    for name, value in trainer.average.module.state_dict().items():
        assert torch.equal(value, before[name])


def test_run_writes_log_checkpoint_and_weights_that_load(pictures, tmp_path):
    seen = []
    run(Trainer(SETTINGS), pictures, build_eval_set(pictures, seed=1, limit=4), tmp_path, seen.append)
    assert [p.step for p in seen] == [1, 2, 3, 4]
    assert seen[-1].validation.keys() == {"published", "monotone"}
    rows = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    assert [int(r["step"]) for r in rows] == [2, 4]
    for head in ("published", "monotone"):
        assert load_network(tmp_path / f"{head}.safetensors").config.head == head


def test_untrained_network_leaves_colours_about_as_they_are(pictures):
    data = build_eval_set(pictures, seed=3, limit=6)
    trainer = Trainer(SETTINGS)
    outputs = network_outputs(trainer.averaged()["published"], data)
    assert float((outputs.float() - data.composites.float()).abs().mean()) < 6.0
    assert per_picture_fmse(data.truths, data).max() == 0.0
