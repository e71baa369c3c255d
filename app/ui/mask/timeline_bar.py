"""The buttons above the timeline: playing, going from frame to frame, the range, and what a frame is marked as."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import Qt, pyqtBoundSignal, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QToolButton, QWidget

from app.domain.mask.timeline_marks import Mark, Marks
from app.ui.buttons import icon_button
from app.ui.mask.timeline_words import frame_words
from app.ui.resources import icon
from app.ui.text import tr

_GAP_PX: Final = 8


class TimelineBar(QWidget):
    """Says what was pressed, and shows where the playhead is; does nothing by itself.

    play_wanted: play, or pause. step_wanted(by), edited_wanted(way), problem_wanted(way): go by so many frames; to the
    edited frame or the problem before (-1) or after (1). in_wanted, out_wanted: the range begins, ends here;
    range_clear_wanted: it is the clip again. keyframe_wanted(is_on), lock_wanted(is_on): mark this frame, or no more.
    """

    play_wanted = pyqtSignal()
    step_wanted = pyqtSignal(int)
    edited_wanted = pyqtSignal(int)
    problem_wanted = pyqtSignal(int)
    in_wanted = pyqtSignal()
    out_wanted = pyqtSignal()
    range_clear_wanted = pyqtSignal()
    keyframe_wanted = pyqtSignal(bool)
    lock_wanted = pyqtSignal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._marks = Marks()
        self._position: int | None = None
        self._buttons: list[QToolButton] = []
        self._label = QLabel()
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 4, 12, 4)
        self._row.setSpacing(2)
        self._add_travel()
        self._row.addStretch(1)
        self._row.addWidget(self._label)
        self._row.addStretch(1)
        self._add_range()
        self._row.addSpacing(_GAP_PX)
        self.keyframe = self._toggle("keyframe", tr("Keyframe: edits are carried up to it"), "Shift+K")
        self.lock = self._toggle("lock", tr("Lock: nothing changes this frame"), "Shift+L")
        self.keyframe.clicked.connect(self.keyframe_wanted)
        self.lock.clicked.connect(self.lock_wanted)
        self._show()

    @property
    def words(self) -> str:
        """The moment and number of the frame, as shown."""
        return self._label.text()

    def set_marks(self, marks: Marks) -> None:
        """Take other marks, or another clip; then at its start."""
        position = self._position
        is_there = position is not None and len(marks) > 0 and marks.pts[0] <= position < marks.end_pts
        self._marks = marks
        self._position = position if is_there else int(marks.pts[0]) if len(marks) else None
        if len(marks):
            # As wide as its longest words, so that it stands still while the numbers run.
            longest = frame_words(marks, int(marks.pts[-1]))
            self._label.setMinimumWidth(self._label.fontMetrics().horizontalAdvance(f"{longest}0"))
        self._show()

    def set_position(self, pts: int) -> None:
        """Show another frame's moment and marks."""
        self._position = pts
        self._show()

    def show_playing(self, is_playing: bool) -> None:
        """Make the first button pause, or play again."""
        self.play.setIcon(icon("pause" if is_playing else "play"))
        hint = tr("Pause") if is_playing else tr("Play")
        self.play.setToolTip(f"{hint} (K)")
        self.play.setAccessibleName(hint)

    def _add_travel(self) -> None:
        self.play = self._button("play", tr("Play"), "K")
        self.play.clicked.connect(lambda: self.play_wanted.emit())
        self._add_pair("frame", self.step_wanted, (tr("Previous frame"), ","), (tr("Next frame"), "."))
        self._row.addSpacing(_GAP_PX)
        edited = (tr("Previous edited frame"), "PgUp"), (tr("Next edited frame"), "PgDown")
        self._add_pair("edited", self.edited_wanted, *edited)
        self._row.addSpacing(_GAP_PX)
        before = tr("Previous frame that looks wrong"), "Shift+N"
        self._add_pair("problem", self.problem_wanted, before, (tr("Next frame that looks wrong"), "N"))

    def _add_pair(self, name: str, signal: pyqtBoundSignal, back: tuple[str, str], forward: tuple[str, str]) -> None:
        self._button(f"{name}-back", *back).clicked.connect(lambda: signal.emit(-1))
        self._button(f"{name}-forward", *forward).clicked.connect(lambda: signal.emit(1))

    def _add_range(self) -> None:
        start = self._button("range-in", tr("The range begins here"), "I")
        end = self._button("range-out", tr("The range ends here"), "O")
        self._range_clear = self._button("range-clear", tr("The whole clip again"), "Shift+X")
        start.clicked.connect(lambda: self.in_wanted.emit())
        end.clicked.connect(lambda: self.out_wanted.emit())
        self._range_clear.clicked.connect(lambda: self.range_clear_wanted.emit())

    def _button(self, name: str, hint: str, keys: str) -> QToolButton:
        button = icon_button(name, "", hint, keys=keys)
        self._buttons.append(button)
        self._row.addWidget(button)
        return button

    def _toggle(self, name: str, hint: str, keys: str) -> QToolButton:
        button = self._button(name, hint, keys)
        button.setCheckable(True)
        return button

    def _show(self) -> None:
        marks, pts = self._marks, self._position
        is_there = pts is not None and len(marks) > 0
        for button in self._buttons:
            button.setEnabled(is_there)
        if pts is None or not is_there:
            self._label.setText("")
            return
        self._label.setText(frame_words(marks, pts))
        found = marks.marks_of(pts)
        self.keyframe.setChecked(Mark.KEYFRAME in found)
        self.lock.setChecked(Mark.LOCKED in found)
        self._range_clear.setEnabled(marks.in_pts is not None or marks.out_pts is not None)
