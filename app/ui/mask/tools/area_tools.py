"""Lasso and polygon: an outline is drawn, then what it encloses is painted at once."""

from __future__ import annotations

import math
from typing import Final

from PyQt6.QtCore import QPointF

from app.domain.mask.areas import Point, polygon_coverage
from app.domain.mask.brush import Paint
from app.ui.mask.gestures import Gesture
from app.ui.mask.tools.base import Draft, Easel, Tool
from app.ui.text import tr

_STEP_PX: Final = 0.5
"""Of the picture, between two points of a lasso; nearer ones change nothing."""

_CLOSES_PX: Final = 9
"""Of the widget: a click so near to the first corner closes a polygon."""


class _AreaTool(Tool):
    """Holds an outline."""

    name = ""

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self.points: list[Point] = []
        self._paint: Paint = "add"

    def cancel(self) -> None:
        """Take the outline away."""
        self._forget()
        super().cancel()

    def show(self, *more: Point) -> None:
        """Draw the outline, closed."""
        self.easel.canvas.show_path([*self.points, *more], closed=True)

    def fill(self) -> None:
        """Paint what is enclosed, as one step."""
        points, size = list(self.points), self.easel.frame.size
        self._forget()
        box, coverage = polygon_coverage(points, size, feather_px=self.easel.options.feather_px)
        self.draft = Draft(self.easel)
        self.draft.lay(coverage, box, self._paint)
        self.commit(tr(self.name))

    def _forget(self) -> None:
        if self.points:
            self.points = []
            self.easel.canvas.show_path([])


class LassoTool(_AreaTool):
    """Drawn in one go."""

    name = "Lasso"

    def begin(self, gesture: Gesture) -> None:
        """Start the line."""
        self._paint = self.easel.paint_of(gesture)
        self.points = [(gesture.x, gesture.y)]
        self.show()

    def go_on(self, gesture: Gesture) -> None:
        """Lead it on."""
        if self.points and math.dist(self.points[-1], (gesture.x, gesture.y)) >= _STEP_PX:
            self.points.append((gesture.x, gesture.y))
            self.show()

    def end(self, gesture: Gesture) -> None:
        """Close and fill it."""
        if self.points:
            self.go_on(gesture)
            self.fill()


class PolygonTool(_AreaTool):
    """Clicked corner by corner; a double click, Enter or a click on the first corner closes it."""

    name = "Polygon"

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._is_dragging = False

    @property
    def is_pending(self) -> bool:
        """Whether there are corners."""
        return bool(self.points)

    def begin(self, gesture: Gesture) -> None:
        """Put a corner; the first one says what is painted."""
        point = gesture.x, gesture.y
        if not self.points:
            self._paint = self.easel.paint_of(gesture)
        elif len(self.points) > 2 and self._is_first(point):
            self.accept()
            return
        self.points.append(point)
        self._is_dragging = True
        self.show()

    def go_on(self, gesture: Gesture) -> None:
        """Move the corner until the button goes up."""
        if self.points and self._is_dragging:
            self.points[-1] = gesture.x, gesture.y
            self.show()

    def end(self, gesture: Gesture) -> None:
        """Leave it there."""
        self.go_on(gesture)
        self._is_dragging = False

    def double_click(self, gesture: Gesture) -> None:
        """Close it; the second click's corner is the first one's."""
        if self.points:
            self.points.pop()
            self.accept()

    def hover(self, x: float, y: float) -> None:
        """Show where the next side would go."""
        if self.points:
            self.show((x, y))

    def accept(self) -> None:
        """Close and fill it; two corners enclose nothing and stay."""
        if len(self.points) > 2:
            self._is_dragging = False
            self.fill()

    def step_back(self) -> None:
        """Take the last corner back."""
        self.points = self.points[:-1]
        self._is_dragging = False
        self.show()

    def planes_changed(self) -> None:
        """Corners are not painted yet: they stay."""

    def _is_first(self, point: Point) -> bool:
        here, first = (self.easel.canvas.widget_point(*at) for at in (point, self.points[0]))
        way: QPointF = here - first
        return math.hypot(way.x(), way.y()) <= _CLOSES_PX
