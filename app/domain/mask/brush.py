"""The soft brush: what a stroke covers, dab by dab, and what that does to a frame's correction.

Places are in px of the picture with (0, 0) at its upper left corner, so that the first pixel's middle is (0.5, 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeAlias

import cv2
import numpy as np

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha8
from app.domain.mask.planes import NOWHERE, Box, Planes, painted, restored
from app.domain.setting_kinds import kinds_of, number

SIZE_PX: Final = (1.0, 2000.0)
HARDNESS: Final = (0.0, 1.0)
OPACITY: Final = (0.0, 1.0)
FLOW: Final = (0.01, 1.0)
"""Lower and upper limits of the settings. Without any flow nothing would ever be painted."""

Paint: TypeAlias = Literal["add", "remove", "restore"]
"""Towards alpha 255, towards 0, or back to what the model said."""

SPACING: Final = 0.15
"""Of the radius: from dab to dab, at least 1 px."""

_RIPPLE_PX: Final = 0.25
"""How deep the notches between two dabs of a hard brush may be; asks for less than SPACING from a radius of 89 px."""

_RIM_PX: Final = 1.0
"""Width of the ramp that keeps even the hardest edge smooth."""

_FINE_STEP_PX: Final = 0.25
_SOFT_RAMP_PX: Final = 64.0
"""From this ramp on whole pixels do: half a pixel beside is at most 3 levels there, and no dab is made 16 times."""

_TIE: Final = 1e-4
_NEARLY_PX: Final = 1e-6
"""Against rounding: places on a half step, and dabs due exactly where a move ends, must not hang on its last bit."""

_ROWS: Final = 64
"""Painted at a time, so that the floats stay in the cache: 8.7 ms for 1568 x 1500 px against 36 at once."""

_DABS_KEPT: Final = 16
"""All places within a pixel of one brush; 64 MB at worst, for the largest."""


@dataclass(frozen=True, slots=True)
class BrushSettings:
    """How the brush paints. size_px: diameter. hardness: part of the radius that is fully covered.

    opacity: the most that one stroke covers, however often it passes. flow: how much of what is missing to that one
    dab adds; 1 is all at once. Pressure of a pen scales the opacity, dab by dab, never the size: a matte's edge should
    not wander when the hand gets lighter. ValueError outside the limits.
    """

    size_px: float = number(80, "Size", "Diameter of the brush", low=SIZE_PX[0], high=SIZE_PX[1], step=1, unit="px")
    hardness: float = number(
        0.5, "Hardness", "How far the full effect reaches out", low=HARDNESS[0], high=HARDNESS[1], step=0.05, unit="%"
    )
    opacity: float = number(
        1.0, "Opacity", "The most that one stroke covers", low=OPACITY[0], high=OPACITY[1], step=0.05, unit="%"
    )
    flow: float = number(
        1.0, "Flow", "How quickly a stroke builds up to its opacity", low=FLOW[0], high=FLOW[1], step=0.05, unit="%"
    )

    def __post_init__(self) -> None:
        """Refuse what is out of range: a brush of no size or of a gigabyte."""
        for name, kind in kinds_of(type(self)).items():
            if not kind.accepts(getattr(self, name)):
                raise ValueError(f"{name} out of range: {getattr(self, name)}")

    @property
    def radius_px(self) -> float:
        """Half the size."""
        return self.size_px / 2

    @property
    def spacing_px(self) -> float:
        """From dab to dab."""
        radius = self.radius_px
        return max(1.0, min(SPACING * radius, math.sqrt(8 * radius * _RIPPLE_PX)))


@dataclass(frozen=True, slots=True)
class Dab:
    """One touch of the brush: coverage (h, w) uint8 of the pixels in `box`, which lies within the picture.

    x, y: its middle, which may lie outside.
    """

    box: Box
    coverage: Alpha8
    x: float
    y: float


Limit: TypeAlias = Callable[[Dab], Alpha8]
"""What a dab may cover, (h, w) uint8, at most what it would cover alone."""


class Stroke:
    """One stroke of the brush on a picture of (width, height), from pressing the button to letting go.

    Overlaps within it never exceed the opacity: at full flow the largest coverage counts, below that every dab adds
    its share of what is missing. limit: keeps dabs to where they may paint.
    """

    def __init__(self, size: Size, settings: BrushSettings, *, limit: Limit | None = None) -> None:
        width, height = size
        self._size, self._settings, self._limit = size, settings, limit
        # Fresh zeros take no memory and no time until they are written, even for an 8K frame.
        self._coverage: Alpha8 = np.zeros((height, width), np.uint8)
        self._built = np.zeros((height, width), np.float32) if settings.flow < 1 else None
        self._box = NOWHERE
        self._last: tuple[float, float, float] | None = None
        self._due_px = 0.0
        self._strongest = 0.0

    @property
    def coverage(self) -> Alpha8:
        """(H, W) uint8: what the stroke covers so far, 0 outside `box`; the stroke's own array."""
        return self._coverage

    @property
    def box(self) -> Box:
        """Around everything it touched."""
        return self._box

    def extend(self, x: float, y: float, pressure: float = 1.0) -> Box:
        """Go on, straight, to a place (px, may lie outside); the first call sets the brush down. -> what changed.

        Dabs fall at even distances along the way, so it makes no difference in how many moves it is told. pressure:
        0..1, even between the two ends; clipped. ValueError for places that are no numbers.
        """
        if not (math.isfinite(x) and math.isfinite(y) and math.isfinite(pressure)):
            raise ValueError(f"no place for a brush: {x}, {y}, pressure {pressure}")
        here = (x, y, min(max(pressure, 0.0), 1.0))
        changed, dabs = NOWHERE, 0
        for place in self._places(here):
            changed, dabs = changed.united(self._touch(*place)), dabs + 1
        # A pen is felt before it presses: where it stands still the dot still has to get as strong as the hand.
        if not dabs and here[2] > self._strongest:
            changed = self._touch(*here)
        self._box = self._box.united(changed)
        return changed

    def applied(self, planes: Planes, box: Box, paint: Paint) -> Planes:
        """The planes in a box after the stroke; planes: of the whole picture before it. `box.size` is the result's."""
        return laid(planes.at(box), self._coverage[box.rows_columns], paint)

    def _places(self, here: tuple[float, float, float]) -> Iterator[tuple[float, float, float]]:
        """x, y and pressure of the dabs on the way here that can touch the picture."""
        last, self._last, step = self._last, here, self._settings.spacing_px
        if last is None:
            self._due_px = step
            return iter([here])
        length = math.hypot(here[0] - last[0], here[1] - last[1])
        count = max(0, math.floor((length + _NEARLY_PX - self._due_px) / step) + 1)
        due, self._due_px = self._due_px, self._due_px + count * step - length
        if not count:
            return iter(())
        near, far = _span_within(last, here, self._size, self._settings.radius_px + 2)
        first = max(0, math.floor((near * length - due) / step))
        end = min(count, math.ceil((far * length - due) / step) + 1)
        shares = ((due + index * step) / length for index in range(first, end))
        return (_between(last, here, share) for share in shares)

    def _touch(self, x: float, y: float, pressure: float) -> Box:
        self._strongest = max(self._strongest, pressure)
        dab = _placed(self._settings.radius_px, self._settings.hardness, (x, y), self._size)
        if dab.box.is_empty:
            return NOWHERE
        allowed = dab.coverage if self._limit is None else self._limit(dab)
        strength = self._settings.opacity * pressure
        self._build(dab.box, allowed if strength == 1 else _scaled(allowed, strength))
        return dab.box

    def _build(self, box: Box, dab: Alpha8) -> None:
        part = self._coverage[box.rows_columns]
        if self._built is None:
            np.maximum(part, dab, out=part)
            return
        # In float: a flow of a hundredth would be lost in whole levels.
        built = self._built[box.rows_columns]
        built += np.float32(self._settings.flow) * np.maximum(dab - built, 0)
        np.rint(built, out=part, casting="unsafe")


