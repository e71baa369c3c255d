"""Contact sheets: composite, methods and truth side by side, a picture a row, the error under each tile.

Figures say how much is wrong, a sheet says what. Pure functions from uint8 arrays to one picture.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from harmonizer.baselines import reinhard
from harmonizer.metrics import fmse
from harmonizer.training.evaluate import EvalSet

Pixels = npt.NDArray[np.uint8]
Inside = npt.NDArray[np.bool_]
Rgb = tuple[int, int, int]

COMPOSITE: Final = "composite"
TRUTH: Final = "truth"
LEGEND: Final = "fMSE under each tile: green for the row's best, red for worse than the composite"

TILE_PX: Final = 160
"""A tile covers this squared, whatever its shape: portraits and landscapes are seen equally large."""

_MAX_ASPECT = 2.0
_ONE_BLOCK_ROWS, _TWO_BLOCKS_COLUMNS = 6, 5
_MARGIN_PX, _GAP_PX, _BLOCK_GAP_PX, _ROW_GAP_PX = 14, 4, 26, 8
_CAPTION_PX, _HEADER_PX, _TITLE_PX = 19, 22, 52
_DASH_PX = 3

# Neutral paper: a tinted or bright one shifts how the colours beside it are seen.
_PAPER: Final[Rgb] = (28, 28, 28)
_INK: Final[Rgb] = (225, 225, 225)
_FAINT: Final[Rgb] = (150, 150, 150)
_BEST: Final[Rgb] = (125, 215, 140)
_WORSE: Final[Rgb] = (240, 125, 115)


@dataclass(frozen=True)
class SheetRow:
    """One picture: tiles (h, w, 3) uint8 of one size by column title, and the fMSE of all but the truth."""

    name: str
    tiles: Mapping[str, Pixels]
    errors: Mapping[str, float]


def evenly(total: int, count: int | None) -> list[int]:
    """At most `count` indices below `total`, evenly spread from 0; all of them for None."""
    wanted = total if count is None else min(count, total)
    return [i * total // wanted for i in range(wanted)]


def sheet_row(
    name: str,
    *,
    composite: Pixels,
    truth: Pixels,
    inside: Inside,
    outputs: Mapping[str, Pixels],
    aspect: float | None = None,
) -> SheetRow:
    """A row from pictures (H, W, 3) and their foreground (H, W): scored as they are, then shrunk to tiles.

    aspect: width / height to show them at, where they were squeezed into a square; None: their own.
    """
    shown = {COMPOSITE: composite, **outputs}
    size = tile_size(truth.shape[1] / truth.shape[0] if aspect is None else aspect)
    tiles = {title: _shrunk(pixels, size) for title, pixels in (*shown.items(), (TRUTH, truth))}
    tiles[COMPOSITE] = outlined(tiles[COMPOSITE], _shrunk(inside.astype(np.uint8) * np.uint8(255), size) > 127)
    return SheetRow(name, tiles, {title: fmse(pixels, truth, inside) for title, pixels in shown.items()})


def tile_size(aspect: float) -> tuple[int, int]:
    """(width, height) in px of a tile of this width / height; panoramas are squeezed to 2 : 1."""
    root = float(np.clip(aspect, 1 / _MAX_ASPECT, _MAX_ASPECT)) ** 0.5
    return round(TILE_PX * root), round(TILE_PX / root)


def outlined(pixels: Pixels, inside: Inside) -> Pixels:
    """The picture (H, W, 3) with a 1 px line around the mask (H, W), dashed black and white.

    It shows on any picture, adds no colour and leaves the foreground bare.
    """
    padded = np.pad(inside, 1)
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    edge = ~inside & np.logical_or.reduce(neighbours)
    y, x = np.indices(inside.shape)
    dash = np.where((x + y) // _DASH_PX % 2 == 0, np.uint8(255), np.uint8(0))
    return np.where(edge[..., None], dash[..., None], pixels)


def draw_sheet(rows: Sequence[SheetRow], *, title: str) -> Image.Image:
    """All rows on one RGB picture, in two blocks side by side from 7 rows on. ValueError without rows.

    Every row has the same columns; they are drawn in the first one's order.
    """
    if not rows:
        raise ValueError("a sheet needs at least one picture")
    columns = tuple(rows[0].tiles)
    blocks = 2 if len(rows) > _ONE_BLOCK_ROWS and len(columns) <= _TWO_BLOCKS_COLUMNS else 1
    lines = [rows[i : i + blocks] for i in range(0, len(rows), blocks)]
    cell_px = max(_size(row)[0] for row in rows)
    block_px = len(columns) * (cell_px + _GAP_PX) - _GAP_PX
    lefts = [_MARGIN_PX + i * (block_px + _BLOCK_GAP_PX) for i in range(blocks)]
    tops = np.cumsum([_TITLE_PX + _HEADER_PX] + [_line_px(line) for line in lines]).tolist()
    sheet = Image.new("RGB", (lefts[-1] + block_px + _MARGIN_PX, tops[-1] + _MARGIN_PX - _ROW_GAP_PX), _PAPER)
    pen = ImageDraw.Draw(sheet)
    _write(pen, (_MARGIN_PX, 8), title, _INK, size=17, width=sheet.width - 2 * _MARGIN_PX)
    _write(pen, (_MARGIN_PX, 31), LEGEND, _FAINT, size=13, width=sheet.width - 2 * _MARGIN_PX)
    for left in lefts:
        for i, column in enumerate(columns):
            _write(pen, (left + i * (cell_px + _GAP_PX), _TITLE_PX + 3), column, _INK, size=13, width=cell_px)
    for top, line in zip(tops, lines, strict=False):
        for left, row in zip(lefts, line, strict=False):
            _draw_row(sheet, row, columns, corner=(left, top), cell_px=cell_px)
    return sheet


def training_sheet(network_outputs: Tensor, data: EvalSet, count: int = 24) -> Image.Image:
    """Composite, Reinhard, ours and truth of pictures evenly spread over the set.

    network_outputs: uint8 (N, 3, P, P), as `evaluate.network_outputs` gives them.
    """
    rows = []
    for i in evenly(len(data), count):
        composite, ours, truth = (
            np.ascontiguousarray(t[i].permute(1, 2, 0).numpy()) for t in (data.composites, network_outputs, data.truths)
        )
        inside = data.masks[i, 0].numpy() > 0.5
        outputs = {"Reinhard": reinhard(composite, inside), "ours": ours}
        rows.append(sheet_row(f"no. {i}", composite=composite, truth=truth, inside=inside, outputs=outputs))
    return draw_sheet(rows, title=f"{len(rows)} of {len(data)} pictures")


def png_bytes(image: Image.Image) -> bytes:
    """The picture as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _shrunk(array: Pixels, size: tuple[int, int]) -> Pixels:
    return np.asarray(Image.fromarray(array).resize(size, Image.Resampling.BICUBIC))


