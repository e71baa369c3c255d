"""Which part of the frame the segmenter looks at: a box that follows the people.

The selfie models see 256 x 144 values whatever the frame. Given only the people's box they resolve two to
four times finer: on the tuning half of the benchmark IoU rises from 0.87 to 0.96 before any refinement.
Boxes are in whole cells of the frame's grid (`app.domain.cells`).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.domain.alpha import SOLID
from app.domain.cells import CellGrid
from app.domain.frame import Alpha

MARGIN = 0.25
"""Room around the people, as a part of their box; IoU is flat between 0.15 and 0.35."""

LEAST_MARGIN, MOST_MARGIN = 0.12, 0.5
"""The region stays as it is while its margins are within these: each move resamples the picture anew, and
the matte would flicker with it."""

NEARLY_ALL = 0.85
"""A region of more than this part of the frame becomes the whole frame."""

SMALLEST_SIDE = 1 / 6
"""Of the grid's longer side: never look closer, where any table leg turns into a person."""

MIN_BLOB = 0.05
"""A piece counts when it has this part of the largest one's area ..."""

MIN_PERSON = 0.0008
"""... and this part of the frame."""


@dataclass(frozen=True, slots=True)
class Region:
    """A box in cells; right and bottom are one past the last."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(columns, rows)."""
        return self.right - self.left, self.bottom - self.top

    @property
    def area(self) -> int:
        """Cells covered."""
        return (self.right - self.left) * (self.bottom - self.top)

    def contains(self, other: Region) -> bool:
        """Whether `other` lies within."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )

    def united(self, other: Region) -> Region:
        """The box around both."""
        return Region(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )


def whole_frame(grid: CellGrid) -> Region:
    """All cells."""
    return Region(0, 0, grid.columns, grid.rows)


def people_box(alpha: Alpha) -> Region | None:
    """Box around every sizeable piece of a (rows, columns) alpha, None when nobody is there."""
    solid = (alpha >= SOLID).astype(np.uint8)
    count, _labels, stats, _centres = cv2.connectedComponentsWithStats(solid)
    if count < 2:
        return None
    pieces = np.asarray(stats)[1:]
    areas = pieces[:, cv2.CC_STAT_AREA]
    pieces = pieces[areas >= max(MIN_BLOB * areas.max(), MIN_PERSON * alpha.size)]
    if len(pieces) == 0:
        return None
    left, top = (int(v) for v in pieces[:, :2].min(axis=0))
    right, bottom = (int(v) for v in (pieces[:, :2] + pieces[:, 2:4]).max(axis=0))
    return Region(left, top, right, bottom)


def followed(region: Region, people: Region, grid: CellGrid) -> Region:
    """The region for the next look: this one while it fits the people, else a new one around them."""
    frame = whole_frame(grid)
    wanted = _or_whole(_with_margin(people, MARGIN, frame), frame)
    if region == frame or wanted == frame:
        return wanted
    least, most = (_with_margin(people, margin, frame) for margin in (LEAST_MARGIN, MOST_MARGIN))
    return region if region.contains(least) and most.contains(region) else wanted


def cut_off(region: Region, people: Region, grid: CellGrid) -> bool:
    """Whether people reach the region's border where the frame goes on."""
    frame = whole_frame(grid)
    return (
        (people.left == region.left and region.left > frame.left)
        or (people.top == region.top and region.top > frame.top)
        or (people.right == region.right and region.right < frame.right)
        or (people.bottom == region.bottom and region.bottom < frame.bottom)
    )


def _with_margin(people: Region, margin: float, frame: Region) -> Region:
    smallest = SMALLEST_SIDE * max(frame.size)
    left, right = _stretched(people.left, people.right, margin, smallest, frame.right)
    top, bottom = _stretched(people.top, people.bottom, margin, smallest, frame.bottom)
    return Region(left, top, right, bottom)


def _stretched(start: int, end: int, margin: float, smallest: float, limit: int) -> tuple[int, int]:
    by = max(margin * (end - start), (smallest - (end - start)) / 2)
    return max(0, round(start - by)), min(limit, round(end + by))


def _or_whole(region: Region, frame: Region) -> Region:
    return frame if region.area > NEARLY_ALL * frame.area else region
