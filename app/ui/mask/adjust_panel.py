"""What is done to the model's mask before the corrections: for the whole clip, or from in to out."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from typing import Any, Final

from PyQt6.QtCore import pyqtSignal

from app.domain.mask.adjusting import Adjustment
from app.domain.mask.document import AdjustedSpan, Meta, Span
from app.domain.setting_kinds import Choice, kinds_of
from app.ui.live.inspector_controls import Control, make_control
from app.ui.live.inspector_pages import Page
from app.ui.mask.panel_parts import SpanList, muted_words, span_words
from app.ui.text import tr

_GAP: Final = 0.01
"""At least so far apart are the two levels."""

_SCOPE: Final = Choice("For", "Which frames the adjustment is for", {"clip": "Whole clip", "span": "In to out"})


def adjustment_of(meta: Meta, scope: str) -> Adjustment:
    """What a scope ("clip" or "span") is adjusted by; in to out without one of its own shows the clip's."""
    if scope == "clip":
        return meta.adjustment
    own = (one.adjustment for one in meta.adjusted_spans if one.span == meta.span)
    return next(own, meta.adjustment)


def with_adjustment(meta: Meta, scope: str, adjustment: Adjustment) -> Meta:
    """The meta with another adjustment of a scope; the span's counts over all earlier ones."""
    if scope == "clip":
        return replace(meta, adjustment=adjustment)
    others = tuple(one for one in meta.adjusted_spans if one.span != meta.span)
    return replace(meta, adjusted_spans=(*others, AdjustedSpan(meta.span, adjustment)))


class AdjustPanel(Page):
    """changed(Meta, name, merge_key): the project's meta is to be this. settled: a slider was let go."""

    changed = pyqtSignal(object, str, object)
    settled = pyqtSignal()

    def __init__(self) -> None:
        super().__init__()
        self._meta: Meta | None = None
        self._scope = make_control(_SCOPE, "clip", lists={}, name="scope")
        self._scope.edited.connect(self._turn)
        self._controls = {name: self._made(name) for name in kinds_of(Adjustment)}
        self._spans = SpanList(tr("Adjusted ranges"), tr("None. Set in and out (I, O) and choose “In to out”."))
        self._spans.removed.connect(self._remove)
        self.add(muted_words(tr("Changes the model's mask and leaves your corrections as they are.")), top=True)
        self.add_control(self._scope, is_common=True)
        for control in self._controls.values():
            self.add_control(control, is_common=True)
        self.add(self._spans, top=False)

    @property
    def scope(self) -> Control:
        """Which frames are adjusted."""
        return self._scope

    @property
    def spans(self) -> SpanList:
        """The ranges that have their own."""
        return self._spans

    def control(self, name: str) -> Control:
        """The control of one of the adjustment's values."""
        return self._controls[name]

    def show_meta(self, meta: Meta, *, start_pts: int = 0) -> None:
        """Show what is set; emits nothing."""
        self._meta = meta
        if meta.span == Span() and self._scope.value != "clip":
            self._scope.show_value("clip")
        self._scope.setEnabled(meta.span != Span())
        self._show_values()
        self._spans.show_rows([_row(one, meta.clip.time_base, start_pts) for one in meta.adjusted_spans])

    def _made(self, name: str) -> Control:
        control = make_control(kinds_of(Adjustment)[name], getattr(Adjustment(), name), lists={}, name=name)
        control.edited.connect(partial(self._edited, name))
        return control

    def _turn(self, _value: Any, _is_dragging: bool) -> None:
        self._show_values()

    def _show_values(self) -> None:
        if self._meta is None:
            return
        adjustment = adjustment_of(self._meta, self._scope.value)
        for name, control in self._controls.items():
            if getattr(adjustment, name) != control.value:
                control.show_value(getattr(adjustment, name))

    def _edited(self, name: str, value: float, is_dragging: bool) -> None:
        if self._meta is None:
            return
        scope = self._scope.value
        adjustment = _changed(adjustment_of(self._meta, scope), name, value)
        self.changed.emit(
            with_adjustment(self._meta, scope, adjustment), tr("Adjust the mask"), ("adjust", scope, name)
        )
        if not is_dragging:
            self.settled.emit()

    def _remove(self, place: int) -> None:
        if self._meta is None:
            return
        spans = self._meta.adjusted_spans
        self.changed.emit(
            replace(self._meta, adjusted_spans=(*spans[:place], *spans[place + 1 :])),
            tr("Remove an adjusted range"),
            None,
        )


def _changed(adjustment: Adjustment, name: str, value: float) -> Adjustment:
    """With one value changed; a level pushes the other one along."""
    if name == "low":
        low = min(value, 1 - _GAP)
        return replace(adjustment, low=low, high=max(adjustment.high, low + _GAP))
    if name == "high":
        high = max(value, _GAP)
        return replace(adjustment, high=high, low=min(adjustment.low, high - _GAP))
    if name == "grow_px":
        return replace(adjustment, grow_px=value)
    return replace(adjustment, feather_px=value)


def _row(one: AdjustedSpan, time_base: Fraction, start_pts: int) -> tuple[str, str]:
    adjustment, words = one.adjustment, []
    if (adjustment.low, adjustment.high) != (0, 1):
        words.append(tr("levels {0} to {1} %").format(round(100 * adjustment.low), round(100 * adjustment.high)))
    if adjustment.grow_px:
        words.append(tr("{0:+g} px").format(adjustment.grow_px))
    if adjustment.feather_px:
        words.append(tr("feather {0:g} px").format(adjustment.feather_px))
    return span_words(one.span, time_base, start_pts=start_pts), ", ".join(words) or tr("nothing changed")
