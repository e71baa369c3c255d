"""From a frame and its mask to pixels of the screen: only the part asked for, and the same as in the whole.

A pixel of the screen depends on where it lies from the picture's corner, never on the rectangle it was computed
with: averages are of whole steps counted from the corner, positions are rounded to what OpenCV interpolates at. So a
rectangle that is painted again fits the rest bit by bit, and a picture that is panned can be moved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QPoint, QRect
from PyQt6.QtGui import QColor, QImage, QPainter

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha8, Pixels
from app.domain.mask.planes import Box, Planes
from app.domain.mask.views import (
    GHOST_RGB,
    OUTLINE_RGB,
    PLAIN_OPTIONS,
    Layers,
    MaskView,
    ViewOptions,
    final_alpha,
    outline_reach_px,
    outlined,
    view_pixels,
)
from app.ui.mask.canvas_transform import GRID_FROM, NEAREST_FROM, Placement, step_of

_BAND_PX: Final = 1 << 19
"""Source pixels computed at once: an 8K frame takes no picture of its own, and a band stays in the cache."""

_POSITIONS: Final = 32
"""OpenCV interpolates at 32nds of a pixel."""

_BOXES: Final = 8

_CHECK_SHOWN_PX: Final = 12
_GRID_LEVELS: Final = 36


@dataclass(frozen=True, slots=True)
class Scene:
    """What is looked at, and how. ratio: device px per px of the widget, for the lines' width."""

    layers: Layers
    planes: Planes
    view: MaskView = MaskView.RUBYLITH
    options: ViewOptions = PLAIN_OPTIONS
    has_ghosts: bool = False
    ratio: float = 1.0

    @property
    def line_px(self) -> int:
        """Width of outlines in device px."""
        return max(1, round(1.5 * self.ratio))

    @property
    def reach_px(self) -> int:
        """How far a change of the mask is seen, in device px beyond its own."""
        return outline_reach_px(self.line_px) if self.view is MaskView.OUTLINE or self.has_ghosts else 0


@dataclass(frozen=True, slots=True)
class _Axis:
    """How pixels of the screen, along one axis, are read: from source pixels start..stop, averaged by step.

    positions (n,) float32: where in these averages. is_direct: one after the other, without interpolation.
    """

    start: int
    stop: int
    step: int
    positions: npt.NDArray[np.float32]

    @property
    def is_direct(self) -> bool:
        return np.array_equal(self.positions, np.arange(self.positions.size))


def scene_pixels(scene: Scene, place: Placement, part: Box) -> Pixels:
    """A part of the scaled picture, counted in device px from its corner: (h, w, 3) uint8.

    `part` lies within `place.shown_size` and is not empty.
    """
    wide = part.grown(scene.reach_px).within(place.shown_size)
    columns = _axis(wide.x0, wide.x1, place.scale, place.picture[0])
    rows = _axis(wide.y0, wide.y1, place.scale, place.picture[1])
    box = Box(columns.start, rows.start, columns.stop, rows.stop)
    options = replace(scene.options, check_px=_check_px(place.scale, scene.ratio))
    pixels = view_pixels(scene.view, scene.layers, scene.planes, box, options=options)
    shown = _sampled(pixels, rows, columns, is_nearest=place.scale >= NEAREST_FROM)
    for alpha, rgb, width_px in _lines(scene, box):
        scaled = _sampled(alpha, rows, columns, is_nearest=place.scale >= NEAREST_FROM)
        shown = outlined(shown, scaled, rgb=rgb, width_px=width_px)
    shown = shown[part.y0 - wide.y0 : part.y1 - wide.y0, part.x0 - wide.x0 : part.x1 - wide.x0]
    return _with_grid(shown, part, place.scale) if place.scale >= GRID_FROM else shown


