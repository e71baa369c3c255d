"""Carrying corrections through the neighbouring frames, and what is said of the frame looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.domain.mask.document import FrameEdit, Origin
from app.ui.live.inspector_pages import Page
from app.ui.mask.panel_parts import muted_words, push_button, title
from app.ui.text import tr


class Way(Enum):
    """How far corrections are carried, and where to."""

    FRAME_BACK = "frame back"
    FRAME_FORWARD = "frame forward"
    TO_IN = "to in"
    TO_OUT = "to out"
    KEYFRAME_BACK = "keyframe back"
    KEYFRAME_FORWARD = "keyframe forward"
    BLEND = "blend"


@dataclass(frozen=True, slots=True)
class PropagateWish:
    """What a person wants to be carried where."""

    way: Way


_WORDS: Final[Mapping[Way, tuple[str, str, str]]] = {
    Way.FRAME_BACK: ("1 frame", "carry-back", "Carry this frame's correction to the frame before"),
    Way.FRAME_FORWARD: ("1 frame", "carry-forward", "Carry this frame's correction to the next frame"),
    Way.TO_IN: ("To in", "carry-to-in", "Carry it back to the in point, or to the clip's start"),
    Way.TO_OUT: ("To out", "carry-to-out", "Carry it on to the out point, or to the clip's end"),
    Way.KEYFRAME_BACK: ("Keyframe", "carry-to-key-back", "Carry it back to the keyframe before"),
    Way.KEYFRAME_FORWARD: ("Keyframe", "carry-to-key-forward", "Carry it on to the next keyframe"),
    Way.BLEND: (
        "Blend between keyframes",
        "blend-keys",
        "Carry both keyframes around this frame towards each other, and blend them in between",
    ),
}
"""Name, icon and hint."""


class PropagatePanel(Page):
    """The buttons for it; does nothing itself.

    propagate_wanted(PropagateWish), cancel_wanted. Of the frame looked at: keyframe_wanted(bool), lock_wanted(bool);
    copy_wanted: take over the edited frame before; clear_wanted: its correction is to go.
    """

    propagate_wanted = pyqtSignal(object)
    cancel_wanted = pyqtSignal()
    keyframe_wanted = pyqtSignal(bool)
    lock_wanted = pyqtSignal(bool)
    copy_wanted = pyqtSignal()
    clear_wanted = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._has_paint = False
        self._is_running = self._may_copy = self._may_clear = False
        self._way = Way.FRAME_BACK
        self._ways = {way: self._way_button(way) for way in Way}
        self._result = muted_words()
        self._progress, self._cancel = (
            QProgressBar(),
            push_button(tr("Cancel"), tr("Stop; what is done stays one step")),
        )
        self._running = self._running_part()
        self._about = muted_words()
        self._keyframe = QCheckBox(tr("Keyframe (Shift+K)"))
        self._lock = QCheckBox(tr("Locked (Shift+L)"))
        self._copy = push_button(tr("Copy from the edit before"), tr("Take over the edited frame before this one"))
        self._clear = push_button(tr("Clear this frame"), tr("Take all corrections of this frame back"))
        for widget in (self._carry_part(), self._frame_part()):
            self.add(widget, top=False)
        self._link()
        self.show_idle("")
        self.show_edit(None, has_earlier=False)

    def button(self, way: Way) -> QPushButton:
        """The button of a way."""
        return self._ways[way]

    @property
    def result(self) -> str:
        """What is said of the run."""
        return self._result.text()

    def show_running(self, text: str, done: int, total: int) -> None:
        """Say what is running and how far it is; total 0: nobody knows."""
        self._is_running = True
        self._result.setText(text)
        self._result.show()
        self._progress.setRange(0, total)
        self._progress.setValue(done)
        self._follow_running()

    def show_idle(self, text: str) -> None:
        """Nothing is running; say how the last run ended."""
        had_focus = self._cancel.hasFocus()
        self._is_running = False
        self._result.setText(text)
        self._result.setVisible(bool(text))
        self._follow_running()
        if had_focus:  # Else it would wander on, and Space press whatever came next.
            self._ways[self._way].setFocus()

    def show_edit(self, edit: FrameEdit | None, *, has_earlier: bool) -> None:
        """Show the frame looked at; emits nothing. has_earlier: there is an edited frame before it."""
        is_locked = edit is not None and edit.is_locked
        has_paint = edit is not None and not edit.correction.is_empty
        self._keyframe.setChecked(edit is not None and edit.is_keyframe)
        self._lock.setChecked(is_locked)
        self._has_paint = has_paint
        self._may_copy, self._may_clear = has_earlier and not is_locked, has_paint and not is_locked
        self._follow_running()
        self._about.setText(_about(edit if has_paint else None))

    def _way_button(self, way: Way) -> QPushButton:
        words, icon_name, hint = _WORDS[way]
        button = push_button(tr(words), tr(hint), icon_name=icon_name)
        button.setAccessibleName(tr(hint))
        button.clicked.connect(partial(self._want, way))
        return button

    def _want(self, way: Way) -> None:
        self._way = way
        self.propagate_wanted.emit(PropagateWish(way))

    def _link(self) -> None:
        self._cancel.clicked.connect(self.cancel_wanted)
        self._keyframe.clicked.connect(self.keyframe_wanted)
        self._lock.clicked.connect(self.lock_wanted)
        self._copy.clicked.connect(self.copy_wanted)
        self._clear.clicked.connect(self.clear_wanted)
        self._keyframe.setToolTip(tr("Corrections are carried from keyframe to keyframe, and never over one"))
        self._lock.setToolTip(tr("Nothing changes a locked frame: no tool, and nothing that is carried along"))

    def _follow_running(self) -> None:
        self._running.setVisible(self._is_running)
        for way, button in self._ways.items():
            button.setEnabled(not self._is_running and (self._has_paint or way is Way.BLEND))
        for switch in (self._keyframe, self._lock):
            switch.setEnabled(not self._is_running)
        self._copy.setEnabled(self._may_copy and not self._is_running)
        self._clear.setEnabled(self._may_clear and not self._is_running)

    def _carry_part(self) -> QWidget:
        grid = QGridLayout()
        grid.setSpacing(8)
        for place, way in enumerate(way for way in Way if way is not Way.BLEND):
            grid.addWidget(self._ways[way], *divmod(place, 2))
        grid.addWidget(self._ways[Way.BLEND], 3, 0, 1, 2)
        column = _column(title(tr("Carry the correction")))
        column.addLayout(grid)
        column.addWidget(self._result)
        column.addWidget(self._running)
        return _filled(column)

    def _running_part(self) -> QWidget:
        widget = QWidget()
        line = QHBoxLayout(widget)
        line.setContentsMargins(0, 0, 0, 0)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(6)
        self._progress.setAccessibleName(tr("Progress"))
        self._cancel.setFixedWidth(84)
        line.addWidget(self._progress, 1)
        line.addWidget(self._cancel)
        return widget

    def _frame_part(self) -> QWidget:
        column = _column(title(tr("This frame")), self._about, self._keyframe, self._lock, self._copy, self._clear)
        column.setContentsMargins(0, 8, 0, 0)
        return _filled(column)


def _about(edit: FrameEdit | None) -> str:
    if edit is None:
        return tr("As the model has it.")
    return tr("Corrected by hand.") if edit.origin is Origin.HAND else tr("Corrected by what was carried here.")


def _column(*widgets: QWidget) -> QVBoxLayout:
    column = QVBoxLayout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(10)
    for widget in widgets:
        column.addWidget(widget)
    return column


def _filled(column: QVBoxLayout) -> QWidget:
    widget = QWidget()
    widget.setLayout(column)
    return widget
