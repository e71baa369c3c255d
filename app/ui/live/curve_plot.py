"""What the match does, drawn: the curve of each colour over the levels of person and background."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PyQt6.QtGui import (
    QColor,
    QFont,
    QImage,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
)
from PyQt6.QtWidgets import QSizePolicy, QWidget

from app.domain.histograms import Histogram
from app.ui.text import tr
from app.ui.theme import color

Table = npt.NDArray[np.uint8]
"""(256, 3) uint8: the level that comes out for each that goes in, for red, green and blue."""

_NAMES: Final = ("Reds", "Greens", "Blues")
_INKS: Final = {
    "dark": (QColor("#ff6b61"), QColor("#5fd47a"), QColor("#5f9dff")),
    "light": (QColor("#d4342a"), QColor("#1f9441"), QColor("#2463d8")),
}
_MARGIN_PX: Final = 10.0
_LEGEND_PX: Final = 22.0
_FONT_PX: Final = 11
_LINE_PX: Final = 1.8
_CURVE_LEVELS: Final = np.arange(0, 256, 5)
_HISTOGRAM_LEVELS: Final = np.arange(0, 256, 3)
"""Levels the lines go through, both ends among them. More points are not seen at the sizes shown, and cost time."""
_TOP: Final = 0.92
_MIDDLE: Final = 128


class CurvePlot(QWidget):
    """Three curves over the identity; pointing at it says what a level becomes."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._table: Table | None = None
        self._histograms: tuple[Histogram | None, Histogram | None] = (None, None)
        self._hovered: int | None = None
        self._backdrop: QImage | None = None
        self.setMouseTracking(True)
        self.setMinimumHeight(150)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Colour curves of the match"))
        self.setToolTip(tr("Where each level of the person goes; the straight line changes nothing"))
        self._describe()

    @property
    def hovered(self) -> int | None:
        """The level, 0..255, that is pointed at."""
        return self._hovered

    def sizeHint(self) -> QSize:  # noqa: N802
        """A little wider than high."""
        return QSize(264, 196)

    def show_match(self, table: Table | None, foreground: Histogram | None, plate: Histogram | None) -> None:
        """Draw another match. table: None while there is none. The histograms: (256, 3), as `histogram` makes them."""
        if table is None or self._table is None or not np.array_equal(table, self._table):
            self._table = table
            self._describe()
        if foreground is not self._histograms[0] or plate is not self._histograms[1]:
            self._histograms = (foreground, plate)
            self._backdrop = None
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Follow the pointer."""
        if event is not None:
            area = self._area()
            level = round((event.position().x() - area.left()) / area.width() * 255)
            self._hover(min(max(level, 0), 255))

    def leaveEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Take the read-out away."""
        self._hover(None)
        super().leaveEvent(event)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Draw in the new theme's colours."""
        self._backdrop = None
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the kept backdrop, then the curves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawImage(QPointF(0, 0), self._kept_backdrop())
        painter.setFont(_small(self.font()))
        if self._table is None:
            painter.setPen(color(QPalette.ColorRole.PlaceholderText))
            free = self._area().adjusted(0.5 * self._area().width(), 0.5 * self._area().height(), 0, 0)
            words = tr("Nothing is matched")
            ground = painter.boundingRect(free, Qt.AlignmentFlag.AlignCenter, words).adjusted(-6, -3, 6, 3)
            painter.fillRect(ground, color(QPalette.ColorRole.Base))
            painter.drawText(free, Qt.AlignmentFlag.AlignCenter, words)
            return
        self._paint_curves(painter, self._table)
        if self._hovered is not None:
            self._paint_read_out(painter, self._table, self._hovered)

    def _hover(self, level: int | None) -> None:
        if level != self._hovered:
            self._hovered = level
            self.update()

    def _describe(self) -> None:
        words = tr("Nothing is matched") if self._table is None else curve_words(self._table)
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)

    def _area(self) -> QRectF:
        frame = QRectF(self.rect()).adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX - _LEGEND_PX)
        return frame if frame.isValid() else QRectF(0, 0, 1, 1)

    def _kept_backdrop(self) -> QImage:
        """All that stays the same while only the curves move."""
        scale = self.devicePixelRatioF()
        size = QSize(round(self.width() * scale), round(self.height() * scale))
        if self._backdrop is None or self._backdrop.size() != size:
            image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
            image.setDevicePixelRatio(scale)
            image.fill(Qt.GlobalColor.transparent)
            painter = QPainter(image)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setFont(_small(self.font()))
            self._paint_backdrop(painter)
            painter.end()
            self._backdrop = image
        return self._backdrop

    def _paint_backdrop(self, painter: QPainter) -> None:
        area = self._area()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color(QPalette.ColorRole.Base))
        painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        _paint_grid(painter, area)
        fills = _fills()
        for counts, (fill, line) in zip(self._histograms, fills, strict=True):
            if counts is not None:
                _paint_histogram(painter, counts, area, fill=fill, line=line)
        painter.setPen(QPen(color(QPalette.ColorRole.PlaceholderText), 1.0, Qt.PenStyle.DashLine))
        painter.drawLine(area.bottomLeft(), area.topRight())
        _paint_legend(painter, area, [(tr("Person"), fills[0]), (tr("Background"), fills[1])])

    def _paint_curves(self, painter: QPainter, table: Table) -> None:
        area, theme = self._area(), _theme()
        # Where curves lie on each other they add up to near white (on dark) or near black (on light).
        modes = QPainter.CompositionMode
        painter.setCompositionMode(modes.CompositionMode_Lighten if theme == "dark" else modes.CompositionMode_Darken)
        for channel, ink in enumerate(_INKS[theme]):
            painter.setPen(QPen(ink, _LINE_PX, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap))
            painter.drawPolyline(_line(_CURVE_LEVELS, table[_CURVE_LEVELS, channel], area))
        painter.setCompositionMode(modes.CompositionMode_SourceOver)

    def _paint_read_out(self, painter: QPainter, table: Table, level: int) -> None:
        area, inks = self._area(), _INKS[_theme()]
        x = area.left() + level / 255 * area.width()
        painter.setPen(QPen(color(QPalette.ColorRole.PlaceholderText), 1.0))
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.setPen(QPen(color(QPalette.ColorRole.Base), 1.2))
        for ink, out in zip(inks, table[level].tolist(), strict=True):
            painter.setBrush(ink)
            painter.drawEllipse(QPointF(x, area.bottom() - out / 255 * area.height()), 3.6, 3.6)
        _paint_values(painter, area, level, table[level].tolist())


