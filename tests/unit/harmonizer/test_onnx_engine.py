import hashlib
import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from harmonizer import CurveEngine, OnnxHarmonizer, SemanticClass, UnstableNetworkWarning
from harmonizer.config import NetworkConfig
from harmonizer.curves import fold, identity_knots, lut8
from harmonizer.fused import FusedNet
from harmonizer.manifest import MANIFEST_FILE, WEIGHTS_DIR, WeightsError, read_manifest
from harmonizer.network import S2CRNet
from harmonizer.onnx_engine import OnnxUnavailableError, ProviderMissingError, installed_providers
from harmonizer.onnx_export import export_onnx, export_shipped
from harmonizer.torch_engine import Harmonizer

KNOTS_WITHIN = 1e-4
LEVELS_WITHIN = 1
MAX_SHIPPED_BYTES = 6_000_000
SHIPPED = sorted(read_manifest()[0])


@pytest.fixture(scope="module", params=SHIPPED)
def both(request):
    return Harmonizer.load(request.param), OnnxHarmonizer.load(request.param)


def blurry(rng, height, width):
    """Something with large areas, as photographs have."""
    coarse = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height)))


def scene(seed):
    """Foreground, its alpha, plate, where it stands and what it is; of all kinds."""
    rng = np.random.default_rng(seed)
    height, width = (int(side) for side in rng.integers(20, 200, 2))
    noise = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    foreground = blurry(rng, height, width) if seed % 3 else noise
    alpha = blurry(rng, height, width)[..., 0] if seed % 2 else np.full((height, width), 255, np.uint8)
    standing = blurry(rng, 90, 160)[..., 1] if seed % 5 else None
    label = (None, *SemanticClass)[seed % 6]
    return foreground, alpha, blurry(rng, 70, 130), standing, label


@pytest.mark.parametrize("seed", range(24))
def test_onnx_gives_the_curve_of_torch(both, seed):
    foreground, alpha, plate, standing, label = scene(seed)
    reference, ours = (
        engine.estimate(foreground, alpha, engine.embed_plate(plate), label=label, standing=standing) for engine in both
    )
    assert ours.shape == reference.shape
    assert ours.dtype == np.float64
    np.testing.assert_allclose(ours, reference, rtol=0, atol=KNOTS_WITHIN)
    tables = [lut8(fold(knots)).astype(int) for knots in (ours, reference)]
    assert np.abs(tables[0] - tables[1]).max() <= LEVELS_WITHIN


def test_engines_differ_between_scenes_so_that_equality_means_something(both):
    for engine in both:
        curves = []
        for seed in range(4):
            foreground, alpha, plate, standing, _ = scene(seed)
            curves.append(engine.estimate(foreground, alpha, engine.embed_plate(plate), standing=standing))
        assert min(np.abs(a - b).max() for i, a in enumerate(curves) for b in curves[:i]) > 0.01


def test_plate_embeddings_can_be_handed_from_one_engine_to_the_other(both):
    foreground, alpha, plate, _, _ = scene(7)
    for mask in (None, np.asarray(Image.fromarray(alpha).resize((130, 70)))):
        embeddings = [engine.embed_plate(plate, mask) for engine in both]
        np.testing.assert_allclose(embeddings[0].vector, embeddings[1].vector, rtol=0, atol=1e-3)
        curves = [both[1].estimate(foreground, alpha, embedding) for embedding in embeddings]
        np.testing.assert_allclose(curves[0], curves[1], rtol=0, atol=KNOTS_WITHIN)


def test_both_engines_are_curve_engines_and_say_what_computes(both):
    for engine, words in zip(both, ("CPU (torch)", "CPU (ONNX Runtime)"), strict=True):
        assert isinstance(engine, CurveEngine)
        assert (engine.runs_on, engine.device, engine.thumbnail_px) == (words, "cpu", 128)
    assert both[0].name == both[1].name


