"""What all tools share: the easel they work at, the draft of a step not yet made, and how a tool is spoken to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.frame import Alpha8
from app.domain.mask.brush import Paint, laid
from app.domain.mask.planes import NOWHERE, Box, Planes
from app.domain.mask.views import Layers, final_alpha
from app.ui.choices import Failure
from app.ui.mask.canvas import Canvas
from app.ui.mask.gestures import Button, Gesture
from app.ui.mask.mask_state import MaskState
from app.ui.mask.tool_options import ToolKind, ToolOptions, ToolOptionsModel
from app.ui.worker import Worker, guarded

_OPPOSITE: Final[dict[Paint, Paint]] = {"add": "remove", "remove": "add", "restore": "remove"}


class ToolWorker(Worker):
    """One thread for what takes longer than a hand waits; work whose answer nobody wants any more is left out."""

    _done = pyqtSignal(object)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        self._latest: dict[str, object] = {}
        super().__init__("mask-tools")
        self._done.connect(self._deliver)

    def compute(self, key: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do the work on the thread, then call `then` with its result on this one, unless `forget` comes between.

        key: of what only the latest counts.
        """
        ticket = object()
        self._latest[key] = ticket

        def run() -> None:
            if self._latest.get(key) is ticket:
                self._done.emit((key, ticket, work(), then))

        self._mailbox.errand(guarded(run, self.failed.emit))

    def forget(self, key: str) -> None:
        """The answer is not wanted any more."""
        self._latest.pop(key, None)

    def _deliver(self, answer: tuple[str, object, Any, Callable[[Any], None]]) -> None:
        key, ticket, result, then = answer
        if self._latest.get(key) is ticket:
            del self._latest[key]
            then(result)


