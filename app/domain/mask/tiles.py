"""Planes cut into tiles, packed one by one: what an edit leaves untouched costs nothing."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import numpy as np

from app.domain.compositing import Size
from app.domain.mask.planes import Box, Planes

TILE_PX: Final = 64
TILE_BYTES: Final = 2 * TILE_PX * TILE_PX
"""Of an unpacked tile: its value plane, then its weight plane, row by row, zeros beyond the frame."""

MAX_PACKED_BYTES: Final = TILE_BYTES + 64
"""No packed tile is larger: noise is kept as it is but for zlib's frame."""

_LEVEL: Final = 1


class DamagedTile(ValueError):  # noqa: N818  (says what was found)
    """Bytes that are no packed tile."""


def tile_columns(size: Size) -> int:
    """Tiles in a row of a (width, height) frame."""
    return -(-size[0] // TILE_PX)


def tile_count(size: Size) -> int:
    """All tiles of a (width, height) frame; they are numbered row by row."""
    return tile_columns(size) * -(-size[1] // TILE_PX)


def tile_box(number: int, size: Size) -> Box:
    """What a tile covers of a (width, height) frame."""
    row, column = divmod(number, tile_columns(size))
    x, y = column * TILE_PX, row * TILE_PX
    return Box(x, y, x + TILE_PX, y + TILE_PX).within(size)


def tiles_in(box: Box, size: Size) -> Iterator[int]:
    """Numbers of the tiles a box touches."""
    box = box.within(size)
    if box.is_empty:
        return
    columns = tile_columns(size)
    for row in range(box.y0 // TILE_PX, (box.y1 - 1) // TILE_PX + 1):
        for column in range(box.x0 // TILE_PX, (box.x1 - 1) // TILE_PX + 1):
            yield row * columns + column


def packed(planes: Planes) -> bytes | None:
    """One tile's planes (at most TILE_PX a side) as bytes; None where the weight is 0 everywhere."""
    if not planes.weight.any():
        return None
    height, width = planes.weight.shape
    whole = np.zeros((2, TILE_PX, TILE_PX), np.uint8)
    whole[0, :height, :width], whole[1, :height, :width] = planes.value, planes.weight
    return zlib.compress(whole.tobytes(), _LEVEL)


def unpacked(data: bytes, size: Size) -> Planes:
    """A tile's planes at (width, height), read-only. DamagedTile for bytes that hold none; never more than a tile."""
    try:
        stream = zlib.decompressobj()
        raw = stream.decompress(data, TILE_BYTES + 1)
    except zlib.error as error:
        raise DamagedTile("a tile can't be unpacked") from error
    if len(raw) != TILE_BYTES or not stream.eof:
        raise DamagedTile("a tile has another size")
    value, weight = np.frombuffer(raw, np.uint8).reshape(2, TILE_PX, TILE_PX)
    width, height = size
    return Planes(value[:height, :width], weight[:height, :width])
