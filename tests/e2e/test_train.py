import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from app.cli.parser import build_parser
from app.cli.train import duration, parse_losses
from harmonizer.config import NetworkConfig
from harmonizer.network import build_network
from harmonizer.training.loop import TrainSettings
from harmonizer.training.loss import LossWeights
from harmonizer.training.pictures import split_of
from harmonizer.weights import load_network, save_network
from tests.support.datasets import add_triple, region, save, write_plain

TINY = ("--batch", 4, "--thumbnail-px", 48, "--save-every", 2, "--threads", 1, "--precision", "float32")
FUSED = ("--heads", "fused", "--steps", 2, *TINY)
RESULTS = {"last.pt", "log.csv", "curves.png", "sheet.png", "scores.json"}
posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no limits and signals of this kind")


def child(*argv, preamble=""):
    code = f"import sys\n{preamble}\nfrom app.cli import main\nsys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, *map(str, argv)]


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """40 pictures with masks."""
    return write_plain(tmp_path_factory.mktemp("data") / "people", 40)


@pytest.fixture(scope="session")
def first_run(people, tmp_path_factory):
    """A finished run of two steps: folder, and the settings' words."""
    out = tmp_path_factory.mktemp("first") / "run"
    subprocess.run(child("train", "--data", people, "--out", out, *FUSED, "-q"), check=True)
    return out


@pytest.fixture
def begun(first_run, tmp_path):
    """That run's checkpoint in a folder of its own."""
    out = tmp_path / "run"
    out.mkdir()
    for path in first_run.iterdir():
        (out / path.name).write_bytes(path.read_bytes())
    return out


def steps_in(out):
    return [int(row["step"]) for row in csv.DictReader((out / "log.csv").read_text().splitlines())]


def test_training_writes_weights_that_harmonize_takes_and_goes_on(run_json, people, tmp_path):
    out = tmp_path / "run"
    command = ("train", "--data", f"{people}=person", "--out", out, "--heads", "published,monotone,fused", *TINY)
    code, result = run_json(*command, "--steps", 2)
    assert code == 0
    methods = ["untouched", "reinhard", "histogram", "published", "monotone", "fused"]
    parts = [part for part in ("val", "test") if result["pictures"][part]]
    assert [(row["split"], row["method"]) for row in result["scores"]] == [(p, m) for p in parts for m in methods]
    assert sum(result["pictures"].values()) == 40
    assert json.loads((out / "scores.json").read_text()) == result["scores"]
    code, result = run_json(*command, "--steps", 4)
    assert code == 0
    assert "going on at step 2" in result["notices"]
    assert steps_in(out) == [2, 4]
    assert {path.name for path in out.iterdir()} == RESULTS | {f"{head}.safetensors" for head in methods[3:]}
    for name in ("curves.png", "sheet.png"):
        with Image.open(out / name) as picture:
            picture.load()
            assert picture.width > 400
    Image.new("L", (72, 60), 255).save(tmp_path / "mask.png")
    for head in methods[3:]:
        arguments = ("--mask", tmp_path / "mask.png", "-o", tmp_path / f"{head}.png")
        weights = ("--weights", out / f"{head}.safetensors")
        assert run_json("harmonize", people / "images" / "000.png", *arguments, *weights)[0] == 0


def test_a_finished_run_is_only_compared_anew(run_json, people, begun):
    before = (begun / "last.pt").read_bytes()
    code, result = run_json("train", "--data", people, "--out", begun, *FUSED)
    assert code == 0
    assert any("only the comparison" in notice for notice in result["notices"])
    assert (begun / "last.pt").read_bytes() == before


def test_a_table_names_its_share_and_a_save_its_figures(run, people, begun):
    code, out, err = run("train", "--data", people, "--out", begun, *FUSED, "--steps", 4)
    assert code == 0
    assert "pictures worse than untouched" in out
    assert "step 4 of 4 saved: loss" in err


