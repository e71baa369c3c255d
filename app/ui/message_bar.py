"""What the window says: one message at a time above the picture, never in the way."""

from __future__ import annotations

from collections.abc import Callable

from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QStyle, QVBoxLayout, QWidget

from app.ui.choices import Failure
from app.ui.text import tr


class MessageBar(QFrame):
    """A sentence, a hint and perhaps one thing to do; stays until closed or replaced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBar")
        self._text = _label("messageText")
        self._hint = _label("messageHint")
        self._action = QPushButton()
        self._action.clicked.connect(self._act)
        self._do: Callable[[], None] | None = None
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._text)
        words.addWidget(self._hint)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 10, 8)
        row.setSpacing(12)
        row.addLayout(words, 1)
        row.addWidget(self._action)
        row.addWidget(self._close_button())
        self.hide()

    @property
    def message(self) -> str:
        """The sentence shown; empty while nothing is."""
        return "" if self.isHidden() else self._text.text()

    @property
    def hint(self) -> str:
        """What goes with the sentence."""
        return "" if self.isHidden() else self._hint.text()

    def show_failure(self, failure: Failure) -> None:
        """Say what did not work and what to do."""
        self._say("error", failure.message, failure.hint)

    def show_note(self, message: str, hint: str = "") -> None:
        """Say something worth knowing."""
        self._say("note", message, hint)

    def show_done(self, message: str, hint: str, *, action: str, do: Callable[[], None]) -> None:
        """Say that something was finished, with one thing to do next."""
        self._say("done", message, hint)
        self._action.setText(action)
        self._action.show()
        self._do = do

    def _say(self, kind: str, message: str, hint: str) -> None:
        self.setProperty("kind", kind)
        style = self.style()
        if style is not None:  # a style sheet looks at a property once, when it is applied
            style.unpolish(self)
            style.polish(self)
        self._text.setText(message)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._action.hide()
        self._do = None
        self.setAccessibleName(f"{message} {hint}".strip())
        self.show()

    def _act(self) -> None:
        if self._do is not None:
            self._do()

    def _close_button(self) -> QPushButton:
        close = QPushButton()
        close.setObjectName("close")
        close.setAccessibleName(tr("Close the message"))
        close.setToolTip(tr("Close the message (Esc)"))
        close.setShortcut("Esc")
        style = self.style()
        if style is not None:
            close.setIcon(style.standardIcon(QStyle.StandardPixmap.SP_TitleBarCloseButton))
        close.clicked.connect(self.hide)
        return close


def _label(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    return label
