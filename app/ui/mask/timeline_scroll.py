"""The scroll bar below the timeline, in step with its scale."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QScrollBar, QWidget

from app.domain.mask.timeline_marks import Marks, Scale
from app.ui.text import tr

_MOST_STEPS: Final = 1_000_000
"""Qt counts with 32 bits: far zoomed in, one of the bar's steps is more than a pixel."""


class ScaleBar(QScrollBar):
    """Shows which part of the clip is in sight. moved(pts): another one was dragged to; the moment at its left end."""

    moved = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._start_pts, self._step_pts = 0.0, 1.0
        self.setAccessibleName(tr("Part of the clip that the timeline shows"))
        self.valueChanged.connect(lambda value: self.moved.emit(self._start_pts + value * self._step_pts))

    def fit(self, marks: Marks, scale: Scale, width_px: int) -> None:
        """Follow the scale of a line; hidden while that shows the whole clip. Says nothing."""
        start = int(marks.pts[0]) if len(marks) else 0
        hidden_px = max(0, round((marks.end_pts - start) / scale.ticks_per_px) - width_px)
        step_px = max(1, hidden_px // _MOST_STEPS)
        self._start_pts, self._step_pts = start, step_px * scale.ticks_per_px
        self.blockSignals(True)
        self.setRange(0, hidden_px // step_px)
        self.setPageStep(max(1, width_px // step_px))
        self.setSingleStep(max(1, width_px // 10 // step_px))
        self.setValue(round((scale.start_pts - start) / self._step_pts))
        self.setVisible(hidden_px > 0)
        self.blockSignals(False)
