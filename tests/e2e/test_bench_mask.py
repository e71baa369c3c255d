import numpy as np
import pytest

from app.pipeline.bench.mask_project import document_of
from app.pipeline.bench.mask_scrub import bench_scrub, make_long_gop
from app.pipeline.mask.frame_index import read_index
from tests.support.long_gop import write_long_gop

PARTS = ("brush_p95_ms", "brush_4k_p95_ms", "scrub_median_ms", "scrub_p95_ms", "propagate_fps")


@pytest.fixture(scope="module")
def gop_clip(tmp_path_factory):
    return write_long_gop(tmp_path_factory.mktemp("gop") / "gop.mp4", frames=40)


def test_every_part_of_mask_mode_is_measured(run_json, gop_clip, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, report = run_json("bench", "mask", "--clip", gop_clip, "--frames", 20)
    assert code == 0
    assert report["bench"] == "mask"
    assert report["machine"]["cores"] >= 1
    assert report["others_cpu_percent"] >= 0
    assert all(report[name] > 0 for name in PARTS)
    assert report["brush_platform"] == "offscreen"
    assert report["brush_zooms"]["1080p"]["fit"]["wall_p95_ms"] == report["brush_p95_ms"]
    assert set(report["brush_zooms"]["4k"]) == {"fit", "100", "400"}
    assert (report["scrub_clip"], report["scrub_size"], report["scrub_frames"]) == ("gop.mp4", "96x64", 40)
    assert report["scrub_key_frames"] == 1
    assert report["scrub_median_ms"] <= report["scrub_p95_ms"]
    assert (report["propagate_size"], report["propagate_edit_px"]) == ("1920x1080", 300)
    assert set(report["iou_by_motion"]) == {"translate", "affine", "scale"}
    assert report["iou_after_30"] == min(report["iou_by_motion"].values())
    assert report["iou_after_30"] >= 0.97
    assert report["cut_exact"] is True
    assert 0 < report["occlusion_weight_left"] < 0.05
    assert report["project_frames"] == 40
    assert 25 <= report["project_tiles"] <= 35
    assert min(report["project_open_s"], report["project_save_s"]) > 0
    assert report["rss_mb"] > 50
    assert list(tmp_path.iterdir()) == []


def test_the_clip_made_for_seeking_has_one_key_frame_and_frames_out_of_order(tmp_path):
    path = tmp_path / "sample.mp4"
    ticks = []
    make_long_gop(path, 8, tick=lambda: ticks.append(1))
    index = read_index(path)
    assert (len(ticks), len(index), len(index.key_pts)) == (8, 8, 1)
    import av

    with av.open(str(path)) as source:
        shown = [packet.pts for packet in source.demux(video=0) if packet.pts is not None]
    assert shown != sorted(shown), "there are B-frames"


def test_seeks_are_timed_for_frames_that_were_not_at_hand(gop_clip):
    report = bench_scrub(gop_clip, seeks=1000)
    assert 0 < report["scrub_seeks"] < 40, "what a seek left in the cache is not sought again"
    assert report["scrub_decoded"] >= 1


def test_the_project_that_is_saved_has_another_soft_correction_on_every_frame():
    edits = document_of(12).frames
    planes = [edit.correction.planes() for edit in edits.values()]
    assert len({one.weight.tobytes() for one in planes}) == 12
    assert len(np.unique(planes[5].weight)) > 50


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(("--clip", "missing.mp4"), 3, "missing.mp4"), (("--clip", __file__), 3, "test_bench_mask.py")],
)
def test_a_clip_that_cannot_be_sought_in_is_said_before_anything_is_measured(run_json, words, code, said, monkeypatch):
    def nobody_runs(*_args, **_more):
        raise AssertionError("the brush was measured first")

    monkeypatch.setattr("app.cli.bench_mask._brush", nobody_runs)
    given, report = run_json("bench", "mask", *words)
    assert given == report["code"] == code
    assert said in report["error"]


def test_a_table_names_the_figures_for_people(run, gop_clip, monkeypatch):
    found = {"brush_p95_ms": 1.5, "brush_4k_p95_ms": 2.5}
    monkeypatch.setattr("app.cli.bench_mask._measured", lambda *_: found | _figures())
    code, out, _ = run("bench", "mask", "--clip", gop_clip)
    assert code == 0
    assert "gop.mp4" in out
    assert "p95" in out
    assert "0.981" in out


def _figures():
    return {
        "scrub_clip": "gop.mp4",
        "scrub_frames": 40,
        "scrub_median_ms": 3.0,
        "scrub_p95_ms": 4.0,
        "propagate_fps": 30.0,
        "iou_after_30": 0.981,
        "cut_exact": True,
        "occlusion_weight_left": 0.01,
        "project_frames": 5,
        "project_open_s": 0.1,
        "project_save_s": 0.2,
        "rss_mb": 300.0,
    }
