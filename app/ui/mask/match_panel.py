"""The colour match of the clip: its settings, and what goes for ranges of it."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any, Final

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from app.domain.mask.document import MatchSpan, Meta, Span
from app.domain.setting_kinds import Number, kinds_of
from app.domain.settings import MatchOptions
from app.ui.live.inspector_controls import Control, make_control
from app.ui.live.inspector_pages import Page
from app.ui.mask.panel_parts import SpanList, muted_words, push_button, span_words, title
from app.ui.text import tr
from app.ui.transport import clock_text

_LESS_COMMON: Final = {"model"}
_SPAN_STRENGTH: Final = Number("Strength in to out", "How far colours are matched there", 0, 1, 0.01, "%")


class MatchPanel(Page):
    """changed(group, name, value, is_dragging): as `LiveInspector` has it, group "match".

    lock_wanted(Span): keep the match found at the frame looked at for these frames. strength_wanted(Span, strength,
    is_dragging): match these frames so far. removed(int): the match span at this place is to go.
    """

    changed = pyqtSignal(str, str, object, bool)
    lock_wanted = pyqtSignal(object)
    strength_wanted = pyqtSignal(object, float, bool)
    removed = pyqtSignal(int)

    def __init__(self) -> None:
        super().__init__()
        self._span = Span()
        defaults = MatchOptions()
        self._controls = {name: self._made(name, getattr(defaults, name)) for name in kinds_of(MatchOptions)}
        for name, control in self._controls.items():
            self.add_control(control, is_common=name not in _LESS_COMMON)
        self._strength = make_control(_SPAN_STRENGTH, 1.0, lists={}, name="strength")
        self._strength.edited.connect(self._want_strength)
        self._lock_clip = push_button(tr("Whole clip"), tr("Keep the match of this frame for the whole clip"))
        self._lock_span = push_button(tr("In to out"), tr("Keep the match of this frame from in to out"))
        self._lock_clip.clicked.connect(lambda: self.lock_wanted.emit(Span()))
        self._lock_span.clicked.connect(lambda: self.lock_wanted.emit(self._span))
        self.spans = SpanList(tr("Ranges with their own match"), tr("None. Set in and out (I, O) to make one."))
        self.spans.removed.connect(self.removed)
        self.add(self._keys_part(), top=False)

    def control(self, name: str) -> Control:
        """The control of a setting of the match."""
        return self._controls[name]

    @property
    def strength(self) -> Control:
        """The strength from in to out."""
        return self._strength

    def show_meta(self, meta: Meta, *, start_pts: int = 0) -> None:
        """Show what is set; emits nothing."""
        self._span = meta.span
        for name, control in self._controls.items():
            value = getattr(meta.settings.match, name)
            if value != control.value:
                control.show_value(value)
        own = next((one.strength for one in reversed(meta.match_spans) if one.span == meta.span), None)
        strength = meta.settings.match.strength if own is None else own
        if strength != self._strength.value:
            self._strength.show_value(strength)
        for widget in (self._strength, self._lock_span):
            widget.setEnabled(meta.span != Span())
        self.spans.show_rows([_row(one, meta.clip.time_base, start_pts) for one in meta.match_spans])

    def _made(self, name: str, default: Any) -> Control:
        control = make_control(kinds_of(MatchOptions)[name], default, lists={}, name=name)
        control.edited.connect(partial(self._edited, name))
        return control

    def _edited(self, name: str, value: Any, is_dragging: bool) -> None:
        self.changed.emit("match", name, value, is_dragging)

    def _want_strength(self, value: float, is_dragging: bool) -> None:
        self.strength_wanted.emit(self._span, value, is_dragging)

    def _keys_part(self) -> QWidget:
        widget, grid = QWidget(), QGridLayout()
        grid.setSpacing(8)
        grid.addWidget(self._lock_span, 0, 0)
        grid.addWidget(self._lock_clip, 0, 1)
        column = QVBoxLayout(widget)
        column.setContentsMargins(0, 8, 0, 0)
        column.setSpacing(10)
        column.addWidget(title(tr("Lock the match at this frame")))
        column.addWidget(muted_words(tr("The colours found here stay, whatever the picture does.")))
        column.addLayout(grid)
        column.addWidget(self._strength)
        column.addWidget(self.spans)
        return widget


def _row(one: MatchSpan, time_base: Fraction, start_pts: int) -> tuple[str, str]:
    words = []
    if one.knots is not None and one.locked_pts is not None:
        words.append(tr("locked at {0}").format(clock_text(float((one.locked_pts - start_pts) * time_base))))
    elif one.knots is not None:
        words.append(tr("locked"))
    if one.strength is not None:
        words.append(tr("strength {0} %").format(round(100 * one.strength)))
    return span_words(one.span, time_base, start_pts=start_pts), ", ".join(words) or tr("as everywhere")
