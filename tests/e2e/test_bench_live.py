import os
import time

import pytest

from app.pipeline.live.live_bench import percentiles, process_age_s, rss_facts, slope, to_bgra
from app.ui.window_bench import stalls
from tests.support.media import write_clip


@pytest.fixture(scope="module")
def talk(tmp_path_factory, person_pictures):
    """The portrait at 12 frames a second; played round and round it is a camera."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return write_clip(path, frames=12, size=(320, 180), rate=12, draw=lambda w, h, i: person_pictures[i])


def check_counts(report):
    due = report["captured"] + report["drops"].get("lost by the source", 0)
    assert report["captured"] >= report["finished"] > 0
    assert report["fps"] > 0
    assert 0 < report["latency_p50_ms"] <= report["latency_p95_ms"] <= report["latency_p99_ms"]
    assert report["dropped_percent"] == pytest.approx(100 * sum(report["drops"].values()) / due, abs=0.01)
    assert set(report["drops_percent"]) == set(report["drops"])
    assert report["covered"] == 0
    assert report["rss_start_mb"] > 50
    assert report["rss_end_mb"] > 50
    assert report["cpu_percent"] > 0
    assert {"segment", "match", "composite"} <= set(report["stages_ms"])
    assert all(ms > 0 for ms in report["stages_ms"].values())


def test_live_figures_of_a_clip_fit_together(run_json, talk):
    code, report = run_json("bench", "live", "--source", talk, "--seconds", "1.5")
    assert code == 0
    check_counts(report)
    assert report["source"] == str(talk)
    assert report["granted"].startswith("320 \u00d7 180, 12 fps")
    assert report["seconds"] == pytest.approx(1.5, abs=0.5)
    assert report["converted"] <= report["finished"] + 1
    assert report["fps"] <= 13
    assert 0 < report["first_picture_s"] <= report["first_match_s"] <= process_age_s()
    assert 0 < report["release_s"] < 20
    assert report["recording"] is None
    assert report["cpus"] == os.cpu_count()


def test_a_recording_beside_it_takes_the_pictures_and_leaves_nothing(run_json, talk, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code, report = run_json("bench", "live", "--source", talk, "--seconds", "1", "--record", "--preview", "160x90")
    assert code == 0
    check_counts(report)
    assert report["recording"]["failure"] is None
    assert report["recording"]["frames"] > 0
    assert report["recording"]["mb"] > 0
    assert list(tmp_path.iterdir()) == []


def test_settings_and_size_reach_the_pipeline(run_json):
    code, report = run_json(
        *("bench", "live", "--source", "sample", "--seconds", "1", "--size", "640x480"),
        *("--set", "camera.still_levels=4", "--set", "person.decontaminate=off", "--set", "plate=#2f6b4f"),
    )
    assert code == 0
    check_counts(report)
    assert report["held_share"] > 0


def test_a_source_without_a_person_is_measured_without_a_match(run, monkeypatch):
    monkeypatch.setattr("app.pipeline.live.live_bench.CURVE_LIMIT_S", 0.5)
    code, out, _ = run("bench", "live", "--source", "pattern", "--size", "640x480", "--seconds", "1")
    assert code == 0
    assert "first_match_s" in out
    assert "640 \u00d7 480, 30 fps" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--source", "missing.mp4"], 3, "missing.mp4"),
        (["--source", "gopher://example.org"], 3, "can't be used"),
        (["--source", "sample", "--set", "plate=missing.png"], 3, "missing.png"),
        (["--source", "sample", "--set", "match.strength=7"], 2, "Strength"),
        (["--source", "sample", "--set", "match.nothing=1"], 2, "match.nothing"),
        (["--source", "sample", "--size", "17x17"], 2, "17x17"),
        ([], 2, "--source"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(run_json, words, code, said):
    given, report = run_json("bench", "live", "--seconds", "1", *words)
    assert given == report["code"] == code
    assert said in report["error"]


def test_the_window_is_measured_in_a_process_of_its_own(run_json, talk, separate_home):
    code, report = run_json(
        *("bench", "window", "--source", talk, "--platform", "offscreen", "--seconds", "2"),
        *("--record", "--exercise", "--events"),
    )
    assert code == 0
    check_counts(report)
    assert report["platform"] == "offscreen"
    assert 0 < report["visible_s"] <= report["first_picture_s"] <= report["first_match_s"]
    assert 0 < report["painted"] <= report["finished"]
    assert report["recording"]["failure"] is None
    assert report["recording"]["frames"] > 0
    assert isinstance(report["longest_events"], list)
    for name in ("stalls", "stalls_starting"):
        times = report[name]
        assert 0 <= times["p50_ms"] <= times["p99_ms"] <= times["max_ms"]
        assert times["beats"] > times["over_8_ms"]
    assert not list(separate_home.rglob("settings.json")), "the window's own settings were touched"


def test_a_window_on_a_missing_clip_ends_with_the_reason(run_json):
    code, report = run_json("bench", "window", "--source", "missing.mp4", "--platform", "offscreen", "--seconds", "1")
    assert code == report["code"] == 3
    assert "missing.mp4" in report["error"]


def test_a_steady_rise_is_found_and_a_flat_line_has_none():
    assert slope([0.0, 1.0, 2.0], [5.0, 7.0, 9.0]) == pytest.approx(2)
    assert slope([0.0, 1.0, 2.0], [5.0, 5.0, 5.0]) == pytest.approx(0)
    assert slope([0.0], [5.0]) == 0


def test_memory_that_grows_at_first_and_then_holds_has_no_late_slope():
    facts = rss_facts([(0.0, 100.0), (1.0, 110.0), (2.0, 120.0), (3.0, 120.0), (4.0, 120.0)])
    assert facts["rss_start_mb"] == 100
    assert facts["rss_end_mb"] == 120
    assert facts["rss_slope_mb_min"] > 0
    assert facts["rss_slope_late_mb_min"] == pytest.approx(0)


def test_percentiles_of_nothing_are_none():
    assert percentiles([], (50, 95)) == [None, None]
    assert percentiles([1.0, 2.0, 3.0], (50,)) == [2.0]


def test_the_age_of_this_process_grows_as_the_clock_does():
    before, since_s = process_age_s(), time.monotonic()
    time.sleep(0.05)
    assert process_age_s() - before == pytest.approx(time.monotonic() - since_s, abs=0.02)


def test_pictures_for_the_screen_fit_and_are_never_enlarged(person_pictures):
    assert to_bgra(person_pictures[0], (160, 160)).shape == (90, 160, 4)
    assert to_bgra(person_pictures[0], (1000, 1000)).shape == (180, 320, 4)
    assert to_bgra(person_pictures[0], (1000, 1000))[0, 0, :3].tolist() == person_pictures[0][0, 0, ::-1].tolist()


def test_stalls_over_the_limit_are_counted():
    assert stalls([0.0, 1.0, 8.5, 20.0]) | {"p50_ms": 0, "p99_ms": 0} == {
        "p50_ms": 0,
        "p99_ms": 0,
        "max_ms": 20.0,
        "over_8_ms": 2,
        "beats": 4,
    }
