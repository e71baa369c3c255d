from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from app.domain.settings import OutputOptions, PersonOptions, Settings
from app.pipeline.offline.queue_names import output_for
from app.ui.queue.queue_wish import AddWish, items_for, rate_of
from app.ui.queue.services import Forecast
from app.ui.queue.words import (
    end_text,
    long_time_text,
    progress_text,
    share_of,
    size_text,
    spoken_text,
    state_text,
    summary_text,
)
from tests.ui.queue_helpers import Step, item

FORECAST = Forecast(320_000_000, 240.0, 10**12)


def test_sizes_and_times_are_written_as_people_read_them():
    assert [size_text(n) for n in (900, 4e5, 3.2e6, 3.2e9, 1.25e11)] == ["1 kB", "400 kB", "3.2 MB", "3.2 GB", "125 GB"]
    assert [long_time_text(s) for s in (0.2, 40, 250, 11100)] == ["1 s", "40 s", "4 min", "3 h 05 min"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "Waiting"),
        ({"has_begun": True}, "Goes on where it stopped"),
        ({"state": "running"}, "Starting…"),
        ({"state": "running", "progress": Step("planning", 0, 0)}, "Looking at the clip…"),
        ({"state": "running", "progress": Step(done=42)}, "Rendering  ·  42 %  ·  31 fps  ·  1:05 left"),
        ({"state": "running", "progress": Step("analysing", 4, 100, None, 4.25)}, "Analysing  ·  4 %  ·  4.2 fps"),
        ({"state": "running", "progress": Step("assembling", 100, 100)}, "Putting it together…"),
        (
            {"state": "running", "progress": Step(waits_for_bytes=3_400_000_000)},
            "The disk is full: free 3.4 GB, then it goes on",
        ),
        ({"state": "paused"}, "Paused"),
        ({"state": "paused", "progress": Step(done=42)}, "Paused  ·  42 %"),
        ({"state": "failed", "message": "It is no video."}, "It is no video."),
        ({"state": "cancelled"}, "Cancelled"),
        ({"state": "done"}, "Done"),
        ({"state": "done", "frames": 250, "seconds": 12.4}, "Done  ·  250 frames in 12 s"),
    ],
)
def test_every_state_has_its_words(facts, words):
    assert state_text(item("a", **facts)) == words


def test_a_forecast_is_said_of_what_waits_and_warns_where_the_disk_is_too_small():
    assert state_text(item("a"), FORECAST) == "About 320 MB  ·  4 min"
    small = replace(FORECAST, free_bytes=20_000_000)
    assert state_text(item("a"), small) == "Needs about 320 MB; the disk has 20.0 MB"
    assert "320" not in state_text(item("a", state="done"), FORECAST)


def test_in_a_row_there_is_no_room_for_the_phase_of_what_takes_long():
    running = Step(done=42)
    assert progress_text(running, is_brief=True) == "42 %  ·  31 fps  ·  1:05 left"
    assert progress_text(Step("verifying", 100, 100), is_brief=True) == "Checking the result…"


def test_progress_is_a_share_once_the_total_is_known():
    assert share_of(item("a")) is None
    assert share_of(item("a", progress=Step("planning", 0, 0))) is None
    assert share_of(item("a", progress=Step(done=25))) == 0.25


def test_the_whole_queue_is_summed_up_and_its_time_only_where_all_of_it_is_known():
    items = [item("a"), item("b", state="failed"), item("c", state="done"), item("d", state="paused")]
    assert summary_text([], {}) == ""
    assert summary_text(items, {}) == "1 to render  ·  1 failed  ·  1 done"
    assert summary_text(items, {"a": FORECAST}) == "1 to render  ·  1 failed  ·  1 done  ·  about 4 min"
    running = item("e", state="running", progress=Step(eta_s=65))
    assert summary_text([*items, running], {"a": FORECAST}).endswith("about 5 min")
    assert "about" not in summary_text([*items, replace(running, progress=Step(eta_s=None))], {"a": FORECAST})


