"""The smart brush: a stroke that stays on the colours it began on."""

from __future__ import annotations

from app.domain.mask.brush import Limit, Paint
from app.domain.mask.smart_brush import ColourLimit
from app.ui.mask.gestures import Gesture
from app.ui.mask.tools.brush_tool import BrushTool
from app.ui.text import tr


class SmartTool(BrushTool):
    """Paints as the brush does, up to where the picture's colour changes."""

    def limit(self, gesture: Gesture) -> Limit | None:
        """The colours under the first dab."""
        return ColourLimit(self.easel.frame.pixels, tolerance=self.easel.options.color_tolerance)

    def step_name(self, paint: Paint) -> str:
        """As undo shows it."""
        return tr("Smart brush")
