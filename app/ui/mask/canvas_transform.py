"""Where a picture lies on the canvas: zoom, pan, fit, and from pixels there to pixels here and back. No Qt.

Everything on the canvas is in device px. The picture's corner is painted at a whole one, so that a pixel of the
screen always shows the same part of the picture, however it was panned there: what was computed can be moved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final, Self

from app.domain.compositing import Size
from app.domain.mask.planes import Box

MIN_PERCENT: Final = 5.0
MAX_PERCENT: Final = 3200.0
NEAREST_FROM: Final = 2.0
"""From this scale on pixels are shown as squares."""

GRID_FROM: Final = 8.0

_NOTCHES_PER_DOUBLING: Final = 4
_WHEEL_NOTCH: Final = 120


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of (width, height) px in a room of (width, height) device px.

    scale: device px per px of the picture. left, top: the picture's corner in the room, device px. margin_px: kept
    free around a fitted picture. is_fitted: follows the room until somebody zooms or pans.
    """

    picture: Size
    room: Size
    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0
    margin_px: int = 0
    is_fitted: bool = True

    @property
    def percent(self) -> float:
        """The zoom: 100 shows every pixel of the picture on one of the screen."""
        return 100 * self.scale

    @property
    def corner(self) -> tuple[int, int]:
        """Where the corner is painted."""
        return math.floor(self.left + 0.5), math.floor(self.top + 0.5)

    @property
    def shown_size(self) -> Size:
        """(width, height) of the whole picture in device px, at least 1."""
        width, height = self.picture
        return max(1, round(width * self.scale)), max(1, round(height * self.scale))

    @property
    def area(self) -> Box:
        """The whole picture in the room, device px; may reach out of it."""
        (left, top), (width, height) = self.corner, self.shown_size
        return Box(left, top, left + width, top + height)

    def to_picture(self, x: float, y: float) -> tuple[float, float]:
        """A point of the room (device px) in px of the picture; its first pixel reaches from 0 to 1."""
        left, top = self.corner
        return (x - left) / self.scale, (y - top) / self.scale

    def to_room(self, x: float, y: float) -> tuple[float, float]:
        """A point of the picture in the room, device px."""
        left, top = self.corner
        return x * self.scale + left, y * self.scale + top

    def area_of(self, box: Box) -> Box:
        """All device px of the room that a box of the picture has a say in, interpolation included."""
        step = step_of(self.scale)
        reach = 0 if self.scale >= NEAREST_FROM else step
        left, top = self.to_room(box.x0 - box.x0 % step - reach, box.y0 - box.y0 % step - reach)
        right, bottom = self.to_room(box.x1 + -box.x1 % step + reach, box.y1 + -box.y1 % step + reach)
        # One more on each side: positions are rounded to parts of a pixel.
        grown = Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)).grown(1)
        area = self.area
        return Box(max(grown.x0, area.x0), max(grown.y0, area.y0), min(grown.x1, area.x1), min(grown.y1, area.y1))

    def fitted(self) -> Self:
        """All of the picture, as large as the room allows, in the middle."""
        inner = [max(1, side - 2 * self.margin_px) for side in self.room]
        scale = min(inner[0] / self.picture[0], inner[1] / self.picture[1], MAX_PERCENT / 100)
        left, top = ((room - scale * side) / 2 for room, side in zip(self.room, self.picture, strict=True))
        return replace(self, scale=scale, left=left, top=top, is_fitted=True)

    def zoomed(self, percent: float, at: tuple[float, float] | None = None) -> Self:
        """At another zoom; what is under the point `at` of the room (its middle without one) stays there."""
        x, y = at or (self.room[0] / 2, self.room[1] / 2)
        # A picture too large to fit at the least zoom may still be fitted, and stays as small as that.
        least = min(MIN_PERCENT, self.fitted().percent)
        scale = min(max(percent, least), MAX_PERCENT) / 100
        factor = scale / self.scale
        moved = replace(self, scale=scale, left=x - (x - self.left) * factor, top=y - (y - self.top) * factor)
        return moved._held()

    def panned(self, dx: float, dy: float) -> Self:
        """Moved by so many device px."""
        return replace(self, left=self.left + dx, top=self.top + dy)._held()

    def in_room(self, room: Size) -> Self:
        """The same in another room: fitted again, or with the same point in the middle."""
        if self.is_fitted:
            return replace(self, room=room).fitted()
        dx, dy = (room[0] - self.room[0]) / 2, (room[1] - self.room[1]) / 2
        return replace(self, room=room).panned(dx, dy)

    def of_picture(self, picture: Size) -> Self:
        """Another picture; the zoom is kept unless it was fitted."""
        moved = replace(self, picture=picture)
        return moved.fitted() if self.is_fitted else moved._held()

    def _held(self) -> Self:
        """The middle of the room stays on the picture: it can't get lost."""
        middle_x, middle_y = self.room[0] / 2, self.room[1] / 2
        width, height = self.picture[0] * self.scale, self.picture[1] * self.scale
        left = min(max(self.left, middle_x - width), middle_x)
        top = min(max(self.top, middle_y - height), middle_y)
        return replace(self, left=left, top=top, is_fitted=False)


def step_of(scale: float) -> int:
    """How many pixels of the picture are averaged to one before the rest of the way is interpolated."""
    return max(1, math.floor(1 / scale + 1e-9))


def wheel_factor(angle: float) -> float:
    """What turning the wheel by so many eighths of a degree multiplies the zoom with."""
    return float(2 ** (angle / _WHEEL_NOTCH / _NOTCHES_PER_DOUBLING))
