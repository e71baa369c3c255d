"""Mask mode's page: bar, tools, canvas and panels above, the clip's time below."""

from __future__ import annotations

from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.mask.canvas import Canvas
from app.ui.mask.mask_bar import MaskBar
from app.ui.mask.mask_inspector import MaskInspector
from app.ui.mask.timeline import Timeline
from app.ui.mask.timeline_bar import TimelineBar
from app.ui.mask.tool_strip import ToolStrip


class MaskPage(QWidget):
    """The widgets and where they stand; what they do is the desk's affair."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar, self.strip, self.canvas = MaskBar(), ToolStrip(), Canvas()
        self.inspector, self.transport, self.timeline = MaskInspector(), TimelineBar(), Timeline()
        middle = QHBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self.strip)
        left = QVBoxLayout()
        left.setSpacing(0)
        for part, stretch in ((self.bar, 0), (self.canvas, 1)):
            left.addWidget(part, stretch)
        middle.addLayout(left, 1)
        middle.addWidget(self.inspector)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(middle, 1)
        column.addWidget(self.transport)
        column.addWidget(self.timeline)
