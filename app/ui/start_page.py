"""What the window shows before there is a clip: where to begin."""

from __future__ import annotations

from PyQt6.QtCore import QRectF, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QLinearGradient, QPainter, QPainterPath, QPaintEvent, QPalette, QPen
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.ui.text import tr
from app.ui.theme import color

_CARD_PX = (560, 400)


class StartPage(QWidget):
    """An inviting empty page. open_wanted, sample_wanted, projects_wanted: the buttons; the last where there is one."""

    open_wanted = pyqtSignal()
    sample_wanted = pyqtSignal()
    projects_wanted = pyqtSignal()

    def __init__(self, *, title: str = "", text: str = "", has_projects: bool = False) -> None:
        super().__init__()
        title = title or tr("Drop a video here, or open one")
        text = text or tr("Put the person on another background, in colours that belong there.")
        self.setAccessibleName(tr("Start"))
        self._open = QPushButton(tr("Open a video…"))
        self._open.setObjectName("primary")
        self._open.clicked.connect(self.open_wanted)
        self._sample = QPushButton(tr("Try the sample"))
        self._sample.setToolTip(tr("A moving portrait that comes with the program"))
        self._sample.clicked.connect(self.sample_wanted)
        self._project = QPushButton(tr("Open a project…"))
        self._project.setVisible(has_projects)
        self._project.clicked.connect(self.projects_wanted)
        column = QVBoxLayout(self)
        column.addStretch(3)
        column.addWidget(Emblem(), 0, Qt.AlignmentFlag.AlignHCenter)
        column.addSpacing(18)
        column.addWidget(_line("startTitle", title))
        column.addSpacing(4)
        column.addWidget(_line("startText", text))
        column.addSpacing(18)
        column.addLayout(self._buttons())
        column.addSpacing(26)
        column.addWidget(_line("muted", tr("Everything happens on this computer; nothing is sent anywhere.")))
        column.addStretch(3)

    def set_opening(self, is_opening: bool) -> None:
        """Hold the buttons while a clip is being opened."""
        self._open.setDisabled(is_opening)
        self._sample.setDisabled(is_opening)
        self._project.setDisabled(is_opening)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw the dashed frame that says "drop here"."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), color(QPalette.ColorRole.Window))
        width, height = min(_CARD_PX[0], self.width() - 32), min(_CARD_PX[1], self.height() - 32)
        card = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        pen = QPen(color(QPalette.ColorRole.PlaceholderText), 1.5, Qt.PenStyle.CustomDashLine)
        pen.setDashPattern([5, 4])
        painter.setPen(pen)
        painter.drawRoundedRect(card, 14, 14)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addStretch()
        row.addWidget(self._open)
        row.addWidget(self._project)
        row.addWidget(self._sample)
        row.addStretch()
        return row


class Emblem(QWidget):
    """A small drawing of what the program does: one person, two lights."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(128, 84)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw a figure, cold on the left as it was filmed, warm on the right as the sunset has it."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QPainterPath()
        frame.addRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 10, 10)
        painter.setClipPath(frame)
        middle = self.width() / 2
        for left, sky, ground, figure in (
            (0.0, "#8fa3b8", "#5d6b7a", "#dfe6ee"),
            (middle, "#ffb36b", "#7a3f6d", "#ffe2c4"),
        ):
            half = QRectF(left, 0, middle, self.height())
            light = QLinearGradient(half.topLeft(), half.bottomLeft())
            light.setColorAt(0, QColor(sky))
            light.setColorAt(1, QColor(ground))
            painter.fillRect(half, light)
            painter.setClipPath(frame.intersected(_path(half)))
            painter.fillPath(_figure(middle, self.height()), QColor(figure))
            painter.setClipPath(frame)
        painter.fillRect(QRectF(middle - 1, 0, 2, self.height()), QColor("#ffffff"))


def _path(area: QRectF) -> QPainterPath:
    path = QPainterPath()
    path.addRect(area)
    return path


def _figure(x: float, height: float) -> QPainterPath:
    """Head and shoulders, standing on the lower edge."""
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.WindingFill)
    path.addEllipse(QRectF(x - 13, height * 0.2, 26, 30))
    path.addRoundedRect(QRectF(x - 28, height * 0.62, 56, height), 22, 22)
    return path


def _line(name: str, text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName(name)
    label.setAlignment(Qt.AlignmentFlag.AlignCenter)
    label.setWordWrap(True)
    return label
