"""How a render of the queue is painted: its picture, what becomes of it, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from PyQt6.QtCore import QModelIndex, QRect, QRectF, QSize, Qt
from PyQt6.QtGui import QColor, QFont, QFontMetrics, QIcon, QImage, QPainter, QPainterPath, QPalette, QPen
from PyQt6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.pipeline.offline.queue_items import QueueItem
from app.ui.queue.queue_model import DELIVERY, FORECAST, ITEM, PICTURE
from app.ui.queue.services import Forecast
from app.ui.queue.words import DOT, share_of, state_text
from app.ui.resources import icon
from app.ui.theme import color

PICTURE_PX: Final = (96, 54)
_EDGE_PX: Final = 10
_GAP_PX: Final = 12
_LINE_PX: Final = 19
_BAR_PX: Final = 4
_ICON_PX: Final = 15
_MAX_LINES: Final = 6

_GOOD: Final = {"dark": QColor("#7bd88f"), "light": QColor("#1b7f3b")}
_WRAPPED: Final = Qt.TextFlag.TextWordWrap | Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft

Role = QPalette.ColorRole


@dataclass(frozen=True, slots=True)
class _Row:
    """Everything a row shows."""

    item: QueueItem
    forecast: Forecast | None
    picture: QImage | None
    delivery: str

    @property
    def waits_for_room(self) -> bool:
        """Whether the disk is full."""
        return self.item.progress is not None and self.item.progress.waits_for_bytes > 0

    @property
    def is_bad(self) -> bool:
        """Whether something has to be done about it."""
        return self.item.state == "failed" or self.waits_for_room or (self.forecast is not None and self._is_too_large)

    @property
    def has_bar(self) -> bool:
        """Whether it is under way."""
        return self.item.is_under_way or self.item.state == "running"

    @property
    def _is_too_large(self) -> bool:
        return self.item.state == "waiting" and self.forecast is not None and self.forecast.is_too_large

    @property
    def state(self) -> str:
        """How it stands; of a failed one, why, and what to do."""
        words = state_text(self.item, self.forecast, is_brief=True)
        return f"{words} {self.item.hint}".strip() if self.item.state == "failed" else words


class RowDelegate(QStyledItemDelegate):
    """Paints rows of a list; those that have much to say are higher."""

    def __init__(self, view: QListView) -> None:
        super().__init__(view)
        self._view = view

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """As wide as the list, as high as its words."""
        viewport = self._view.viewport()
        width = viewport.width() if viewport is not None else self._view.width()
        row = _row_of(index)
        words = 2 * _LINE_PX + self._state_px(row, width, QFontMetrics(self._view.font()))
        return QSize(width, 2 * _EDGE_PX + max(PICTURE_PX[1], words + (_BAR_PX + 7 if row.has_bar else 0)))

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one row."""
        if painter is None:
            return
        row, area = _row_of(index), option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        _paint_ground(painter, area, option)
        _paint_picture(painter, QRectF(area.left() + _EDGE_PX, area.top() + _EDGE_PX, *PICTURE_PX), row)
        painter.setFont(self._view.font())
        self._paint_words(painter, _words_area(area), row)
        painter.restore()

    def _paint_words(self, painter: QPainter, area: QRect, row: _Row) -> None:
        font = QFont(self._view.font())
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        _paint_line(painter, area, row.item.clip.name, color(Role.WindowText), Qt.TextElideMode.ElideMiddle)
        painter.setFont(self._view.font())
        delivery = DOT.join([row.delivery, row.item.output.name])
        _paint_line(painter, area.translated(0, _LINE_PX), delivery, color(Role.PlaceholderText))
        below = area.adjusted(0, 2 * _LINE_PX, 0, 0)
        mark = _mark_of(row)
        if mark is not None:
            place = QRect(below.left(), below.top() + 2, _ICON_PX, _ICON_PX)
            mark.paint(painter, place)
            below.adjust(_ICON_PX + 6, 0, 0, 0)
        height = self._state_px(row, area.width() + _beside_px(), painter.fontMetrics())
        painter.setPen(_ink_of(row))
        words = QRect(below.left(), below.top(), below.width(), height)
        painter.drawText(words, _WRAPPED, _fitted(row.state, words.size(), painter.fontMetrics()))
        if row.has_bar:
            _paint_bar(painter, QRectF(area.left(), words.bottom() + 5, area.width(), _BAR_PX), row.item)

    def _state_px(self, row: _Row, width: int, metrics: QFontMetrics) -> int:
        """Height of the words on its state, in a list of that width."""
        inside = width - _beside_px() - (_ICON_PX + 6 if _mark_name(row) else 0)
        box = metrics.boundingRect(QRect(0, 0, inside, 1000), _WRAPPED, row.state)
        return min(max(_LINE_PX, box.height()), (_MAX_LINES + 1) * metrics.lineSpacing() - 1)


