"""The line above the canvas: views, onion skin, zoom, background, undo."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QShortcut
from PyQt6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QWidget

from app.domain.mask.views import MaskView
from app.ui.buttons import icon_button, menu_button
from app.ui.text import tr


class MaskBar(QWidget):
    """Signals only. view_chosen(MaskView), onion_chosen(bool), fit_wanted, full_size_wanted, zoom_wanted(factor).

    background is a button whose menu others fill; undo and redo are buttons others connect.
    """

    view_chosen = pyqtSignal(object)
    onion_chosen = pyqtSignal(bool)
    fit_wanted = pyqtSignal()
    full_size_wanted = pyqtSignal()
    zoom_wanted = pyqtSignal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("controlBar")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._views: dict[MaskView, QPushButton] = {}
        self.onion = icon_button(
            "onion-skin", "", tr("Outlines of the edited frames before and after this one"), keys="U"
        )
        self.onion.setCheckable(True)
        self.onion.toggled.connect(self.onion_chosen)
        self.background = menu_button("add-picture", "", tr("Background of the pasted and the matched view"))
        self.undo = icon_button("undo", "", tr("Undo"))
        self.redo = icon_button("redo", "", tr("Redo"))
        self.zoom = menu_button("zoom-in", "100 %", tr("How large the picture is shown; the wheel zooms too"))
        self.zoom.setMenu(self._zoom_menu())
        self._lay_out()
        self.show_view(MaskView.RUBYLITH)

    def show_view(self, view: MaskView) -> None:
        """Press a view's button."""
        for other, button in self._views.items():
            button.setChecked(other is view)

    def show_zoom(self, percent: float) -> None:
        """Say how large the picture is shown."""
        self.zoom.setText(f"{percent:.0f} %")

    def show_steps(self, undo: str | None, redo: str | None) -> None:
        """Name what can be taken back and made again."""
        for button, words, name in ((self.undo, tr("Undo"), undo), (self.redo, tr("Redo"), redo)):
            button.setEnabled(name is not None)
            button.setToolTip(words if name is None else f"{words}: {name}")

    def choose_view(self, view: MaskView) -> None:
        """Press a view's button as a person would."""
        self.show_view(view)
        self.view_chosen.emit(view)

    def _lay_out(self) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 5, 10, 5)
        row.setSpacing(4)
        row.addLayout(self._view_row())
        row.addSpacing(4)
        row.addWidget(self.onion)
        row.addWidget(self.background)
        row.addStretch(1)
        for button in (self.undo, self.redo):
            row.addWidget(button)
        row.addWidget(self.zoom)

    def _view_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        last = len(MaskView) - 1
        for number, view in enumerate(MaskView):
            keys = f"Ctrl+{number + 1}"
            button = QPushButton(tr(view.label))
            button.setObjectName("view")
            button.setProperty("edge", {0: "first", last: "last"}.get(number, "inner"))
            button.setCheckable(True)
            button.setToolTip(f"{tr(view.hint)} ({keys})")
            button.setAccessibleDescription(tr(view.hint))
            button.clicked.connect(lambda _checked, view=view: self.choose_view(view))
            QShortcut(QKeySequence(keys), button).activated.connect(lambda view=view: self.choose_view(view))
            self._views[view] = button
            row.addWidget(button)
        return row

    def _zoom_menu(self) -> QMenu:
        menu = QMenu(self)
        acts: tuple[tuple[str, str, Callable[[], None]], ...] = (
            (tr("Larger"), "+", lambda: self.zoom_wanted.emit(2.0)),
            (tr("Smaller"), "-", lambda: self.zoom_wanted.emit(0.5)),
            (tr("Fit the window"), "0", self.fit_wanted.emit),
            (tr("One pixel for one of the screen"), "1", self.full_size_wanted.emit),
        )
        for words, keys, act in acts:
            menu.addAction(f"{words}\t{keys}", act)
            QShortcut(QKeySequence(keys), self).activated.connect(act)
        return menu
