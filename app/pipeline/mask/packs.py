"""Corrections on disk: `corrections/<n>.pack`, written once and never changed.

A pack is MAGIC and then blocks, one per frame, which the project's list finds by offset and length. A block is the
number of tiles, the tiles' numbers in rising order, their lengths (all uint32, little-endian) and their bytes as
`app.domain.mask.tiles` packs them. A length of 0 says that the tile is gone: in journals only.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import BinaryIO, Final

from app.domain.compositing import Size
from app.domain.mask.tiles import MAX_PACKED_BYTES, DamagedTile, tile_count, unpacked
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.inside import made_folder, names_in, opened, refuse_link, removed, write_part
from app.pipeline.video_output import PendingFile

FOLDER: Final = "corrections"
MAGIC: Final = b"PMPACK\x00\x01"
MAX_BYTES: Final = 2 * 2**30
"""Of all corrections of a project, in memory."""

MAX_NUMBER: Final = 999_999_999
_NAME: Final = re.compile(r"([1-9][0-9]{0,8})\.pack")
_OURS: Final = re.compile(r"[1-9][0-9]{0,8}(?:\.part)?\.pack")
_SMALLEST_BYTES: Final = 16
"""No whole tile packs to less: its checksums and 8192 bytes at zlib's best ratio of 1032."""

_TILE_COST_BYTES: Final = 120
"""Memory a tile takes beside its bytes: many small ones must not get past MAX_BYTES."""

_ONE_PIXEL: Final = (1, 1)
_WRITE_BYTES: Final = 8 * 2**20

Tiles = Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame's block lies."""

    pack: int
    offset: int
    length: int
    crc32: int


def block_of(tiles: Tiles) -> bytes:
    """A frame's tiles as one block."""
    numbers = sorted(tiles)
    parts = [tiles[number] for number in numbers]
    head = struct.pack(f"<{1 + 2 * len(parts)}I", len(parts), *numbers, *map(len, parts))
    return b"".join((head, *parts))


def tiles_of(block: bytes, size: Size, *, with_gone: bool = False) -> dict[int, bytes]:
    """The tiles of a block for a (width, height) frame; UnusableProject for anything else.

    Every tile is unpacked once, 20 us each: whoever works on a document meets no damaged one.
    with_gone: tiles of no bytes are let through; they say that a tile is gone.
    """
    count = int.from_bytes(block[:4], "little")
    head_bytes = 4 * (1 + 2 * count)
    if count > tile_count(size) or len(block) < max(head_bytes, 4):
        raise UnusableProject("a correction is damaged")
    table = struct.unpack_from(f"<{2 * count}I", block, 4)
    numbers, lengths = table[:count], table[count:]
    smallest = 0 if with_gone else _SMALLEST_BYTES
    if (
        any(one >= other for one, other in pairwise(numbers))
        or (count and numbers[-1] >= tile_count(size))
        or not all(smallest <= length <= MAX_PACKED_BYTES for length in lengths)
        or head_bytes + sum(lengths) != len(block)
    ):
        raise UnusableProject("a correction is damaged")
    ends = accumulate(lengths, initial=head_bytes)
    tiles = {number: block[start:end] for number, (start, end) in zip(numbers, pairwise(ends), strict=True)}
    try:
        for data in filter(None, tiles.values()):
            unpacked(data, _ONE_PIXEL)
    except DamagedTile as error:
        raise UnusableProject("a correction is damaged") from error
    return tiles


def cost_bytes(tiles: Tiles) -> int:
    """Memory a frame's tiles take."""
    return sum(map(len, tiles.values())) + _TILE_COST_BYTES * len(tiles)


def pack_path(folder: Path, number: int) -> Path:
    """A pack of the project in this folder."""
    return folder / FOLDER / f"{number}.pack"


def packs_in(folder: Path) -> dict[int, int]:
    """Size in bytes of every pack by number, whoever refers to it."""
    found = (_NAME.fullmatch(name) for name in names_in(folder / FOLDER))
    return {int(name[1]): (folder / FOLDER / name[0]).lstat().st_size for name in found if name}


def write_pack(folder: Path, number: int, blocks: Sequence[bytes]) -> list[Place]:
    """Put a new pack on the disk and say where each block lies. UserError (OUTPUT), and then there is no pack."""
    made_folder(folder / FOLDER)
    pending = PendingFile(pack_path(folder, number), overwrite=False)
    write_part(pending, _chunks((MAGIC, *blocks)))
    pending.commit()
    offsets = accumulate(map(len, blocks), initial=len(MAGIC))
    return [
        Place(number, offset, len(block), zlib.crc32(block)) for offset, block in zip(offsets, blocks, strict=False)
    ]


def remove_packs(folder: Path, kept: Iterable[int]) -> None:
    """Take all other packs away, and parts of packs; files of other names are not ours."""
    wanted = {f"{number}.pack" for number in kept}
    for name in names_in(folder / FOLDER):
        if _OURS.fullmatch(name) and name not in wanted:
            removed(folder / FOLDER / name)


class PackReader:
    """Reads blocks, one open pack at a time; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number: int | None = None
        self._file: BinaryIO | None = None

    def __enter__(self) -> PackReader:
        """Nothing is open yet. UnusableProject when the packs' folder is a link."""
        refuse_link(self._folder / FOLDER)
        return self

    def __exit__(self, *_: object) -> None:
        """Close what is open."""
        if self._file is not None:
            self._file.close()

    def tiles(self, place: Place, size: Size) -> dict[int, bytes]:
        """A frame's tiles. UnusableProject when they are not there whole."""
        try:
            block = self._block(place)
        except OSError as error:
            raise UnusableProject(f"“{place.pack}.pack” can't be read ({error.strerror})") from error
        if len(block) != place.length or zlib.crc32(block) != place.crc32:
            raise UnusableProject(f"“{place.pack}.pack” is damaged")
        return tiles_of(block, size)

    def _block(self, place: Place) -> bytes:
        if self._number != place.pack or self._file is None:
            self.__exit__()
            self._number, self._file = place.pack, None
            self._file = opened(pack_path(self._folder, place.pack))
            if self._file.read(len(MAGIC)) != MAGIC:
                raise UnusableProject(f"“{place.pack}.pack” holds no corrections")
        self._file.seek(place.offset)
        return self._file.read(place.length)


def _chunks(parts: Iterable[bytes]) -> Iterable[bytes]:
    """The same bytes in writes of some size: thousands of small ones cost more than joining them."""
    waiting: list[bytes] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= _WRITE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)
