"""What the inspector's settings lie on: tabs, pages that scroll, and a fold for what is rarely needed."""

from __future__ import annotations

from typing import Final

from PyQt6.QtCore import QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QFocusEvent, QFont, QFontMetrics, QPainter, QPaintEvent, QPalette, QPen
from PyQt6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QTabBar, QToolButton, QVBoxLayout, QWidget

from app.ui.focus import came_by_keyboard
from app.ui.live.inspector_controls import Control
from app.ui.resources import icon
from app.ui.text import tr
from app.ui.theme import color

# Only what is plain gets told here: the theme's own borders come back when a field is pointed at.
INSPECTOR_QSS: Final = """
QLabel, QCheckBox { padding: 0; margin: 0; }
QCheckBox { spacing: 8px; }
QSlider { padding: 2px 0; }
QDoubleSpinBox#value { padding: 1px 0; min-height: 18px; }
QDoubleSpinBox#value:!focus:!hover { border: 1px solid transparent; }
QToolButton { padding: 0; margin: 0; }
QToolButton#more { border: none; padding: 2px; margin-left: -4px; font-weight: 600; }
"""


class Page(QScrollArea):
    """The controls of a group, the rarely needed ones folded away."""

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(18, 16, 18, 16)
        column.setSpacing(14)
        self._top, self._common, self._bottom = (_column() for _ in range(3))
        self.more = _More()
        for part in (self._top, self._common, self._bottom):
            column.addLayout(part)
        column.addWidget(self.more)
        column.addStretch(1)
        self.setWidget(content)

    def add(self, widget: QWidget, *, top: bool) -> None:
        """Add something that is no setting."""
        (self._top if top else self._bottom).addWidget(widget)

    def add_control(self, control: Control, *, is_common: bool) -> None:
        """Add a setting."""
        if is_common:
            self._common.addWidget(control)
        else:
            self.more.add(control)


class _More(QWidget):
    """What is rarely needed, folded away until asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.button = QToolButton()
        self.button.setObjectName("more")
        self.button.setText(tr("More"))
        self.button.setCheckable(True)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.button.setToolTip(tr("Settings that are rarely needed"))
        self.button.setAccessibleDescription(tr("Shows settings that are rarely needed"))
        self.button.toggled.connect(self._unfold)
        self._body = QWidget()
        self._inner = _column()
        self._inner.setContentsMargins(0, 10, 0, 0)
        self._body.setLayout(self._inner)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QHBoxLayout()
        head.addWidget(self.button)
        head.addStretch(1)
        column.addLayout(head)
        column.addWidget(self._body)
        self._unfold(False)
        self.hide()

    def add(self, control: Control) -> None:
        """Add a setting."""
        self._inner.addWidget(control)
        self.show()

    def _unfold(self, is_open: bool) -> None:
        self._body.setVisible(is_open)
        ink = QPalette.ColorRole.WindowText
        folded, unfolded = icon("chevron-right", checked=ink), icon("chevron-down", checked=ink)
        self.button.setIcon(unfolded if is_open else folded)


class PageBar(QTabBar):
    """Tabs of an icon above a word, all in view; the arrow keys turn the pages."""

    _HEIGHT_PX: Final = 58
    _ICON_PX: Final = 20
    _FONT_PX: Final = 11

    def __init__(self, width_px: int) -> None:
        super().__init__()
        self._width_px = width_px
        self.setObjectName("pages")
        self.setDrawBase(False)
        self.setUsesScrollButtons(False)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(tr("Settings"))
        self._show_focus = False
        self._icons: list[str] = []

    def add_page(self, icon_name: str, words: str) -> None:
        """Add a tab at the right."""
        self._icons.append(icon_name)
        self.addTab(words)

    def tabSizeHint(self, index: int) -> QSize:  # noqa: N802
        """Share the width so that every word has the same air around it."""
        metrics = self._words_metrics()
        shown = [i for i in range(self.count()) if self.isTabVisible(i)]
        words = [metrics.horizontalAdvance(self.tabText(i)) for i in shown]
        left = [round(i * (self._width_px - sum(words)) / len(words)) + sum(words[:i]) for i in range(len(words) + 1)]
        place = shown.index(index) if index in shown else 0
        return QSize(left[place + 1] - left[place], self._HEIGHT_PX)

    def minimumTabSizeHint(self, index: int) -> QSize:  # noqa: N802
        """No tab is ever cut."""
        return self.tabSizeHint(index)

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Frame the tab when the keyboard brought the focus here."""
        self._show_focus = came_by_keyboard(event)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Take the frame away."""
        self._show_focus = False
        super().focusOutEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint all tabs."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._words_font())
        painter.fillRect(0, self.height() - 1, self.width(), 1, color(QPalette.ColorRole.Mid))
        pointed = self.tabAt(self.mapFromGlobal(self.cursor().pos())) if self.underMouse() else -1
        for index in filter(self.isTabVisible, range(self.count())):
            self._paint_tab(painter, index, is_pointed=index == pointed)

    def _paint_tab(self, painter: QPainter, index: int, *, is_pointed: bool) -> None:
        area, is_current = self.tabRect(index), index == self.currentIndex()
        role = QPalette.ColorRole.Highlight if is_current else QPalette.ColorRole.PlaceholderText
        if is_pointed and not is_current:
            role = QPalette.ColorRole.WindowText
        left = area.left() + (area.width() - self._ICON_PX) // 2
        place = QRect(left, area.top() + 10, self._ICON_PX, self._ICON_PX)
        icon(self._icons[index], ink=role).paint(painter, place)
        painter.setPen(color(role))
        words = area.adjusted(0, 33, 0, -8)
        painter.drawText(words, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, self.tabText(index))
        if is_current:
            painter.fillRect(QRectF(area.left(), area.bottom() - 1, area.width(), 2), color(role))
        if is_current and self._show_focus:
            painter.setPen(QPen(color(QPalette.ColorRole.Highlight), 1.5))
            painter.drawRoundedRect(QRectF(area).adjusted(3, 4, -3, -6), 5, 5)

    def _words_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(self._FONT_PX)
        return font

    def _words_metrics(self) -> QFontMetrics:
        return QFontMetrics(self._words_font())


def _column() -> QVBoxLayout:
    column = QVBoxLayout()
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(14)
    return column
