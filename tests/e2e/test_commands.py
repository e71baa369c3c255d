import numpy as np
import pytest
import torch

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
        "masks",
        "eval",
        "eval-video",
        "bench",
        "devices",
        "ctl",
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