def _row_of(index: QModelIndex) -> _Row:
    return _Row(index.data(ITEM), index.data(FORECAST), index.data(PICTURE), str(index.data(DELIVERY)))


def _beside_px() -> int:
    """What of a row's width is not words."""
    return 2 * _EDGE_PX + PICTURE_PX[0] + _GAP_PX


def _words_area(area: QRect) -> QRect:
    return area.adjusted(_EDGE_PX + PICTURE_PX[0] + _GAP_PX, _EDGE_PX - 2, -_EDGE_PX, -_EDGE_PX)


def _fitted(text: str, size: QSize, metrics: QFontMetrics) -> str:
    """The words, cut short where they take more lines than there is room for."""
    shown = text
    while text and metrics.boundingRect(QRect(0, 0, size.width(), 1000), _WRAPPED, shown).height() > size.height():
        text = text[: int(len(text) * 0.95)].rstrip()
        shown = f"{text}…"
    return shown


def _paint_ground(painter: QPainter, area: QRect, option: QStyleOptionViewItem) -> None:
    is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
    is_near = bool(option.state & QStyle.StateFlag.State_MouseOver)
    if is_chosen or is_near:
        ground = color(Role.Highlight if is_chosen else Role.Mid)
        ground.setAlphaF(0.16 if is_chosen else 0.45)
        shape = QPainterPath()
        shape.addRoundedRect(QRectF(area).adjusted(4, 2, -4, -2), 7, 7)
        painter.fillPath(shape, ground)
        if is_chosen and option.state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(color(Role.Highlight), 1))
            painter.drawPath(shape)


def _paint_picture(painter: QPainter, area: QRectF, row: _Row) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(area, 5, 5)
    painter.fillPath(shape, color(Role.Mid))
    if row.picture is None:
        place = QRectF(0, 0, 22, 22)
        place.moveCenter(area.center())
        icon("render", ink=Role.PlaceholderText).paint(painter, place.toRect())
        return
    painter.save()
    painter.setClipPath(shape)
    size = row.picture.size().scaled(area.size().toSize(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
    target = QRectF(0, 0, size.width(), size.height())
    target.moveCenter(area.center())
    painter.drawImage(target, row.picture)
    painter.restore()


def _paint_line(
    painter: QPainter,
    area: QRect,
    text: str,
    ink: QColor,
    mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
) -> None:
    line = QRect(area.left(), area.top(), area.width(), _LINE_PX)
    painter.setPen(ink)
    words = painter.fontMetrics().elidedText(text, mode, line.width())
    painter.drawText(line, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, words)


def _paint_bar(painter: QPainter, area: QRectF, item: QueueItem) -> None:
    track = QPainterPath()
    track.addRoundedRect(area, _BAR_PX / 2, _BAR_PX / 2)
    painter.fillPath(track, color(Role.Mid))
    share = share_of(item) or 0.0
    if share > 0:
        done = QPainterPath()
        width = max(float(_BAR_PX), area.width() * share)
        done.addRoundedRect(QRectF(area.left(), area.top(), width, area.height()), _BAR_PX / 2, _BAR_PX / 2)
        painter.fillPath(done, color(Role.PlaceholderText if item.state == "paused" else Role.Highlight))


def _mark_name(row: _Row) -> str:
    if row.is_bad:
        return "alert"
    return {"done": "check", "paused": "pause", "cancelled": "none"}.get(row.item.state, "")


def _mark_of(row: _Row) -> QIcon | None:
    name = _mark_name(row)
    ink = Role.BrightText if row.is_bad else Role.PlaceholderText
    return icon(name, ink=ink) if name else None


def _ink_of(row: _Row) -> QColor:
    if row.is_bad:
        return color(Role.BrightText)
    if row.item.state == "done":
        return _GOOD["dark" if color(Role.Base).lightness() < 128 else "light"]
    return color(Role.WindowText if row.item.state == "running" else Role.PlaceholderText)
