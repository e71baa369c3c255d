"""Mask mode at work on one project: the frame looked at, its layers, and the clip's analysis behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal

from app.domain.mask.changes import Change
from app.domain.mask.document import FrameEdit, MaskDocument, MediaRef, Meta, Span
from app.domain.mask.timeline_marks import next_of, previous_of, problems
from app.domain.mask.views import Layers, MaskView
from app.pipeline.mask.analysing import ClipAnalysis
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.matte_cache import MatteCache, cache_key
from app.pipeline.mask.model_chain import clip_analysis
from app.pipeline.mask.seeking import Decoded
from app.pipeline.mask.sessions import Session
from app.ui.faults import failure_of
from app.ui.mask.marks_of import marks_of
from app.ui.mask.mask_page import MaskPage
from app.ui.mask.mask_state import MaskState
from app.ui.mask.mask_worker import MaskWorker, Shown, Wanted
from app.ui.mask.tool_options import ToolOptionsModel
from app.ui.mask.tools.tool_box import ToolBox
from app.ui.text import tr

log = logging.getLogger(__name__)

_MARKS_EVERY_MS: Final = 700
_RESUME_AFTER_MS: Final = 400
"""The analysis of the clip waits until nobody has wanted anything for so long."""

_MATCH_VIEWS: Final = frozenset({MaskView.PASTED, MaskView.MATCHED})


class MaskDesk(QObject):
    """One open project on the page, until `close`.

    noted(str): something to tell. failed(Failure): something did not work. analysed(done, all): how far the clip has
    been gone through.
    """

    noted = pyqtSignal(str)
    failed = pyqtSignal(object)
    analysed = pyqtSignal(int, int)
    _judged = pyqtSignal(object)
    _analysis_ended = pyqtSignal(object, object)

    def __init__(self, page: MaskPage, session: Session, options: ToolOptionsModel, document: MaskDocument) -> None:
        super().__init__(page)
        self.page, self.session = page, session
        self.state = MaskState(document, pts=self._first_pts(document))
        self.shown: Shown | None = None
        self._mask_paths: dict[MediaRef | None, Path | None] = {document.meta.mask: session.media.mask, None: None}
        self.marks = marks_of(document, session.index, {})
        self._cache, self._analysis, self._worker = self._started(document)
        self.tools = ToolBox(page.canvas, self.state, options, self)
        self._is_playing = self._is_resting = False
        self._then: Callable[[], None] | None = None
        self._marks_timer = _timer(self, _MARKS_EVERY_MS, self._renew_marks)
        self._resume_timer = _timer(self, _RESUME_AFTER_MS, self._resume_analysis)
        self._links = self._linked()
        self._renew_marks()
        self._follow_state()
        page.inspector.show_state(self.state, start_pts=session.index.pts_at(0))
        page.timeline.set_aspect(document.meta.clip.size[0] / document.meta.clip.size[1])
        self._follow_move(self.state.pts)

    @property
    def cache(self) -> MatteCache:
        """The model's mattes found so far."""
        return self._cache

    @property
    def frames(self) -> FrameCache[Decoded]:
        """The clip's frames decoded last."""
        return self._worker.frames

    @property
    def facts(self) -> str:
        """Size, frames and how far the clip has been looked through, in one line."""
        (width, height), frames = self.session.document.meta.clip.size, len(self.session.index)
        facts = [f"{width} \u00d7 {height}", tr("{count} frames").format(count=frames)]
        if not self._cache.is_finished:
            facts.append(tr("looked through: {percent} %").format(percent=100 * len(self._cache) // frames))
        return "  \u00b7  ".join(facts)

    @property
    def is_playing(self) -> bool:
        """Whether the clip plays: frames come from the player."""
        return self._is_playing

    def set_playing(self, *, playing: bool) -> None:
        """Leave the canvas to a player, or take it back."""
        self._is_playing = playing
        self.tools.set_enabled(not playing)
        if playing:
            self.hold_analysis()
        else:
            self._resume_timer.start()
            self._ask()

    def show_passing(self, layers: Layers, edit: FrameEdit, pts: int) -> None:
        """Show a frame that is only passed through, as a player or a propagation does."""
        shown = self.shown
        plate = None if shown is None else shown.layers.plate
        table = None if shown is None else shown.layers.table
        self.page.canvas.show_layers(replace(layers, plate=plate, table=table), edit.correction.planes())
        self._show_position(pts)

    def refresh(self) -> None:
        """Show the frame looked at as the project has it; others may have been passed through."""
        self._show_position(self.state.pts)
        self._ask()

    def use_mask(self, meta: Meta, path: Path | None) -> None:
        """Take the mattes from a mask, where it is now, or from the model again; `meta` says so."""
        self._mask_paths[meta.mask] = path
        self.state.set_meta(meta, tr("Use a mask") if meta.mask is not None else tr("Use the model again"))

    def find_match(self, then: Callable[[], None]) -> None:
        """Have the colours of the frame looked at found, whatever the view, then do something with them."""
        self._then = then
        self._ask()

    def step_to(self, pts: int | None, nothing: str) -> None:
        """Go to a frame, or say that there is none."""
        if pts is None:
            self.noted.emit(nothing)
        else:
            self.state.go(pts)

    def next_edited(self, *, forward: bool) -> None:
        """Go to the next frame the hand has been on."""
        self._go_along(self.marks.edited, forward, tr("No edited frame lies there."))

    def next_problem(self, *, forward: bool) -> None:
        """Go to the next frame that is probably wrong."""
        nothing = tr("No doubtful frame lies there.")
        if self.state.meta.span != Span():
            nothing = tr("No doubtful frame lies there between in and out.")
        if not self._cache.is_finished:
            nothing = tr("No doubtful frame lies there, as far as the clip has been looked through.")
        self._go_along(problems(self.marks), forward, nothing)

    def close(self) -> None:
        """Stop all threads and let go of the page."""
        for signal, slot in self._links:
            signal.disconnect(slot)
        self._marks_timer.stop()
        self._resume_timer.stop()
        self.tools.close()
        self._stop()
        self.page.canvas.clear()

    def _first_pts(self, document: MaskDocument) -> int:
        first = document.meta.span.first_pts
        return self.session.index.pts_at(0) if first is None else self.session.index.nearest(first)

    def _started(self, document: MaskDocument) -> tuple[MatteCache, ClipAnalysis, MaskWorker]:
        """The threads for the document's way of finding the person; a clip that is known costs nothing."""
        session = self.session
        cache = session.open_cache(document)
        worker = MaskWorker(session.media, session.index, cache)
        worker.shown.connect(self._show)
        worker.failed.connect(self.failed)
        analysis = clip_analysis(
            document,
            session.media,
            cache,
            on_judged=lambda pts, _judged: self._judged.emit(pts),
            on_end=lambda error: self._analysis_ended.emit(analysis, error),
        )
        if not cache.is_finished:
            analysis.start()
        return cache, analysis, worker

    def _linked(self) -> list[tuple[Any, Any]]:
        page, state, tools = self.page, self.state, self.tools
        links: list[tuple[Any, Any]] = [
            (state.changed, self._follow_change),
            (state.moved, self._follow_move),
            (state.planes_changed, self._follow_planes),
            (state.refused, self.noted),
            (tools.noted, self.noted),
            (tools.stroke_began, self.hold_analysis),
            (tools.stroke_ended, self._resume_timer.start),
            (page.bar.view_chosen, self._set_view),
            (page.bar.onion_chosen, self._set_onion),
            (page.timeline.scrubbed, state.go),
            (self._judged, self._say_judged),
            (self._analysis_ended, self._end_analysis),
        ]
        for signal, slot in links:
            signal.connect(slot)
        return links

    def _ask(self) -> None:
        """Have the frame looked at made again; the analysis steps aside for it."""
        if self._is_playing:
            return
        self.hold_analysis()
        self._resume_timer.start()
        canvas = self.page.canvas
        wants_match = canvas.view in _MATCH_VIEWS or self._then is not None
        wanted = Wanted(self.state.pts, self.state.document, wants_match, self._ghosts())
        self._worker.show(wanted)

    def _ghosts(self) -> tuple[int | None, int | None]:
        if not self.page.bar.onion.isChecked():
            return None, None
        return previous_of(self.marks.edited, self.state.pts), next_of(self.marks.edited, self.state.pts)

    def _show(self, shown: Shown) -> None:
        if shown.wanted.pts != self.state.pts or self._is_playing or self.state.is_busy:
            return
        last = self.shown
        layers = shown.layers
        if layers.table is None and last is not None and last.layers.size == layers.size:
            # Until the match is there the last one's stands in: else every step would flash red.
            layers = replace(layers, plate=last.layers.plate, table=last.layers.table)
        self.shown = replace(shown, layers=layers)
        self.tools.set_layers(layers)
        self.page.canvas.show_layers(layers, self.tools.planes)
        if shown.curve is not None and self._then is not None:
            then, self._then = self._then, None
            then()

    def _follow_move(self, pts: int) -> None:
        self._then = None
        self._show_position(pts)
        self.page.inspector.show_state(self.state)
        self._ask()

    def _show_position(self, pts: int) -> None:
        for part in (self.page.timeline, self.page.transport):
            part.set_position(pts)

    def _follow_planes(self) -> None:
        shown = self.shown
        if shown is not None and shown.wanted.pts == self.state.pts:
            self.page.canvas.show_layers(shown.layers, self.tools.planes)

    def _follow_change(self, change: Change) -> None:
        self._follow_state()
        self._show_marks()
        self.session.store.note(self.state.document)
        if change.meta is not None and cache_key(change.meta[0]) != cache_key(change.meta[1]):
            self._start_over()
        if change.meta is not None or self.page.canvas.view in _MATCH_VIEWS or self.page.bar.onion.isChecked():
            self._ask()

    def _follow_state(self) -> None:
        self.page.bar.show_steps(self.state.undo_name, self.state.redo_name)
        self.page.inspector.show_state(self.state)

    def _start_over(self) -> None:
        """The person is found in another way: all mattes are made anew."""
        self._stop()
        self.shown = None
        media = replace(self.session.media, mask=self._mask_paths.get(self.state.meta.mask))
        self.session = replace(self.session, media=media)
        self._cache, self._analysis, self._worker = self._started(self.state.document)
        self._renew_marks()

    def _stop(self) -> None:
        """End the threads; what they have said and nobody has heard yet is about mattes that are gone."""
        self._analysis.stop()
        self._worker.stop()
        self._worker.shown.disconnect(self._show)
        self._cache.close()

    def _set_view(self, view: MaskView) -> None:
        self.page.canvas.set_view(view)
        if view in _MATCH_VIEWS:
            self._ask()

    def _set_onion(self, is_on: bool) -> None:
        self.page.canvas.set_onion(is_on)
        self._ask()

    def rest(self, *, resting: bool) -> None:
        """Have the look through the clip wait for as long as something larger is under way."""
        self._is_resting = resting
        if resting:
            self.hold_analysis()
        else:
            self._resume_timer.start()

    def hold_analysis(self) -> None:
        """Have the look through the clip wait: somebody needs the machine; it goes on by itself a little later."""
        self._resume_timer.stop()
        self._analysis.pause(paused=True)

    def _resume_analysis(self) -> None:
        if not (self._is_playing or self._is_resting or self.state.is_busy or self.tools.is_stroking):
            self._analysis.pause(paused=False)

    def _say_judged(self, pts: int) -> None:
        """A frame's matte was found; the one looked at is shown with it: until now it was a lone frame's."""
        if not self._marks_timer.isActive():
            self._marks_timer.start()
        if pts == self.state.pts and not self.tools.is_stroking:
            self._ask()

    def _show_marks(self) -> None:
        self.marks = marks_of(self.state.document, self.session.index, self._cache.judged)
        for part in (self.page.timeline, self.page.transport):
            part.set_marks(self.marks)

    def _renew_marks(self) -> None:
        self._show_marks()
        self.analysed.emit(len(self._cache), len(self.session.index))

    def _end_analysis(self, analysis: ClipAnalysis, error: BaseException | None) -> None:
        if analysis is not self._analysis:
            return
        self._renew_marks()
        if error is not None:
            log.warning("the clip was not looked through to its end: %s", error)
            self.failed.emit(failure_of(error))

    def _go_along(self, places: Any, forward: bool, nothing: str) -> None:
        place = next_of(places, self.state.pts) if forward else previous_of(places, self.state.pts)
        self.step_to(place, nothing)


def _timer(parent: QObject, after_ms: int, act: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(after_ms)
    timer.timeout.connect(act)
    return timer