def test_a_row_is_told_whole_to_who_cant_see_it():
    failed = item("a", state="failed", message="It is no video.", hint="Choose another.")
    assert spoken_text(failed, "ProRes", None) == "a.mp4. ProRes. It is no video.. Choose another."


def test_the_end_says_how_many_and_what_failed():
    done = [item("a", state="done"), item("b", state="done")]
    assert end_text(done) == ("All 2 videos are rendered.", "")
    failed = item("c", state="failed", message="No video.", hint="Try another.")
    assert end_text([*done, failed]) == ("1 of 3 videos could not be rendered.", "c.mp4: No video. Try another.")


def wish(*clips, **facts):
    return AddWish(clips, Settings(plate="#20a040", output=OutputOptions(folder="/x")), "prores", ".mov", **facts)


def test_results_lie_beside_their_clips_under_names_that_nothing_has(tmp_path):
    clip, frames = tmp_path / "talk.mp4", tmp_path / "shot.v2"
    clip.touch()
    frames.mkdir()
    (tmp_path / "talk-prores.mov").touch()
    (tmp_path / "talk-prores (2).part.mov").touch()
    taken = {tmp_path / "talk-prores (3).mov"}
    first, second, third = items_for(wish(clip, clip, frames), taken)
    assert [one.output.name for one in (first, second, third)] == [
        "talk-prores (4).mov", "talk-prores (5).mov", "shot.v2-prores.mov",
    ]  # fmt: skip
    assert first.output.parent == tmp_path
    assert not first.overwrite


def test_items_hold_the_settings_of_the_moment_and_no_more_than_they_need(tmp_path):
    clip = tmp_path / "talk.mp4"
    settings = Settings(plate="#20a040", person=PersonOptions(feather_px=3), output=OutputOptions(folder="/secret"))
    made = AddWish((clip,), settings, "p", ".mov", sequence_rate=Fraction(25), tone_map=True)
    (one,) = items_for(made, ())
    assert one.settings == Settings(plate="#20a040", person=PersonOptions(feather_px=3))
    assert (one.sequence_rate, one.tone_map, one.preset) == (Fraction(25), True, "p")


def test_a_folder_takes_all_results_and_a_chosen_name_is_kept(tmp_path):
    folder, clip = tmp_path / "out", tmp_path / "talk.mp4"
    folder.mkdir()
    (one,) = items_for(wish(clip, folder=folder), ())
    assert one.output == folder / "talk-prores.mov"
    (one,) = items_for(wish(clip, output=tmp_path / "mine.mov", overwrite=True), ())
    assert (one.output, one.overwrite) == (tmp_path / "mine.mov", True)


def test_names_go_on_for_folders_of_pictures(tmp_path):
    clip = tmp_path / "talk.mp4"
    (tmp_path / "talk-png").mkdir()
    assert output_for(clip, preset="png", suffix="", folder=tmp_path) == tmp_path / "talk-png (2)"
    assert output_for(Path("/c/a.mp4"), preset="", suffix=".mp4", folder=tmp_path).name == "a-platematch.mp4"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (24, 24),
        (25, 25),
        (29.97, Fraction(30000, 1001)),
        (23.976, Fraction(24000, 1001)),
        (59.94, Fraction(60000, 1001)),
        (12.5, Fraction(25, 2)),
        (1, 1),
    ],
)
def test_rates_are_what_cameras_have(typed, meant):
    assert rate_of(typed) == meant


def test_names_that_some_disks_take_for_one_are_not_given_twice(tmp_path):
    taken = {tmp_path / "TALK-p.mp4"}
    assert output_for(tmp_path / "talk.mov", preset="p", suffix=".mp4", folder=tmp_path, taken=taken).name == (
        "talk-p (2).mp4"
    )
