"""The tools in their box: one is in hand, and canvas, project and options meet in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtBoundSignal, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QKeySequence, QShortcut

from app.domain.mask.planes import Planes
from app.domain.mask.views import Layers
from app.ui.mask.canvas import Canvas
from app.ui.mask.gestures import Gesture
from app.ui.mask.mask_state import MaskState
from app.ui.mask.tool_options import ToolKind, ToolOptionsModel
from app.ui.mask.tools.area_tools import LassoTool, PolygonTool
from app.ui.mask.tools.assist_tool import AssistTool
from app.ui.mask.tools.base import Easel, Tool
from app.ui.mask.tools.brush_tool import BrushTool
from app.ui.mask.tools.edge_tool import EdgeTool
from app.ui.mask.tools.fill_tool import CleanUpTool, Dirt, FillTool
from app.ui.mask.tools.smart_tool import SmartTool
from app.ui.text import tr

_HARDER_BY_PX: Final = 1 / 300
"""Of the radius, for a pixel of the widget dragged down."""

_SWAPPED: Final = {ToolKind.BRUSH: ToolKind.ERASER, ToolKind.ERASER: ToolKind.BRUSH}


class ToolBox(QObject):
    """Leads the canvas's gestures to the tool in hand.

    stroke_began, stroke_ended: a button is down on the canvas, and up again. tool_changed(ToolKind): another tool is
    in hand. noted(str): something to tell the person. Keys: X, [ and ], and Enter, Backspace and Esc for what is
    pending; the tools' own keys are the strip's.
    """

    stroke_began = pyqtSignal()
    stroke_ended = pyqtSignal()
    tool_changed = pyqtSignal(object)
    noted = pyqtSignal(str)

    def __init__(
        self, canvas: Canvas, state: MaskState, options: ToolOptionsModel, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._canvas, self._state, self._options = canvas, state, options
        self._easel = Easel(canvas, state, options)
        self._easel.noted.connect(self.noted)
        self._easel.has_draft = lambda: self._tool.draft is not None
        self._clean_up = CleanUpTool(self._easel)
        self._tools = self._made_tools()
        self._is_enabled, self._is_stroking = True, False
        self._links = self._linked()
        self._shortcuts = self._made_shortcuts()
        canvas.installEventFilter(self)
        self._show_ring()

    @property
    def kind(self) -> ToolKind:
        """The tool in hand."""
        return self._easel.kind

    @property
    def is_stroking(self) -> bool:
        """Whether a gesture is under way."""
        return self._is_stroking

    @property
    def planes(self) -> Planes:
        """What the canvas is to show: the project's planes, or a tool's draft of them."""
        draft = self._tool.draft
        return self._state.planes if draft is None else draft.planes

    def choose(self, kind: ToolKind) -> None:
        """Take a tool in hand; what the last one had not finished is dropped."""
        if kind is self.kind:
            return
        self._drop()
        self._easel.kind = kind
        self._show_ring()
        self.tool_changed.emit(kind)
        self._count_dirt()

    def set_layers(self, layers: Layers | None) -> None:
        """The layers of the frame looked at; None until they are there. What is under way on it goes on."""
        self._easel.layers = layers
        self._count_dirt()

    def set_enabled(self, is_enabled: bool) -> None:
        """Let the tools work, or not: while the clip plays there is nothing to hold on to."""
        if not is_enabled:
            self._drop()
        self._is_enabled = is_enabled

    def swap(self) -> None:
        """Add instead of removing, or the other way round."""
        if self.kind in _SWAPPED:
            self.choose(_SWAPPED[self.kind])
        elif "paint" in self.kind.option_names:
            paint = self._options.of(self.kind).paint
            self._options.change(self.kind, paint="add" if paint == "remove" else "remove")

    def clean_up(self, dirt: Dirt) -> None:
        """Fill holes or remove specks in the whole picture, as the clean-up tool is set."""
        if self._may_begin():
            self._drop()
            self._clean_up.clean_all(dirt)

    def accept(self) -> None:
        """What is pending is as wanted."""
        if self._tool.is_pending and self._may_begin():
            self._tool.accept()

    def drop(self) -> None:
        """Forget what is pending."""
        self._drop()

    def close(self) -> None:
        """Drop what is under way, let go of the canvas, end the thread."""
        self._drop()
        self._is_enabled = False
        self._canvas.removeEventFilter(self)
        for signal, slot in self._links:
            signal.disconnect(slot)
        self._links.clear()
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts.clear()
        self._easel.close()

    def eventFilter(self, _watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Enter, Backspace and Esc are the pending tool's, also where they are keys of the window."""
        if not isinstance(event, QKeyEvent) or not self._tool.is_pending or event.modifiers() & ~_KEYPAD:
            return False
        act = self._acts().get(Qt.Key(event.key()))
        if act is None:
            return False
        if event.type() == QEvent.Type.KeyPress:
            act()
        elif event.type() == QEvent.Type.ShortcutOverride:
            event.accept()
        return event.type() in (QEvent.Type.KeyPress, QEvent.Type.ShortcutOverride)

    @property
    def _tool(self) -> Tool:
        return self._tools[self._easel.kind]

    def _made_tools(self) -> dict[ToolKind, Tool]:
        easel, brush = self._easel, BrushTool(self._easel)
        return {
            ToolKind.BRUSH: brush,
            ToolKind.ERASER: brush,
            ToolKind.RESTORE: brush,
            ToolKind.EDGE: EdgeTool(easel),
            ToolKind.SMART: SmartTool(easel),
            ToolKind.LASSO: LassoTool(easel),
            ToolKind.POLYGON: PolygonTool(easel),
            ToolKind.FILL: FillTool(easel),
            ToolKind.CLEAN_UP: self._clean_up,
            ToolKind.ASSIST: AssistTool(easel),
        }

    def _linked(self) -> list[tuple[pyqtBoundSignal, Callable[..., None]]]:
        canvas, state = self._canvas, self._state
        links: list[tuple[pyqtBoundSignal, Callable[..., None]]] = [
            (canvas.pressed, self._press),
            (canvas.moved, self._move),
            (canvas.released, self._release),
            (canvas.double_clicked, self._double_click),
            (canvas.hovered, self._hover),
            (canvas.cancelled, self._drop),
            (canvas.brush_resized, self._resize),
            (state.moved, self._leave_frame),
            (state.planes_changed, self._follow_planes),
            (self._options.changed, self._follow_options),
        ]
        for signal, slot in links:
            signal.connect(slot)
        return links

    def _made_shortcuts(self) -> list[QShortcut]:
        made = []
        for keys, act in (("X", self.swap), ("[", lambda: self._step(-1)), ("]", lambda: self._step(1))):
            shortcut = QShortcut(QKeySequence(keys), self._canvas)
            shortcut.activated.connect(act)
            made.append(shortcut)
        return made

    def _acts(self) -> dict[Qt.Key, Callable[[], None]]:
        return {
            Qt.Key.Key_Return: self.accept,
            Qt.Key.Key_Enter: self.accept,
            Qt.Key.Key_Backspace: self._tool.step_back,
            Qt.Key.Key_Escape: self._drop,
        }

    def _may_begin(self) -> bool:
        if not self._is_enabled:
            return False
        if self._easel.layers is None:
            self.noted.emit(tr("This frame is still being prepared."))
            return False
        return self._state.may_paint()

    def _press(self, gesture: Gesture) -> None:
        if self._may_begin():
            self._is_stroking = True
            self.stroke_began.emit()
            self._tool.begin(gesture)

    def _move(self, gesture: Gesture) -> None:
        if self._is_stroking:
            self._tool.go_on(gesture)

    def _release(self, gesture: Gesture) -> None:
        if self._is_stroking:
            self._tool.end(gesture)
            self._end_stroke()

    def _double_click(self, gesture: Gesture) -> None:
        if self._is_stroking:
            self._tool.double_click(gesture)

    def _hover(self, x: float, y: float) -> None:
        self._tool.hover(x, y)

    def _resize(self, dx_px: float, dy_px: float) -> None:
        # The ring's middle stays: its rim follows the pointer.
        self._options.resize(self.kind, by_px=2 * dx_px, harder=dy_px * _HARDER_BY_PX)

    def _step(self, steps: int) -> None:
        self._options.resize(self.kind, steps=steps)

    def _leave_frame(self) -> None:
        self._easel.layers = None
        self._tool.frame_left()
        self._end_stroke()

    def _follow_planes(self) -> None:
        if not self._easel.is_painting:
            self._tool.planes_changed()
            if self._tool.draft is None and not self._tool.is_pending:
                self._end_stroke()
        self._count_dirt()

    def _follow_options(self) -> None:
        self._show_ring()
        self._count_dirt()

    def _count_dirt(self) -> None:
        if self.kind is ToolKind.CLEAN_UP:
            self._clean_up.count()

    def _drop(self) -> None:
        self._tool.cancel()
        self._end_stroke()

    def _end_stroke(self) -> None:
        if self._is_stroking:
            self._is_stroking = False
            self.stroke_ended.emit()

    def _show_ring(self) -> None:
        options = self._options.of(self.kind)
        if self.kind.has_ring:
            self._canvas.set_brush_ring(options.size_px, options.hardness)
        else:
            self._canvas.set_brush_ring(None)


_KEYPAD: Final = Qt.KeyboardModifier.KeypadModifier
