"""The list of the queue, with its keys; and what stands in its place while it is empty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPalette
from PyQt6.QtWidgets import QAbstractItemView, QLabel, QListView, QPushButton, QVBoxLayout, QWidget

from app.ui.queue.queue_model import QueueModel
from app.ui.queue.rows import RowDelegate
from app.ui.resources import icon
from app.ui.text import tr


class QueueView(QListView):
    """The list. wanted(name): a key asked for an action. reordered(int): the chosen one is to go up (-1) or down."""

    wanted = pyqtSignal(str)
    reordered = pyqtSignal(int)

    _KEYS: Final = {
        Qt.Key.Key_Delete: "remove",
        Qt.Key.Key_Backspace: "remove",
        Qt.Key.Key_Space: "pause",
        Qt.Key.Key_Return: "play",
        Qt.Key.Key_Enter: "play",
    }

    def __init__(self, model: QueueModel) -> None:
        super().__init__()
        self.setModel(model)
        model.went_on.connect(lambda row: self.update(model.index(row)))
        self.setItemDelegate(RowDelegate(self))
        self.setAccessibleName(tr("Queue"))
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setMouseTracking(True)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Del removes, Space pauses, Ctrl with the arrows reorders."""
        if event is None:
            return
        key = Qt.Key(event.key())
        steps = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier and key in steps:
            self.reordered.emit(steps[key])
        elif key in self._KEYS and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.wanted.emit(self._KEYS[key])
        else:
            super().keyPressEvent(event)


class _Sign(QWidget):
    """The queue's icon, large, in the colours of the theme."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(40, 40)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint it."""
        icon("queue", ink=QPalette.ColorRole.PlaceholderText).paint(QPainter(self), self.rect())


def empty_page(add: Callable[[], None]) -> QWidget:
    """What the panel shows while nothing is in the queue; add: its button was pressed."""
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(28, 0, 28, 40)
    column.setSpacing(8)
    column.addStretch()
    column.addWidget(_Sign(), 0, Qt.AlignmentFlag.AlignHCenter)
    for name, words in (
        ("sectionTitle", tr("Drop videos or folders here")),
        ("muted", tr("They are rendered one after the other, each with the settings as they are when it is added.")),
    ):
        label = QLabel(words)
        label.setObjectName(name)
        label.setWordWrap(True)
        label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(label)
    button = QPushButton(tr("Add videos…"))
    button.clicked.connect(add)
    column.addSpacing(6)
    column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
    column.addStretch()
    return page
