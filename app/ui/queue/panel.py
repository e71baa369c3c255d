"""The queue beside the picture: a list, what can be done with its entries, and the button that starts it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.pipeline.offline.queue_items import QueueItem
from app.ui.buttons import icon_button, menu_button
from app.ui.header import ElidedLabel
from app.ui.mask.panel_parts import title
from app.ui.queue.panel_actions import ACTIONS, Action
from app.ui.queue.queue_model import QueueModel
from app.ui.queue.queue_view import QueueView, empty_page
from app.ui.resources import BESIDE_WORDS_PX, icon
from app.ui.text import tr

WIDTH_PX: Final = 372
_ON_PRIMARY: Final = QPalette.ColorRole.HighlightedText
_QSS: Final = """
QListView { border: none; padding: 0; outline: none; }
QLabel { padding: 0; }
QToolButton#control { padding: 5px 7px; }
"""


class QueuePanel(QWidget):
    """Shows the queue and says what was asked of it.

    wanted(name, ids): an action of ACTIONS for the chosen ones. moved(ids, row): they were put there. run_wanted(bool):
    start or go on, or else hold. clips_wanted, folder_wanted, current_wanted: to be added; the last is the open clip.
    clear_wanted: take out what is finished. close_wanted: the panel is to go.
    """

    wanted = pyqtSignal(str, list)
    moved = pyqtSignal(list, int)
    run_wanted = pyqtSignal(bool)
    clips_wanted = pyqtSignal()
    folder_wanted = pyqtSignal()
    current_wanted = pyqtSignal()
    clear_wanted = pyqtSignal()
    close_wanted = pyqtSignal()

    def __init__(self, model: QueueModel) -> None:
        super().__init__()
        self.setObjectName("inspector")  # dressed like the settings beside the picture
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(_QSS)
        self.setAccessibleName(tr("Queue of renders"))
        self.setFixedWidth(WIDTH_PX)
        self._model, self.view = model, QueueView(model)
        self._summary = ElidedLabel("muted")
        self.run = QPushButton()
        self.run.setObjectName("primary")
        self.run.setIconSize(BESIDE_WORDS_PX)
        self._buttons: dict[str, QToolButton] = {}
        self._pages = QStackedWidget()
        self._pages.addWidget(empty_page(self.clips_wanted.emit))
        self._pages.addWidget(self.view)
        self._lay_out()
        self._connect()
        self.show_state("", is_running=False, can_run=False)

    @property
    def chosen(self) -> list[QueueItem]:
        """The chosen entries, in order."""
        selection = self.view.selectionModel()
        rows = sorted(index.row() for index in selection.selectedIndexes()) if selection is not None else []
        return [self._model.items[row] for row in rows]

    @property
    def summary(self) -> str:
        """What is said of the queue as a whole."""
        return self._summary.text()

    def button(self, name: str) -> QToolButton:
        """The button of an action."""
        return self._buttons[name]

    def choose(self, ids: Sequence[str]) -> None:
        """Choose these entries."""
        selection = self.view.selectionModel()
        if selection is None:
            return
        selection.clearSelection()
        for row in (self._model.row_of(item_id) for item_id in ids):
            if row is not None:
                index = self._model.index(row)
                selection.setCurrentIndex(index, selection.SelectionFlag.Select)
                self.view.scrollTo(index)

    def show_state(self, summary: str, *, is_running: bool, is_midway: bool = False, can_run: bool) -> None:
        """Say how the queue as a whole stands, after the model shows its entries. is_midway: one is held in it."""
        self._summary.setText(summary)
        name, hint = "play", tr("Render all that wait, one after the other")
        words = tr("Go on") if is_midway else tr("Start")
        if is_running:
            name, words, hint = "pause", tr("Pause"), tr("Hold the render where it is, and start no other")
        self.run.setText(words)
        self.run.setIcon(icon(name, ink=_ON_PRIMARY))
        self.run.setToolTip(hint)
        self.run.setAccessibleDescription(hint)
        self.run.setEnabled(is_running or can_run)
        self._is_running = is_running
        self._pages.setCurrentIndex(1 if self._model.rowCount() else 0)
        self._actions.setVisible(self._model.rowCount() > 0)
        self.enable()

    def enable(self) -> None:
        """Let only be done what makes sense for the chosen entries."""
        chosen = self.chosen
        for action in ACTIONS:
            button = self._buttons.get(action.name)
            if button is not None:
                button.setEnabled(action.is_for(chosen))
                button.setVisible(action.is_shown(chosen))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._head())
        column.addWidget(self._pages, 1)
        column.addWidget(self._action_row())

    def _head(self) -> QVBoxLayout:
        words = title(tr("Queue"))
        add = menu_button("plus", tr("Add"), tr("Add clips; dropping them here works too"))
        add.setMenu(self._add_menu())
        close = icon_button("close", "", tr("Close the queue; it goes on"))
        close.clicked.connect(self.close_wanted)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(words)
        row.addStretch()
        row.addWidget(add)
        row.addWidget(self.run)
        row.addWidget(close)
        head = QVBoxLayout()
        head.setContentsMargins(14, 10, 8, 8)
        head.setSpacing(4)
        head.addLayout(row)
        head.addWidget(self._summary)
        return head

    def _add_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction(icon("open"), tr("Videos…"), self.clips_wanted.emit)
        menu.addAction(icon("add-folder"), tr("Folder of videos or of pictures…"), self.folder_wanted.emit)
        self.current = menu.addAction(icon("render"), tr("The open clip…"), self.current_wanted.emit)
        return menu

    def _action_row(self) -> QWidget:
        self._actions = QWidget()
        self._actions.setObjectName("transport")  # dressed like the line under the picture
        self._actions.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        row = QHBoxLayout(self._actions)
        row.setContentsMargins(8, 5, 8, 5)
        row.setSpacing(2)
        for action in ACTIONS:
            if action.has_button:
                row.addWidget(self._button_of(action))
            if action.name == "folder":
                row.addStretch()
        more = menu_button("menu", "", tr("More"))
        menu = QMenu(self)
        menu.addAction(icon("check"), tr("Clear what is finished"), self.clear_wanted.emit)
        more.setMenu(menu)
        row.addWidget(more)
        return self._actions

    def _button_of(self, action: Action) -> QToolButton:
        button = icon_button(action.icon_name, "", f"{tr(action.words)}{f' ({action.keys})' if action.keys else ''}")
        button.setAccessibleName(tr(action.words))
        button.setIconSize(QSize(18, 18))
        button.clicked.connect(lambda: self._want(action.name))
        self._buttons[action.name] = button
        return button

    def _connect(self) -> None:
        self.run.clicked.connect(lambda: self.run_wanted.emit(not self._is_running))
        self.view.wanted.connect(self._want)
        self.view.reordered.connect(self._step)
        self.view.doubleClicked.connect(lambda _: self._want("play"))
        self.view.customContextMenuRequested.connect(
            lambda place: self._context_menu().popup(self.view.mapToGlobal(place))
        )
        self._model.moved.connect(self.moved)
        selection = self.view.selectionModel()
        if selection is not None:
            selection.selectionChanged.connect(self.enable)

    def _context_menu(self) -> QMenu:
        menu, chosen = QMenu(self), self.chosen
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for action in ACTIONS:
            if action.is_for(chosen):
                keys = f"\t{action.keys}" if action.keys else ""
                menu.addAction(
                    icon(action.icon_name), tr(action.words) + keys, lambda name=action.name: self._want(name)
                )
        return menu

    def _want(self, name: str) -> None:
        """Ask for an action, or, of the two that go with one key, the one that makes sense."""
        chosen = self.chosen
        if name == "up" or name == "down":
            self._step(-1 if name == "up" else 1)
            return
        action = next(a for a in ACTIONS if a.name == name)
        if name == "pause" and not action.is_for(chosen):
            action = next(a for a in ACTIONS if a.name == "resume")
        if action.is_for(chosen):
            self.wanted.emit(action.name, [item.id for item in chosen])

    def _step(self, step: int) -> None:
        """Put the chosen ones one row up or down."""
        ids = [item.id for item in self.chosen]
        rows = [row for row in map(self._model.row_of, ids) if row is not None]
        if rows:
            target = rows[0] - 1 if step < 0 else rows[-1] + 2
            if 0 <= target <= self._model.rowCount():
                self.moved.emit(ids, target)
