"""A frame and its mask as a person looks at them while correcting: any part of a picture, in several views."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Rgb, Size, Table, as_uint8, blend
from app.domain.frame import Alpha8, Pixels
from app.domain.mask.planes import Box, Planes, box_of, corrected

ADDED_RGB: Final[Rgb] = (0, 205, 185)
REMOVED_RGB: Final[Rgb] = (255, 112, 40)
"""Teal and orange: apart for the colour-blind too, and neither is grey."""

OUTLINE_RGB: Final[Rgb] = (255, 226, 64)
GHOST_RGB: Final[tuple[Rgb, Rgb]] = ((140, 255, 130), (88, 190, 255))
"""Outlines of the edited frame before and of the one after."""

_DIM: Final = 0.5
_CHECKS: Final = (150, 200)
_SHADE: Final = 110
_HALF: Final = 127


class MaskView(Enum):
    """What the canvas shows, in the order of its menu; the value is the name people read."""

    RUBYLITH = "Tint"
    OUTLINE = "Outline"
    MATTE = "Matte"
    CHECKERBOARD = "Checker"
    PASTED = "Pasted"
    MATCHED = "Matched"
    DIFFERENCE = "Changes"

    @property
    def label(self) -> str:
        """Its name."""
        return self.value

    @property
    def hint(self) -> str:
        """What it shows, in one sentence."""
        return _HINTS[self]


_HINTS: Final[Mapping[MaskView, str]] = {
    MaskView.RUBYLITH: "The picture under a red film wherever it will be replaced",
    MaskView.OUTLINE: "The picture with a line where the mask is half",
    MaskView.MATTE: "The mask itself: white stays, black is replaced",
    MaskView.CHECKERBOARD: "What stays, over a checkerboard",
    MaskView.PASTED: "What stays, over the new background, without the colour match",
    MaskView.MATCHED: "The finished picture, with matched colours",
    MaskView.DIFFERENCE: "What your corrections added (teal) and took away (orange)",
}


@dataclass(frozen=True, slots=True)
class Layers:
    """All that the views of one frame are made of, at one size; only the first two are always there.

    pixels (H, W, 3) uint8: the frame. alpha (H, W) uint8: the model's. foreground (H, W, 3): the person's own colours
    along the edge; the frame's stand in. plate (H, W, 3): the new background. table (256, 3): the colour match.
    ghosts: final alpha (H, W) of the edited frames before and after this one.
    """

    pixels: Pixels
    alpha: Alpha8
    foreground: Pixels | None = None
    plate: Pixels | None = None
    table: Table | None = None
    ghosts: tuple[Alpha8 | None, Alpha8 | None] = (None, None)

    @property
    def size(self) -> Size:
        """(width, height) in px."""
        height, width = self.alpha.shape
        return width, height

    def at(self, box: Box) -> Layers:
        """The part in a box: views, no copies."""
        part = box.rows_columns
        foreground = None if self.foreground is None else self.foreground[part]
        plate = None if self.plate is None else self.plate[part]
        before, after = (None if ghost is None else ghost[part] for ghost in self.ghosts)
        return Layers(self.pixels[part], self.alpha[part], foreground, plate, self.table, (before, after))


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How views look. opacity: of the rubylith, 0..1. tints_inside: it covers what stays, not what is replaced.

    check_px: side of a check in px of the picture.
    """

    tint: Rgb = (235, 30, 45)
    opacity: float = 0.55
    tints_inside: bool = False
    check_px: int = 16


PLAIN_OPTIONS: Final = ViewOptions()


def shown_view(view: MaskView, layers: Layers) -> MaskView:
    """The view that can be shown: rubylith for one whose plate or colour match is not there yet."""
    has_plate = layers.plate is not None
    has_all = {MaskView.PASTED: has_plate, MaskView.MATCHED: has_plate and layers.table is not None}
    return view if has_all.get(view, True) else MaskView.RUBYLITH


def final_alpha(alpha: Alpha8, planes: Planes) -> Alpha8:
    """The model's alpha with the hand's correction, (h, w) uint8 each; `alpha` itself where no hand was."""
    touched = box_of(planes.weight)
    if touched.is_empty:
        return alpha
    final = alpha.copy()
    final[touched.rows_columns] = corrected(alpha[touched.rows_columns], planes.at(touched))
    return final


