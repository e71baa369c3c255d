"""The right side of Mask mode: the tool in hand, corrections over time, adjustments and the colour match."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.domain.mask.document import Meta
from app.ui.live.inspector_pages import INSPECTOR_QSS, Page, PageBar
from app.ui.mask.adjust_panel import AdjustPanel
from app.ui.mask.mask_state import MaskState
from app.ui.mask.match_panel import MatchPanel
from app.ui.mask.propagate_panel import PropagatePanel
from app.ui.mask.tool_options import ToolKind, ToolOptions
from app.ui.mask.tool_panel import ToolPanel
from app.ui.text import tr

WIDTH_PX: Final = 300

_TABS: Final = {
    "tool": ("brush", "Tool"),
    "time": ("over-time", "Over time"),
    "adjust": ("adjust", "Adjust"),
    "match": ("match", "Match"),
}
"""Icon and word."""

_QSS: Final = INSPECTOR_QSS + "QPushButton { padding: 5px 6px; }\n"


class MaskInspector(QWidget):
    """Four pages. Adjustments go straight into the project shown last; all else is said by the panels' signals.

    page_changed(name): another page is shown.
    """

    page_changed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(_QSS)
        self.setFixedWidth(WIDTH_PX)
        self._state: MaskState | None = None
        self._start_pts = 0
        self.tool, self.time, self.adjust, self.match = ToolPanel(), PropagatePanel(), AdjustPanel(), MatchPanel()
        self._pages: dict[str, Page] = {
            "tool": self.tool,
            "time": self.time,
            "adjust": self.adjust,
            "match": self.match,
        }
        self._bar, self._stack = PageBar(WIDTH_PX), QStackedWidget()
        for name, page in self._pages.items():
            self._bar.add_page(_TABS[name][0], tr(_TABS[name][1]))
            self._stack.addWidget(page)
        self._bar.currentChanged.connect(self._turn)
        self.adjust.changed.connect(self._adjust)
        self.adjust.settled.connect(self._settle)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self._stack, 1)

    @property
    def current_page(self) -> str:
        """The page shown: "tool", "time", "adjust" or "match"."""
        return list(self._pages)[self._bar.currentIndex()]

    def show_page(self, name: str) -> None:
        """Turn to a page."""
        self._bar.setCurrentIndex(list(self._pages).index(name))

    def show_tool(self, kind: ToolKind, options: ToolOptions) -> None:
        """Show the tool in hand and how it is set; emits nothing."""
        self.tool.show_tool(kind, options)

    def show_state(self, state: MaskState, *, start_pts: int | None = None) -> None:
        """Show the project and the frame looked at; emits nothing. start_pts: the clip's first, kept until another."""
        self._state = state
        self._start_pts = self._start_pts if start_pts is None else start_pts
        has_earlier = any(
            pts < state.pts and not edit.correction.is_empty for pts, edit in state.document.frames.items()
        )
        self.time.show_edit(state.edit, has_earlier=has_earlier)
        self.adjust.show_meta(state.meta, start_pts=self._start_pts)
        self.match.show_meta(state.meta, start_pts=self._start_pts)

    def _adjust(self, meta: Meta, name: str, merge_key: Hashable | None) -> None:
        if self._state is None:
            return
        if self._state.is_busy:
            self._state.refused.emit(tr("Wait until what is running has finished, or cancel it."))
        else:
            self._state.set_meta(meta, name, merge_key=merge_key)
        self.show_state(self._state)

    def _settle(self) -> None:
        if self._state is not None:
            self._state.settle()

    def _turn(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        self.page_changed.emit(self.current_page)
