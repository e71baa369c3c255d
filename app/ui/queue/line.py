"""The line along the bottom of Render mode: how the queue stands, and the way to it."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QPainter, QPainterPath, QPaintEvent, QPalette
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.ui.buttons import icon_button
from app.ui.header import ElidedLabel
from app.ui.text import tr
from app.ui.theme import color

_BAR_PX = (160, 4)


class QueueLine(QWidget):
    """A button, a sentence and a bar. toggled(bool): the queue is to be shown, or not."""

    toggled = pyqtSignal(bool)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("transport")  # dressed like the line under the picture
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setAccessibleName(tr("State of the queue"))
        self.button = icon_button("queue", tr("Queue"), tr("Show what is rendered and what waits"), keys="Ctrl+J")
        self.button.setCheckable(True)
        self.button.clicked.connect(self.toggled)
        self._words, self._share, self._bar = ElidedLabel("muted"), QLabel(), _Bar()
        self._share.setObjectName("muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 14, 3)
        row.setSpacing(12)
        row.addWidget(self.button)
        row.addWidget(self._words, 1)
        row.addWidget(self._bar)
        row.addWidget(self._share)
        self.show_state("", share=None)

    @property
    def words(self) -> str:
        """What is said."""
        return self._words.text()

    def show_state(self, words: str, *, share: float | None) -> None:
        """Say how it stands. share: of the one under way, 0..1; None without one."""
        self._words.setText(words or tr("Nothing to render"))
        self.setAccessibleDescription(self._words.text())
        self._bar.setVisible(share is not None)
        self._share.setVisible(share is not None)
        if share is not None:
            self._bar.show_share(share)
            self._share.setText(f"{int(100 * share)} %")


class _Bar(QWidget):
    """How far the render under way is."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(*_BAR_PX)
        self._value = 0.0

    def show_share(self, share: float) -> None:
        """Show a share, 0..1."""
        self._value = share
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the groove and what is done."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for share, role in ((1.0, QPalette.ColorRole.Mid), (self._value, QPalette.ColorRole.Highlight)):
            shape = QPainterPath()
            area = QRectF(self.rect())
            area.setWidth(area.width() * share)
            shape.addRoundedRect(area, 2, 2)
            painter.fillPath(shape, color(role))
