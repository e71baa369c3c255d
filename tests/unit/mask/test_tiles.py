import zlib

import numpy as np
import pytest

from app.domain.mask.correction import Correction
from app.domain.mask.planes import Box, Planes
from app.domain.mask.tiles import TILE_BYTES, DamagedTile, packed, tile_box, tile_count, tiles_in, unpacked


def noise(size, *, seed=1):
    width, height = size
    rng = np.random.default_rng(seed)
    weight = rng.integers(0, 256, (height, width), dtype=np.uint8)
    value = np.where(weight > 0, rng.integers(0, 256, (height, width), dtype=np.uint8), 0).astype(np.uint8)
    return Planes(value, weight)


def same(one, other):
    return np.array_equal(one.value, other.value) and np.array_equal(one.weight, other.weight)


@pytest.mark.parametrize("size", [(1, 1), (63, 65), (64, 64), (129, 70), (1920, 1080)])
def test_tiles_cover_the_picture_once(size):
    seen = np.zeros(size[::-1], int)
    for number in range(tile_count(size)):
        seen[tile_box(number, size).rows_columns] += 1
    assert (seen == 1).all()


def test_a_box_touches_the_tiles_it_lies_in_only():
    assert list(tiles_in(Box(63, 0, 65, 1), (200, 200))) == [0, 1]
    assert list(tiles_in(Box(64, 64, 65, 65), (200, 200))) == [5]
    assert list(tiles_in(Box(-10, -10, 0, 0), (200, 200))) == []


@pytest.mark.parametrize("size", [(1, 1), (63, 65), (130, 70)])
def test_planes_come_back_as_they_were(size):
    planes = noise(size)
    assert same(Correction.of(planes).planes(), planes)


def test_what_has_no_weight_takes_no_tile():
    assert packed(Planes.empty((64, 64))) is None
    assert Correction.of(Planes.empty((300, 200))).is_empty


def test_only_the_tiles_of_the_box_are_packed_again():
    planes = noise((300, 200))
    before = Correction.of(planes)
    after = before.with_planes(Planes.empty((300, 200)), Box(70, 10, 80, 20))
    assert before.tiles.keys() - after.tiles.keys() == {1}
    assert all(after.tiles[number] is before.tiles[number] for number in after.tiles)


def test_the_final_alpha_differs_from_the_models_where_the_hand_was_only():
    planes = Planes.empty((300, 200))
    planes.value[20:30, 150:160] = planes.weight[20:30, 150:160] = 255
    alpha = np.full((200, 300), 7, np.uint8)
    final = Correction.of(planes).applied(alpha)
    assert (final[20:30, 150:160] == 255).all()
    final[20:30, 150:160] = 7
    assert (final == alpha).all()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no tile",
        zlib.compress(b"\1" * (TILE_BYTES - 1)),
        zlib.compress(b"\0" * 10_000_000),
        zlib.compress(b"\1" * TILE_BYTES)[:-3],
    ],
)
def test_damaged_and_bloated_tiles_are_refused(data):
    with pytest.raises(DamagedTile):
        unpacked(data, (64, 64))
