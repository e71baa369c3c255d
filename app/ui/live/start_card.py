"""What is said over the empty preview when there is no picture to show, and what to do about it."""

from __future__ import annotations

from PyQt6.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.ui.text import tr


class StartCard(QFrame):
    """A card in the middle of its parent. again_wanted, open_wanted, sample_wanted: its buttons."""

    again_wanted = pyqtSignal()
    open_wanted = pyqtSignal()
    sample_wanted = pyqtSignal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("startCard")
        self._reason, self._hint = QLabel(), QLabel()
        self._reason.setObjectName("messageText")
        self._hint.setObjectName("messageHint")
        column = QVBoxLayout(self)
        column.setContentsMargins(26, 22, 26, 22)
        column.setSpacing(8)
        for label in (self._reason, self._hint):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            column.addWidget(label)
        column.addSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        for words, signal, name in (
            (tr("Look again"), self.again_wanted, "primary"),
            (tr("Open a video…"), self.open_wanted, ""),
            (tr("Try the sample"), self.sample_wanted, ""),
        ):
            button = QPushButton(words)
            button.setObjectName(name)
            button.clicked.connect(signal)
            row.addWidget(button)
        column.addLayout(row)
        self.setFixedWidth(440)
        parent.installEventFilter(self)
        self.hide()

    def say(self, reason: str, hint: str) -> None:
        """Show why there is no picture."""
        self._reason.setText(reason)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self.adjustSize()
        self._centre()
        self.show()

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Stay in the middle."""
        if event is not None and event.type() == QEvent.Type.Resize:
            self._centre()
        return super().eventFilter(watched, event)

    def _centre(self) -> None:
        parent = self.parentWidget()
        if parent is not None:
            self.move(parent.rect().center() - self.rect().center())
