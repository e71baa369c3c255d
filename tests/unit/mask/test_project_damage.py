"""Projects that are damaged or made to do harm: refused with the reason or told of, never another exception."""

import copy
import json
import os
import random
import zlib

import pytest

from app.domain.errors import UserError
from app.pipeline.mask.packs import MAGIC, block_of
from app.pipeline.mask.project_json import NAME
from app.pipeline.mask.project_reading import BACKUP, read_project
from app.pipeline.mask.project_store import ProjectStore
from tests.unit.mask.projects import document_of, edit_of, files_of, flagged_document, meta_of


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "talk.platematch"
    store = ProjectStore.create(meta_of(), folder)
    store.save(flagged_document())
    store.close()
    (folder / BACKUP).unlink()
    return folder


def written(folder, data):
    (folder / NAME).write_text(data if isinstance(data, str) else json.dumps(data))


def listed(folder):
    return json.loads((folder / NAME).read_bytes())


def reason(folder):
    """Why it is refused; refusing changes nothing."""
    before = files_of(folder)
    with pytest.raises(UserError) as refused:
        ProjectStore.open(folder).store.close()
    assert files_of(folder) == before
    assert refused.value.hint
    return refused.value.message


def opened_or_refused(folder):
    """A project with something in it or a UserError; both are well."""
    try:
        loaded = read_project(folder)
    except UserError:
        return
    assert loaded.document.frames


