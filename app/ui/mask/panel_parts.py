"""Small parts of the panels beside the canvas: titles, sentences, buttons, and lists of ranges of frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import partial

from PyQt6.QtCore import QSize, Qt, pyqtSignal
from PyQt6.QtGui import QPalette
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app.domain.mask.document import Span
from app.ui.resources import BESIDE_WORDS_PX, icon
from app.ui.text import tr
from app.ui.transport import clock_text


def title(words: str) -> QLabel:
    """The head of a section."""
    label = QLabel(words)
    label.setObjectName("sectionTitle")
    label.setIndent(0)
    return label


def muted_words(words: str = "") -> QLabel:
    """A sentence that steps back, on as many lines as it takes."""
    label = QLabel(words)
    label.setObjectName("muted")
    label.setIndent(0)
    label.setWordWrap(True)
    return label


def push_button(words: str, hint: str, *, icon_name: str = "") -> QPushButton:
    """A button as wide as there is room for."""
    button = QPushButton(words)
    if icon_name:
        button.setIcon(icon(icon_name, ink=QPalette.ColorRole.ButtonText))
        button.setIconSize(BESIDE_WORDS_PX)
    button.setToolTip(hint)
    button.setAccessibleName(words)
    button.setAccessibleDescription(hint)
    button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return button


def span_words(span: Span, time_base: Fraction, *, start_pts: int = 0) -> str:
    """From when to when, as the person reads it."""
    if span == Span():
        return tr("Whole clip")
    first = tr("Start") if span.first_pts is None else clock_text(float((span.first_pts - start_pts) * time_base))
    last = tr("end") if span.last_pts is None else clock_text(float((span.last_pts - start_pts) * time_base))
    return tr("{0} to {1}").format(first, last)


class SpanList(QWidget):
    """Ranges of frames and what goes for them. removed(int): one is to be taken out, by its place."""

    removed = pyqtSignal(int)

    def __init__(self, words: str, nothing: str) -> None:
        super().__init__()
        self._nothing = muted_words(nothing)
        self._rows: list[QWidget] = []
        self._shown: tuple[tuple[str, str], ...] = ()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 6, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(title(words))
        self._column.addWidget(self._nothing)

    @property
    def rows(self) -> tuple[tuple[str, str], ...]:
        """What is listed: (when, what)."""
        return self._shown

    def show_rows(self, rows: Sequence[tuple[str, str]]) -> None:
        """List (when, what) of every range."""
        if tuple(rows) == self._shown:
            return
        self._shown = tuple(rows)
        for row in self._rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self._rows = [self._row(place, when, what) for place, (when, what) in enumerate(rows)]
        for row in self._rows:
            self._column.addWidget(row)
        self._nothing.setVisible(not rows)

    def _row(self, place: int, when: str, what: str) -> QWidget:
        row = QWidget()
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        words = QVBoxLayout()
        words.setSpacing(0)
        upper = QLabel(when)
        upper.setIndent(0)
        words.addWidget(upper)
        words.addWidget(muted_words(what))
        line.addLayout(words, 1)
        line.addWidget(self._remove_button(place, when), 0, Qt.AlignmentFlag.AlignTop)
        return row

    def _remove_button(self, place: int, when: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon("close", ink=QPalette.ColorRole.PlaceholderText))
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(24, 24)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        button.setToolTip(tr("Remove"))
        button.setAccessibleName(f"{tr('Remove')}: {when}")
        button.clicked.connect(partial(self._remove, place))
        return button

    def _remove(self, place: int) -> None:
        self.removed.emit(place)
