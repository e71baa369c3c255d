"""The line along the bottom of the live window: how it runs, at a glance, each fact explained when pointed at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PyQt6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QHelpEvent, QPainter, QPaintEvent, QPalette, QResizeEvent
from PyQt6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.ui.live.live_facts import (
    Fact,
    LiveFacts,
    Tone,
    compute_fact,
    disk_fact,
    drops_fact,
    latency_fact,
    rate_fact,
    recording_fact,
    reduced_fact,
    skipped_fact,
    source_fact,
    virtual_camera_fact,
)
from app.ui.resources import icon
from app.ui.text import tr
from app.ui.theme import color

HEIGHT_PX: Final = 28
_EDGE_PX: Final = 14
_GAP_PX: Final = 22
_ICON_PX: Final = 14
_ICON_GAP_PX: Final = 6

_ROUNDING_PX: Final = 2  # what is painted can be a pixel wider than what was measured
_LEAST_SOURCE_PX: Final = 110

_INKS: Final = {
    Tone.WARNING: {"dark": QColor("#f5c04f"), "light": QColor("#8f5b00")},
    Tone.ALARM: {"dark": QColor("#ff8a80"), "light": QColor("#b3261e")},
}


@dataclass(frozen=True)
class _Place:
    """A place: what it shows, how wide that can get, when it gives way (the highest rank first, trouble last)."""

    make: Callable[[LiveFacts], Fact]
    widest: str
    rank: int


class StatusLine(QWidget):
    """One row of facts. Places keep their width while numbers change; where it gets narrow the least important go."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("transport")  # dressed like the line under the picture
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.setFixedHeight(HEIGHT_PX)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Status"))
        self._facts: list[Fact] = []
        self._areas: list[QRect] = []
        self.show_facts(LiveFacts())

    @property
    def shown(self) -> tuple[str, ...]:
        """The words on the line, from left to right; those without room left out."""
        return tuple(fact.text for fact, area in zip(self._facts, self._areas, strict=True) if not area.isEmpty())

    def explanation_at(self, position: QPoint) -> str:
        """What is said to who points there: about the fact shown, or else all for which there is no room."""
        placed = list(zip(self._facts, self._areas, strict=True))
        here = [f"{fact.text}\n{fact.explanation}" for fact, area in placed if area.contains(position)]
        return here[0] if here else "\n".join(fact.text for fact, area in placed if fact.text and area.isEmpty())

    def show_facts(self, facts: LiveFacts) -> None:
        """Show how it runs now."""
        made = [place.make(facts) for place in _PLACES]
        if made != self._facts:
            self._facts = made
            self._lay_out()
            self.setAccessibleDescription(". ".join(fact.text for fact in made if fact.text))
            self.update()

    def minimumSizeHint(self) -> QSize:  # noqa: N802
        """It gives way to anything."""
        return QSize(200, HEIGHT_PX)

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Find out who has room."""
        super().resizeEvent(event)
        self._lay_out()

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Measure again with another font."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._lay_out()

    def event(self, event: QEvent | None) -> bool:
        """Explain the fact that is pointed at."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            QToolTip.showText(event.globalPos(), self.explanation_at(event.pos()), self)
            return True
        return super().event(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the facts that have room."""
        super().paintEvent(event)
        painter = QPainter(self)
        for fact, area in zip(self._facts, self._areas, strict=True):
            if not area.isEmpty():
                _paint_fact(painter, fact, area)

    def _lay_out(self) -> None:
        """Give the places their widths, the outputs at the right; the source is cut short before it goes."""
        self.ensurePolished()  # the theme's font is not known before
        widths = [self._width(fact, place) for fact, place in zip(self._facts, _PLACES, strict=True)]
        for index in sorted(
            range(len(_PLACES)), key=lambda i: (self._facts[i].tone is not Tone.CALM, -_PLACES[i].rank)
        ):
            if self._spare(widths) >= 0:
                break
            widths[index] = 0
        spare = self._spare(widths)
        if not widths[_SOURCE] and self._facts[_SOURCE].text and spare - _GAP_PX >= _LEAST_SOURCE_PX:
            widths[_SOURCE] = spare - _GAP_PX
            spare = 0
        self._areas, left = [], _EDGE_PX
        for index, width in enumerate(widths):
            left += max(0, spare) if index == _FIRST_AT_RIGHT else 0
            self._areas.append(QRect(left, 1, width, self.height() - 1))
            left += width + _GAP_PX if width else 0

    def _spare(self, widths: list[int]) -> int:
        """Return what is left over of the line, in px; negative when there is too little room."""
        return self.width() - 2 * _EDGE_PX + _GAP_PX - sum(width + _GAP_PX for width in widths if width)

    def _width(self, fact: Fact, place: _Place) -> int:
        if not fact.text:
            return 0
        metrics = self.fontMetrics()
        words = max(metrics.horizontalAdvance(fact.text), metrics.horizontalAdvance(tr(place.widest)))
        return words + _ROUNDING_PX + (_ICON_PX + _ICON_GAP_PX if fact.icon_name else 0)


def _paint_fact(painter: QPainter, fact: Fact, area: QRect) -> None:
    if fact.icon_name:
        place = QRect(area.left(), area.center().y() - _ICON_PX // 2 + 1, _ICON_PX, _ICON_PX)
        icon(fact.icon_name, ink=QPalette.ColorRole.PlaceholderText).paint(painter, place)
        area = area.adjusted(_ICON_PX + _ICON_GAP_PX, 0, 0, 0)
    painter.setPen(_ink(fact.tone))
    text = painter.fontMetrics().elidedText(fact.text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(QRectF(area), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


def _ink(tone: Tone) -> QColor:
    if tone is Tone.CALM:
        return color(QPalette.ColorRole.PlaceholderText)
    return _INKS[tone]["dark" if color(QPalette.ColorRole.Base).lightness() < 128 else "light"]


_PLACES: Final = (
    _Place(rate_fact, "00.0 / 00 fps", 0),
    _Place(latency_fact, "000 / 000 ms", 2),
    _Place(drops_fact, "000 dropped (0.0 %)", 1),
    _Place(reduced_fact, "", 3),
    _Place(skipped_fact, "000 % spared", 9),
    _Place(compute_fact, "", 8),
    _Place(source_fact, "", 7),
    _Place(recording_fact, "00:00", 4),
    _Place(disk_fact, "00.0 GB free", 5),
    _Place(virtual_camera_fact, "", 6),
)
_SOURCE: Final = 6
_FIRST_AT_RIGHT: Final = 7
"""Indices into `_PLACES`: the camera, and the first of the outputs."""