@pytest.mark.parametrize("percent", range(100))
def test_a_list_cut_off_anywhere_is_refused(folder, percent):
    whole = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(whole[: len(whole) * percent // 100])
    assert "can't be opened" in reason(folder)


def test_bytes_gone_bad_raise_nothing_else(folder):
    whole, rng = (folder / NAME).read_bytes(), random.Random(1)
    for _ in range(300):
        bad = bytearray(whole)
        for _ in range(rng.choice((1, 1, 4, 50))):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        (folder / NAME).write_bytes(bad)
        opened_or_refused(folder)
    (folder / NAME).write_bytes(rng.randbytes(5000))
    assert "is damaged" in reason(folder)


WRONG = [None, True, -1, 0, 1.5, 1e300, float("nan"), 10**400, 2**70, "", "../..", "a\0b", [], {}, [[]], [None] * 7]


def places_in(value, path=()):
    """Every value of the JSON but the settings', which cost only themselves."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        if key != "settings":
            yield from places_in(part, (*path, key))


def test_values_of_the_wrong_kind_anywhere_raise_nothing_else(folder):
    data, rng = listed(folder), random.Random(2)
    for path in [path for path in places_in(data) if path]:
        for wrong in rng.sample(WRONG, 6):
            if path == ("frames",) and wrong == []:
                continue  # Nothing is wrong with a project in which nothing was done.
            bad = copy.deepcopy(data)
            holder = bad
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = wrong
            written(folder, bad)
            opened_or_refused(folder)


def test_missing_parts_are_named(folder):
    data = listed(folder)
    for name in data:
        written(folder, {key: value for key, value in data.items() if key != name})
        assert f"“{name}”" in reason(folder)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": "something else"}, "no mask project"),
        ({"frames": "none"}, "frames"),
        ({"frames": [[0, "", 1, 8, 40, 1]] * 2}, "twice"),
        ({"frames": [[0, "x", 1, 8, 40, 1]]}, "unknown flags"),
        ({"frames": [[0, "", "../../etc/passwd", 8, 40, 1]]}, "pack"),
        ({"frames": [[0, "", -1, 8, 40, 1]]}, "pack"),
        ({"frames": [[0, "", 1, 0, 40, 1]]}, "offset"),
        ({"frames": [[0, "", 1, 8, 2**31 + 1, 1]]}, "length"),
        ({"frames": [[pts, "", 1, 8, 2**31, 1] for pts in range(2)]}, "too large"),
        ({"frames": [[pts, "k"] for pts in range(200_001)]}, "200000"),
        ({"frames": [[2**64, "k"]]}, "frames"),
        ({"clip": {"media": {}, "size": [100_000, 5], "time_base": [1, 1]}}, "relative"),
        ({"span": [None, "now"]}, "span"),
        ({"adjustment": {"low": 0.9, "high": 0.1, "grow_px": 0, "feather_px": 0}}, "adjustment"),
        ({"match_spans": [[[None, None], 7, None, None]]}, "strength"),
        ({"match_spans": [[[None, None], 1, [[0, 1], [0, 1], [0]], None]]}, "no curve"),
        ({"stops": [[0, "x" * 501]]}, "stops"),
    ],
)
def test_what_is_out_of_its_limits_is_named(folder, change, why):
    written(folder, {**listed(folder), **change})
    assert why in reason(folder)


@pytest.mark.parametrize(
    ("size", "time_base"), [([0, 5], [1, 5]), ([8193, 5], [1, 5]), ([5, 5], [0, 1]), ([5], [1, 0])]
)
def test_sizes_and_times_have_limits(folder, size, time_base):
    data = listed(folder)
    written(folder, {**data, "clip": {**data["clip"], "size": size, "time_base": time_base}})
    reason(folder)


def test_a_huge_or_deep_list_is_refused_unparsed(folder):
    written(folder, '{"a": ' + "[" * 100_000)
    assert "nested too deeply" in reason(folder) or "is damaged" in reason(folder)
    with (folder / NAME).open("wb") as file:
        file.truncate(20 * 2**20)
    assert "too large" in reason(folder)


def test_a_tile_beyond_the_frame_or_of_no_bytes_is_damage(folder):
    good = edit_of(1).correction.tiles
    for tiles in ({12: next(iter(good.values()))}, {0: b""}, {0: b"x" * 9000}):
        put_block(folder, block_of(tiles))
        assert "damaged" in reason(folder)
    for block in (b"\xff\xff\xff\xff", b"\1\0\0\0", block_of(good)[:-1], block_of(good) + b"x", MAGIC):
        put_block(folder, block)
        assert "damaged" in reason(folder)


def put_block(folder, block):
    """The only frame's correction, with a checksum that is right: somebody meant it."""
    (folder / "corrections" / "1.pack").write_bytes(MAGIC + block)
    written(folder, {**listed(folder), "frames": [[0, "", 1, len(MAGIC), len(block), zlib.crc32(block)]]})


@pytest.mark.parametrize("tile", [zlib.compress(bytes(5_000_000), 9), zlib.compress(bytes(9)), b"x" * 50, b"x" * 8256])
def test_a_tile_that_unpacks_to_something_else_costs_its_frame_only(folder, tile):
    good, bad = block_of(edit_of(1).correction.tiles), block_of({0: tile[:8256]})
    put_block(folder, good + bad)
    places = [(7, len(MAGIC), good), (8, len(MAGIC) + len(good), bad)]
    rows = [[pts, "", 1, offset, len(block), zlib.crc32(block)] for pts, offset, block in places]
    written(folder, {**listed(folder), "frames": rows})
    loaded = read_project(folder)
    assert loaded.document.frames == {7: edit_of(1)}
    assert loaded.notes == ("The correction of 1 frame could not be read and is left out: a correction is damaged.",)


def test_frames_that_share_a_block_count_every_time(folder):
    block = block_of(edit_of(1).correction.tiles)
    put_block(folder, block)
    length = 2**31 // 1000
    rows = [[pts, "", 1, len(MAGIC), length, 0] for pts in range(1001)]
    written(folder, {**listed(folder), "frames": rows})
    assert "too large" in reason(folder)


def test_a_damaged_pack_costs_its_frames_only_and_is_kept(folder):
    opened = ProjectStore.open(folder)
    document = opened.document.with_frames({90: edit_of(9)})
    opened.store.save(document)
    opened.store.close()
    (folder / BACKUP).unlink()
    pack = folder / "corrections" / "2.pack"
    pack.write_bytes(pack.read_bytes()[:-1] + b"\0")
    damaged = pack.read_bytes()
    for n in range(3):
        opened = ProjectStore.open(folder)
        assert opened.document.frames.keys() >= flagged_document().frames.keys()
        assert 90 not in opened.document.frames
        assert bool(opened.notes) == (n == 0)
        opened.store.save(opened.document.with_frames({n: edit_of(n + 20)}))
        opened.store.close()
    assert pack.read_bytes() == damaged
    assert json.loads((folder / "project.damaged.json").read_bytes())["frames"][-2][0] == 90


def test_a_project_none_of_whose_corrections_can_be_read_does_not_open_empty(folder):
    (folder / "corrections" / "1.pack").unlink()
    assert "1.pack" in reason(folder)


@pytest.mark.skipif(os.name == "nt", reason="Windows lets few make a symlink")
@pytest.mark.parametrize("name", [NAME, "corrections", "corrections/1.pack", "lock"])
def test_links_are_not_followed(folder, tmp_path, name):
    outside = tmp_path / "outside"
    os.rename(folder / name, outside)
    (folder / name).symlink_to(outside)
    assert "link" in reason(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this platform has no pipes in folders")
@pytest.mark.parametrize("name", [NAME, "corrections/1.pack"])
def test_a_pipe_is_not_waited_for(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(UserError, match="no file"):
        read_project(folder)


def test_no_folder_and_an_empty_one_are_no_projects(tmp_path):
    with pytest.raises(UserError, match="no project"):
        ProjectStore.open(tmp_path / "nothing.platematch")
    (tmp_path / "empty.platematch").mkdir()
    with pytest.raises(UserError, match="no project"):
        ProjectStore.open(tmp_path / "empty.platematch")
    assert os.listdir(tmp_path / "empty.platematch") == []


def test_unusable_settings_cost_themselves_and_are_told(folder):
    data = listed(folder)
    written(folder, {**data, "settings": {**data["settings"], "match": {"strength": 9}}})
    opened = ProjectStore.open(folder)
    opened.store.close()
    assert "match.strength" in opened.notes[0]
    assert opened.document.frames == flagged_document().frames


def test_what_could_not_be_read_again_is_not_saved(tmp_path):
    folder = tmp_path / "b.platematch"
    store = ProjectStore.create(meta_of(), folder)
    store.save(document_of(1))
    bad = document_of(1, 2, meta=meta_of(stops={2**70: "x"}))
    with pytest.raises(UserError, match="can't be saved"):
        store.save(bad)
    assert read_project(folder).document == document_of(1)
    assert sorted(os.listdir(folder / "corrections")) == ["1.pack"]
    store.close()
