"""The soft brush, the eraser, and the way back to the model."""

from __future__ import annotations

from typing import Final

from app.domain.mask.brush import Limit, Paint, Stroke
from app.ui.mask.gestures import Button, Gesture
from app.ui.mask.tool_options import ToolKind
from app.ui.mask.tools.base import Draft, Easel, Tool, opposite
from app.ui.text import tr

_PAINT: Final[dict[ToolKind, Paint]] = {
    ToolKind.BRUSH: "add",
    ToolKind.ERASER: "remove",
    ToolKind.RESTORE: "restore",
}

_NAME: Final[dict[Paint, str]] = {
    "add": "Brush stroke",
    "remove": "Eraser stroke",
    "restore": "Back to the model",
}


class BrushTool(Tool):
    """Paints where the pointer goes; with Shift straight from where the last stroke ended."""

    def __init__(self, easel: Easel) -> None:
        super().__init__(easel)
        self._stroke: Stroke | None = None
        self._paint: Paint = "add"
        self._ended_at: tuple[float, float] | None = None

    def begin(self, gesture: Gesture) -> None:
        """Set the brush down."""
        paint = _PAINT.get(self.easel.kind, self.easel.options.paint)
        self._paint = opposite(paint) if gesture.button is Button.RIGHT else paint
        self.draft = Draft(self.easel)
        self._stroke = Stroke(self.draft.planes.size, self.easel.options.brush, limit=self.limit(gesture))
        if gesture.shift and self._ended_at is not None:
            self._extend(*self._ended_at, self._pressure(gesture))
        self.go_on(gesture)

    def go_on(self, gesture: Gesture) -> None:
        """Paint on to here."""
        self._extend(gesture.x, gesture.y, self._pressure(gesture))

    def end(self, gesture: Gesture) -> None:
        """Make it a step."""
        if self.draft is None:
            return
        # The pen is lifting: what it presses now is no wish. Where it is, is.
        self._ended_at = gesture.x, gesture.y
        self._stroke = None
        self.commit(self.step_name(self._paint))

    def cancel(self) -> None:
        """Take the stroke off again."""
        self._stroke = None
        super().cancel()

    def frame_left(self) -> None:
        """No line goes on from another frame."""
        self._ended_at = None
        super().frame_left()

    def limit(self, gesture: Gesture) -> Limit | None:
        """What keeps the dabs of a stroke that begins here from going too far."""
        return None

    def step_name(self, paint: Paint) -> str:
        """As undo shows it."""
        return tr(_NAME[paint])

    def _pressure(self, gesture: Gesture) -> float:
        return gesture.pressure if self.easel.options.uses_pressure else 1.0

    def _extend(self, x: float, y: float, pressure: float) -> None:
        if self.draft is None or self._stroke is None:
            return
        box = self._stroke.extend(x, y, pressure)
        if not box.is_empty:
            self.draft.put(self._stroke.applied(self.draft.before, box, self._paint), box)