def laid(planes: Planes, coverage: Alpha8, paint: Paint) -> Planes:
    """The planes after paint of one kind was laid over them; (h, w) uint8 each; new arrays."""
    result = Planes.empty(planes.size)
    width, height = planes.size
    for top in range(0, height, _ROWS):
        rows = Box(0, top, width, min(top + _ROWS, height))
        part = _laid_at_once(planes.at(rows), coverage[rows.rows_columns], paint)
        result.value[rows.rows_columns], result.weight[rows.rows_columns] = part.value, part.weight
    return result


def _laid_at_once(planes: Planes, coverage: Alpha8, paint: Paint) -> Planes:
    if paint == "restore":
        return restored(planes, coverage)
    return painted(planes, coverage, 255 if paint == "add" else 0)


def _scaled(coverage: Alpha8, strength: float) -> Alpha8:
    return as_uint8(cv2.convertScaleAbs(coverage, alpha=strength))


def _between(
    start: tuple[float, float, float], end: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    x, y, pressure = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return x, y, pressure


def _span_within(
    start: tuple[float, float, float], end: tuple[float, float, float], size: Size, margin_px: float
) -> tuple[float, float]:
    """From which to which share of the way a line is within the picture and a margin (Liang and Barsky); (1, 0): never.

    Without it a move from far outside would be a million dabs that nobody sees.
    """
    near, far = 0.0, 1.0
    for a, b, side in zip(start, end, size, strict=False):
        if a == b:
            if not -margin_px <= a <= side + margin_px:
                return 1.0, 0.0
            continue
        enter, leave = sorted(((-margin_px - a) / (b - a), (side + margin_px - a) / (b - a)))
        near, far = max(near, enter), min(far, leave)
    return (near, far) if near <= far else (1.0, 0.0)


def _placed(radius_px: float, hardness: float, place: tuple[float, float], size: Size) -> Dab:
    """The dab at a place, cut to the picture."""
    step = _FINE_STEP_PX if (1 - hardness) * radius_px < _SOFT_RAMP_PX else 1.0
    x, y = (step * math.floor(at / step + 0.5 + _TIE) for at in place)
    column, row = math.floor(x), math.floor(y)
    whole, reach = _dab(radius_px, hardness, x - column, y - row), _reach_px(radius_px)
    full = Box(column - reach, row - reach, column + reach + 1, row + reach + 1)
    box = full.within(size)
    inside = Box(box.x0 - full.x0, box.y0 - full.y0, box.x1 - full.x0, box.y1 - full.y0)
    return Dab(box, whole[inside.rows_columns], x, y)


def _reach_px(radius_px: float) -> int:
    return math.ceil(radius_px) + 1


@lru_cache(maxsize=_DABS_KEPT)
def _dab(radius_px: float, hardness: float, x: float, y: float) -> Alpha8:
    """The brush around a point (x, y) of a pixel's inside, read-only; the pixel is in the array's middle.

    Full up to hardness * radius, then a smoothstep to nothing; half of the rim lies outside of the radius.
    """
    reach = _reach_px(radius_px)
    along = np.arange(-reach, reach + 1, dtype=np.float32) + np.float32(0.5)
    outer = radius_px + _RIM_PX / 2
    inner = min(hardness * radius_px, outer - _RIM_PX)
    depth = np.square(along - np.float32(y))[:, None] + np.square(along - np.float32(x))[None, :]
    cv2.sqrt(depth, dst=depth)
    np.maximum(np.float32(outer) - depth, 0, out=depth)
    # A table over whole levels is exact to a level, and a quarter of the time for a brush of 2000 px.
    dab = as_uint8(cv2.LUT(cv2.convertScaleAbs(depth, alpha=255 / (outer - inner)), _SMOOTHSTEP))
    dab.setflags(write=False)
    return dab


def _smoothstep() -> Alpha8:
    t = np.arange(256) / 255
    return as_uint8(np.rint(255 * t * t * (3 - 2 * t)))


_SMOOTHSTEP: Final = _smoothstep()
