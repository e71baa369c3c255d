"""The top line: the clip, the views, and the way to a finished file."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QPainter, QPaintEvent, QShortcut
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.ui.choices import ClipInfo, View


class Header(QWidget):
    """Open, clip name, views, render. view_chosen(View), open_wanted, render_wanted: what was asked for."""

    view_chosen = pyqtSignal(object)
    open_wanted = pyqtSignal()
    render_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.open_button = _button("Open…", "Open another video", "Ctrl+O")
        self.open_button.clicked.connect(self.open_wanted)
        self.render_button = _button("Render…", "Make the whole video and save it", "Ctrl+S")
        self.render_button.setObjectName("primary")
        self.render_button.clicked.connect(self.render_wanted)
        self._name = ElidedLabel("clipName")
        self._facts = ElidedLabel("muted")
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self._name)
        names.addWidget(self._facts)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 9, 12, 9)
        row.setSpacing(12)
        row.addWidget(self.open_button)
        row.addLayout(names, 1)
        row.addLayout(self._views())
        row.addStretch(1)
        row.addWidget(self.render_button)

    def show_clip(self, clip: ClipInfo) -> None:
        """Name the clip and say what it is."""
        self._name.setText(clip.name)
        self._facts.setText(facts_of(clip))

    def choose_view(self, view: View) -> None:
        """Press a view's button and let the others go.

        Not by a QButtonGroup: that takes all but the pressed one out of the Tab order, and when another is
        pressed from the code, as the number keys do, the last one too.
        """
        for other, button in self._buttons.items():
            button.setChecked(other is view)
        self.view_chosen.emit(view)

    def _views(self) -> QHBoxLayout:
        self._buttons: dict[View, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(0)
        for number, view in enumerate(View, 1):
            button = QPushButton(view.value)
            button.setObjectName("view")
            button.setProperty("edge", {1: "first", len(View): "last"}.get(number, "inner"))
            button.setCheckable(True)
            button.setToolTip(f"{view.hint} ({number})")
            button.setAccessibleDescription(view.hint)
            button.clicked.connect(lambda _checked, view=view: self.choose_view(view))
            shortcut = QShortcut(QKeySequence(str(number)), self)
            shortcut.activated.connect(lambda view=view: self.choose_view(view))
            self._buttons[view] = button
            row.addWidget(button)
        self._buttons[View.SPLIT].setChecked(True)
        return row


class ElidedLabel(QLabel):
    """A line of text that is cut short, and whole in the tool tip, instead of pushing others away."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Show the text as far as there is room."""
        super().setText(text)
        self.setToolTip(text)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint as much as fits."""
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        QPainter(self).drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, text)


def facts_of(clip: ClipInfo) -> str:
    """Size, rate and length in one line."""
    facts = [f"{clip.size[0]} \u00d7 {clip.size[1]}"]
    if clip.average_rate:
        facts.append(f"{float(clip.average_rate):.4g} fps")
    if clip.duration_s is not None:
        facts.append(f"{clip.duration_s:.1f} s")
    return "  ·  ".join(facts)


def _button(text: str, hint: str, keys: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{hint} ({keys})")
    button.setShortcut(keys)
    return button