def test_published_pairs_are_trained_on_by_their_lists(run_json, tmp_path):
    root = tmp_path / "iHarmony4"
    names = [add_triple(root / "HCOCO", f"c{i}", seed=i) for i in range(24)]
    (root / "HCOCO" / "HCOCO_train.txt").write_text("\n".join(names[:18]))
    (root / "HCOCO" / "HCOCO_test.txt").write_text("\n".join(names[18:]))
    (root / "HCOCO" / "masks" / "c0_1.png").unlink()
    (root / "HCOCO" / "composite_images" / names[20]).write_bytes(b"junk")
    code, result = run_json("train", "--data", root, "--out", tmp_path / "run", *FUSED)
    assert code == 0
    assert result["pictures"]["test"] == 5
    assert result["pictures"]["train"] + result["pictures"]["val"] == 17
    assert sorted(reason.split(":")[0] for reason in result["left_out"]) == ["HCOCO/c0_1_2.jpg", "HCOCO/c20_1_2.jpg"]


def test_packed_data_trains_just_as_the_folders_do(run_json, people, first_run, tmp_path):
    code, packed = run_json("train", "--data", people, "--pack", tmp_path / "packed", "--thumbnail-px", 48)
    assert code == 0
    assert (packed["pictures"], packed["side_px"], packed["files"]) == (40, 72, 1)
    code, _ = run_json("train", "--data", tmp_path / "packed", "--out", tmp_path / "run", *FUSED)
    assert code == 0
    for name in ("log.csv", "scores.json"):
        assert (tmp_path / "run" / name).read_bytes() == (first_run / name).read_bytes()
    one, other = (load_network(folder / "fused.safetensors").state_dict() for folder in (tmp_path / "run", first_run))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_damaged_shard_and_too_small_ones_end_with_a_sentence(run, people, tmp_path):
    assert run("train", "--data", people, "--pack", tmp_path / "packed", "--thumbnail-px", 32)[0] == 0
    code, _, err = run("train", "--data", people, "--pack", tmp_path / "packed", "--thumbnail-px", 32)
    assert (code, "already" in err) == (4, True)
    code, _, err = run("train", "--data", tmp_path / "packed", "--out", tmp_path / "run", *FUSED, "--thumbnail-px", 64)
    assert (code, "48 px, too small for thumbnails of 64 px" in err) == (3, True)
    shard = tmp_path / "packed" / "shard-0000.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    code, _, err = run("train", "--data", tmp_path / "packed", "--out", tmp_path / "run", *FUSED)
    assert (code, "shard-0000.safetensors was altered or cut short" in err) == (3, True)


def test_frozen_trunk_training_starts_from_weights_and_goes_on(run_json, people, first_run, tmp_path):
    command = ("train", "--data", people, "--out", tmp_path / "run", "--init", first_run, "--precompute", 64, *TINY)
    code, _ = run_json(*command, "--heads", "fused", "--steps", 2)
    assert code == 0
    code, result = run_json(*command, "--heads", "fused", "--steps", 4)
    assert code == 0
    assert "going on at step 2" in result["notices"]
    assert steps_in(tmp_path / "run") == [2, 4]
    start, trained = (load_network(folder / "fused.safetensors") for folder in (first_run, tmp_path / "run"))
    assert torch.equal(start.encoder[0].weight, trained.encoder[0].weight)
    assert not torch.equal(start.curve.weight, trained.curve.weight)


def test_given_weights_start_some_heads_and_the_rest_is_told(run_json, people, first_run, tmp_path):
    command = ("train", "--data", people, "--init", first_run, "--heads", "monotone,fused", "--steps", 2, *TINY)
    code, result = run_json(*command, "--out", tmp_path / "run", "--loss", "lab=0.5,relative=0", "--small-first", 0.5)
    assert code == 0
    assert any("head monotone starts untrained" in notice for notice in result["notices"])
    one_file = first_run / "fused.safetensors"
    code, error = run_json(*command, "--out", tmp_path / "other", "--init", one_file, "--heads", "monotone")
    assert (code, "not among --heads" in error["error"]) == (5, True)


def test_vgg16_trains_and_is_evaluated_by_the_same_commands(run_json, people, tmp_path):
    command = (
        "train",
        "--data",
        people,
        "--out",
        tmp_path / "run",
        "--encoder",
        "vgg16",
        "--heads",
        "published",
        *TINY,
    )
    code, result = run_json(*command, "--steps", 2, "--batch", 2, "--thumbnail-px", 32)
    assert code == 0
    assert {"untouched", "published"} <= {row["method"] for row in result["scores"]}
    weights = tmp_path / "run" / "published.safetensors"
    assert load_network(weights).config.backbone == "vgg16"
    code, result = run_json("eval", people, "--limit", 2, "--method", f"identity,{weights}")
    assert code == 0
    assert {row["method"] for row in result["sizes"]["256"]} == {"identity", "published"}


