"""What the match does, drawn, and the two things one may want to tell it."""

from __future__ import annotations

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.buttons import icon_button
from app.ui.live.curve_plot import CurvePlot
from app.ui.live.display import MatchFacts
from app.ui.text import tr


class MatchPanel(QWidget):
    """The curves over the histograms; freeze_wanted(bool), rematch_wanted: the buttons."""

    freeze_wanted = pyqtSignal(bool)
    rematch_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = CurvePlot()
        self.freeze = icon_button("freeze", tr("Freeze"), tr("Keep the colours as they are, whatever moves"))
        self.freeze.setCheckable(True)
        self.freeze.clicked.connect(self.freeze_wanted)
        self.rematch = icon_button("rematch", tr("Match anew"), tr("Forget the past and match this very picture"))
        self.rematch.clicked.connect(self.rematch_wanted)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.freeze)
        row.addWidget(self.rematch)
        row.addStretch()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.plot)
        column.addLayout(row)

    def show_facts(self, facts: MatchFacts) -> None:
        """Draw what the match does now."""
        self.plot.show_match(facts.table, facts.foreground, facts.plate)
