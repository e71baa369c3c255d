import json

import pytest

from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings
from app.pipeline.presets import MAX_NAME, SUFFIX, Preset, PresetStore, checked_name, presets_folder
from app.pipeline.settings_store import config_folder

OFFICE = Settings(plate="loft").with_value("match", "strength", 0.5)
MACHINE = (
    OFFICE.with_value("output", "folder", "/home/me/films")
    .with_value("output", "microphone", "My microphone")
    .with_value("output", "virtual_camera", "/dev/video9")
    .with_value("output", "control", True)
    .with_value("camera", "source", "camera:/dev/video0")
)


@pytest.fixture
def store(tmp_path):
    return PresetStore(tmp_path / "presets")


def names(store):
    return [preset.name for preset in store.presets()[0]]


def hostile(tmp_path, **changes):
    """A preset file as somebody else could have written it."""
    path = tmp_path / f"given{SUFFIX}"
    data = {"format": "platematch-preset", "version": 1, "name": "Given", "slot": 1, "settings": {}}
    path.write_text(json.dumps(data | changes))
    return path


def test_saved_presets_come_back_exactly_and_in_order(store):
    for preset in (Preset("b\u00fcro \U0001f3e2", MACHINE), Preset("Abend", OFFICE), Preset("zuletzt", slot=1)):
        assert store.save(preset) == preset
    presets, notes = store.presets()
    assert notes == ()
    assert presets == (Preset("zuletzt", slot=1), Preset("Abend", OFFICE), Preset("b\u00fcro \U0001f3e2", MACHINE))


def test_no_folder_is_no_presets(store):
    assert store.presets() == ((), ())
    assert presets_folder().parent == config_folder()


def test_same_name_replaces_only_when_wanted(store):
    store.save(Preset("Office", OFFICE))
    with pytest.raises(UserError, match="already"):
        store.save(Preset("Office"), overwrite=False)
    assert store.named("Office").settings == OFFICE
    store.save(Preset("Office"))
    assert store.presets()[0] == (Preset("Office"),)


def test_names_that_look_alike_to_a_file_system_stay_apart(store):
    for name in ("Office", "office", "\u65e5\u672c", "\u4e2d\u56fd", "../../etc", "a/b", "CON", "."):
        store.save(Preset(name))
    assert len(names(store)) == 8
    assert {path.parent for path in store._folder.rglob("*")} == {store._folder}


def test_composed_and_decomposed_names_are_one(store):
    store.save(Preset("Bu\u0308ro"))
    assert store.named("B\u00fcro").name == "B\u00fcro"


@pytest.mark.parametrize("name", ["", "   ", "a\0b", "x" * (MAX_NAME + 1), "\ud800", "a\u202eb", "\x07"])
def test_names_that_cannot_be_are_refused(store, name):
    with pytest.raises(UserError) as caught:
        store.save(Preset(name))
    assert caught.value.code is ExitCode.USAGE
    assert not names(store)


def test_name_is_made_one_line():
    assert checked_name("  my \n office\t2 ") == "my office 2"


def test_a_key_calls_one_preset_only(store):
    store.save(Preset("a", slot=3))
    store.save(Preset("b"))
    store.assign("b", 3)
    assert {preset.name: preset.slot for preset in store.presets()[0]} == {"a": None, "b": 3}
    store.assign("b", None)
    assert store.named("b").slot is None
    with pytest.raises(UserError, match="1 to 9"):
        store.assign("b", 10)


def test_rename_keeps_settings_and_key_and_never_replaces(store):
    store.save(Preset("a", OFFICE, slot=2))
    store.save(Preset("b"))
    with pytest.raises(UserError, match="already"):
        store.rename("a", "b")
    assert store.rename("a", "c") == Preset("c", OFFICE, slot=2)
    assert store.rename("c", "c").slot == 2
    assert names(store) == ["c", "b"]


def test_delete_removes_and_what_is_not_there_is_named(store):
    store.save(Preset("a"))
    store.save(Preset("a", OFFICE))
    store.delete("a")
    assert not list(store._folder.iterdir())
    store.save(Preset("b"))
    with pytest.raises(UserError, match="no preset") as caught:
        store.delete("a")
    assert "b" in caught.value.hint


def test_name_is_found_without_its_case_where_that_is_clear(store):
    store.save(Preset("Office"))
    assert store.named("office").name == "Office"
    store.save(Preset("OFFICE"))
    with pytest.raises(UserError):
        store.named("office")


def test_broken_file_costs_itself_only_and_stays(store):
    store.save(Preset("a", OFFICE))
    broken = store._folder / f"broken{SUFFIX}"
    broken.write_text("{")
    presets, notes = store.presets()
    assert presets == (Preset("a", OFFICE),)
    assert len(notes) == 1
    assert "broken" in notes[0]
    assert broken.exists()


