"""From a wish to carry a correction on to one step of undo: the run, what it shows and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from PyQt6.QtCore import QObject

from app.domain.errors import UserError
from app.domain.mask.document import FrameEdit
from app.domain.mask.views import Layers
from app.pipeline.mask.propagate_run import Ended, Reach, change_of, plan
from app.pipeline.mask.propagation import StopReason
from app.ui.choices import Failure
from app.ui.mask.mask_desk import MaskDesk
from app.ui.mask.propagate_job import PropagateJob
from app.ui.mask.propagate_panel import PropagateWish, Way
from app.ui.text import tr
from app.ui.transport import clock_text

_WAYS: Final[Mapping[Way, tuple[Reach, bool]]] = {
    Way.FRAME_BACK: (Reach.FRAME, False),
    Way.FRAME_FORWARD: (Reach.FRAME, True),
    Way.TO_IN: (Reach.RANGE, False),
    Way.TO_OUT: (Reach.RANGE, True),
    Way.KEYFRAME_BACK: (Reach.KEYFRAME, False),
    Way.KEYFRAME_FORWARD: (Reach.KEYFRAME, True),
    Way.BLEND: (Reach.BETWEEN, True),
}


class PropagateControl(QObject):
    """One run at a time on the desk's project; the project can't be changed meanwhile."""

    def __init__(self, desk: MaskDesk) -> None:
        super().__init__(desk)
        self._desk = desk
        self._job: PropagateJob | None = None

    def start(self, wish: PropagateWish) -> None:
        """Carry on what was asked, or say why not."""
        desk, state = self._desk, self._desk.state
        if self._job is not None or state.is_busy or desk.tools.is_stroking:
            return
        reach, forward = _WAYS[wish.way]
        try:
            run = plan(state.document, desk.session.index, state.pts, reach, forward=forward)
        except UserError as error:
            desk.noted.emit(str(error))
            return
        desk.tools.drop()
        state.is_busy = True
        index = desk.session.index
        self._total = abs(index.index_of(run.stop_pts) - index.index_of(run.start_pts)) - run.is_blend
        job = self._job = PropagateJob(desk.session, state.document, desk.cache, run, frames=desk.frames)
        job.stepped.connect(self._step)
        job.shown.connect(self._show)
        job.ended.connect(self._end)
        job.failed.connect(self._fail)
        desk.hold_analysis()
        self._desk.page.inspector.time.show_running(tr("Carrying on…"), 0, self._total)
        job.start()

    def cancel(self) -> None:
        """Stop; what is done stays, as one step."""
        if self._job is not None:
            self._job.cancel()

    def close(self) -> None:
        """Stop and forget what was done: the project is being closed."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
            self._job = None
            self._desk.state.is_busy = False
            self._desk.page.inspector.time.show_idle("")

    def _step(self, done: int) -> None:
        if self._job is not None:
            self._desk.page.inspector.time.show_running(tr("Carrying on…"), done, self._total)

    def _show(self, layers: Layers, edit: FrameEdit, pts: int) -> None:
        if self._job is not None:
            self._desk.show_passing(layers, edit, pts)

    def _end(self) -> None:
        job = self._finished()
        if job is None:
            return
        self._keep(job)
        self._desk.page.inspector.time.show_idle(self._said(job.end, len(job.edits)))

    def _fail(self, failure: Failure) -> None:
        job = self._finished()
        if job is None:
            return
        self._keep(job)
        self._desk.page.inspector.time.show_idle(failure.message)
        self._desk.failed.emit(failure)

    def _finished(self) -> PropagateJob | None:
        job, self._job = self._job, None
        if job is not None:
            job.wait()
            self._desk.state.is_busy = False
        return job

    def _keep(self, job: PropagateJob) -> None:
        """All of it is one step; then the frame it began at, or where something wants a look, is shown."""
        state = self._desk.state
        if job.edits or job.end is not None:
            name = tr("Blend between keyframes") if job.run.is_blend else tr("Carry on")
            state.do(change_of(state.document, job.edits, job.end, name, state.pts))
        self._desk.refresh()

    def _said(self, end: Ended | None, frames: int) -> str:
        done = tr("1 frame done.") if frames == 1 else tr("{count} frames done.").format(count=frames)
        if end is None or end.reason in (StopReason.END_OF_RANGE, StopReason.OTHER_KEYFRAME):
            return done
        index = self._desk.session.index
        at = clock_text(float((end.pts - index.pts_at(0)) * index.time_base))
        return tr("{done} Stopped at {time}: {why}").format(done=done, time=at, why=end.reason.value)
