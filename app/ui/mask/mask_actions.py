"""What buttons, keys and panels of the page do to the desk's project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PyQt6.QtCore import QObject
from PyQt6.QtGui import QKeySequence, QShortcut

from app.domain.mask.document import MatchSpan, Meta, Span
from app.ui.mask.mask_desk import MaskDesk
from app.ui.mask.mask_player import MaskPlayer
from app.ui.mask.propagate_control import PropagateControl
from app.ui.mask.tool_options import ToolKind, ToolOptionsModel
from app.ui.text import tr


class MaskActions(QObject):
    """Wires one desk to the page, until `close`."""

    def __init__(
        self, desk: MaskDesk, options: ToolOptionsModel, propagation: PropagateControl, player: MaskPlayer
    ) -> None:
        super().__init__(desk)
        self._desk, self._options, self._propagation, self._player = desk, options, propagation, player
        self._state, self._page = desk.state, desk.page
        self._links = [*self._panel_links(), *self._bar_links(), *self._time_links()]
        for signal, slot in self._links:
            signal.connect(slot)
        self._shortcuts = [self._shortcut(keys, act) for keys, act in self._keys()]
        self._show_tool(desk.tools.kind)

    def undo(self) -> None:
        """Take the last step back; what a tool has not finished goes first."""
        self._player.pause()
        self._desk.tools.drop()
        self._state.undo()

    def redo(self) -> None:
        """Make it again."""
        self._player.pause()
        self._desk.tools.drop()
        self._state.redo()

    def close(self) -> None:
        """Let go of the page."""
        for signal, slot in self._links:
            signal.disconnect(slot)
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()

    def _panel_links(self) -> list[tuple[Any, Callable[..., Any]]]:
        inspector, tools = self._page.inspector, self._desk.tools
        time, match, tool = inspector.time, inspector.match, inspector.tool
        return [
            (self._page.strip.chosen, tools.choose),
            (self._page.strip.chosen, lambda _kind: inspector.show_page("tool")),
            (tools.tool_changed, self._show_tool),
            (self._options.changed, self._show_options),
            (tool.changed, self._set_option),
            (tool.clean_up_wanted, tools.clean_up),
            (tool.accept_wanted, tools.accept),
            (tool.drop_wanted, tools.drop),
            (tools.noted, tool.show_note),
            (time.propagate_wanted, self._propagation.start),
            (time.cancel_wanted, self._propagation.cancel),
            (time.keyframe_wanted, self._set_keyframe),
            (time.lock_wanted, self._set_locked),
            (time.copy_wanted, self._copy_before),
            (time.clear_wanted, self._state.clear_frame),
            (match.changed, self._set_match),
            (match.lock_wanted, self._lock_match),
            (match.strength_wanted, self._set_strength),
            (match.removed, self._remove_match),
        ]

    def _bar_links(self) -> list[tuple[Any, Callable[..., Any]]]:
        bar, canvas = self._page.bar, self._page.canvas
        return [
            (bar.undo.clicked, self.undo),
            (bar.redo.clicked, self.redo),
            (bar.fit_wanted, canvas.fit),
            (bar.full_size_wanted, canvas.one_to_one),
            (bar.zoom_wanted, lambda factor: canvas.zoom_to(canvas.percent * factor)),
            (canvas.zoomed, bar.show_zoom),
        ]

    def _time_links(self) -> list[tuple[Any, Callable[..., Any]]]:
        desk, bar = self._desk, self._page.transport
        return [
            (self._page.timeline.range_changed, lambda first, last: self._set_span(Span(first, last))),
            (bar.play_wanted, self._player.toggle),
            (bar.step_wanted, self._step),
            (bar.edited_wanted, lambda by: desk.next_edited(forward=by > 0)),
            (bar.problem_wanted, lambda by: desk.next_problem(forward=by > 0)),
            (bar.in_wanted, self._set_in),
            (bar.out_wanted, self._set_out),
            (bar.range_clear_wanted, lambda: self._set_span(Span())),
            (bar.keyframe_wanted, self._set_keyframe),
            (bar.lock_wanted, self._set_locked),
            (self._player.playing, bar.show_playing),
        ]

    def _keys(self) -> list[tuple[str, Callable[[], Any]]]:
        return []

    def _shortcut(self, keys: str, act: Callable[[], Any]) -> QShortcut:
        shortcut = QShortcut(QKeySequence(keys), self._page)
        shortcut.activated.connect(act)
        return shortcut

    def _show_tool(self, kind: ToolKind) -> None:
        self._page.strip.show_tool(kind)
        self._show_options()

    def _show_options(self) -> None:
        kind = self._desk.tools.kind
        self._page.inspector.show_tool(kind, self._options.of(kind))

    def _set_option(self, name: str, value: Any) -> None:
        self._options.change(self._desk.tools.kind, **{name: value})

    def _step(self, by: int) -> None:
        self._player.pause()
        self._state.go(self._desk.marks.stepped(self._state.pts, by))

    def _set_keyframe(self, is_on: bool) -> None:
        self._state.set_flags(tr("Keyframe"), is_keyframe=is_on)

    def _set_locked(self, is_on: bool) -> None:
        self._state.set_flags(tr("Lock"), is_locked=is_on)

    def _copy_before(self) -> None:
        earlier = [
            pts
            for pts, edit in self._state.document.frames.items()
            if pts < self._state.pts and not edit.correction.is_empty
        ]
        if earlier and self._state.may_paint():
            correction = self._state.document.frames[max(earlier)].correction
            edit = replace(self._state.edit, correction=correction, is_keyframe=True)
            self._state.set_frames({self._state.pts: edit}, tr("Copy from the edit before"))

    def _set_in(self) -> None:
        span, pts = self._state.meta.span, self._state.pts
        last = None if span.last_pts is not None and span.last_pts < pts else span.last_pts
        self._set_span(Span(pts, last))

    def _set_out(self) -> None:
        span, pts = self._state.meta.span, self._state.pts
        first = None if span.first_pts is not None and span.first_pts > pts else span.first_pts
        self._set_span(Span(first, pts))

    def _set_span(self, span: Span) -> None:
        index = self._desk.session.index
        first = None if span.first_pts == index.pts_at(0) else span.first_pts
        last = None if span.last_pts == index.pts_at(len(index) - 1) else span.last_pts
        self._set_meta(replace(self._state.meta, span=Span(first, last)), tr("In and out"))

    def _set_match(self, group: str, name: str, value: Any, is_dragging: bool) -> None:
        meta = self._state.meta
        settings = meta.settings.with_value(group, name, value)
        self._set_meta(replace(meta, settings=settings), tr("Match"), key=(group, name), is_dragging=is_dragging)

    def _lock_match(self, span: Span) -> None:
        """Keep the curve of the frame looked at; it has to be found first."""
        shown = self._desk.shown
        if shown is None or shown.curve is None or shown.wanted.pts != self._state.pts:
            self._desk.find_match(lambda: self._lock_match(span))
            return
        knots = tuple(tuple(round(float(level), 5) for level in channel) for channel in shown.curve)
        kept = MatchSpan(span, knots=knots, locked_pts=self._state.pts)
        self._set_meta(self._with_match(kept), tr("Lock the match"))

    def _set_strength(self, span: Span, strength: float, is_dragging: bool) -> None:
        meta = self._with_match(MatchSpan(span, strength=strength))
        self._set_meta(meta, tr("Match strength"), key=("strength", span), is_dragging=is_dragging)

    def _with_match(self, added: MatchSpan) -> Meta:
        """The meta with a span's match: what was said of the same frames before is completed, not doubled."""
        meta = self._state.meta
        same = next((one for one in meta.match_spans if one.span == added.span), added)
        merged = replace(
            same,
            strength=same.strength if added.strength is None else added.strength,
            knots=same.knots if added.knots is None else added.knots,
            locked_pts=same.locked_pts if added.knots is None else added.locked_pts,
        )
        others = tuple(one for one in meta.match_spans if one.span != added.span)
        return replace(meta, match_spans=(*others, merged))

    def _remove_match(self, place: int) -> None:
        spans = self._state.meta.match_spans
        self._set_meta(replace(self._state.meta, match_spans=spans[:place] + spans[place + 1 :]), tr("Match"))

    def _set_meta(self, meta: Meta, name: str, *, key: object = None, is_dragging: bool = False) -> None:
        if self._state.is_busy:
            self._state.refused.emit(tr("Wait until what is running has finished, or cancel it."))
            return
        self._state.set_meta(meta, name, merge_key=repr(key) if key is not None else None)
        if not is_dragging:
            self._state.settle()