def test_foreground_that_is_nowhere_gives_a_sane_curve(both):
    picture, nothing = np.full((50, 40, 3), 90, np.uint8), np.zeros((50, 40), np.uint8)
    reference, ours = (
        engine.estimate(picture, nothing, engine.embed_plate(picture), standing=nothing) for engine in both
    )
    np.testing.assert_allclose(ours, reference, rtol=0, atol=KNOTS_WITHIN)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_onnx_file_is_pinned_small_and_made_of_the_weights_beside_it(name):
    entry = read_manifest()[0][name]
    data = (WEIGHTS_DIR / entry.onnx.file).read_bytes()
    assert len(data) < MAX_SHIPPED_BYTES
    assert hashlib.sha256(data).hexdigest() == entry.onnx.sha256
    stale = "these weights are newer than their ONNX file: run `main.py weights export-onnx`"
    assert entry.onnx.source_sha256 == entry.sha256, stale


def test_every_onnx_file_is_listed():
    assert {e.onnx.file for e in read_manifest()[0].values()} == {path.name for path in WEIGHTS_DIR.glob("*.onnx")}


def test_export_gives_the_same_bytes_twice_and_what_it_writes_loads(tmp_path):
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        export_shipped(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert files == sorted(["manifest.json", *(e.onnx.file for e in read_manifest()[0].values())])
    assert all((tmp_path / "once" / n).read_bytes() == (tmp_path / "again" / n).read_bytes() for n in files)
    engine = OnnxHarmonizer.load(manifest=tmp_path / "once" / "manifest.json")
    picture = np.full((30, 30, 3), 80, np.uint8)
    assert engine.estimate(picture, picture[..., 0] * 3, engine.embed_plate(picture)).shape == (1, 3, 65)


def test_altered_onnx_file_is_refused(tmp_path):
    entry = read_manifest()[0]["platematch-s"]
    data = bytearray((WEIGHTS_DIR / entry.onnx.file).read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / entry.onnx.file).write_bytes(data)
    (tmp_path / "manifest.json").write_text(MANIFEST_FILE.read_text())
    with pytest.raises(WeightsError, match="SHA-256"):
        OnnxHarmonizer.load(manifest=tmp_path / "manifest.json")


def test_manifest_without_an_onnx_file_is_refused(tmp_path):
    listed = json.loads(MANIFEST_FILE.read_text())
    del listed["weights"][0]["onnx"]
    (tmp_path / "manifest.json").write_text(json.dumps(listed))
    with pytest.raises(WeightsError, match="manifest"):
        read_manifest(tmp_path / "manifest.json")


def test_bytes_that_are_no_network_are_said_to_be_none():
    with pytest.raises(OnnxUnavailableError, match="can't run the network"):
        OnnxHarmonizer(b"junk")


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match="known: "):
        OnnxHarmonizer.load("nonesuch")


def test_provider_that_is_not_installed_is_refused_rather_than_replaced():
    missing = next(name for name in ("directml", "coreml", "cuda") if name not in installed_providers())
    with pytest.raises(ProviderMissingError, match=f"cpu.*not {missing}"):
        OnnxHarmonizer.load(provider=missing)


def test_missing_onnx_runtime_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxUnavailableError, match="does not load"):
        OnnxHarmonizer.load()


@pytest.mark.parametrize("head", ["published", "monotone", "fused"])
def test_networks_of_every_kind_and_size_can_be_exported(head):
    torch.manual_seed(3)
    config = NetworkConfig(head=head, thumbnail_px=72, stages=2)
    network = FusedNet(config) if head == "fused" else S2CRNet(config)
    reference, ours = Harmonizer(network), OnnxHarmonizer(export_onnx(network.eval()))
    foreground, alpha, plate, standing, label = scene(5)
    for given in (label, None):
        knots = [
            e.estimate(foreground, alpha, e.embed_plate(plate), label=given, standing=standing)
            for e in (reference, ours)
        ]
        np.testing.assert_allclose(*knots, rtol=0, atol=KNOTS_WITHIN)


def test_nan_from_the_network_gives_the_identity_and_one_warning():
    network = S2CRNet(NetworkConfig(thumbnail_px=64)).eval()
    with torch.no_grad():
        network.fusion["cr1"].fc_b_1.fc1.bias[:] = float("nan")
    engine = OnnxHarmonizer(export_onnx(network))
    foreground, alpha, plate, _, _ = scene(1)
    embedding = engine.embed_plate(plate)
    with pytest.warns(UnstableNetworkWarning, match="left as they are"):
        knots = engine.estimate(foreground, alpha, embedding)
    np.testing.assert_array_equal(knots, identity_knots(2))
    engine.estimate(foreground, alpha, embedding)