def _lines(scene: Scene, box: Box) -> Iterator[tuple[Alpha8, tuple[int, int, int], int]]:
    """Outlines over the picture: alpha of the box, colour, width in device px; the frame's own comes last, on top."""
    part = scene.layers.at(box)
    if scene.has_ghosts:
        for ghost, rgb in zip(part.ghosts, GHOST_RGB, strict=True):
            if ghost is not None:
                yield ghost, rgb, max(1, scene.line_px - 1)
    if scene.view is MaskView.OUTLINE:
        yield final_alpha(part.alpha, scene.planes.at(box)), OUTLINE_RGB, scene.line_px


def _check_px(scale: float, ratio: float) -> int:
    """Checks look about the same at every zoom; powers of two, so that they keep their corners."""
    return int(2 ** max(0, math.ceil(math.log2(_CHECK_SHOWN_PX * ratio / scale))))


def _axis(first: int, last: int, scale: float, length_px: int) -> _Axis:
    """Device px first..last of a picture `length_px` long."""
    centres = np.arange(first, last) + 0.5
    if scale >= NEAREST_FROM:
        indices = np.minimum(np.floor(centres / scale), length_px - 1).astype(int)
        start = int(indices[0])
        return _Axis(start, int(indices[-1]) + 1, 1, (indices - start).astype(np.float32))
    step = step_of(scale)
    count = -(-length_px // step)
    positions = np.rint((centres / (scale * step) - 0.5) * _POSITIONS) / _POSITIONS
    positions = np.clip(positions, 0, count - 1)
    low, high = math.floor(positions[0]), min(math.floor(positions[-1]) + 2, count)
    return _Axis(low * step, min(high * step, length_px), step, (positions - low).astype(np.float32))


def _sampled(source: npt.NDArray[np.uint8], rows: _Axis, columns: _Axis, *, is_nearest: bool) -> npt.NDArray[np.uint8]:
    """The pixels (or an alpha) that the axes ask for."""
    if is_nearest:
        # Columns of the few source rows first, then whole rows are copied: a tenth of what remapping takes.
        across, down = (axis.positions.astype(np.intp) for axis in (columns, rows))
        return source.take(across, axis=1).take(down, axis=0)
    averaged = _averaged(source, rows.step)
    height, width = rows.positions.size, columns.positions.size
    if rows.is_direct and columns.is_direct:
        return averaged[:height, :width]
    xs = np.broadcast_to(columns.positions, (height, width))
    ys = np.broadcast_to(rows.positions[:, None], (height, width))
    return as_uint8(cv2.remap(averaged, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _averaged(source: npt.NDArray[np.uint8], step: int) -> npt.NDArray[np.uint8]:
    """Means of step x step pixels; the last row and column stand in for what is missing at the picture's end."""
    if step == 1:
        return source
    height, width = source.shape[:2]
    rows, columns = -(-height // step), -(-width // step)
    if (rows * step, columns * step) != (height, width):
        missing = (0, rows * step - height, 0, columns * step - width)
        source = as_uint8(cv2.copyMakeBorder(source, *missing, cv2.BORDER_REPLICATE))
    return as_uint8(cv2.resize(source, (columns, rows), interpolation=cv2.INTER_AREA))


def _with_grid(shown: Pixels, part: Box, scale: float) -> Pixels:
    """A line along the left and the upper side of every pixel."""
    rows, columns = (_begins(*ends, scale) for ends in ((part.y0, part.y1), (part.x0, part.x1)))
    gridded = shown.copy()
    gridded[rows] = _set_off(shown[rows])
    gridded[:, columns] = _set_off(shown[:, columns])
    return gridded


def _set_off(line: Pixels) -> Pixels:
    """Lighter where it is dark, darker where it is bright: lines of one colour vanish on it."""
    way = np.where(line[..., 1:2] < 128, _GRID_LEVELS, -_GRID_LEVELS)
    return as_uint8(np.clip(line + way, 0, 255))


def _begins(first: int, last: int, scale: float) -> npt.NDArray[np.bool_]:
    """Which device px are the first ones of a pixel; the picture's own rim is none."""
    pixel = np.floor((np.arange(first - 1, last) + 0.5) / scale)
    begins = np.diff(pixel) > 0
    begins[0] &= first > 0
    return np.asarray(begins)


class DisplayBuffer:
    """What the canvas shows, device px by device px, in Qt's own format; painting it is copying."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._image = QImage(*size, QImage.Format.Format_RGB32)
        memory = self._image.bits()
        assert memory is not None  # noqa: S101  (it has just been allocated)
        width, height = size
        self._bgra = np.asarray(memory.asarray(self._image.sizeInBytes())).reshape(height, width, 4)

    def draw(self, area: Box, around: QColor, *, scene: Scene | None = None, place: Placement | None = None) -> None:
        """Make an area new: the scene where its picture lies, one colour around it."""
        area = area.within(self.size)
        shown = area if scene is None or place is None else _common(area, place.area)
        if shown != area or scene is None:
            # As whole numbers: four bytes at a time took 8 ms for 1280 x 800 px.
            self._bgra.view(np.uint32)[..., 0][area.rows_columns] = around.rgb()
        if scene is None or place is None or shown.is_empty:
            return
        for band in _bands(shown, place):
            left, top = place.corner
            part = Box(band.x0 - left, band.y0 - top, band.x1 - left, band.y1 - top)
            cv2.cvtColor(scene_pixels(scene, place, part), cv2.COLOR_RGB2BGRA, dst=self._bgra[band.rows_columns])

    def scroll(self, dx: int, dy: int) -> list[Box]:
        """Move everything by so much; returns what has to be made new."""
        width, height = self.size
        if abs(dx) >= width or abs(dy) >= height:
            return [Box(0, 0, width, height)]
        kept = Box(max(dx, 0), max(dy, 0), width + min(dx, 0), height + min(dy, 0))
        came_from = Box(kept.x0 - dx, kept.y0 - dy, kept.x1 - dx, kept.y1 - dy)
        self._bgra[kept.rows_columns] = self._bgra[came_from.rows_columns].copy()
        rows = Box(0, 0, width, dy) if dy > 0 else Box(0, height + dy, width, height)
        columns = Box(0, kept.y0, dx, kept.y1) if dx > 0 else Box(width + dx, kept.y0, width, kept.y1)
        return [box for box in (rows, columns) if not box.is_empty]

    def paint(self, painter: QPainter, area: Box) -> None:
        """Copy an area; the painter's unit is a device px."""
        area = area.within(self.size)
        painter.drawImage(QPoint(area.x0, area.y0), self._image, QRect(area.x0, area.y0, *area.size))


def with_box(boxes: list[Box], box: Box) -> list[Box]:
    """Boxes that cover the earlier ones and another: apart where that saves work, few in any case."""
    for other in boxes:
        both = other.united(box)
        if _area(both) <= _area(other) + _area(box) or len(boxes) >= _BOXES:
            return with_box([each for each in boxes if each is not other], both)
    return [*boxes, box]


def _area(box: Box) -> int:
    return box.size[0] * box.size[1]


def _common(one: Box, other: Box) -> Box:
    """What is in both; x0 == x1 or so where nothing is."""
    box = Box(max(one.x0, other.x0), max(one.y0, other.y0), min(one.x1, other.x1), min(one.y1, other.y1))
    return Box(one.x0, one.y0, one.x0, one.y0) if box.is_empty else box


def _bands(area: Box, place: Placement) -> Iterator[Box]:
    """The area in slices that take about `_BAND_PX` source pixels each, or device px where that is more."""
    per_row = max(area.size[0], area.size[0] / place.scale**2)
    height = max(1, int(_BAND_PX / per_row))
    for top in range(area.y0, area.y1, height):
        yield Box(area.x0, top, area.x1, min(top + height, area.y1))
