import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.interface_state import RECENT, Interface, interface_from_json, interface_to_json, with_recent
from app.domain.setting_kinds import Choice, Number, Text, Toggle, kinds_of
from app.domain.settings import (
    GROUPS,
    CameraOptions,
    OutputOptions,
    Settings,
    settings_from_json,
    settings_to_json,
    size_in_words,
)
from app.pipeline.bounded_json import MAX_FILE_BYTES, UnusableJson, parse_json, read_json
from app.pipeline.settings_store import (
    backup_path,
    config_folder,
    interface_path,
    load_interface,
    load_settings,
    save_interface,
    save_settings,
    settings_path,
)

CHANGED = (
    Settings(plate="forest").with_value("match", "strength", 0.25).with_value("output", "folder", "/\u00e4 \U0001f600")
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config" / "settings.json"


def test_every_setting_has_words_and_an_acceptable_default():
    for group in GROUPS.values():
        kinds = kinds_of(group)
        assert set(kinds) == {setting.name for setting in fields(group)}
        for name, kind in kinds.items():
            assert kind.accepts(getattr(group(), name)), name
            assert kind.label
            assert kind.hint


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Number("a", "b", 0, 1, 0.1), (0, 1, 0.5), (-0.1, 1.1, math.nan, math.inf, True, "1", None, [])),
        (Choice("a", "b", {"x": "X"}), ("x",), ("y", "", None, 1, ["x"])),
        (Toggle("a", "b"), (True, False), (1, 0, "true", None)),
        (Text("a", "b", max_length=3), ("", "abc"), ("abcd", "a\0b", None, 3)),
    ],
)
def test_kinds_take_only_what_fits(kind, good, bad):
    assert all(kind.accepts(value) for value in good)
    assert not any(kind.accepts(value) for value in bad)


def test_one_bad_value_costs_itself_only():
    data = settings_to_json(CHANGED)
    data["match"]["smoothing_s"] = 99
    data["camera"] = "none"
    data["person"]["unheard_of"] = 1
    data["future"] = {}
    settings, notes = settings_from_json(data)
    assert settings == CHANGED
    assert len(notes) == 4
    assert any("match.smoothing_s" in note for note in notes)


def test_with_value_reaches_groups_and_the_plate():
    assert Settings().with_value("", "plate", "loft").plate == "loft"
    assert Settings().with_value("person", "feather_px", 3.0).person.feather_px == 3.0


def test_saved_settings_come_back_exactly(path):
    save_settings(path, CHANGED)
    assert load_settings(path) == (CHANGED, ())
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["settings.json"]


def test_nothing_saved_is_defaults_without_a_word(path):
    assert load_settings(path) == (Settings(), ())


