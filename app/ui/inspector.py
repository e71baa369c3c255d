"""The settings of the picture, at the right; every control acts at once."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSlider, QVBoxLayout, QWidget


class Inspector(QWidget):
    """Match strength, light wrap and mirror. changed: one of them has another value now."""

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedWidth(244)
        self.strength = PercentSlider(
            "Match strength", 100, "How far the person's colours move towards the background's light"
        )
        self.light_wrap = PercentSlider(
            "Light wrap", 0, "How much of the background's light spills over the person's edge"
        )
        self.mirror = QCheckBox("Mirror the person")
        self.mirror.setToolTip("Flip the person left to right; the background stays")
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(10)
        for title, widget in (
            ("Colour match", self.strength),
            ("Edge", self.light_wrap),
            ("Placement", self.mirror),
        ):
            column.addWidget(_title(title))
            column.addWidget(widget)
            column.addSpacing(14)
        column.addStretch()
        self.strength.changed.connect(self.changed)
        self.light_wrap.changed.connect(self.changed)
        self.mirror.toggled.connect(self.changed)


class PercentSlider(QWidget):
    """A named slider of 0 to 100 % with its value beside the name. changed: it was moved."""

    changed = pyqtSignal()

    def __init__(self, name: str, percent: int, hint: str) -> None:
        super().__init__()
        self._percent = QLabel()
        self._percent.setObjectName("muted")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(10)
        self.slider.setAccessibleName(name)
        self.slider.setAccessibleDescription(hint)
        self.slider.valueChanged.connect(self._show)
        self.setToolTip(hint)
        top = QHBoxLayout()
        top.addWidget(QLabel(name))
        top.addStretch()
        top.addWidget(self._percent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.slider)
        self.slider.setValue(percent)
        self._show(percent)

    @property
    def share(self) -> float:
        """The value as 0..1."""
        return self.slider.value() / 100

    def _show(self, percent: int) -> None:
        self._percent.setText(f"{percent} %")
        self.changed.emit()


def _title(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("sectionTitle")
    return label
