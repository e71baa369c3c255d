import csv

import pytest

from app.pipeline.video_evaluation import SMOOTHINGS, UNTOUCHED

SHORT = ("--frames", "8", "--rest", "1")
METHODS = len(SMOOTHINGS) + 2


@pytest.fixture(scope="module")
def measured(person_clip, tmp_path_factory):
    """One run on the synthetic clip, its object and its CSV lines."""
    import contextlib
    import io
    import json

    from app.cli import main

    table, out = tmp_path_factory.mktemp("scores") / "scores.csv", io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main(["eval-video", str(person_clip), *SHORT, "--csv", str(table), "--json"])
    assert code == 0
    with table.open(encoding="utf-8") as file:
        return json.loads(out.getvalue()), list(csv.DictReader(file))


def test_every_smoothing_is_measured_in_every_way(measured):
    result, lines = measured
    assert len(result["methods"]) == METHODS
    assert len(lines) == len(result["measurements"])
    for method in result["methods"][2:]:
        assert method["fmse"] > 0
        assert method["temporal_loss"] > 0
        assert method["curve_step_levels"] > 0
        assert method["colour_step_levels"] > 0
        assert method["still_plate_settling_s"] is not None


def test_the_match_brings_the_person_nearer_to_the_real_frames(measured):
    methods = {m["smoothing"]: m for m in measured[0]["methods"]}
    assert methods["none"]["fmse"] < methods[UNTOUCHED]["fmse"]


def test_smoothing_is_steadier_and_slower_than_none(measured):
    methods = {m["smoothing"]: m for m in measured[0]["methods"]}
    none, slow = methods["none"], methods["ema 1 s"]
    assert slow["colour_step_levels"] < none["colour_step_levels"]
    assert slow["light_settling_s"] is None or slow["light_settling_s"] > 0.5


def test_csv_is_not_replaced_unasked_and_inputs_are_never_written(run, person_clip, tmp_path):
    table = tmp_path / "scores.csv"
    table.write_text("mine")
    assert run("eval-video", person_clip, "--csv", table)[0] == 4
    assert table.read_text() == "mine"
    assert run("eval-video", person_clip, "--csv", person_clip, "--overwrite")[0] == 4


def test_bad_input_ends_with_one_sentence(run, empty_room_clip, person_clip, tmp_path):
    code, _, err = run("eval-video", tmp_path / "none.mp4")
    assert code == 3
    assert "none.mp4" in err
    code, _, err = run("eval-video", empty_room_clip)
    assert code == 3
    assert "only 6 frames" in err
    code, _, err = run("eval-video", person_clip, "--frames", 3)
    assert code == 2
    assert "too few" in err
    code, _, err = run("eval-video", person_clip, "--rest", 0.5)
    assert code == 2
    assert "at rest" in err
    (tmp_path / "junk.mp4").write_bytes(b"junk")
    assert run("eval-video", tmp_path / "junk.mp4")[0] == 3
    assert run("eval-video", person_clip, "--weights", "nonsense")[0] == 5


def test_real_clip_gives_a_table(run, shared_data):
    code, out, _ = run("eval-video", shared_data / "clips" / "webcam-sister.mkv", *SHORT)
    assert code == 0
    for words in ("untouched composite", "the real clip", "ema 0.2 s", "one_euro", "video s"):
        assert words in out