def test_a_failure_to_draw_is_a_notice(run_json, people, begun):
    (begun / "curves.png").unlink()
    (begun / "curves.png" / "in the way").mkdir(parents=True)
    code, result = run_json("train", "--data", people, "--out", begun, *FUSED, "--steps", 4)
    assert code == 0
    assert any("the pictures of step 4 were not drawn" in notice for notice in result["notices"])
    assert steps_in(begun) == [2, 4]


def test_nothing_usable_ends_with_a_sentence(run, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"junk")
    code, _, err = run("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *FUSED)
    assert (code, "a.png" in err) == (3, True)
    code, _, err = run("train", "--data", tmp_path / "none", "--out", tmp_path / "run", *FUSED)
    assert (code, "no folder" in err) == (3, True)
    code, _, err = run("train", "--data", f"{tmp_path / 'data'}=cars", "--out", tmp_path / "run", *FUSED)
    assert (code, "Unknown class 'cars'" in err) == (3, True)


def test_masks_of_another_size_end_with_a_sentence(run, tmp_path):
    write_plain(tmp_path / "data", 3)
    for path in (tmp_path / "data" / "masks").iterdir():
        save(path, region(0.3, size=(36, 30)))
    code, _, err = run("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *FUSED)
    assert code == 3
    assert "the mask has 36 x 30 px, its picture 72 x 60" in err


def test_broken_files_are_counted_and_named_and_the_run_goes_on(run_json, tmp_path):
    data = write_plain(tmp_path / "data", 30)
    (data / "images" / "003.png").write_bytes(b"junk")
    (data / "masks" / "004.png").unlink()
    code, result = run_json("train", "--data", data, "--out", tmp_path / "run", *FUSED)
    assert code == 0
    assert sum(result["pictures"].values()) == 28
    assert [any(name in reason for reason in result["left_out"]) for name in ("003.png", "004.png")] == [True, True]
    assert "left out: 2" in result["notices"]


def picture_in(part):
    """A one-colour picture whose file falls into a part."""
    from io import BytesIO

    from harmonizer.training.pictures import hash_of

    for level in range(200):
        buffer = BytesIO()
        Image.fromarray(np.full((50, 50, 3), level, np.uint8)).save(buffer, "PNG")
        if split_of(hash_of(buffer.getvalue())) == part:
            return buffer.getvalue()
    raise AssertionError(part)


def test_too_few_pictures_to_train_on_or_to_validate(run, run_json, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(picture_in("val"))
    code, _, err = run("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *FUSED)
    assert (code, "Nothing to train on" in err) == (3, True)
    (tmp_path / "data" / "a.png").write_bytes(picture_in("train"))
    code, result = run_json("train", "--data", tmp_path / "data", "--out", tmp_path / "run", *FUSED)
    assert code == 0
    assert result["scores"] == []
    assert any("too few pictures for a validation part" in notice for notice in result["notices"])


def test_checkpoint_of_another_architecture_ends_with_a_sentence(run, people, begun):
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    code, _, err = run("train", "--data", people, "--out", begun, *FUSED, "--heads", "published")
    assert code == 5
    assert "it has heads fused, not published" in err
    (begun / "last.pt").write_bytes(b"junk")
    code, _, err = run("train", "--data", people, "--out", begun, *FUSED)
    assert (code, "last.pt cannot be read" in err) == (5, True)
    assert {p.name: p.read_bytes() for p in begun.iterdir()} == before | {"last.pt": b"junk"}


def test_weights_that_hold_nan_stop_the_run(run, people, tmp_path):
    network = build_network(NetworkConfig(head="fused", thumbnail_px=48))
    with torch.no_grad():
        network.curve.bias[0] = float("nan")
    save_network(network, tmp_path / "bad.safetensors")
    command = ("train", "--data", people, "--out", tmp_path / "run", "--init", tmp_path / "bad.safetensors", *FUSED)
    code, _, err = run(*command)
    assert code == 1
    assert "a curve became nan or infinite at step 0" in err
    assert "Nothing was saved yet" in err
    assert list((tmp_path / "run").iterdir()) == []


@posix_only
def test_full_disk_keeps_the_last_good_files(people, begun):
    before = {path.name: path.read_bytes() for path in begun.iterdir()}
    limit = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))"
    command = child("train", "--data", people, "--out", begun, *FUSED, "--steps", 4, preamble=limit)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "Training stopped: File too large" in done.stderr
    assert "The last good checkpoint is kept" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in begun.iterdir()} == before


@posix_only
def test_interrupted_training_keeps_its_checkpoint(people, begun):
    terminal = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"
    command = child("train", "--data", people, "--out", begun, *FUSED, "--steps", 100_000, preamble=terminal)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while steps_in(begun)[-1] < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Training was interrupted" in err
    assert "the same command goes on" in err
    assert [path.name for path in begun.iterdir() if ".part" in path.name] == []
    assert torch.load(begun / "last.pt", weights_only=True)["step"] >= 4


def test_results_without_a_checkpoint_are_never_overwritten(run, people, begun, tmp_path):
    (begun / "last.pt").unlink()
    code, _, err = run("train", "--data", people, "--out", begun, *FUSED)
    assert (code, "fused.safetensors" in err) == (4, True)
    (tmp_path / "file").write_bytes(b"")
    code, _, err = run("train", "--data", people, "--out", tmp_path / "file", *FUSED)
    assert (code, "can't be made" in err) == (4, True)
    code, _, err = run("train", "--data", people, "--out", people, *FUSED)
    assert (code, "holds the data" in err) == (4, True)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--heads", "best"), 2, "Unknown heads: best"),
        (("--heads", ","), 2, "none given"),
        (("--loss", "l2=1"), 2, "can't take 'l2=1'"),
        (("--loss", "l1=-1"), 2, "can't take 'l1=-1'"),
        (("--loss", "l1=nan"), 2, "can't take"),
        (("--loss", "l1=0,squared=0,relative=0"), 2, "No loss term"),
        (("--loss", "adversarial=0.01"), 2, "80 px or more"),
        (("--precompute", 32), 2, "needs weights to start from"),
        (("--precompute", 32, "--heads", "published"), 2, "the fused head"),
        (("--precompute", 32, "--small-first", 0.5), 2, "one size"),
        (("--device", "nonsense"), 2, "can't be used on this machine"),
        (("--init", "no-such-file"), 5, "There is no no-such-file"),
        (("--init", __file__), 5, "not a safetensors file"),
        (("--backbone", __file__), 5, "is no ONNX file"),
        (("--backbone", __file__, "--encoder", "vgg16"), 2, "not vgg16"),
        (("--backbone", __file__, "--init", __file__), 2, "exclude each other"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_with_a_sentence(run, people, tmp_path, options, code, told):
    got, _, err = run("train", "--data", people, "--out", tmp_path / "run", *FUSED, *options)
    assert (got, told in err) == (code, True), err
    assert not (tmp_path / "run").exists() or list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("words", [("--thumbnail-px", "16"), ("--seed", "-1"), ("--steps", "0"), ("--pack", "there")])
def test_values_out_of_range_are_wrong_usage(run, people, tmp_path, words):
    with pytest.raises(SystemExit) as ended:
        run("train", "--data", people, "--out", tmp_path / "run", *words)
    assert ended.value.code == 2


def test_defaults_are_the_settings_own():
    args = build_parser().parse_args(["train", "--data", "x", "--out", "y"])
    settings = TrainSettings()
    assert (args.steps, args.batch, args.recolourings) == (settings.steps, settings.batch, settings.recolourings)
    assert (args.learning_rate, args.warmup) == (settings.learning_rate, settings.warmup_steps)
    assert (args.thumbnail_px, args.seed, args.device) == (settings.thumbnail_px, settings.seed, settings.device)
    assert (args.encoder, tuple(args.heads.split(","))) == (settings.backbone, settings.heads)
    assert (args.precision == "bf16", args.save_every) == (settings.bf16, settings.save_every_steps)
    assert (args.small_first, parse_losses(args.loss or "")) == (settings.small_first, LossWeights())
    assert parse_losses("lab=0.5, l1=0") == LossWeights(l1=0.0, lab=0.5)


def test_durations_read_well():
    assert [duration(s) for s in (0, 89, 90, 3600, 5400, 12_000)] == [
        "0 s",
        "89 s",
        "2 min",
        "60 min",
        "1 h 30 min",
        "3 h 20 min",
    ]
