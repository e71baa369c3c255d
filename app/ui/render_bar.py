"""How a render goes on: how far, how fast, how long still, and a way to stop it."""

from __future__ import annotations

import time

from PyQt6.QtCore import pyqtSignal
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from app.ui.text import tr


class RenderBar(QFrame):
    """The progress of one render. cancel_wanted: the button was pressed."""

    cancel_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("renderBar")
        self._name = QLabel()
        self._state = QLabel()
        self._state.setObjectName("muted")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setAccessibleName(tr("Progress of the render"))
        self._cancel = QPushButton(tr("Cancel"))
        self._cancel.clicked.connect(self._stop)
        self._total: int | None = None
        self._key = ""
        self._started_s = 0.0
        words = QHBoxLayout()
        words.addWidget(self._name)
        words.addStretch()
        words.addWidget(self._state)
        column = QVBoxLayout()
        column.setSpacing(6)
        column.addLayout(words)
        column.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 8, 12, 8)
        row.setSpacing(16)
        row.addLayout(column, 1)
        row.addWidget(self._cancel)
        self.hide()

    @property
    def state(self) -> str:
        """How far it is, in words."""
        return self._state.text()

    def begin(self, name: str, total: int | None) -> None:
        """Start over for a file of about `total` frames, None when nobody knows."""
        self._total = total
        self._started_s = 0.0
        self._name.setText(tr("Rendering “{name}”").format(name=name))
        self._state.setText(tr("Loading the models…"))
        self._bar.setRange(0, 0)
        self._cancel.setEnabled(True)
        self.show()

    def show_frames(self, done: int) -> None:
        """Say that so many frames are finished."""
        now_s = time.monotonic()
        if done <= 1 or self._started_s == 0.0:
            self._started_s = now_s
        if done > 0 and self._cancel.isEnabled():
            if self._total:
                self._bar.setRange(0, max(self._total, done))
                self._bar.setValue(done)
            self._state.setText(progress_text(done, self._total, now_s - self._started_s))

    def show_state(self, key: str, name: str, words: str, share: float | None) -> None:
        """Say how one of several renders stands. key: which one it is. share: 0..1, None while nobody knows."""
        if key != self._key or self.isHidden():
            self._key = key
            self.begin(name, None)
        self._bar.setRange(0, 0 if share is None else 1000)
        self._bar.setValue(round(1000 * (share or 0)))
        if self._cancel.isEnabled():
            self._state.setText(words)

    def _stop(self) -> None:
        self._cancel.setEnabled(False)
        self._state.setText(tr("Stopping…"))
        self.cancel_wanted.emit()


def progress_text(done: int, total: int | None, elapsed_s: float) -> str:
    """Frames done, their rate and the time left; the first frame starts the clock and counts for nothing."""
    words = f"{done} of {total} frames" if total else f"{done} frames"
    if done < 5 or elapsed_s <= 0:
        return words
    rate_hz = (done - 1) / elapsed_s
    words += f"  ·  {rate_hz:.0f} a second"
    if total and total > done:
        words += f"  ·  {time_text((total - done) / rate_hz)} left"
    return words


def time_text(seconds: float) -> str:
    """Minutes and seconds, such as 1:05, rounded to the second."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
