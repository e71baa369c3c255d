"""The edge brush: a band is painted, and the mask inside it is found anew, at once and then finer."""

from __future__ import annotations

import math
from functools import partial
from typing import Final

import cv2
import numpy as np

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Alpha8, Pixels
from app.domain.mask.areas import Area, no_area
from app.domain.mask.brush import Stroke
from app.domain.mask.edge_brush import REACH_PX, edge_values
from app.domain.mask.planes import Box, Planes, everywhere, painted
from app.ui.mask.gestures import Gesture
from app.ui.mask.tools.base import Draft, Easel, Tool
from app.ui.text import tr

_UNKNOWN: Final = 128
"""How the band looks while it is painted: half in, half out."""

_KEY: Final = "edge"

_AT_ONCE_PX: Final = 600_000
_SMALL_PX: Final = 90_000
"""A piece up to the first size is looked at as it is, in under 0.5 s. Larger ones are brought down to the second first,
0.3 s, and looked at in full by the thread: 3.2 s for a stroke across a 4K frame.
"""

_SURROUNDINGS: Final = 2.4
"""Of the brush's radius: what the fast method looks at around the band."""


class EdgeTool(Tool):
    """What the fast method found is a step at once; the finer result takes that step's place if it still is the last.

    So undo is one step at any time, and who goes on at once keeps what they saw.
    """

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._band: Stroke | None = None

    def begin(self, gesture: Gesture) -> None:
        """Set the brush down."""
        options = self.easel.options
        self.draft = Draft(self.easel)
        self._band = Stroke(self.draft.planes.size, options.brush)
        self.go_on(gesture)

    def go_on(self, gesture: Gesture) -> None:
        """Make the band longer."""
        if self.draft is None or self._band is None:
            return
        box = self._band.extend(gesture.x, gesture.y)
        if not box.is_empty:
            coverage = self._band.coverage[box.rows_columns]
            self.draft.put(painted(self.draft.before.at(box), coverage, _UNKNOWN), box)

    def end(self, gesture: Gesture) -> None:
        """Find the edge in it."""
        draft, band = self.draft, self._band
        self._band = None
        if draft is None or band is None:
            return
        pixels, alpha = self.easel.frame.pixels, self.easel.final_alpha(draft.before)
        options = self.easel.options
        scale = _scale_at_once(band.box, options.size_px / 2, draft.planes.size)
        box, values = _first_look(pixels, alpha, band, scale=scale)
        if box.is_empty:
            self.cancel()
            return
        draft.put(_with_edge(draft.before, band.coverage, values, box=box), box)
        if self.commit(tr("Edge brush")) and (options.is_fine or scale < 1):
            find = _refined if options.is_fine else _full_size
            look_again = partial(find, pixels, alpha, band.coverage, band.box)
            self.easel.compute(_KEY, look_again, partial(self._amend, self.easel.mark(), draft, band.coverage))

    def cancel(self) -> None:
        """Take the band away."""
        self._band = None
        super().cancel()

    def _amend(self, mark: object, fast: Draft, band: Alpha8, found: tuple[Box, Alpha8, str]) -> None:
        """Put the finer result into the step's place, if nothing came after it."""
        box, values, reason = found
        if reason:
            self.easel.noted.emit(tr("The edge was not refined. {0}").format(tr(reason)))
        if self.easel.is_last(mark):
            fine = Draft(self.easel)
            fine.put(_with_edge(fast.before, band, values, box=box), box)
            self.easel.amend(fine, tr("Edge brush"))


def _scale_at_once(box: Box, radius_px: float, size: Size) -> float:
    """How much smaller a band is looked at first, 0..1."""
    width, height = box.grown(math.ceil(_SURROUNDINGS * radius_px)).within(size).size
    return 1.0 if width * height <= _AT_ONCE_PX else math.sqrt(_SMALL_PX / (width * height))


def _first_look(pixels: Pixels, alpha: Alpha8, band: Stroke, *, scale: float) -> Area:
    """What the fast method finds, at a smaller size where scale says so; the values are those of the band's box."""
    if scale == 1 or band.box.is_empty:
        return edge_values(pixels, alpha, band.coverage, band.box)
    box, size = band.box, (alpha.shape[1], alpha.shape[0])
    around = box.grown(2 * REACH_PX[1]).within(size)
    width, height = around.size
    small = max(1, round(width * scale)), max(1, round(height * scale))
    picture = as_uint8(cv2.resize(pixels[around.rows_columns], small, interpolation=cv2.INTER_AREA))
    matte = as_uint8(cv2.resize(alpha[around.rows_columns], small, interpolation=cv2.INTER_AREA))
    # A thin band must not fade out of the smaller picture.
    thick = as_uint8(cv2.resize((band.coverage[around.rows_columns] > 0) * np.uint8(255), small))
    where, values = edge_values(picture, matte, thick, everywhere(small))
    if where.is_empty:
        return no_area()
    whole = as_uint8(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))
    inner = Box(box.x0 - around.x0, box.y0 - around.y0, box.x1 - around.x0, box.y1 - around.y0)
    return box, whole[inner.rows_columns]


def _full_size(pixels: Pixels, alpha: Alpha8, band: Alpha8, box: Box) -> tuple[Box, Alpha8, str]:
    return *edge_values(pixels, alpha, band, box), ""


def _refined(pixels: Pixels, alpha: Alpha8, band: Alpha8, box: Box) -> tuple[Box, Alpha8, str]:
    from app.pipeline.mask.edge_matting import refined_edge

    found = refined_edge(pixels, alpha, band, box)
    return found.box, found.values, found.reason


def _with_edge(before: Planes, band: Alpha8, values: Alpha8, *, box: Box) -> Planes:
    return painted(before.at(box), band[box.rows_columns], values)