def _size(row: SheetRow) -> tuple[int, int]:
    height, width = next(iter(row.tiles.values())).shape[:2]
    return width, height


def _line_px(line: Sequence[SheetRow]) -> int:
    return max(_size(row)[1] for row in line) + _CAPTION_PX + _ROW_GAP_PX


def _draw_row(
    sheet: Image.Image, row: SheetRow, columns: Sequence[str], *, corner: tuple[int, int], cell_px: int
) -> None:
    pen = ImageDraw.Draw(sheet)
    width, height = _size(row)
    for i, column in enumerate(columns):
        left = corner[0] + i * (cell_px + _GAP_PX)
        sheet.paste(Image.fromarray(row.tiles[column]), (left, corner[1]))
        text, ink = _caption(row, column)
        _write(pen, (left, corner[1] + height + 2), text, ink, size=13, width=width)


def _caption(row: SheetRow, column: str) -> tuple[str, Rgb]:
    """fMSE and its colour; under the truth, which has none, the picture's name."""
    if column == TRUTH:
        return row.name, _FAINT
    value, untouched = row.errors[column], row.errors[COMPOSITE]
    ink = _WORSE if value > untouched else _BEST if value == min(row.errors.values()) else _INK
    return (f"{value:.0f}" if value >= 100 else f"{value:.1f}"), ink


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str, ink: Rgb, *, size: int, width: int) -> None:
    """Text of at most `width` px; its end is left out where it does not fit."""
    font, shown = _font(size), text
    while shown and pen.textlength(shown if shown == text else f"{shown}...", font=font) > width:
        shown = shown[:-1]
    pen.text(at, shown if shown == text else f"{shown}...", fill=ink, font=font)
