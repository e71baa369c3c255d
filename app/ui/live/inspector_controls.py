"""The inspector's controls, one for each kind of setting: a name, a value to change, a way back to the default."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from PyQt6.QtCore import QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QMouseEvent, QPalette, QResizeEvent, QStandardItemModel, QWheelEvent
from PyQt6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.domain.setting_kinds import Choice, Kind, Number, Text, Toggle
from app.ui.resources import BESIDE_WORDS_PX, icon
from app.ui.text import tr

Options = Sequence[tuple[str, str]]
"""(value, the word for it) in the order they are shown."""

_FIELD_PX: Final = 84
_CHOICE_PX: Final = 138
_RESET_PX: Final = 20
_ONE: Final = {"frames": "frame"}
_DIGITS: Final = 6  # beyond any step: takes away what multiplying by 100 and back adds


class Control(QWidget):
    """One setting. edited(value, is_dragging): a person changed it; nothing is emitted for what code shows.

    kind.accepts(value) holds for all values that are emitted.
    """

    edited = pyqtSignal(object, bool)

    def __init__(self, kind: Kind, default: Any) -> None:
        super().__init__()
        self.kind, self.default = kind, default
        self._value = default
        self.setToolTip(tr(kind.hint))
        self.name = _Name(tr(kind.label))
        self.name.double_clicked.connect(self.restore)
        self.reset = self._reset_button()
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)

    @property
    def value(self) -> Any:
        """What is shown."""
        return self._value

    def show_value(self, value: Any) -> None:
        """Show a value; emits nothing, and leaves alone what someone is typing when it is the value already."""
        self._value = value
        self._display(value)
        self.reset.setVisible(value != self.default)

    def restore(self) -> None:
        """Go back to the default, as if a person had set it."""
        self._edit(self.default, is_dragging=False)
        self._display(self._value)

    def _edit(self, value: Any, *, is_dragging: bool) -> None:
        if value == self._value or not self.kind.accepts(value):
            return
        self._value = value
        self.reset.setVisible(value != self.default)
        self.edited.emit(value, is_dragging)

    def _display(self, value: Any) -> None:
        raise NotImplementedError

    def _line(self, *right: QWidget) -> QHBoxLayout:
        line = QHBoxLayout()
        line.setSpacing(6)
        line.addWidget(self.name)
        line.addStretch(1)
        for widget in (self.reset, *right):
            line.addWidget(widget)
        return line

    def _describe(self, widget: QWidget) -> None:
        """Name a part of this control for screen readers."""
        widget.setAccessibleName(tr(self.kind.label))
        widget.setAccessibleDescription(tr(self.kind.hint))
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)  # not by the wheel, which scrolls the page

    def _reset_button(self) -> QToolButton:
        button = QToolButton()
        button.setIcon(icon("reset", ink=QPalette.ColorRole.PlaceholderText))
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(_RESET_PX, _RESET_PX)
        button.setAutoRaise(True)
        button.setToolTip(tr("Back to the default"))
        button.setAccessibleName(f"{tr(self.kind.label)}: {tr('back to the default')}")
        policy = button.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        button.setSizePolicy(policy)
        button.clicked.connect(self.restore)
        button.hide()
        return button


class NumberControl(Control):
    """A number: a field to type into, in its unit, and a slider. "%" shows 0..1 as 0..100."""

    kind: Number

    def __init__(self, kind: Number, default: float) -> None:
        super().__init__(kind, default)
        self._factor = 100.0 if kind.unit == "%" else 1.0
        self.field = self._make_field()
        self.slider = self._make_slider()
        self.column.addLayout(self._line(self.field))
        self.column.addWidget(self.slider)
        self.show_value(default)

    def _make_field(self) -> QDoubleSpinBox:
        kind, field = self.kind, _Field()
        step = round(kind.step * self._factor, _DIGITS)
        field.setDecimals(len(f"{step:g}".partition(".")[2]))
        field.setRange(kind.low * self._factor, kind.high * self._factor)
        field.setSingleStep(step)
        field.valueChanged.connect(self._typed)
        self._describe(field)
        return field

    def _make_slider(self) -> QSlider:
        slider = _Slider(Qt.Orientation.Horizontal)
        ticks = round((self.kind.high - self.kind.low) / self.kind.step)
        slider.setRange(0, ticks)
        slider.setPageStep(max(1, ticks // 10))
        slider.valueChanged.connect(self._slid)
        slider.sliderReleased.connect(self._let_go)
        self._describe(slider)
        return slider

    def _display(self, value: float) -> None:
        shown = round(value * self._factor, self.field.decimals())
        with QSignalBlocker(self.field), QSignalBlocker(self.slider):
            self.field.setSuffix(_suffix(self.kind.unit, shown))
            if self.field.value() != shown:
                self.field.setValue(shown)
            if not self.slider.isSliderDown():
                self.slider.setSliderPosition(self._tick(value))

    def _tick(self, value: float) -> int:
        return round((value - self.kind.low) / self.kind.step)

    def _typed(self, shown: float) -> None:
        self._edit(round(shown / self._factor, _DIGITS), is_dragging=False)
        self._display(self._value)

    def _slid(self, tick: int) -> None:
        value = min(round(self.kind.low + tick * self.kind.step, _DIGITS), self.kind.high)
        self._edit(value, is_dragging=self.slider.isSliderDown())
        self._display(self._value)

    def _let_go(self) -> None:
        """Say the last value once more, as final: a drag is one change."""
        self.edited.emit(self._value, False)


class ChoiceControl(Control):
    """One of several values, by their words."""

    kind: Choice

    def __init__(self, kind: Choice, default: str) -> None:
        super().__init__(kind, default)
        self.combo = _Combo()
        self.combo.setFixedWidth(_CHOICE_PX)
        for value, word in kind.options.items():
            self.combo.addItem(tr(word), value)
        self.combo.activated.connect(lambda index: self._edit(self.combo.itemData(index), is_dragging=False))
        self._describe(self.combo)
        self.column.addLayout(self._line(self.combo))
        self.show_value(default)

    def allow(self, values: Collection[str]) -> None:
        """Say which of the options can be chosen; the others stay visible, in grey."""
        model = self.combo.model()
        assert isinstance(model, QStandardItemModel)  # noqa: S101 what QComboBox makes by itself
        for row, value in enumerate(self.kind.options):
            item = model.item(row)
            if item is not None:
                item.setEnabled(value in values)

    def _display(self, value: str) -> None:
        self.combo.setCurrentIndex(self.combo.findData(value))


class ToggleControl(Control):
    """On or off."""

    kind: Toggle

    def __init__(self, kind: Toggle, default: bool) -> None:
        super().__init__(kind, default)
        self.box = QCheckBox(tr(kind.label))
        self.box.clicked.connect(lambda is_on: self._edit(is_on, is_dragging=False))
        self._describe(self.box)
        self.name.hide()
        line = self._line()
        line.insertWidget(0, self.box)
        self.column.addLayout(line)
        self.show_value(default)

    def _display(self, value: bool) -> None:
        self.box.setChecked(value)


class DeviceControl(Control):
    """Words whose meaning the machine knows, by a list given at run time; editable where others may be typed."""

    kind: Text

    def __init__(self, kind: Text, default: str, *, options: Options, is_editable: bool = False) -> None:
        super().__init__(kind, default)
        self.combo = _Combo()
        self.combo.setEditable(is_editable)
        self.combo.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.combo.activated.connect(lambda index: self._edit(self.combo.itemData(index), is_dragging=False))
        line = self.combo.lineEdit()
        if line is not None:
            line.editingFinished.connect(self._typed)
            line.setAccessibleName(tr(kind.label))
        self._describe(self.combo)
        self.column.addLayout(self._line())
        self.column.addWidget(self.combo)
        self.set_options(options)
        self.show_value(default)

    def set_options(self, options: Options) -> None:
        """Replace the list. The value stays, and stays visible, even when the list lacks it."""
        self.combo.clear()
        for value, word in options:
            self.combo.addItem(word, value)
        self._display(self._value)

    def _display(self, value: str) -> None:
        index = self.combo.findData(value)
        if index < 0 and self.combo.isEditable():
            self.combo.setCurrentIndex(-1)
            self.combo.setEditText(value)
            return
        if index < 0:
            self.combo.addItem(value, value)
            index = self.combo.count() - 1
        self.combo.setCurrentIndex(index)
        self.combo.setToolTip(f"{self.combo.currentText()}\n{tr(self.kind.hint)}")

    def _typed(self) -> None:
        text = self.combo.currentText().strip()
        index = self.combo.findText(text)
        self._edit(self.combo.itemData(index) if index >= 0 else text, is_dragging=False)
        self._display(self._value)


class FolderControl(Control):
    """A folder of this machine; empty is the one that `default_words` names."""

    kind: Text

    def __init__(self, kind: Text, default: str, *, default_words: str) -> None:
        super().__init__(kind, default)
        self._default_words = default_words
        self.button = QPushButton(icon("folder", ink=QPalette.ColorRole.ButtonText), "")
        self.button.setIconSize(BESIDE_WORDS_PX)
        self.button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.button.clicked.connect(self.ask)
        self._describe(self.button)
        self.column.addLayout(self._line())
        self.column.addWidget(self.button)
        self.show_value(default)

    def ask(self) -> QFileDialog:
        """Open the system's question for a folder; nothing waits for the answer."""
        dialog = QFileDialog(self, tr(self.kind.label), self._value)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self._chosen)
        dialog.open()
        return dialog

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Show as much of the name as there is room for."""
        super().resizeEvent(event)
        self._display(self._value)

    def _chosen(self, folder: str) -> None:
        self._edit(folder, is_dragging=False)
        self._display(self._value)

    def _display(self, value: str) -> None:
        words = Path(value).name or value if value else tr(self._default_words)
        room = self.width() - 3 * _RESET_PX
        self.button.setText(self.fontMetrics().elidedText(words, Qt.TextElideMode.ElideMiddle, room))
        self.button.setToolTip(f"{value}\n{tr(self.kind.hint)}" if value else tr(self.kind.hint))
        self.button.setAccessibleName(f"{tr(self.kind.label)}: {words}")


def make_control(kind: Kind, default: Any, *, lists: Mapping[str, Options], name: str) -> Control:
    """Return the control for a setting. lists: what texts chosen from a list start with; other texts are folders."""
    if isinstance(kind, Number):
        return NumberControl(kind, default)
    if isinstance(kind, Choice):
        return ChoiceControl(kind, default)
    if isinstance(kind, Toggle):
        return ToggleControl(kind, default)
    if name in lists:
        return DeviceControl(kind, default, options=lists[name], is_editable=name == "source")
    return FolderControl(kind, default, default_words="Films folder")


def _suffix(unit: str, shown: float) -> str:
    return f" {tr(_ONE.get(unit, unit) if shown == 1 else unit)}" if unit else ""


class _Name(QLabel):
    """A setting's name. double_clicked: it was."""

    double_clicked = pyqtSignal()

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.setIndent(0)  # a style sheet's frame would push the words out of line with what is below

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        self.double_clicked.emit()


class _Slider(QSlider):
    """A slider that leaves the wheel to the page until it has the focus."""

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        _wheel_if_focused(self, event, super().wheelEvent)


class _Combo(QComboBox):
    """A list that leaves the wheel to the page until it has the focus, and is as narrow as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        _wheel_if_focused(self, event, super().wheelEvent)


class _Field(QDoubleSpinBox):
    """A number to type into; plain until it is pointed at. Announces what is typed when it is finished."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("value")
        self.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.setKeyboardTracking(False)
        line = self.lineEdit()
        if line is not None:
            line.setTextMargins(0, 0, -2, 0)  # in line with the slider's end
        self.setFixedWidth(_FIELD_PX)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        _wheel_if_focused(self, event, super().wheelEvent)


def _wheel_if_focused(widget: QWidget, event: QWheelEvent | None, act: Any) -> None:
    if widget.hasFocus():
        act(event)
    elif event is not None:
        event.ignore()
