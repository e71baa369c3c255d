import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import ExitCode, UserError
from app.pipeline import engine_loading
from app.pipeline.engine_loading import check_device, load_engine, load_reference
from harmonizer import CurveEngine, Harmonizer, OnnxHarmonizer
from harmonizer.manifest import MANIFEST_FILE, WEIGHTS_DIR
from harmonizer.onnx_engine import installed_providers

ROOT = Path(__file__).parents[3]


@pytest.fixture
def without_onnx_runtime(monkeypatch):
    engine_loading._say_once.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    yield
    engine_loading._say_once.cache_clear()


@pytest.mark.parametrize("name", [None, "platematch-s", "s2crnet-s"])
def test_shipped_networks_run_on_onnx_runtime(name):
    engine = load_engine(name)
    assert isinstance(engine, OnnxHarmonizer)
    assert isinstance(engine, CurveEngine)
    assert (engine.name, engine.device) == (name or "platematch-s", "cpu")
    assert engine.runs_on == "CPU (ONNX Runtime)"


@pytest.mark.parametrize("as_path", [True, False])
def test_weights_of_ones_own_run_on_torch(as_path):
    path = WEIGHTS_DIR / "s2crnet-s.safetensors"
    engine = load_engine(path if as_path else str(path))
    assert isinstance(engine, Harmonizer)
    assert engine.name == "s2crnet-s"


def test_another_device_than_the_cpu_is_torchs():
    engine = load_engine("platematch-s", device="meta")
    assert isinstance(engine, Harmonizer)
    assert engine.device == "meta"


@pytest.mark.parametrize("weights", [None, WEIGHTS_DIR / "s2crnet-s.safetensors"])
def test_auto_matches_colours_on_the_cpu(weights):
    assert load_engine(weights, device="auto").device == "cpu"


def test_reference_is_torch_on_the_cpu_too():
    assert isinstance(load_reference(), Harmonizer)


def test_provider_can_be_asked_for_as_a_device():
    assert load_engine(device="onnx:cpu").runs_on == "CPU (ONNX Runtime)"


@pytest.mark.parametrize("asked", [{"provider": "{}"}, {"device": "onnx:{}"}])
def test_provider_that_is_not_there_is_wrong_usage_and_never_replaced_silently(asked):
    missing = next(name for name in ("directml", "coreml", "cuda") if name not in installed_providers())
    with pytest.raises(UserError, match=missing) as caught:
        load_engine(**{name: value.format(missing) for name, value in asked.items()})
    assert caught.value.code == ExitCode.USAGE
    assert "platematch devices" in caught.value.hint


def test_provider_that_is_there_but_does_not_start_is_said_to_be_replaced(monkeypatch, caplog):
    """ONNX Runtime drops a provider it can't start and goes on with the CPU."""
    import onnxruntime

    engine_loading._say_once.cache_clear()
    seen = [*onnxruntime.get_available_providers(), "CUDAExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: seen)
    with caplog.at_level(logging.WARNING), pytest.warns(UserWarning, match="CUDAExecutionProvider"):
        engine = load_engine(provider="cuda")
    assert (engine.device, engine.runs_on) == ("onnx:cuda", "CPU (ONNX Runtime)")
    assert "onnx:cuda does not start" in caplog.text


def test_weights_of_ones_own_on_a_provider_are_wrong_usage():
    with pytest.raises(UserError, match="onnx:directml") as caught:
        load_engine(WEIGHTS_DIR / "s2crnet-s.safetensors", device="onnx:directml")
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("device", ["onnx:abacus", "abacus", "cuda:99"])
def test_device_that_does_not_exist_is_wrong_usage(device):
    with pytest.raises(UserError) as caught:
        load_engine(device=device)
    assert caught.value.code == ExitCode.USAGE
    assert device in caught.value.message


@pytest.mark.parametrize("load", [load_engine, load_reference])
def test_unknown_weights_name_the_known_ones(load):
    with pytest.raises(UserError, match="known: platematch-s, s2crnet-s") as caught:
        load("nonesuch")
    assert caught.value.code == ExitCode.MODEL


def test_without_onnx_runtime_torch_steps_in_and_says_so_once(without_onnx_runtime, caplog):
    with caplog.at_level(logging.WARNING):
        engines = [load_engine(), load_engine("s2crnet-s")]
    assert all(isinstance(engine, Harmonizer) for engine in engines)
    assert [engine.name for engine in engines] == ["platematch-s", "s2crnet-s"]
    assert len(caplog.records) == 1
    assert "ONNX Runtime does not load" in caplog.text


def test_without_onnx_runtime_its_providers_are_refused(without_onnx_runtime):
    with pytest.raises(UserError, match="does not load") as caught:
        load_engine(device="onnx:directml")
    assert caught.value.code == ExitCode.USAGE


def test_altered_network_is_refused_rather_than_replaced_by_torch(tmp_path, monkeypatch):
    listed = json.loads(MANIFEST_FILE.read_text())
    for entry in listed["weights"]:
        (tmp_path / entry["onnx"]["file"]).write_bytes(b"junk")
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    load = OnnxHarmonizer.load
    monkeypatch.setattr(OnnxHarmonizer, "load", lambda name, **how: load(name, manifest=tmp_path / "manifest.json"))
    with pytest.raises(UserError, match="altered") as caught:
        load_engine()
    assert caught.value.code == ExitCode.MODEL


def in_a_fresh_process(code):
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_loading_and_estimating_never_imports_torch():
    in_a_fresh_process(
        "import sys, numpy as np\n"
        "from app.pipeline.engine_loading import check_device, load_engine\n"
        "from app.pipeline.threads import share_cores\n"
        "share_cores()\n"
        "check_device('cpu')\n"
        "engine = load_engine()\n"
        "picture = np.full((40, 30, 3), 90, np.uint8)\n"
        "engine.estimate(picture, picture[..., 0] * 2, engine.embed_plate(picture))\n"
        "bad = [m for m in ('torch', 'onnx') if m in sys.modules]\n"
        "assert not bad, bad"
    )


@pytest.mark.parametrize("first", ["import torch", "pass"])
def test_torch_keeps_to_its_share_of_the_cores_whichever_comes_first(first):
    in_a_fresh_process(
        f"{first}\n"
        "from app.pipeline.engine_loading import load_reference\n"
        "from app.pipeline import threads\n"
        "threads.stage_threads = lambda: 3\n"
        "threads.share_cores()\n"
        "load_reference()\n"
        "import torch\n"
        "assert torch.get_num_threads() == 3, torch.get_num_threads()"
    )


def test_torch_is_left_as_it_is_where_nobody_shares_cores():
    in_a_fresh_process(
        "import torch\n"
        "torch.set_num_threads(5)\n"
        "from app.pipeline.engine_loading import load_reference\n"
        "load_reference()\n"
        "assert torch.get_num_threads() == 5"
    )


def test_check_device_takes_what_torch_has():
    check_device("cpu")
    check_device("meta")
