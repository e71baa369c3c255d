"""`bench` but for the live picture: a few tiny frames each, and whether the figures are there and fit together."""

import numpy as np
import pytest

from app.pipeline.images import load_image

MACHINE = {"cpu", "cores", "cores_physical", "arch", "ram_gb", "os", "power", "governor", "python", "versions"}
PRESETS = ("ultrafast", "superfast", "veryfast")


def check_shape(report, name):
    assert report["bench"] == name
    assert set(report["machine"]) == MACHINE
    assert report["others_cpu_percent"] >= 0
    assert isinstance(report["notices"], list)


def check_picture(path):
    pixels = load_image(path).pixels
    assert pixels.shape[1] >= 800
    assert np.unique(pixels.reshape(-1, 3), axis=0).shape[0] > 10


def test_every_stage_is_measured_alone(run_json, tmp_path):
    plot = tmp_path / "stages.png"
    code, report = run_json("bench", "stages", "--size", "160x90", "--frames", 6, "--plot", plot)
    assert code == 0
    check_shape(report, "stages")
    assert (report["clip"], report["size"], report["frames"], report["threads"]) == ("sample.mp4", "160x90", 6, 1)
    stages = set(report["stages_ms"])
    assert {"decode", "YUV to RGB", "segment", "segment: network", "refine", "clean edge", "match"} <= stages
    assert {"match: plate embedding", "match: estimate", "match: table", "composite", "RGB to YUV"} <= stages
    assert {*(f"encode, {preset}" for preset in PRESETS), "for the screen", "copy of a frame"} <= stages
    for kind in ("stages_ms", "stages_p95_ms", "stages_mean_ms", "stages_cpu_ms", "stages_cpu_p95_ms"):
        assert set(report[kind]) == stages
        assert all(isinstance(ms, float) and ms >= 0 for ms in report[kind].values())
    assert all(report["stages_ms"][stage] <= report["stages_p95_ms"][stage] for stage in stages)
    check_picture(plot)


def test_stages_of_a_clip_are_a_table_for_people(run, person_clip):
    code, out, _ = run("bench", "stages", "--clip", person_clip, "--frames", 3)
    assert code == 0
    assert "person.mp4, 320x180, 3 frames" in out
    assert "match: estimate" in out
    assert "cores" in out


def test_an_export_is_measured_with_its_memory_along_the_way(run_json, person_clip, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    words = ("bench", "export", "--clip", person_clip, "--size", "160x90", "--preset", "ultrafast")
    code, report = run_json(*words, "--plot", tmp_path / "export.png")
    assert code == 0
    check_shape(report, "export")
    assert (report["clip"], report["size"], report["preset"]) == ("person.mp4", "160x90", "ultrafast")
    assert report["frames"] == 12
    assert report["fps"] == pytest.approx(report["frames"] / report["seconds"], rel=0.02)
    assert report["cpu_cores"] > 0
    assert report["rss_mb"] >= max(report["rss_third_mb"], report["rss_end_mb"])
    assert min(report["rss_third_mb"], report["rss_end_mb"]) > 10
    assert {"decode", "segment", "composite", "encode"} <= set(report["stages_ms"])
    assert [path.name for path in tmp_path.iterdir()] == ["export.png"]
    check_picture(tmp_path / "export.png")


def test_the_published_way_and_ours_are_compared_in_one_run(run_json):
    code, report = run_json("bench", "reference", "--size", "160x90", "--frames", 1)
    assert code == 0
    check_shape(report, "reference")
    assert report["size"] == "160x90"
    assert report["ratio"] == pytest.approx(report["published_ms"] / report["ours_ms"], rel=0.05)
    assert report["published_threads"] >= 1
    assert 0 < report["foreground_share"] < 1


def test_the_cost_is_measured_over_sizes(run_json, tmp_path):
    plot = tmp_path / "scale.png"
    words = ("bench", "scale", "--size", "640x360", "--threads", 1, "--frames", 2, "--plot", plot)
    code, report = run_json(*words)
    assert code == 0
    check_shape(report, "scale")
    assert report["sizes"] == ["640x360", "960x540", "1280x720"]
    assert report["threads"] == [1]
    assert report["r2_linear"] <= 1
    for key in ("slope_ns_px", "fixed_ms", "matte_match_slope_ns_px", "matte_match_ratio"):
        assert isinstance(report[key], float)
    for point in report["points"]:
        assert point["px"] == 640 * 360 or point["px"] > 640 * 360
        assert min(point[key] for key in ("matte_match_ms", "matte_match_cpu_ms", "pixel_ms", "pixel_cpu_ms")) > 0
        assert {"YUV to RGB", "segment", "refine", "match", "composite", "RGB to YUV"} <= set(point["stages_ms"])
    check_picture(plot)
    code, error = run_json(*words)
    assert code == 4
    assert "scale.png exists" in error["error"]


def test_curve_bench_reports_a_ratio_and_equal_pictures(run_json):
    code, report = run_json("bench", "curves", "--size", "96x64", "--frames", "1")
    assert code == 0
    check_shape(report, "curves")
    assert report["ratio"] > 1
    assert report["max_difference_levels"] <= 1


def test_network_bench_compares_ours_with_the_published_one(run_json):
    code, report = run_json("bench", "network", "--frames", 2)
    assert code == 0
    check_shape(report, "network")
    first, *others = report["networks"]
    assert first["ratio"] == 1.0
    assert [row["network"] for row in others][-1] == "platematch-s"
    assert all(row["ms"] > 0 for row in report["networks"])
    assert report["ratio"] == pytest.approx(others[-1]["ratio"], abs=0.05)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("stages", "--clip", "missing.mp4"), 3, "missing.mp4"),
        (("stages", "--size", "96x64", "--frames", 1, "--plate", "no-such-plate"), 3, "no-such-plate"),
        (("export", "--clip", "missing.mp4"), 3, "missing.mp4"),
        (("export", "--size", "96x64", "--frames", 1, "--preset", "warp"), 2, "warp"),
        (("reference", "--clip", "missing.mp4"), 3, "missing.mp4"),
        (("scale", "--plot", "no-such-folder/scale.png"), 4, "no-such-folder"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(run_json, words, code, said):
    given, report = run_json("bench", *words)
    assert given == report["code"] == code
    assert said in report["error"]


@pytest.mark.parametrize(
    "words",
    [
        ("stages", "--size", "large"),
        ("stages", "--size", "0x90"),
        ("stages", "--frames", "0"),
        ("scale", "--size", "9000x90"),
        ("matte",),
        ("nothing",),
        (),
    ],
)
def test_options_that_make_no_sense_are_usage_errors(words, capsys):
    from app.cli import main

    with pytest.raises(SystemExit) as ended:
        main(["bench", *words])
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_without_matplotlib_a_plot_is_refused_before_anything_is_measured(run_json, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    code, error = run_json("bench", "stages", "--plot", tmp_path / "stages.png")
    assert code == 1
    assert "matplotlib" in error["error"]