class Easel(QObject):
    """Canvas, project, options and the frame's layers, for all tools. noted(str): something to tell the person.

    kind: the tool in hand. layers: None while the frame looked at is not there yet. is_painting: a step is being made
    by a tool, so that it need not be told of it. has_draft: whether a tool is in the middle of something.
    """

    noted = pyqtSignal(str)

    def __init__(self, canvas: Canvas, state: MaskState, options: ToolOptionsModel) -> None:
        super().__init__()
        self.canvas, self.state, self._options = canvas, state, options
        self.kind = ToolKind.BRUSH
        self.layers: Layers | None = None
        self.is_painting = False
        self.has_draft: Callable[[], bool] = lambda: False
        self._worker: ToolWorker | None = None

    @property
    def options(self) -> ToolOptions:
        """Those of the tool in hand."""
        return self.options_of(self.kind)

    def options_of(self, kind: ToolKind) -> ToolOptions:
        """Those of any tool."""
        return self._options.of(kind)

    @property
    def frame(self) -> Layers:
        """The layers; only while there are any. RuntimeError else."""
        if self.layers is None:
            raise RuntimeError("no frame is shown")
        return self.layers

    def final_alpha(self, planes: Planes) -> Alpha8:
        """The mask with these planes, (H, W) uint8."""
        return final_alpha(self.frame.alpha, planes)

    def paint_of(self, gesture: Gesture) -> Paint:
        """What an area tool's gesture paints: as set, the opposite with the right button; keys have the last word."""
        if gesture.ctrl or gesture.alt:
            return "remove"
        paint: Paint = "add" if gesture.shift else self.options.paint
        return _OPPOSITE[paint] if gesture.button is Button.RIGHT else paint

    def compute(self, key: str, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """As `ToolWorker.compute`; the thread starts with the first work."""
        if self._worker is None:
            self._worker = ToolWorker()
            self._worker.failed.connect(self._tell)
        self._worker.compute(key, work, then)

    def forget(self, key: str) -> None:
        """An answer is not wanted any more."""
        if self._worker is not None:
            self._worker.forget(key)

    def mark(self) -> object:
        """The project as it is now, to be recognised by `is_last`."""
        return self.state.document, self.state.pts

    def is_last(self, mark: object) -> bool:
        """Whether nothing was changed, begun or looked at since, so that the last step may be amended."""
        document, pts = self.state.document, self.state.pts
        return (
            isinstance(mark, tuple)
            and mark[0] is document
            and mark[1] == pts
            and not (self.has_draft() or self.state.is_busy or document.edit_at(pts).is_locked)
        )

    def amend(self, draft: Draft, name: str) -> None:
        """Put a draft into the last step's place; only where `is_last` of what that step left."""
        self.is_painting = True
        try:
            self.state.undo()
            self.state.paint(draft.planes, draft.box, name)
        finally:
            self.is_painting = False

    def close(self) -> None:
        """End the thread."""
        if self._worker is not None:
            self._worker.stop()
            self._worker.failed.disconnect()
            self._worker.deleteLater()
            self._worker = None

    def _tell(self, failure: Failure) -> None:
        self.noted.emit(failure.message)


def opposite(paint: Paint) -> Paint:
    """What the right button does."""
    return _OPPOSITE[paint]


class Draft:
    """A step that is being made: the planes as they will be, shown as they become; nothing is in the project yet."""

    def __init__(self, easel: Easel) -> None:
        self._easel = easel
        self.pts, self.before = easel.state.pts, easel.state.planes
        self.planes, self.box = self.before.copy(), NOWHERE

    def put(self, part: Planes, box: Box) -> None:
        """Replace what is in a box, and show it."""
        if box.is_empty:
            return
        mine = self.planes.at(box)
        mine.value[:], mine.weight[:] = part.value, part.weight
        self.box = self.box.united(box)
        self._easel.canvas.show_planes(self.planes, box)

    def lay(self, coverage: Alpha8, box: Box, paint: Paint) -> None:
        """Lay paint of one kind over what was there before; coverage (h, w) uint8 of the box."""
        if not box.is_empty:
            self.put(laid(self.before.at(box), coverage, paint), box)

    def reset(self) -> None:
        """As before the step."""
        self.put(self.before.at(self.box), self.box)
        self.box = NOWHERE

    def commit(self, name: str) -> bool:
        """Make it a step, unless nothing was touched or the frame may not be changed any more; says whether it is."""
        if self.box.is_empty or not self._easel.state.may_paint():
            self.drop()
            return False
        self._easel.is_painting = True
        try:
            self._easel.state.paint(self.planes, self.box, name)
        finally:
            self._easel.is_painting = False
        return True

    def drop(self) -> None:
        """Show the frame as it is in the project."""
        state = self._easel.state
        planes = state.planes if state.pts == self.pts else self.before
        if not self.box.is_empty:
            self._easel.canvas.show_planes(planes, self.box)


class Tool:
    """Base of the tools: does nothing. A gesture is `begin`, any number of `go_on`, then `end` or `cancel`."""

    def __init__(self, easel: Easel) -> None:
        self.easel = easel
        self.draft: Draft | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it waits for more after a gesture: Enter, Backspace and Esc are its keys meanwhile."""
        return False

    def begin(self, gesture: Gesture) -> None:
        """A button went down; the frame may be painted on."""

    def go_on(self, gesture: Gesture) -> None:
        """The pointer moved."""

    def end(self, gesture: Gesture) -> None:
        """The button went up."""

    def double_click(self, gesture: Gesture) -> None:
        """The button went down the second time; `begin` came before."""

    def hover(self, x: float, y: float) -> None:
        """The pointer is here, no button down."""

    def accept(self) -> None:
        """Enter: what is pending is as wanted."""

    def step_back(self) -> None:
        """Backspace: without the last part of what is pending."""

    def cancel(self) -> None:
        """Forget all that is no step yet."""
        if self.draft is not None:
            draft, self.draft = self.draft, None
            draft.drop()

    def planes_changed(self) -> None:
        """The frame's planes were changed by something else."""
        if self.draft is not None:
            self.cancel()

    def frame_left(self) -> None:
        """Another frame is looked at."""
        self.cancel()

    def commit(self, name: str) -> bool:
        """Make the draft a step; says whether there is one."""
        draft, self.draft = self.draft, None
        return draft is not None and draft.commit(name)
