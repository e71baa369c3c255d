from harmonizer.manifest import read_manifest
from harmonizer.onnx_engine import OnnxHarmonizer, installed_providers


def test_onnx_files_are_exported_to_a_folder(run_json, tmp_path):
    code, result = run_json("weights", "export-onnx", "-o", tmp_path)
    assert code == 0
    assert sorted(result["written"]) == sorted(read_manifest()[0])
    assert OnnxHarmonizer.load(manifest=tmp_path / "manifest.json").name == read_manifest()[1]


def test_export_to_what_is_no_folder_is_wrong_usage(run_json, tmp_path):
    code, error = run_json("weights", "export-onnx", "-o", tmp_path / "nowhere")
    assert code == 2
    assert "nowhere" in error["error"]


def test_altered_onnx_file_is_found_by_verify(run_json, tmp_path, monkeypatch):
    from app.cli import weights

    for entry in read_manifest()[0].values():
        for file in (entry.file, entry.onnx.file):
            (tmp_path / file).write_bytes((weights.WEIGHTS_DIR / file).read_bytes())
    monkeypatch.setattr(weights, "WEIGHTS_DIR", tmp_path)
    assert run_json("weights", "verify")[0] == 0
    (tmp_path / "platematch-s.onnx").write_bytes(b"junk")
    code, error = run_json("weights", "verify")
    assert code == 5
    assert "platematch-s" in error["error"]


def test_devices_list_the_providers_by_the_word_that_asks_for_them(run_json):
    code, devices = run_json("devices")
    assert code == 0
    listed = [device.partition(": ")[0] for device in devices["compute"]]
    assert [name for name in listed if name.startswith("onnx:")] == [
        f"onnx:{name}" for name in installed_providers() if name != "cpu"
    ]


def test_provider_that_is_not_there_is_said_before_anything_is_made(run_json, tmp_path, person_pictures):
    from app.pipeline.image_saving import save_image

    missing = next(name for name in ("directml", "coreml", "cuda") if name not in installed_providers())
    save_image(tmp_path / "me.png", person_pictures[0])
    out = tmp_path / "out.png"
    code, error = run_json(
        "composite", tmp_path / "me.png", "--plate", "sunset", "-o", out, "--device", f"onnx:{missing}"
    )
    assert code == 2
    assert missing in error["error"]
    assert not out.exists()