def test_bad_value_in_a_preset_is_noted_with_its_name(store, tmp_path):
    store._folder.mkdir()
    hostile(store._folder, settings={"plate": "loft", "match": {"strength": 7}}, slot=99)
    (preset,), (note,) = store.presets()
    assert preset == Preset("Given", Settings(plate="loft"))
    assert note.startswith("Given: ")


def test_export_and_import_give_the_look_without_the_machine(store, tmp_path):
    store.save(Preset("Office", MACHINE, slot=4))
    path = tmp_path / "office"
    assert store.export_to("Office", path) == ()
    written = (tmp_path / f"office{SUFFIX}").read_text()
    assert "My microphone" not in written
    assert "/home/me" not in written
    other = PresetStore(tmp_path / "elsewhere")
    assert other.import_from(tmp_path / f"office{SUFFIX}") == (Preset("Office", OFFICE), ())


def test_import_takes_a_new_name_where_its_own_is_taken(store, tmp_path):
    store.save(Preset("given", OFFICE))
    preset, _ = store.import_from(hostile(tmp_path))
    assert preset.name == "Given (2)"
    assert store.named("given").settings == OFFICE


def test_import_never_takes_devices_folders_control_sources_or_a_key(store, tmp_path):
    settings = {
        "output": {"control": True, "folder": "/etc", "microphone": "spy", "virtual_camera": "/dev/sda", "crf": 30},
        "camera": {"source": "rtsp://evil.example/room"},
        "unknown": {"x": 1},
    }
    preset, notes = store.import_from(hostile(tmp_path, settings=settings))
    assert preset == Preset("Given", Settings().with_value("output", "crf", 30))
    assert any("unknown" in note for note in notes)


@pytest.mark.parametrize(
    "plate",
    [
        "none",
        "http://evil.example/x.png",
        "rtsp://u:secret@evil.example/",
        "screen:0",
        "camera:/dev/video0",
        "//server/share/x.png",
        "\\\\server\\share\\x.png",
        "relative.png",
        "/nowhere/x.png",
        "/dev/zero",
        "a" * 4000,
    ],
)
def test_import_takes_no_plate_that_shows_the_room_calls_elsewhere_or_is_not_here(store, tmp_path, plate):
    preset, (note,) = store.import_from(hostile(tmp_path, settings={"plate": plate}))
    assert preset.settings.plate == Settings().plate
    assert "secret" not in note
    assert "stands in" in note


def test_imported_blur_is_never_weaker_than_usual(store, tmp_path):
    preset, notes = store.import_from(hostile(tmp_path, settings={"plate": "blur:0"}))
    assert preset.settings.plate == "blur"
    assert notes


@pytest.mark.parametrize("plate", ["loft", "blur", "transparent", "#204060", "color:teal"])
def test_import_takes_plates_that_every_machine_has(store, tmp_path, plate):
    preset, notes = store.import_from(hostile(tmp_path, settings={"plate": plate}))
    assert preset.settings.plate == plate
    assert notes == ()


def test_import_takes_a_picture_that_is_here(store, tmp_path):
    picture = tmp_path / "mine.png"
    picture.write_bytes(b"x")
    assert store.import_from(hostile(tmp_path, settings={"plate": str(picture)}))[1] == ()


def test_address_with_a_password_is_not_exported(store, tmp_path):
    store.save(Preset("cam", Settings(plate="rtsp://u:secret@cam.example/")))
    (note,) = store.export_to("cam", tmp_path / "x")
    assert "secret" not in note + (tmp_path / f"x{SUFFIX}").read_text()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"[" * 9999, b"\xff\xd8\xff", b"x" * 2_000_000, b'{"format": "another"}'],
)
def test_hostile_files_are_refused_with_a_sentence(store, tmp_path, content):
    path = tmp_path / f"bad{SUFFIX}"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        store.import_from(path)
    assert caught.value.code is ExitCode.BAD_INPUT
    assert not names(store)


@pytest.mark.parametrize("name", [None, 5, "", "a\0", "x" * 500, ["a"]])
def test_file_without_a_usable_name_gets_the_files(store, tmp_path, name):
    assert store.import_from(hostile(tmp_path, name=name))[0].name == "given"


def test_missing_file_and_folder_are_sentences(store, tmp_path):
    for path in (tmp_path / "none", tmp_path, tmp_path / "a\0b"):
        with pytest.raises(UserError):
            store.import_from(path)


def test_applying_a_preset_leaves_the_machine_as_it_is():
    applied = Preset("x", OFFICE.with_value("output", "folder", "/other")).applied_to(MACHINE)
    assert applied == MACHINE
    other_camera = OFFICE.with_value("camera", "source", "pattern")
    assert Preset("x", other_camera).applied_to(MACHINE).camera.source == "pattern"