def view_pixels(
    view: MaskView, layers: Layers, planes: Planes, box: Box, *, options: ViewOptions = PLAIN_OPTIONS
) -> Pixels:
    """One view of a part of a frame: (h, w, 3) uint8 of the box, the same as cut from a view of the whole frame.

    The outline is not in it: lines have their width on the screen (`outlined`). A view that lacks a layer comes out
    as rubylith (`shown_view`). ValueError when the planes are of another size.
    """
    if planes.size != layers.size:
        raise ValueError(f"planes of {planes.size} for a frame of {layers.size}")
    part = layers.at(box)
    alpha = final_alpha(part.alpha, planes.at(box))
    return _PAINTERS[shown_view(view, layers)](part, alpha, box, options)


def outlined(pixels: Pixels, alpha: Alpha8, *, rgb: Rgb, width_px: int) -> Pixels:
    """The picture (h, w, 3) with a line around where alpha (h, w) is more than half, and a shade around the line.

    Nothing further than `outline_reach_px` away matters. Without an edge the picture itself comes back.
    """
    inside = as_uint8(cv2.threshold(alpha, _HALF, 255, cv2.THRESH_BINARY)[1])
    if inside.min() == inside.max():
        return pixels
    kernel = np.ones((2 * width_px + 1, 2 * width_px + 1), np.uint8)
    near = as_uint8(cv2.dilate(inside, kernel))
    shade = as_uint8(cv2.dilate(near, np.ones((3, 3), np.uint8))) - near
    shaded = _tinted(pixels, shade & np.uint8(_SHADE), (0, 0, 0))
    return _tinted(shaded, near - inside, rgb)


def outline_reach_px(width_px: int) -> int:
    """How far from a pixel the alpha matters for the line over it."""
    return width_px + 1


def _rubylith(part: Layers, alpha: Alpha8, _box: Box, options: ViewOptions) -> Pixels:
    levels = np.arange(256) if options.tints_inside else 255 - np.arange(256)
    weights = np.rint(levels * min(max(options.opacity, 0.0), 1.0)).astype(np.uint8)
    return _tinted(part.pixels, as_uint8(cv2.LUT(alpha, weights)), options.tint)


def _picture(part: Layers, _alpha: Alpha8, _box: Box, _options: ViewOptions) -> Pixels:
    return part.pixels


def _matte(_part: Layers, alpha: Alpha8, _box: Box, _options: ViewOptions) -> Pixels:
    return as_uint8(cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB))


def _over_checks(part: Layers, alpha: Alpha8, box: Box, options: ViewOptions) -> Pixels:
    rows, columns = np.arange(box.y0, box.y1), np.arange(box.x0, box.x1)
    is_light = (rows[:, None] // options.check_px + columns // options.check_px) & 1
    checks = np.array(_CHECKS, np.uint8)[is_light]
    return blend(_foreground(part), as_uint8(cv2.cvtColor(checks, cv2.COLOR_GRAY2RGB)), alpha)


def _pasted(part: Layers, alpha: Alpha8, _box: Box, _options: ViewOptions) -> Pixels:
    return part.pixels if part.plate is None else blend(_foreground(part), part.plate, alpha)


def _matched(part: Layers, alpha: Alpha8, _box: Box, _options: ViewOptions) -> Pixels:
    return part.pixels if part.plate is None else blend(_foreground(part), part.plate, alpha, table=part.table)


def _difference(part: Layers, alpha: Alpha8, _box: Box, _options: ViewOptions) -> Pixels:
    dim = cv2.convertScaleAbs(cv2.cvtColor(part.pixels, cv2.COLOR_RGB2GRAY), alpha=_DIM)
    shown = as_uint8(cv2.cvtColor(dim, cv2.COLOR_GRAY2RGB))
    shown = _tinted(shown, as_uint8(cv2.subtract(alpha, part.alpha)), ADDED_RGB)
    return _tinted(shown, as_uint8(cv2.subtract(part.alpha, alpha)), REMOVED_RGB)


_PAINTERS: Final[Mapping[MaskView, Callable[[Layers, Alpha8, Box, ViewOptions], Pixels]]] = {
    MaskView.RUBYLITH: _rubylith,
    MaskView.OUTLINE: _picture,
    MaskView.MATTE: _matte,
    MaskView.CHECKERBOARD: _over_checks,
    MaskView.PASTED: _pasted,
    MaskView.MATCHED: _matched,
    MaskView.DIFFERENCE: _difference,
}


def _foreground(part: Layers) -> Pixels:
    return part.pixels if part.foreground is None else part.foreground


def _tinted(pixels: Pixels, weight: Alpha8, rgb: Rgb) -> Pixels:
    """Moved towards one colour by the weight (h, w)."""
    return blend(pixels, pixels, weight, table=_flat_table(rgb))


@lru_cache(maxsize=16)
def _flat_table(rgb: Rgb) -> Table:
    """The look-up table that makes every colour this one."""
    return np.full((256, 3), rgb, np.uint8)
