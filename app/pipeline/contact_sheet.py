"""A contact sheet of a render: original, matte, pasted and matched, a few moments side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import as_uint8
from app.domain.frame import Pixels
from app.pipeline.image_saving import save_image
from app.pipeline.looks import Rendered

ROWS: Final = ("original", "matte", "pasted", "matched")
CELL_WIDTH_PX: Final = 320
_GAP_PX: Final = 6
_TITLE_PX: Final = 22
_PAPER: Final = 24
_INK: Final = (225, 225, 225)

Column = tuple[Pixels, ...]


class ContactSheet:
    """Keeps at most 2 * columns moments, evenly spread over however many frames come; then a PNG of them."""

    def __init__(self, columns: int = 5) -> None:
        self._columns = columns
        self._every = 1
        self._seen = 0
        self._kept: list[Column] = []

    def add(self, rendered: Rendered) -> None:
        """Take the frame if its turn has come; when there are too many, every other one is let go."""
        if self._seen % self._every == 0:
            self._kept.append(column_of(rendered))
            if len(self._kept) >= 2 * self._columns:
                self._kept = self._kept[::2]
                self._every *= 2
        self._seen += 1

    def save(self, path: Path) -> None:
        """Write the sheet; UserError when it can't be written."""
        save_image(path, draw_sheet(self._evenly()))

    def _evenly(self) -> list[Column]:
        picks = np.linspace(0, len(self._kept) - 1, min(self._columns, len(self._kept))).round().astype(int)
        return [self._kept[i] for i in dict.fromkeys(picks.tolist())]


def column_of(rendered: Rendered) -> Column:
    """One moment, small: a picture (h, w, 3) for each of ROWS."""
    matte = as_uint8(cv2.cvtColor(rendered.alpha, cv2.COLOR_GRAY2RGB))
    pictures = (rendered.frame.pixels, matte, rendered.pasted, rendered.composite)
    return tuple(_cell(p) for p in pictures)


def _cell(pixels: Pixels) -> Pixels:
    height = max(1, round(pixels.shape[0] * CELL_WIDTH_PX / pixels.shape[1]))
    return as_uint8(cv2.resize(pixels, (CELL_WIDTH_PX, height), interpolation=cv2.INTER_AREA))


def draw_sheet(columns: list[Column]) -> Pixels:
    """One row a kind with its title, one column a moment -> (H, W, 3)."""
    rows = []
    for index, title in enumerate(ROWS):
        cells = [column[index] for column in columns]
        gap = np.full((cells[0].shape[0], _GAP_PX, 3), _PAPER, np.uint8)
        row = np.concatenate([part for cell in cells for part in (gap, cell)] + [gap], axis=1)
        rows += [_title(title, row.shape[1]), row]
    bottom = np.full((_GAP_PX, rows[0].shape[1], 3), _PAPER, np.uint8)
    return np.concatenate([*rows, bottom])


def _title(text: str, width: int) -> Pixels:
    strip = np.full((_TITLE_PX, width, 3), _PAPER, np.uint8)
    cv2.putText(strip, text, (_GAP_PX, _TITLE_PX - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, lineType=cv2.LINE_AA)
    return strip
