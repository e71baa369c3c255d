import hashlib
import json

import pytest
import torch

from harmonizer.config import NetworkConfig
from harmonizer.network import S2CRNet
from harmonizer.weights import (
    MANIFEST_FILE,
    WEIGHTS_DIR,
    WeightsError,
    convert_published,
    load_network,
    load_published,
    load_shipped,
    read_manifest,
    save_network,
    squeezenet_state_from_caffe2,
)
from tests.support.published import published_state

MAX_SHIPPED_BYTES = 6_000_000


def test_saved_network_comes_back_equal(tmp_path):
    network = S2CRNet(NetworkConfig(head="monotone", thumbnail_px=128))
    save_network(network, tmp_path / "w.safetensors")
    loaded = load_network(tmp_path / "w.safetensors")
    assert loaded.config == network.config
    for name, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_published_checkpoint_converts_without_changing_a_value(tmp_path):
    state = published_state()
    torch.save(state, tmp_path / "s2crnet.pth")
    convert_published(tmp_path / "s2crnet.pth", tmp_path / "out.safetensors")
    converted = load_network(tmp_path / "out.safetensors").state_dict()
    assert set(converted) == set(state)
    assert all(torch.equal(converted[k], v) for k, v in state.items())


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_checkpoint_of_another_layout_is_refused(tmp_path, change):
    state = published_state()
    key = "fusion.cr1.fc_f_1.fc1.weight"
    if change == "missing":
        del state[key]
    elif change == "extra":
        state["fusion.cr1.surprise.weight"] = torch.zeros(1)
    else:
        state[key] = torch.zeros(192, 256)
    torch.save(state, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match="layout"):
        load_published(tmp_path / "bad.pth")


class _Bomb:
    def __reduce__(self):
        return (open, ("pwned", "w"))


def test_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Bomb()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="safely"):
        load_published(tmp_path / "evil.pth")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("damage", [b"", b"\x00" * 7, b"\xff" * 64, b"\x10\x00\x00\x00\x00\x00\x00\x00{}"])
def test_damaged_safetensors_is_refused(tmp_path, damage):
    (tmp_path / "w.safetensors").write_bytes(damage)
    with pytest.raises(WeightsError):
        load_network(tmp_path / "w.safetensors")


def test_truncated_safetensors_is_refused(tmp_path):
    save_network(S2CRNet(), tmp_path / "w.safetensors")
    data = (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "w.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(WeightsError):
        load_network(tmp_path / "w.safetensors")


def test_altered_shipped_weights_are_refused(tmp_path):
    manifest = json.loads(MANIFEST_FILE.read_text())
    entry = next(e for e in manifest["weights"] if e["name"] == manifest["default"])
    data = bytearray((WEIGHTS_DIR / entry["file"]).read_bytes())
    data[-1] ^= 1
    (tmp_path / entry["file"]).write_bytes(data)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(WeightsError, match="SHA-256"):
        load_shipped(manifest=tmp_path / "manifest.json")


def test_every_shipped_file_is_in_the_manifest_small_and_loads():
    entries, default = read_manifest()
    assert default in entries
    assert {e.file for e in entries.values()} == {p.name for p in WEIGHTS_DIR.glob("*.safetensors")}
    for entry in entries.values():
        data = (WEIGHTS_DIR / entry.file).read_bytes()
        assert len(data) < MAX_SHIPPED_BYTES
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        assert entry.licence
        assert entry.provenance
        load_shipped(entry.name)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(WeightsError, match="known: "):
        load_shipped("nonesuch")


def test_imagenet_backbone_folds_scale_order_and_mean_exactly():
    generator = torch.Generator().manual_seed(0)
    tensors = {"conv1_w_0": torch.randn(64, 3, 3, 3, generator=generator), "conv1_b_0": torch.randn(64)}
    plan = {2: (64, 16, 64), 3: (128, 16, 64), 4: (128, 32, 128), 5: (256, 32, 128)}
    plan |= {6: (256, 48, 192), 7: (384, 48, 192), 8: (384, 64, 256)}
    for fire, (channels, squeezed, expanded) in plan.items():
        for name, shape in {
            "squeeze1x1": (squeezed, channels, 1, 1),
            "expand1x1": (expanded, squeezed, 1, 1),
            "expand3x3": (expanded, squeezed, 3, 3),
        }.items():
            scale = (2.0 / (shape[1] * shape[2] ** 2)) ** 0.5
            tensors[f"fire{fire}/{name}_w_0"] = scale * torch.randn(shape, generator=generator)
            tensors[f"fire{fire}/{name}_b_0"] = torch.randn(shape[0], generator=generator)
    network = S2CRNet()
    network.encoder.load_state_dict(squeezenet_state_from_caffe2(tensors))

    rgb = torch.rand(1, 3, 65, 65, generator=generator)
    caffe_input = 255.0 * rgb.flip(1) - torch.tensor([104.0, 117.0, 123.0]).view(1, 3, 1, 1)
    first = torch.nn.functional.conv2d(caffe_input, tensors["conv1_w_0"], tensors["conv1_b_0"], stride=2)
    torch.testing.assert_close(32 * network.encoder[0](rgb), first, rtol=1e-4, atol=1e-2)

    unscaled = S2CRNet()
    state = squeezenet_state_from_caffe2(tensors)
    for name, value in state.items():
        state[name] = value * 32 if name == "0.weight" or name.endswith("bias") else value
    unscaled.encoder.load_state_dict(state)
    torch.testing.assert_close(32 * network.embed(rgb), unscaled.embed(rgb), rtol=1e-3, atol=1e-2)
