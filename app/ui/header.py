"""The top line: what the window is for, what it works on, the views, and the way to presets and more."""

from __future__ import annotations

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QKeySequence, QPainter, QPaintEvent, QShortcut
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from app.ui.buttons import menu_button
from app.ui.choices import ClipInfo, Mode, View
from app.ui.resources import BESIDE_WORDS_PX, icon
from app.ui.text import tr

_MODE_HINTS = {
    Mode.LIVE: "Your camera, for calls and recordings",
    Mode.RENDER: "A video file, rendered frame by frame",
    Mode.MASK: "The mask of a video, corrected by hand",
}


class Header(QWidget):
    """Modes, source, views, menus.

    mode_chosen(Mode), view_chosen(View), open_wanted, render_wanted, save_wanted, export_wanted: what was asked for.
    source, project, presets and more are buttons whose menus others fill.
    """

    mode_chosen = pyqtSignal(object)
    view_chosen = pyqtSignal(object)
    open_wanted = pyqtSignal()
    render_wanted = pyqtSignal()
    save_wanted = pyqtSignal()
    export_wanted = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.open_button = _button(tr("Open…"), tr("Open another video"), "Ctrl+O")
        self.open_button.clicked.connect(self.open_wanted)
        self.render_button = _button(tr("Render…"), tr("Make the whole video and save it"), "Ctrl+S")
        self.render_button.setObjectName("primary")
        self.render_button.clicked.connect(self.render_wanted)
        self.save_button = _button(tr("Save"), tr("Save the project"), "Ctrl+S")
        self.save_button.clicked.connect(self.save_wanted)
        self.export_button = _button(tr("Export…"), tr("Make the video, or its mattes, and save them"), "Ctrl+E")
        self.export_button.setObjectName("primary")
        self.export_button.clicked.connect(self.export_wanted)
        self.project = menu_button("folder", tr("Project"), tr("Open, save, and use a mask from elsewhere"))
        self.source = menu_button("camera", tr("Source"), tr("Choose where the picture comes from"))
        self.presets = menu_button("presets", tr("Presets"), tr("Everything you set, under a name; keys 1 to 9"))
        self.more = menu_button("menu", "", tr("More"))
        self._name = ElidedLabel("clipName")
        self._facts = ElidedLabel("muted")
        names = QVBoxLayout()
        names.setSpacing(0)
        names.addWidget(self._name)
        names.addWidget(self._facts)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 9, 12, 9)
        row.setSpacing(7)
        row.addLayout(self._modes())
        row.addWidget(self.source)
        row.addWidget(self.open_button)
        row.addWidget(self.project)
        row.addLayout(names, 1)
        row.addLayout(self._views())
        row.addWidget(self.presets)
        row.addWidget(self.more)
        row.addWidget(self.save_button)
        row.addWidget(self.render_button)
        row.addWidget(self.export_button)

    def show_clip(self, clip: ClipInfo) -> None:
        """Name the clip and say what it is."""
        self.show_name(clip.name, facts_of(clip))

    def show_name(self, name: str, facts: str) -> None:
        """Name what is worked on, and say what it is."""
        self._name.setText(name)
        self._facts.setText(facts)

    def show_mode(self, mode: Mode) -> None:
        """Press a mode's button, and show what belongs to it."""
        for other, button in self._mode_buttons.items():
            button.setChecked(other is mode)
        self.source.setVisible(mode is Mode.LIVE)
        self.open_button.setVisible(mode is not Mode.LIVE)
        self.render_button.setVisible(mode is Mode.RENDER)
        for widget in (self.project, self.save_button, self.export_button):
            widget.setVisible(mode is Mode.MASK)
        self.presets.setVisible(mode is not Mode.MASK)
        for button in self._view_buttons.values():
            button.setVisible(mode is not Mode.MASK)

    def choose_view(self, view: View) -> None:
        """Press a view's button and let the others go.

        Not by a QButtonGroup: that takes all but the pressed one out of the Tab order, and when another is
        pressed from the code, as the keys do, the last one too.
        """
        for other, button in self._view_buttons.items():
            button.setChecked(other is view)
        self.view_chosen.emit(view)

    def _modes(self) -> QHBoxLayout:
        self._mode_buttons: dict[Mode, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(0)
        for number, mode in enumerate(Mode):
            button = _segment(tr(mode.value), tr(_MODE_HINTS[mode]), number, len(Mode))
            button.setIcon(icon(mode.value.lower()))
            button.setIconSize(BESIDE_WORDS_PX)
            button.clicked.connect(lambda _checked, mode=mode: self.mode_chosen.emit(mode))
            self._mode_buttons[mode] = button
            row.addWidget(button)
        return row

    def _views(self) -> QHBoxLayout:
        self._view_buttons: dict[View, QPushButton] = {}
        row = QHBoxLayout()
        row.setSpacing(0)
        for number, view in enumerate(View):
            keys = f"Ctrl+{number + 1}"
            button = _segment(tr(view.value), f"{tr(view.hint)} ({keys})", number, len(View))
            button.clicked.connect(lambda _checked, view=view: self.choose_view(view))
            shortcut = QShortcut(QKeySequence(keys), button)  # So that it works while the button is to be seen.
            shortcut.activated.connect(lambda view=view: self.choose_view(view))
            self._view_buttons[view] = button
            row.addWidget(button)
        self._view_buttons[View.SPLIT].setChecked(True)
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
        QPainter(self).drawText(self.rect(), self.alignment(), text)


def facts_of(clip: ClipInfo) -> str:
    """Size, rate and length in one line."""
    facts = [f"{clip.size[0]} \u00d7 {clip.size[1]}"]
    if clip.average_rate:
        facts.append(f"{float(clip.average_rate):.4g} fps")
    if clip.duration_s is not None:
        facts.append(f"{clip.duration_s:.1f} s")
    return "  ·  ".join(facts)


def _segment(words: str, hint: str, number: int, count: int) -> QPushButton:
    """One of several buttons that stand together, of which one is pressed."""
    button = QPushButton(words)
    button.setObjectName("view")
    button.setProperty("edge", {0: "first", count - 1: "last"}.get(number, "inner"))
    button.setCheckable(True)
    button.setToolTip(hint)
    button.setAccessibleDescription(hint)
    return button


def _button(text: str, hint: str, keys: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"{hint} ({keys})")
    button.setShortcut(keys)
    return button
