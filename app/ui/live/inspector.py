"""The settings at the right of the live window, drawn from their schema: a page for each group."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from typing import Any, Final

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtWidgets import QStackedWidget, QVBoxLayout, QWidget

from app.domain.setting_kinds import kinds_of
from app.domain.settings import GROUPS, Settings
from app.ui.live.inspector_controls import ChoiceControl, Control, DeviceControl, Options, make_control
from app.ui.live.inspector_pages import INSPECTOR_QSS, Page, PageBar
from app.ui.text import tr

WIDTH_PX: Final = 300

_TITLES: Final = {
    "camera": "Camera",
    "person": "Person",
    "match": "Match",
    "placement": "Placement",
    "output": "Output",
}
"""The groups' words; their icons have the groups' own names."""

_LESS_COMMON: Final = {
    "camera": {"analyse_every", "still_levels"},
    "person": {"softness"},
    "match": {"model"},
    "placement": {"crop_left", "crop_right", "crop_top", "crop_bottom"},
    "output": {"rate_control", "crf", "bitrate_kbps", "split_min", "keep_original", "control"},
}

_LIVE_ONLY: Final = {"placement": {"auto_frame", *_LESS_COMMON["placement"]}}

_LISTS: Final[dict[str, Options]] = {
    "source": [("", "First camera")],
    "microphone": [("default", "System default"), ("", "No sound")],
    "virtual_camera": [("", "First found")],
}
"""Texts that are chosen from a list, and what the list says before the machine was asked."""

_WEBM_CODECS: Final = ("vp9", "av1")


class LiveInspector(QWidget):
    """All settings, by page. changed(group, name, value, is_dragging): a person set one; a drag ends with False.

    page_changed(group): another page is shown.
    """

    changed = pyqtSignal(str, str, object, bool)
    page_changed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("inspector")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setStyleSheet(INSPECTOR_QSS)
        self.setFixedWidth(WIDTH_PX)
        self._controls: dict[tuple[str, str], Control] = {}
        self._pages = {group: Page() for group in GROUPS}
        self._bar, self._stack = PageBar(WIDTH_PX), QStackedWidget()
        for group, page in self._pages.items():
            self._bar.add_page(group, tr(_TITLES[group]))
            self._stack.addWidget(page)
            self._fill(group, page)
        self._bar.currentChanged.connect(self._turn)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar)
        column.addWidget(self._stack, 1)
        self._follow_dependencies()

    @property
    def current_page(self) -> str:
        """The group whose page is shown."""
        return list(self._pages)[self._bar.currentIndex()]

    def show_page(self, group: str) -> None:
        """Turn to a group's page."""
        self._bar.setCurrentIndex(list(self._pages).index(group))

    def show_pages(self, groups: Collection[str]) -> None:
        """Offer the pages of these groups only."""
        for index, group in enumerate(self._pages):
            self._bar.setTabVisible(index, group in groups)
        if self.current_page not in groups:
            self.show_page(next(group for group in self._pages if group in groups))

    def show_live_only(self, *, shown: bool) -> None:
        """Show or hide the settings of shared pages that only the live picture follows."""
        for group, names in _LIVE_ONLY.items():
            for name in names:
                self._controls[group, name].setVisible(shown)
            self._pages[group].more.setVisible(shown or not _LESS_COMMON[group] <= names)

    def page(self, group: str) -> Page:
        """The page of a group."""
        return self._pages[group]

    def control(self, group: str, name: str) -> Control:
        """The control of one setting."""
        return self._controls[group, name]

    def add_to_page(self, group: str, widget: QWidget, *, top: bool = False) -> None:
        """Add a widget above a page's controls, or below them; what is rarely needed stays last."""
        self._pages[group].add(widget, top=top)

    def show_settings(self, settings: Settings) -> None:
        """Set all controls; emits nothing."""
        for (group, name), control in self._controls.items():
            value = getattr(getattr(settings, group), name)
            if value != control.value:
                control.show_value(value)
        self._follow_dependencies()

    def set_options(self, group: str, name: str, options: Options) -> None:
        """Replace the list of a device setting: (value, label) in order. TypeError for a setting without one."""
        control = self._controls[group, name]
        if not isinstance(control, DeviceControl):
            raise TypeError(f"{group}.{name} takes no list")
        control.set_options(options)

    def allow(self, group: str, name: str, values: Collection[str]) -> None:
        """Say which options of a choice can be chosen here. TypeError for a setting that is no choice."""
        control = self._controls[group, name]
        if not isinstance(control, ChoiceControl):
            raise TypeError(f"{group}.{name} is no choice")
        control.allow(values)

    def _fill(self, group: str, page: Page) -> None:
        defaults = GROUPS[group]()
        for name, kind in kinds_of(GROUPS[group]).items():
            control = make_control(kind, getattr(defaults, name), lists=_LISTS, name=name)
            control.edited.connect(partial(self._edited, group, name))
            self._controls[group, name] = control
            page.add_control(control, is_common=name not in _LESS_COMMON[group])

    def _edited(self, group: str, name: str, value: Any, is_dragging: bool) -> None:
        self.changed.emit(group, name, value, is_dragging)
        self._follow_dependencies()
        codec = self._controls["output", "codec"]
        if name == "container" and codec.value not in self._codecs():
            codec.show_value(self._codecs()[0])
            self.changed.emit("output", "codec", codec.value, False)

    def _follow_dependencies(self) -> None:
        """Let only be changed what has an effect."""
        rate = self._controls["output", "rate_control"].value
        self._controls["output", "crf"].setEnabled(rate == "quality")
        self._controls["output", "bitrate_kbps"].setEnabled(rate == "bitrate")
        self.allow("output", "codec", self._codecs())

    def _codecs(self) -> tuple[str, ...]:
        if self._controls["output", "container"].value == "webm":
            return _WEBM_CODECS
        codec = self._controls["output", "codec"]
        assert isinstance(codec, ChoiceControl)  # noqa: S101 the schema says so
        return tuple(codec.kind.options)

    def _turn(self, index: int) -> None:
        self._stack.setCurrentIndex(index)
        self.page_changed.emit(self.current_page)
