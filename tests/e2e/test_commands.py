import json

import numpy as np
import pytest
import torch
from PIL import Image

from app.cli import main
from app.pipeline.video_reader import VideoReader
from tests.support.published import published_state


def test_demo_renders_the_embedded_sample(run_json, tmp_path):
    out = tmp_path / "demo.mp4"
    code, result = run_json("demo", "-o", out, "--seconds", "0.4")
    assert code == 0
    assert result["frames"] == 10
    with VideoReader(out) as reader:
        frames = [f.pixels.astype(int) for f in reader]
    assert frames[0].shape == (720, 1280, 3)
    assert np.abs(frames[0] - frames[-1]).mean() > 5  # another plate by then
    assert (tmp_path / "demo-sheet.png").is_file()


def test_help_exists_for_every_command(capsys):
    for command in (
        "gui",
        "demo",
        "render",
        "composite",
        "harmonize",
        "models",
        "weights",
        "train",
        "bench",
        "devices",
    ):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert "usage: platematch" in capsys.readouterr().out


def test_no_command_prints_help_and_is_wrong_usage(run):
    code, out, _ = run()
    assert code == 2
    assert "commands:" in out


def test_weights_are_listed_verified_and_converted(run_json, tmp_path):
    code, listed = run_json("weights")
    assert code == 0
    assert all(entry["intact"] for entry in listed["weights"].values())
    assert run_json("weights", "verify")[0] == 0
    torch.save(published_state(), tmp_path / "s2crnet.pth")
    code, converted = run_json("weights", "convert", tmp_path / "s2crnet.pth", "-o", tmp_path / "o.safetensors")
    assert code == 0
    assert converted["network"]["head"] == "published"
    (tmp_path / "junk.pth").write_bytes(b"junk")
    code, error = run_json("weights", "convert", tmp_path / "junk.pth", "-o", tmp_path / "p.safetensors")
    assert code == 5
    assert "junk.pth" in error["error"]
    assert not (tmp_path / "p.safetensors").exists()


def test_models_and_devices_are_listed(run_json):
    code, models = run_json("models")
    assert code == 0
    assert {m["name"] for m in models["models"]} == {"landscape", "square"}
    code, devices = run_json("devices")
    assert code == 0
    assert devices["compute"][0].startswith("cpu")
    assert "libx264" in devices["encoders"]


def test_curve_bench_reports_a_ratio_and_equal_pictures(run_json):
    code, report = run_json("bench", "curves", "--size", "96x64", "--frames", "1")
    assert code == 0
    assert report["ratio"] > 1
    assert report["max_difference_levels"] <= 1


def test_render_bench_splits_by_stage(run_json, person_clip):
    code, report = run_json("bench", "render", "--clip", person_clip, "--frames", "8")
    assert code == 0
    assert report["fps"] > 0
    assert "encode" in report["stages_ms"]


@pytest.fixture
def tiny_collection(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(40):
        coarse = Image.fromarray(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8))
        coarse.resize((60, 50), Image.Resampling.BICUBIC).save(tmp_path / f"{i:03}.png")
    return tmp_path


TINY = ("--batch", 2, "--thumbnail-px", 48, "--save-every", 2, "--threads", 1)


def test_training_writes_weights_that_harmonize_takes_and_goes_on(run_json, tiny_collection, tmp_path):
    out = tmp_path / "run"
    code, result = run_json("train", "--data", f"{tiny_collection}=other", "--out", out, "--steps", 2, *TINY)
    assert code == 0
    methods = {row["method"] for row in result["scores"]}
    assert methods == {"untouched", "reinhard", "histogram", "published", "monotone"}
    assert json.loads((out / "scores.json").read_text()) == result["scores"]
    code, _ = run_json("train", "--data", f"{tiny_collection}=other", "--out", out, "--steps", 4, *TINY)
    assert code == 0
    assert [line.split(",")[0] for line in (out / "log.csv").read_text().splitlines()] == ["step", "2", "4"]
    Image.new("L", (60, 50), 255).save(tmp_path / "mask.png")
    picture = tiny_collection / "000.png"
    arguments = ("--mask", tmp_path / "mask.png", "-o", tmp_path / "o.png")
    assert run_json("harmonize", picture, *arguments, "--weights", out / "monotone.safetensors")[0] == 0


def test_training_on_nothing_usable_ends_with_a_sentence(run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"junk")
    code, _, err = run("train", "--data", tmp_path, "--out", tmp_path / "run", *TINY)
    assert code == 3
    assert "a.png" in err
    code, _, err = run("train", "--data", tmp_path / "none", "--out", tmp_path / "run", *TINY)
    assert code == 3
    assert "no folder" in err
