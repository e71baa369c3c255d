"""A frame's correction as the document keeps it: sparse, packed, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from app.domain.compositing import Size
from app.domain.frame import Alpha8
from app.domain.mask.planes import NOWHERE, Box, Planes, corrected, everywhere
from app.domain.mask.tiles import packed, tile_box, tiles_in, unpacked


@dataclass(frozen=True, slots=True)
class Correction:
    """What the hand did to one frame of (width, height). tiles: packed tile by number (see `tiles`); none is empty.

    Equal planes make equal corrections.
    """

    size: Size
    tiles: Mapping[int, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, planes: Planes) -> Self:
        """Planes packed."""
        return cls(planes.size).with_planes(planes, everywhere(planes.size))

    def with_planes(self, planes: Planes, box: Box) -> Self:
        """The same where nothing changed, the planes' where they did: in the box. planes: of the whole frame."""
        tiles = dict(self.tiles)
        for number in tiles_in(box, self.size):
            data = packed(planes.at(tile_box(number, self.size)))
            if data is None:
                tiles.pop(number, None)
            else:
                tiles[number] = data
        return type(self)(self.size, tiles)

    @property
    def is_empty(self) -> bool:
        """Whether the model's alpha stands everywhere."""
        return not self.tiles

    @property
    def cost_bytes(self) -> int:
        """Memory the tiles take."""
        return sum(map(len, self.tiles.values()))

    @property
    def box(self) -> Box:
        """Around all its tiles."""
        box = NOWHERE
        for number in self.tiles:
            box = box.united(tile_box(number, self.size))
        return box

    def planes(self) -> Planes:
        """Both planes of the whole frame, the caller's own. DamagedTile as `unpacked` raises it."""
        whole = Planes.empty(self.size)
        for number, data in self.tiles.items():
            box = tile_box(number, self.size)
            part, tile = whole.at(box), unpacked(data, box.size)
            part.value[:], part.weight[:] = tile.value, tile.weight
        return whole

    def applied(self, alpha: Alpha8) -> Alpha8:
        """The final alpha (H, W) of the model's (H, W); only the tiles' pixels are worked on."""
        if self.is_empty:
            return alpha
        final = alpha.copy()
        for number, data in self.tiles.items():
            box = tile_box(number, self.size)
            part = final[box.rows_columns]
            part[:] = corrected(part, unpacked(data, box.size))
        return final
