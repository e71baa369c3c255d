"""The tools at the left of the canvas."""

from __future__ import annotations

from functools import partial
from typing import Final

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtWidgets import QButtonGroup, QFrame, QToolButton, QVBoxLayout, QWidget

from app.ui.buttons import icon_button
from app.ui.mask.tool_options import ToolKind
from app.ui.text import tr

WIDTH_PX: Final = 48
_ICON_PX: Final = 20
_BUTTON_PX: Final = 36

_FIRST_OF_GROUP: Final = (ToolKind.EDGE, ToolKind.LASSO, ToolKind.FILL)
"""Tools that a line stands above."""


class ToolStrip(QWidget):
    """A button for every tool, one pressed in. chosen(ToolKind): a person took one in hand, by mouse or key."""

    chosen = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("toolStrip")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(WIDTH_PX)
        self.setAccessibleName(tr("Tools"))
        self._group = QButtonGroup(self)
        self._buttons = {kind: self._made(kind) for kind in ToolKind}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 8, 0, 8)
        column.setSpacing(3)
        for kind, button in self._buttons.items():
            if kind in _FIRST_OF_GROUP:
                column.addWidget(_line(), 0, Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        self.show_tool(ToolKind.BRUSH)

    def show_tool(self, kind: ToolKind) -> None:
        """Press a tool's button in; says nothing."""
        self._buttons[kind].setChecked(True)

    def button(self, kind: ToolKind) -> QToolButton:
        """The button of a tool."""
        return self._buttons[kind]

    def _made(self, kind: ToolKind) -> QToolButton:
        button = icon_button(kind.value, "", tr(kind.label), keys=kind.key)
        button.setCheckable(True)
        button.setFixedSize(_BUTTON_PX, _BUTTON_PX)
        button.setIconSize(QSize(_ICON_PX, _ICON_PX))
        button.setToolTip(f"<b>{tr(kind.label)}</b> ({kind.key})<br>{tr(kind.hint)}")
        button.setAccessibleDescription(f"{tr(kind.hint)} ({kind.key})")
        # clicked, not toggled: what code shows is not chosen by anybody.
        button.clicked.connect(partial(self._chosen, kind))
        self._group.addButton(button)
        return button

    def _chosen(self, kind: ToolKind) -> None:
        self.chosen.emit(kind)


def _line() -> QFrame:
    line = QFrame()
    line.setFixedSize(_BUTTON_PX - 12, 1)
    line.setObjectName("toolLine")
    line.setStyleSheet("background: palette(mid);")
    return line
