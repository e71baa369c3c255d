"""Fill, and cleaning up: areas that are found rather than drawn."""

from __future__ import annotations

import math
from typing import Final, Literal

import cv2

from app.domain.frame import Alpha8
from app.domain.mask.areas import Point, flood_coverage
from app.domain.mask.brush import Paint, laid
from app.domain.mask.cleaning import holes, specks
from app.domain.mask.planes import Box, everywhere
from app.ui.mask.gestures import Gesture
from app.ui.mask.tool_options import ToolKind
from app.ui.mask.tools.base import Draft, Easel, Tool
from app.ui.text import tr

Dirt = Literal["holes", "specks"]

_FINDERS: Final = {"holes": holes, "specks": specks}
_PAINT: Final[dict[Dirt, Paint]] = {"holes": "add", "specks": "remove"}
_NAME: Final[dict[Dirt, str]] = {"holes": "Fill holes", "specks": "Remove specks"}

_COUNTS: Final = "count"


class FillTool(Tool):
    """Fills what is alike around the point that was clicked, in the mask or in the picture."""

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._seed: Point | None = None

    def begin(self, gesture: Gesture) -> None:
        """Remember the place: a click counts when the button goes up."""
        self._seed = gesture.x, gesture.y

    def end(self, gesture: Gesture) -> None:
        """Fill."""
        seed, self._seed = self._seed, None
        if seed is None:
            return
        options, self.draft = self.easel.options, Draft(self.easel)
        looks_at_mask = options.fills == "mask"
        picture = self.easel.final_alpha(self.draft.before) if looks_at_mask else self.easel.frame.pixels
        box, coverage = flood_coverage(
            picture,
            seed,
            tolerance=round(options.tolerance),
            contiguous=options.is_contiguous,
            feather_px=options.feather_px,
        )
        self.draft.lay(coverage, box, self.easel.paint_of(gesture))
        self.commit(tr("Fill"))

    def cancel(self) -> None:
        """Forget the place."""
        self._seed = None
        super().cancel()


class CleanUpTool(Tool):
    """Fills holes and removes specks within a rectangle, or one of the two in the whole picture."""

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._corner: Point | None = None

    def begin(self, gesture: Gesture) -> None:
        """Start a rectangle."""
        self._corner = gesture.x, gesture.y

    def go_on(self, gesture: Gesture) -> None:
        """Draw it out."""
        if self._corner is not None:
            self.easel.canvas.show_rectangle(self._rectangle(gesture))

    def end(self, gesture: Gesture) -> None:
        """Clean up within it."""
        if self._corner is None:
            return
        box = self._rectangle(gesture)
        self.cancel()
        self._clean(("holes", "specks"), box, tr("Clean up"))

    def cancel(self) -> None:
        """Take the rectangle away."""
        if self._corner is not None:
            self._corner = None
            self.easel.canvas.show_rectangle(None)
        super().cancel()

    def clean_all(self, dirt: Dirt) -> None:
        """One of the two in the whole picture."""
        self._clean((dirt,), everywhere(self.easel.frame.size), tr(_NAME[dirt]))

    def count(self) -> None:
        """Say how much there is to clean up, as soon as it is known."""
        if self.easel.layers is None:
            return
        alpha, limit = self.easel.final_alpha(self.easel.state.planes), self._limit_px
        self.easel.compute(_COUNTS, lambda: _counted(alpha, limit), self._tell_found)

    @property
    def _limit_px(self) -> float:
        return self.easel.options_of(ToolKind.CLEAN_UP).max_area_px

    def _rectangle(self, gesture: Gesture) -> Box:
        x, y = self._corner or (gesture.x, gesture.y)
        left, right = sorted((x, gesture.x))
        top, bottom = sorted((y, gesture.y))
        whole = Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom))
        return whole.within(self.easel.frame.size)

    def _clean(self, kinds: tuple[Dirt, ...], box: Box, name: str) -> None:
        self.draft, limit = Draft(self.easel), self._limit_px
        counts: dict[Dirt, int] = {"holes": 0, "specks": 0}
        for dirt in kinds:
            alpha = self.easel.final_alpha(self.draft.planes)
            where, coverage = _FINDERS[dirt](alpha, limit, box)
            counts[dirt] = _pieces(coverage)
            if not where.is_empty:
                self.draft.put(laid(self.draft.planes.at(where), coverage, _PAINT[dirt]), where)
        words = _in_words(counts["holes"], counts["specks"])
        self.commit(name)
        self.easel.noted.emit(
            tr("Cleaned up: {0}.").format(words) if words else tr("There is nothing that small here.")
        )

    def _tell_found(self, counts: tuple[int, int]) -> None:
        words = _in_words(*counts)
        self.easel.noted.emit(
            tr("To clean up here: {0}.").format(words) if words else tr("There is nothing that small.")
        )


def _counted(alpha: Alpha8, limit: float) -> tuple[int, int]:
    whole = everywhere((alpha.shape[1], alpha.shape[0]))
    return _pieces(holes(alpha, limit, whole)[1]), _pieces(specks(alpha, limit, whole)[1])


def _pieces(coverage: Alpha8) -> int:
    return cv2.connectedComponents(coverage, connectivity=8)[0] - 1 if coverage.size else 0


def _in_words(hole_count: int, speck_count: int) -> str:
    """Both counts as words; empty when there are none."""
    words = []
    if hole_count:
        words.append(tr("1 hole") if hole_count == 1 else tr("{0} holes").format(hole_count))
    if speck_count:
        words.append(tr("1 speck") if speck_count == 1 else tr("{0} specks").format(speck_count))
    return tr(" and ").join(words)
