"""How the tool in hand is set."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.domain.setting_kinds import kinds_of
from app.ui.live.inspector_controls import Control, make_control
from app.ui.live.inspector_pages import Page
from app.ui.mask.panel_parts import muted_words, push_button, title
from app.ui.mask.tool_options import ToolKind, ToolOptions
from app.ui.text import tr

_MODEL: Final = ToolOptions()


class ToolPanel(Page):
    """The options of one tool at a time.

    changed(name, value): a person set an option. clean_up_wanted("holes" or "specks"). accept_wanted, drop_wanted: the
    buttons of a tool that waits for an answer.
    """

    changed = pyqtSignal(str, object)
    clean_up_wanted = pyqtSignal(str)
    accept_wanted = pyqtSignal()
    drop_wanted = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._title, self._hint = title(""), muted_words()
        self.add(_stacked(self._title, self._hint), top=True)
        self._controls = {name: self._made(name) for name in kinds_of(ToolOptions)}
        for control in self._controls.values():
            self.add_control(control, is_common=True)
        self._clean_up, self._answer, self.note = self._clean_up_row(), self._answer_row(), muted_words()
        for widget in (self._clean_up, self._answer, self.note):
            self.add(widget, top=False)
        self.show_tool(ToolKind.BRUSH, _MODEL)

    def control(self, name: str) -> Control:
        """The control of an option."""
        return self._controls[name]

    def show_tool(self, kind: ToolKind, options: ToolOptions) -> None:
        """Show a tool and its options; emits nothing."""
        self._title.setText(tr(kind.label))
        self._hint.setText(tr(kind.hint) + ".")
        for name, control in self._controls.items():
            if getattr(options, name) != control.value:
                control.show_value(getattr(options, name))
            control.setVisible(name in kind.option_names)
        self._clean_up.setVisible(kind is ToolKind.CLEAN_UP)
        self._answer.setVisible(kind in (ToolKind.POLYGON, ToolKind.ASSIST))
        self.show_note("")

    def show_note(self, words: str) -> None:
        """Say what came of the last thing done; nothing for an empty text."""
        self.note.setText(words)
        self.note.setVisible(bool(words))

    def _made(self, name: str) -> Control:
        control = make_control(kinds_of(ToolOptions)[name], getattr(_MODEL, name), lists={}, name=name)
        control.edited.connect(partial(self._edited, name))
        return control

    def _edited(self, name: str, value: Any, _is_dragging: bool) -> None:
        self.changed.emit(name, value)

    def _clean_up_row(self) -> QWidget:
        fill = push_button(tr("Fill holes"), tr("Fill all holes up to this area in the whole picture"))
        remove = push_button(tr("Remove specks"), tr("Remove all specks up to this area in the whole picture"))
        fill.clicked.connect(lambda: self.clean_up_wanted.emit("holes"))
        remove.clicked.connect(lambda: self.clean_up_wanted.emit("specks"))
        return _row(fill, remove)

    def _answer_row(self) -> QWidget:
        accept = push_button(tr("Accept"), tr("Put it into the mask (Enter)"))
        drop = push_button(tr("Drop"), tr("Forget it (Esc)"))
        accept.clicked.connect(self.accept_wanted)
        drop.clicked.connect(self.drop_wanted)
        return _row(accept, drop)


def _stacked(*labels: QLabel) -> QWidget:
    widget = QWidget()
    column = QVBoxLayout(widget)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(4)
    for label in labels:
        column.addWidget(label)
    return widget


def _row(*buttons: QPushButton) -> QWidget:
    widget = QWidget()
    row = QHBoxLayout(widget)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(8)
    for button in buttons:
        row.addWidget(button, 1)
    return widget
