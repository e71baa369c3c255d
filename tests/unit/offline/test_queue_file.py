"""The queue's file: what is read is what was written, and nothing in it can keep the window from opening."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import UserError
from app.domain.settings import MatchOptions, OutputOptions, PersonOptions, Settings
from app.pipeline.offline.queue import MAX_ITEMS
from app.pipeline.offline.queue_file import QueueLock, load_queue, save_queue, saved_form
from app.pipeline.offline.queue_items import QueueItem, snapshot_of
from app.pipeline.settings_store import backup_path

SETTINGS = Settings(plate="#20a040", person=PersonOptions(feather_px=3.5), match=MatchOptions(strength=0.25))


def item(name="a", **facts):
    return QueueItem(Path(f"/clips/{name}.mp4"), Path(f"/out/{name}.mov"), SETTINGS, id=name, **facts)


def written(path, items):
    path.write_text(json.dumps({"version": 1, "items": items}))
    return load_queue(path)


def plain(path, **facts):
    """A usable entry as the file holds it, with some of it changed."""
    save_queue(path, [item()])
    return json.loads(path.read_text())["items"][0] | facts


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "queue.json"


def test_everything_comes_back(path):
    items = (
        item("a", preset="prores-4444-alpha", overwrite=True, notices=("One.", "Two."), state="done", frames=9),
        item("b", state="failed", message="“b” is no video.", hint="Choose another.", seconds=1.5),
        item("c", state="paused", sequence_rate=Fraction(30000, 1001), tone_map=True),
        item("d", state="cancelled"),
    )
    save_queue(path, items)
    assert load_queue(path) == (items, ())


def test_what_was_under_way_waits_to_be_gone_on_with(path):
    save_queue(path, [item("a", state="running", has_begun=True), item("b", state="paused", has_begun=True)])
    (first, second), notes = load_queue(path)
    assert (first.state, first.has_begun) == ("waiting", True)
    assert (second.state, second.has_begun) == ("waiting", True)
    assert notes == ()


def test_no_file_is_an_empty_queue_and_nothing_to_say(path):
    assert load_queue(path) == ((), ())


def test_cameras_and_outputs_are_not_kept(path):
    settings = replace(SETTINGS, output=OutputOptions(folder="/secret"))
    assert snapshot_of(settings) == SETTINGS
    save_queue(path, [item()])
    assert "rtsp" not in path.read_text()
    assert set(json.loads(path.read_text())["items"][0]["settings"]) == {"plate", "person", "match", "placement"}


def test_a_damaged_file_is_put_aside_and_the_one_before_it_read(path):
    save_queue(path, [item("a")])
    save_queue(path, [item("a"), item("b")])
    path.write_bytes(path.read_bytes()[:-40])
    items, notes = load_queue(path)
    assert [i.id for i in items] == ["a"]
    assert "queue.json.corrupt" in notes[0]
    assert path.with_name("queue.json.corrupt").is_file()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"[]", b"null", b'{"items": 3}', b"[" * 5000, b"9" * 10_000_000, b'{"items": {}}']
)
def test_whatever_stands_in_the_file_nothing_is_raised(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    items, notes = load_queue(path)
    assert items == ()
    assert notes


def test_a_pipe_or_folder_of_that_name_is_no_queue(path):
    path.mkdir(parents=True)
    assert load_queue(path)[0] == ()
    path.rmdir()
    os.mkfifo(path)
    assert load_queue(path)[0] == ()


@pytest.mark.parametrize(
    "facts",
    [
        {"clip": ""},
        {"clip": None},
        {"clip": "a\0b"},
        {"clip": "x" * 5000},
        {"output": 3},
        {"settings": {"plate": 7}},
        {"settings": {"person": {"feather_px": 1e9}}},
        {"settings": {"person": {"newer": 1}}},
        {"settings": None},
        {"sequence_rate": "0"},
        {"sequence_rate": "1e999999999"},
        {"sequence_rate": 24},
        {"sequence_rate": "1/0"},
    ],
)
def test_an_entry_that_would_be_another_video_is_left_out_and_said(path, facts):
    save_queue(path, [item("b")])
    good = json.loads(path.read_text())["items"][0]
    items, notes = written(path, [plain(path, **facts), good])
    assert [i.id for i in items] == ["b"]
    assert "1 of the queue's entries" in notes[0]


@pytest.mark.parametrize(
    ("facts", "name", "value"),
    [
        ({"state": "flying"}, "state", "waiting"),
        ({"state": ["done"]}, "state", "waiting"),
        ({"notices": "abc"}, "notices", ()),
        ({"notices": ["a", 3, "b"]}, "notices", ("a", "b")),
        ({"frames": -1}, "frames", 0),
        ({"frames": 1e400}, "frames", 0),
        ({"seconds": "1"}, "seconds", 0.0),
        ({"message": 1}, "message", ""),
        ({"overwrite": "yes"}, "overwrite", False),
        ({"has_begun": 1}, "has_begun", False),
    ],
)
def test_what_is_said_of_an_entry_costs_itself_only(path, facts, name, value):
    (found,), notes = written(path, [plain(path, **facts)])
    assert getattr(found, name) == value
    assert notes == ()


def test_entries_of_one_name_are_one_and_too_many_are_cut(path):
    one = plain(path)
    assert len(written(path, [one, one])[0]) == 1
    many = [one | {"id": str(n)} for n in range(MAX_ITEMS + 20)]
    items, notes = written(path, many)
    assert len(items) == MAX_ITEMS
    assert "20 of the queue's entries" in notes[0]


def test_a_full_queue_of_long_names_can_be_read_again(path):
    long = "/" + "x" * 250
    items = [
        replace(item(str(n)), clip=Path(long * 8), output=Path(long * 8), message="m" * 500) for n in range(MAX_ITEMS)
    ]
    save_queue(path, items)
    assert len(load_queue(path)[0]) == MAX_ITEMS


def test_a_newer_file_is_read_as_far_as_it_is_understood(path):
    entry = plain(path, newer="thing")
    path.write_text(json.dumps({"version": 99, "items": [entry], "more": 1}))
    items, notes = load_queue(path)
    assert len(items) == 1
    assert "newer" in notes[0]


def test_the_file_before_is_kept_and_a_folder_that_cant_be_written_is_said(path, tmp_path):
    save_queue(path, [item("a")])
    save_queue(path, [])
    assert backup_path(path).is_file()
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(UserError):
        save_queue(blocked / "queue.json", [])


def test_progress_is_nothing_to_write():
    class Step:
        done = 3

    assert saved_form([item(), replace(item("b"), progress=Step())]) == (item(), item("b"))


def test_one_window_keeps_the_file_at_a_time(path):
    first, second = QueueLock(path), QueueLock(path)
    assert (first.is_ours, second.is_ours) == (True, False)
    second.release()
    first.release()
    third = QueueLock(path)
    assert third.is_ours
    third.release()


KEYS = st.sampled_from(["items", "clip", "output", "settings", "state", "plate", "id", "version"])
PLAIN = st.none() | st.booleans() | st.floats() | st.text(max_size=5)


@given(st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=20))
def test_no_json_raises(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("any") / "queue.json"
    path.write_text(json.dumps({"items": value if isinstance(value, list) else [value], "version": value}))
    items, _ = load_queue(path)
    assert all(isinstance(found, QueueItem) for found in items)