def test_file_before_is_kept_and_read_when_the_newer_one_is_damaged(path):
    save_settings(path, CHANGED)
    save_settings(path, Settings(plate="loft"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    settings, notes = load_settings(path)
    assert settings == CHANGED
    assert any("damaged" in note for note in notes)
    (corrupt,) = path.parent.glob("settings.corrupt-*.json")
    assert corrupt.read_bytes() == whole[: len(whole) // 2]
    assert not path.exists()


def test_a_backup_that_is_the_file_itself_as_a_failed_save_leaves_it_costs_no_stray_file(tmp_path):
    path = tmp_path / "settings.json"
    save_settings(path, CHANGED)
    os.link(path, backup_path(path))
    save_settings(path, Settings(plate="loft"))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["settings.json", "settings.json.bak"]
    assert load_settings(backup_path(path))[0] == CHANGED


def test_both_files_damaged_are_defaults_and_both_are_kept(path):
    save_settings(path, CHANGED)
    path.write_text("[]")
    backup_path(path).write_bytes(b"\xff\xfe\x00")
    settings, notes = load_settings(path)
    assert settings == Settings()
    assert len(notes) == 2
    assert len(list(path.parent.glob("settings.corrupt-*.json"))) == 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[1]",
        b'"text"',
        b"{",
        b"\x00" * 50,
        b"[" * 50_000,
        b'{"a":' * 60 + b"1" + b"}" * 60,
        b'{"plate": "' + b"a" * MAX_FILE_BYTES + b'"}',
    ],
)
def test_hostile_files_are_defaults_and_kept(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    settings, notes = load_settings(path)
    assert settings == Settings()
    assert notes
    (corrupt,) = path.parent.glob("settings.corrupt-*.json")
    assert corrupt.read_bytes() == content


def test_numbers_beyond_any_float_cost_themselves(path):
    path.parent.mkdir()
    path.write_text('{"match": {"strength": 1' + "0" * 5000 + ', "smoothing_s": 1e999}, "plate": "loft"}')
    settings, notes = load_settings(path)
    assert settings == Settings(plate="loft")
    assert len(notes) == 2


def test_newer_version_is_used_as_far_as_it_is_understood(path):
    path.parent.mkdir()
    path.write_text(json.dumps({**settings_to_json(CHANGED), "version": 99}))
    settings, notes = load_settings(path)
    assert settings == CHANGED
    assert "newer version" in notes[0]


def test_folder_in_the_files_place_is_no_reason_not_to_start(path):
    path.mkdir(parents=True)
    settings, notes = load_settings(path)
    assert settings == Settings()
    assert notes
    with pytest.raises(UserError):
        save_settings(path, Settings())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no named pipes")
def test_pipe_in_the_files_place_is_not_waited_for(path):
    path.parent.mkdir()
    os.mkfifo(path)
    assert load_settings(path)[0] == Settings()


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError) as caught:
        save_settings(tmp_path / "file" / "settings.json", Settings())
    assert caught.value.code is ExitCode.OUTPUT


def test_full_disk_leaves_the_settings_as_they_were(path, monkeypatch):
    save_settings(path, CHANGED)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.pipeline.video_output.os.fsync", full)
    with pytest.raises(UserError, match="full") as caught:
        save_settings(path, Settings())
    assert caught.value.code is ExitCode.OUTPUT
    assert load_settings(path) == (CHANGED, ())
    assert not list(path.parent.glob("*.part*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of this kind")
def test_settings_are_readable_by_their_owner_only(path):
    save_settings(path, CHANGED)
    save_settings(path, CHANGED)
    assert [entry.stat().st_mode & 0o777 for entry in sorted(path.parent.iterdir())] == [0o600, 0o600]


def test_files_live_in_the_persons_config_folder(separate_home):
    assert settings_path().parent == interface_path().parent == config_folder()
    assert config_folder().name == "PlateMatch"


def test_window_state_comes_back_exactly(tmp_path):
    state = Interface(theme="dark", divider=0.3, recent_sources=("a", "b"), own_plates=("/p/\u65e5.jpg",))
    path = tmp_path / "window.json"
    save_interface(path, state)
    assert load_interface(path) == (state, ())
    path.write_text("{")
    assert load_interface(path)[0] == Interface()
    assert list(tmp_path.glob("window.corrupt-*.json"))


def test_saves_at_the_same_time_all_succeed_and_leave_one_whole_file(tmp_path):
    path = tmp_path / "PlateMatch" / "settings.json"
    save_settings(path, CHANGED)
    saves = "import sys; from pathlib import Path; from app.domain.settings import Settings\n"
    saves += "from app.pipeline.settings_store import save_settings\n"
    saves += "for n in range(40): save_settings(Path(sys.argv[1]), Settings(plate=f'other-{n}'))"
    with ThreadPoolExecutor(4) as pool:
        other = subprocess.Popen([sys.executable, "-c", saves, str(path)])
        list(pool.map(lambda n: save_settings(path, Settings(plate=f"ours-{n}")), range(120)))
        assert other.wait(60) == 0
    settings, notes = load_settings(path)
    assert notes == ()
    assert settings.plate.startswith(("other-", "ours-"))
    assert not list(path.parent.glob("*.part*"))


def test_what_a_killed_save_left_is_removed_once_nobody_writes_it(tmp_path):
    path = tmp_path / "settings.json"
    old, recent, foreign = (
        tmp_path / name for name in ("settings.71.part.json", "settings.72.part.json", "a.part.json")
    )
    for left in (old, recent, foreign):
        left.write_text("{")
    for left in (old, foreign):
        os.utime(left, (1, 1))
    save_settings(path, CHANGED)
    assert sorted(tmp_path.glob("*.part*")) == [foreign, recent]


def test_bad_parts_of_a_window_state_cost_themselves_only():
    data = interface_to_json(Interface(theme="light", own_plates=("a",)))
    data |= {"divider": "wide", "recent_sources": ["x", 3, "x", "", "y"], "own_plates": "abc", "geometry": "g"}
    state, notes = interface_from_json(data)
    assert state == replace(Interface(), theme="light", geometry="g", recent_sources=("x", "y"))
    assert len(notes) == 3
    assert interface_from_json([])[0] == Interface()


def test_recent_lists_are_newest_first_without_doubles_and_bounded():
    items = ()
    for number in range(30):
        items = with_recent(items, str(number % 20))
    assert items[0] == "9"
    assert len(items) == len(set(items)) == RECENT


def test_json_is_bounded(tmp_path):
    assert parse_json(b'\xef\xbb\xbf{"a": [1, 2.5, "x"]}') == {"a": [1, 2.5, "x"]}
    with pytest.raises(UnusableJson, match="too large"):
        parse_json(b" " * 11, max_bytes=10)
    with pytest.raises(UnusableJson, match="too deeply"):
        parse_json(b"[" * 33 + b"]" * 33)
    with pytest.raises(UnusableJson, match="no file"):
        read_json(tmp_path)


def test_sizes_in_words_and_the_words_that_leave_it_open():
    for kind in (kinds_of(CameraOptions)["size"], kinds_of(OutputOptions)["size"]):
        sizes = {words: size_in_words(words) for words in kind.options}
        assert sizes["1280x720"] == (1280, 720)
        assert [words for words, size in sizes.items() if size is None] in (["auto"], ["source"])
