import os

import pytest

from app.domain.errors import UserError
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.packs import (
    MAGIC,
    PackReader,
    Place,
    block_of,
    packs_in,
    remove_packs,
    tiles_of,
    write_pack,
)
from tests.unit.mask.projects import SIZE, edit_of, nth_call_fails

TILES = [edit_of(seed).correction.tiles for seed in range(5)]


def test_tiles_come_back_from_blocks():
    for tiles in (*TILES, {}):
        assert tiles_of(block_of(tiles), SIZE) == tiles


def test_tiles_come_back_from_a_pack_in_any_order(tmp_path):
    places = write_pack(tmp_path, 3, [block_of(tiles) for tiles in TILES])
    with PackReader(tmp_path) as reader:
        assert [reader.tiles(place, SIZE) for place in places[::-1]] == TILES[::-1]
    assert packs_in(tmp_path) == {3: len(MAGIC) + sum(place.length for place in places)}


def test_a_pack_is_never_written_over(tmp_path):
    write_pack(tmp_path, 1, [b"first"])
    with pytest.raises(UserError, match="exists"):
        write_pack(tmp_path, 1, [b"second"])
    assert (tmp_path / "corrections" / "1.pack").read_bytes() == MAGIC + b"first"


def test_any_byte_that_changes_is_noticed(tmp_path):
    (place,) = write_pack(tmp_path, 1, [block_of(TILES[0])])
    pack = tmp_path / "corrections" / "1.pack"
    whole = pack.read_bytes()
    for at in range(0, len(whole), 97):
        pack.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with PackReader(tmp_path) as reader, pytest.raises(UnusableProject):
            reader.tiles(place, SIZE)


def test_a_place_outside_the_pack_is_noticed(tmp_path):
    (place,) = write_pack(tmp_path, 1, [block_of(TILES[0])])
    for wrong in (Place(1, 10**9, 50, 0), Place(2, 8, 50, 0), Place(1, 8, place.length + 1, place.crc32)):
        with PackReader(tmp_path) as reader, pytest.raises(UnusableProject):
            reader.tiles(wrong, SIZE)


@pytest.mark.parametrize("number", range(1, 9))
def test_a_pack_that_could_not_be_written_is_not_there(tmp_path, monkeypatch, number):
    with nth_call_fails(monkeypatch, number, 28, for_ever=True) as calls:
        try:
            write_pack(tmp_path, 1, [b"block"])
        except UserError:
            assert packs_in(tmp_path) in ({}, {1: len(MAGIC) + 5})
        else:
            assert len(calls) < number or calls[number - 1] == "link"
    assert not [name for name in os.listdir(tmp_path / "corrections") if ".part" in name]


def test_only_packs_are_removed(tmp_path):
    for number in (1, 2, 30):
        write_pack(tmp_path, number, [b"block"])
    for name in ("4.part.pack", "notes.txt", "04.pack", "x.pack"):
        (tmp_path / "corrections" / name).write_text("x")
    remove_packs(tmp_path, {2})
    assert sorted(os.listdir(tmp_path / "corrections")) == ["04.pack", "2.pack", "notes.txt", "x.pack"]
