"""The moment of the clip that the preview shows."""

from __future__ import annotations

from fractions import Fraction

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QSlider, QWidget

from app.ui.text import tr

_DEFAULT_RATE_HZ = Fraction(25)


class Transport(QWidget):
    """A slider over the clip's time. moved: another moment was chosen. Arrow keys go one frame."""

    moved = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._slider = QSlider(Qt.Orientation.Horizontal)
        self._slider.setAccessibleName(tr("Moment of the clip"))
        self._slider.setToolTip(tr("Choose the moment to look at; the arrow keys go one frame"))
        self._slider.valueChanged.connect(self._show)
        self._time = QLabel()
        self._time.setObjectName("muted")
        self._duration_s = 0.0
        row = QHBoxLayout(self)
        row.setContentsMargins(14, 6, 14, 6)
        row.setSpacing(12)
        row.addWidget(self._slider, 1)
        row.addWidget(self._time)

    @property
    def slider(self) -> QSlider:
        """The slider itself, in milliseconds."""
        return self._slider

    @property
    def time_s(self) -> float:
        """The chosen moment, s from the clip's start."""
        return self._slider.value() / 1000

    def set_clip(self, duration_s: float | None, average_rate: Fraction | None) -> None:
        """Start at the beginning of another clip. One of unknown length shows its first frame only."""
        step_s = 1 / (average_rate or _DEFAULT_RATE_HZ)
        self._duration_s = duration_s or 0.0
        self.setVisible(duration_s is not None)
        self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, int(1000 * (self._duration_s - step_s))))
        self._slider.setSingleStep(max(1, round(1000 * step_s)))
        self._slider.setPageStep(max(1000, round(100 * self._duration_s)))
        self._slider.setValue(0)
        self._slider.blockSignals(False)
        self._show_time()

    def _show(self) -> None:
        self._show_time()
        self.moved.emit()

    def _show_time(self) -> None:
        self._time.setText(f"{clock_text(self.time_s)} / {clock_text(self._duration_s)}")


def clock_text(time_s: float) -> str:
    """Time as 1:02.34."""
    minutes, rest_s = divmod(int(time_s * 100) / 100, 60)
    return f"{int(minutes)}:{rest_s:05.2f}"