def curve_words(table: Table) -> str:
    """Say what a match does at mid-grey, for who can't see it: "Reds +12, greens 0, blues -9 at mid-grey"."""
    changes = [int(table[_MIDDLE, channel]) - _MIDDLE for channel in range(3)]
    words = ", ".join(
        f"{tr(name)} {change:+d}" if change else f"{tr(name)} 0" for name, change in zip(_NAMES, changes, strict=True)
    )
    return f"{words.capitalize()} {tr('at mid-grey')}"


def _theme() -> str:
    return "dark" if color(QPalette.ColorRole.Base).lightness() < 128 else "light"


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPixelSize(_FONT_PX)
    return small


def _fills() -> tuple[tuple[QColor, QColor], tuple[QColor, QColor]]:
    """(fill, line) of the person's levels and of the background's."""

    def faint(role: QPalette.ColorRole, opacity: float) -> QColor:
        colour = color(role)
        colour.setAlphaF(opacity)
        return colour

    text, accent = QPalette.ColorRole.WindowText, QPalette.ColorRole.Highlight
    return (faint(text, 0.22), faint(text, 0.35)), (faint(accent, 0.20), faint(accent, 0.55))


def _paint_grid(painter: QPainter, area: QRectF) -> None:
    painter.setPen(QPen(color(QPalette.ColorRole.Mid), 1.0))
    for quarter in range(5):
        x = area.left() + quarter / 4 * area.width()
        y = area.top() + quarter / 4 * area.height()
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))


def _paint_legend(painter: QPainter, area: QRectF, entries: list[tuple[str, tuple[QColor, QColor]]]) -> None:
    left, middle = area.left(), area.bottom() + 0.65 * _LEGEND_PX
    metrics = painter.fontMetrics()
    for words, (fill, line) in entries:
        painter.setPen(QPen(line, 1.0))
        painter.setBrush(fill)
        painter.drawRoundedRect(QRectF(left + 0.5, middle - 4.5, 9, 9), 2, 2)
        painter.setPen(color(QPalette.ColorRole.PlaceholderText))
        width = metrics.horizontalAdvance(words)
        place = QRectF(left + 15, middle - 10, width + 2, 20)
        painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, words)
        left += width + 31


def _paint_values(painter: QPainter, area: QRectF, level: int, outs: list[int]) -> None:
    """Write the levels into the corner that curves leave free: the lower right."""
    metrics = painter.fontMetrics()
    width, height = metrics.horizontalAdvance("000") + 6.0, 18.0
    chip = QRectF(area.right() - 5.2 * width - 6, area.bottom() - height - 6, 5.2 * width, height)
    ground = color(QPalette.ColorRole.Window)
    painter.setPen(QPen(color(QPalette.ColorRole.Mid), 1.0))
    painter.setBrush(ground)
    painter.drawRoundedRect(chip, 5, 5)
    texts = [str(level), "→", *map(str, outs)]
    inks = [color(QPalette.ColorRole.WindowText), color(QPalette.ColorRole.PlaceholderText), *_INKS[_theme()]]
    for place, (text, ink) in enumerate(zip(texts, inks, strict=True)):
        painter.setPen(ink)
        cell = QRectF(chip.left() + 3 + place * (chip.width() - 6) / 5, chip.top(), (chip.width() - 6) / 5, height)
        painter.drawText(cell, Qt.AlignmentFlag.AlignCenter, text)


def _paint_histogram(painter: QPainter, counts: Histogram, area: QRectF, *, fill: QColor, line: QColor) -> None:
    """Draw how often levels occur, all channels together, as high as the area allows.

    Square roots: a wall of one colour would leave everything else flat on the ground.
    """
    heights = np.sqrt(counts.mean(axis=1)[_HISTOGRAM_LEVELS])
    highest = float(heights.max())
    if highest <= 0:
        return
    outline = _line(_HISTOGRAM_LEVELS, heights / highest * (255 * _TOP), area)
    path = QPainterPath()
    path.addPolygon(outline)
    path.lineTo(area.bottomRight())
    path.lineTo(area.bottomLeft())
    path.closeSubpath()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # slow for areas, and the outline covers their edge
    painter.fillPath(path, fill)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(line, 1.0))
    painter.drawPolyline(outline)


def _line(levels: npt.NDArray[np.int_], values: npt.NDArray[Any], area: QRectF) -> QPolygonF:
    xs = (area.left() + levels / 255 * area.width()).tolist()
    ys = (area.bottom() - np.asarray(values, np.float64) / 255 * area.height()).tolist()
    return QPolygonF([QPointF(x, y) for x, y in zip(xs, ys, strict=True)])
