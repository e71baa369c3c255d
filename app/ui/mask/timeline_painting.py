"""What the timeline looks like: its rows, one function each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QPointF, QRectF, Qt
from PyQt6.QtGui import QColor, QFont, QImage, QPainter, QPalette, QPen, QPolygonF

from app.domain.mask.timeline_marks import (
    PROBLEM_BELOW,
    Bools,
    Columns,
    Confidence,
    Mark,
    Marks,
    MatchSpan,
    RulerUnit,
    Scale,
    columns,
    middle_of,
    ruler,
    runs,
    signs,
)
from app.ui.mask.timeline_thumbnails import Thumbnails, cropped, tiles
from app.ui.theme import color

MARGIN_PX: Final = 14
"""Room at either side, for the handles of the range."""

HANDLE_PX: Final = 8
_FONT_PX: Final = 11
_WIDE_FRAME_PX: Final = 4.0
_SIGN_PX: Final = 5.0
_LOCK_APART_PX: Final = 16.0
_LEAST_BAR: Final = 0.14
_FEWEST_LETTERS: Final = 3

Role = QPalette.ColorRole


class Rows(NamedTuple):
    """The rows of the timeline, top to bottom; each as (top, height) in px."""

    ruler: tuple[int, int] = (0, 22)
    thumbnails: tuple[int, int] = (22, 46)
    marks: tuple[int, int] = (70, 27)
    confidence: tuple[int, int] = (99, 18)
    match: tuple[int, int] = (120, 13)

    def at(self, y: float) -> str:
        """Name of the row at a height; the last one's below it."""
        names = [name for name, (top, _) in zip(self._fields, self, strict=True) if y >= top]
        return names[-1] if names else self._fields[0]


ROWS: Final = Rows()
ROWS_PX: Final = ROWS.match[0] + ROWS.match[1] + 3


@dataclass(frozen=True, slots=True)
class Sheet:
    """All that the rows are painted from. width_px: of the line itself, without the margins."""

    marks: Marks
    flags: npt.NDArray[np.uint8]
    scale: Scale
    width_px: float
    ratio: float
    unit: RulerUnit
    thumbnails: Thumbnails
    tile_px: float


def paint_rows(painter: QPainter, sheet: Sheet) -> None:
    """Paint everything but the range and the playhead; the painter's origin is the line's left end."""
    painter.setFont(small_font(painter.font()))
    under = columns(sheet.marks, sheet.scale, sheet.width_px, ratio=sheet.ratio)
    flags = under.any_of(sheet.flags)
    _paint_grounds(painter, sheet)
    _paint_ruler(painter, sheet)
    _paint_thumbnails(painter, sheet)
    _paint_bars(painter, sheet, flags)
    _paint_cuts(painter, sheet)
    _paint_signs(painter, sheet)
    if sheet.marks.confidence is not None:
        _paint_confidence(painter, sheet, under, sheet.marks.confidence)
    for span in sheet.marks.match_spans:
        _paint_span(painter, sheet, span)
    for x in signs(sheet.marks, sheet.flags, Mark.MATCH_LOCK, sheet.scale, sheet.width_px):
        top, height = ROWS.match
        _paint_diamond(painter, QPointF(x, top + height / 2), color(Role.Highlight))


def small_font(font: QFont) -> QFont:
    """The font of the ruler."""
    small = QFont(font)
    small.setPixelSize(_FONT_PX)
    return small


def _row(sheet: Sheet, row: tuple[int, int]) -> QRectF:
    return QRectF(0, row[0], sheet.width_px, row[1])


def _faint(colour: QColor, opacity: float) -> QColor:
    faint = QColor(colour)
    faint.setAlphaF(opacity)
    return faint


def _paint_grounds(painter: QPainter, sheet: Sheet) -> None:
    for row in (ROWS.thumbnails, ROWS.marks, ROWS.confidence, ROWS.match):
        painter.fillRect(_row(sheet, row), color(Role.Base))


def _paint_ruler(painter: QPainter, sheet: Sheet) -> None:
    top, height = ROWS.ruler
    ink = color(Role.PlaceholderText)
    painter.setPen(QPen(ink, 1.0))
    for tick in ruler(sheet.marks, sheet.scale, sheet.width_px, sheet.unit):
        x = round(tick.x_px * sheet.ratio) / sheet.ratio
        if x > sheet.width_px:
            continue
        if x >= 0:
            length = 7 if tick.words else 3
            painter.fillRect(QRectF(x, top + height - length, 1, length), ink)
        wide = painter.fontMetrics().horizontalAdvance(tick.words) + 4
        if tick.words and -MARGIN_PX < x < sheet.width_px + MARGIN_PX - wide:
            place = QRectF(x + 4, top, wide, height - 4)
            painter.drawText(place, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, tick.words)


def _paint_thumbnails(painter: QPainter, sheet: Sheet) -> None:
    painter.save()
    painter.setClipRect(_row(sheet, ROWS.thumbnails))
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    top, height = ROWS.thumbnails
    for tile in tiles(sheet.marks, sheet.scale, sheet.width_px, tile_px=sheet.tile_px):
        # On whole device pixels a picture of the row's height is copied: scaled, a repaint took 3 ms longer.
        left, right = (round(x * sheet.ratio) / sheet.ratio for x in (tile.x_px, tile.x_px + tile.width_px))
        place = QRectF(left, top, max(1.0, right - left - 1), height)
        image = sheet.thumbnails.near(tile.pts, 2 * sheet.tile_px * sheet.scale.ticks_per_px)
        if image is None:
            painter.fillRect(place, _faint(color(Role.Mid), 0.5))
        else:
            painter.drawImage(place, image, cropped(image, place.width(), height))
    painter.restore()


def _paint_bars(painter: QPainter, sheet: Sheet, flags: npt.NDArray[np.uint8]) -> None:
    """Bars of edited (high), propagated (low) and locked frames (a thin line that starts with a lock)."""
    bottom, accent = sum(ROWS.marks), color(Role.Highlight)
    for mark, above, height, colour in (
        (Mark.PROPAGATED, 9, 5, _faint(accent, 0.5)),
        (Mark.EDITED, 13, 9, accent),
        (Mark.LOCKED, 3, 2, color(Role.WindowText)),
    ):
        for left, right in _stretches(sheet, (flags & mark) > 0):
            painter.fillRect(QRectF(left, bottom - above, right - left, height), colour)
    last = -_LOCK_APART_PX
    for left, _ in _stretches(sheet, (flags & Mark.LOCKED) > 0):
        if left - last >= _LOCK_APART_PX:
            _paint_lock(painter, QPointF(left + 5, bottom - 7))
            last = left


def _stretches(sheet: Sheet, is_set: Bools) -> list[tuple[float, float]]:
    """Left and right ends, px, of what is set; a single pixel is made two, to be seen."""
    return [(start / sheet.ratio, max(end, start + 2) / sheet.ratio) for start, end in runs(is_set)]


def _paint_cuts(painter: QPainter, sheet: Sheet) -> None:
    pen = QPen(color(Role.WindowText), 1.0)
    pen.setDashPattern([4, 3])
    painter.setPen(pen)
    top, bottom = ROWS.thumbnails[0], sum(ROWS.marks)
    for index in np.flatnonzero(sheet.flags & Mark.CUT).tolist():
        x = round(sheet.scale.x_of(int(sheet.marks.pts[index]))) + 0.5
        if 0 <= x <= sheet.width_px:
            painter.drawLine(QPointF(x, top), QPointF(x, bottom))


def _paint_signs(painter: QPainter, sheet: Sheet) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    top = ROWS.marks[0]
    for x in signs(sheet.marks, sheet.flags, Mark.KEYFRAME, sheet.scale, sheet.width_px):
        _paint_diamond(painter, QPointF(x, top + 6), color(Role.WindowText))
    for x in signs(sheet.marks, sheet.flags, Mark.STOP, sheet.scale, sheet.width_px):
        _paint_flag(painter, QPointF(x, top + 1))
    painter.restore()


def _paint_diamond(painter: QPainter, centre: QPointF, colour: QColor) -> None:
    painter.setPen(QPen(color(Role.Base), 1.0))
    painter.setBrush(colour)
    ways = ((0, -_SIGN_PX), (_SIGN_PX, 0), (0, _SIGN_PX), (-_SIGN_PX, 0))
    painter.drawPolygon(QPolygonF([centre + QPointF(x, y) for x, y in ways]))


def _paint_flag(painter: QPainter, top: QPointF) -> None:
    """A flag on its pole, down to the bottom of the row."""
    alert = color(Role.BrightText)
    painter.fillRect(QRectF(top.x() - 0.75, top.y(), 1.5, ROWS.marks[1] - 2), alert)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(alert)
    painter.drawPolygon(QPolygonF([top, top + QPointF(9, 4), top + QPointF(0, 8)]))


def _paint_lock(painter: QPainter, centre: QPointF) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color(Role.Base))
    painter.drawEllipse(centre, 6.5, 6.5)
    painter.setBrush(color(Role.WindowText))
    painter.drawRoundedRect(QRectF(centre.x() - 4, centre.y() - 1, 8, 5.5), 1, 1)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(color(Role.WindowText), 1.4))
    painter.drawArc(QRectF(centre.x() - 2.5, centre.y() - 4.5, 5, 7), 0, 180 * 16)
    painter.restore()


def _paint_confidence(painter: QPainter, sheet: Sheet, under: Columns, confidence: Confidence) -> None:
    """Bars that grow, and change colour, as trust goes down: what is high wants a look, in any colours."""
    top, height = ROWS.confidence
    ramp = tuple(color(role).rgb() for role in (Role.PlaceholderText, Role.BrightText))
    image = confidence_image(under.lowest(confidence), round(height * sheet.ratio), *ramp)
    painter.drawImage(QRectF(0, top, sheet.width_px, height), image)
    y = top + height - _bar_share(PROBLEM_BELOW) * height
    painter.fillRect(QRectF(0, y, sheet.width_px, 1), _faint(color(Role.Mid), 0.7))


def _bar_share(confidence: float) -> float:
    return _LEAST_BAR + (1 - _LEAST_BAR) * (1 - confidence)


def confidence_image(lowest: Confidence, height_px: int, calm_rgb: int, alert_rgb: int) -> QImage:
    """The strip's bars, one column of device pixels each; nothing where the confidence isn't known.

    lowest: (n,) float32. The colours: 0xAARRGGBB, of a trusted frame (kept faint) and of one below PROBLEM_BELOW.
    """
    doubts = np.nan_to_num(1 - lowest, nan=0.0)
    ends = np.array([[rgb >> shift & 255 for shift in (16, 8, 0)] for rgb in (calm_rgb, alert_rgb)], np.float32)
    share = np.clip(doubts / (1 - PROBLEM_BELOW), 0, 1)[:, None]
    inks = (ends[0] + share * (ends[1] - ends[0])).astype(np.uint32)
    opacity = (110 + 145 * share[:, 0]).astype(np.uint32)
    argb = opacity << 24 | inks[:, 0] << 16 | inks[:, 1] << 8 | inks[:, 2]
    bars = np.where(np.isnan(lowest), 0, np.rint((_LEAST_BAR + (1 - _LEAST_BAR) * doubts) * height_px))
    is_bar = np.arange(height_px, 0, -1)[:, None] <= bars
    pixels = np.ascontiguousarray(np.where(is_bar, argb, 0), np.uint32)
    # The copy owns its memory: the bytes are gone when this function returns.
    return QImage(pixels.tobytes(), len(lowest), height_px, 4 * len(lowest), QImage.Format.Format_ARGB32).copy()


def _paint_span(painter: QPainter, sheet: Sheet, span: MatchSpan) -> None:
    marks, (top, height) = sheet.marks, ROWS.match
    left = sheet.scale.x_of(span.start_pts)
    right = sheet.scale.x_of(end_of(marks, span.end_pts))
    if right < 0 or left > sheet.width_px:
        return
    area = QRectF(left, top + 1, max(3.0, right - left), height - 2).intersected(_row(sheet, ROWS.match))
    accent = color(Role.Highlight)
    painter.fillRect(area, _faint(accent, 0.55 if span.kind == "locked" else 0.25))
    if span.kind == "locked":
        painter.fillRect(QRectF(area.left(), area.bottom() - 2, area.width(), 2), accent)
    _paint_span_words(painter, sheet, span.words, area.adjusted(6, -2, -6, 1))


def _paint_span_words(painter: QPainter, sheet: Sheet, words: str, room: QRectF) -> None:
    """Write what fits; behind the diamond of a lock that would stand on the words."""
    metrics = painter.fontMetrics()
    for lock in sheet.marks.match_locks.tolist():
        x = sheet.scale.x_of(lock)
        if room.left() - 2 * _SIGN_PX < x < room.left() + metrics.horizontalAdvance(words):
            room.setLeft(x + 3 * _SIGN_PX)
    shown = metrics.elidedText(words, Qt.TextElideMode.ElideRight, max(0, int(room.width())))
    if len(shown) > _FEWEST_LETTERS:
        painter.setPen(color(Role.WindowText))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def end_of(marks: Marks, pts: int) -> int:
    """When a frame stops being shown, ticks."""
    after = marks.index_at(pts) + 1
    return int(marks.pts[after]) if after < len(marks) else marks.end_pts


def paint_range(painter: QPainter, sheet: Sheet) -> None:
    """Dim what is outside the chosen range, and paint the handles at its ends."""
    start, end = sheet.marks.range_pts()
    left, right = sheet.scale.x_of(start), sheet.scale.x_of(end_of(sheet.marks, end))
    top, shade = ROWS.thumbnails[0], _faint(color(Role.Window), 0.66)
    height = ROWS_PX - top
    if left > 0:
        painter.fillRect(QRectF(0, top, min(left, sheet.width_px), height), shade)
    if right < sheet.width_px:
        painter.fillRect(QRectF(max(0.0, right), top, sheet.width_px - max(0.0, right), height), shade)
    is_whole = sheet.marks.in_pts is None, sheet.marks.out_pts is None
    for x, way, is_unset in ((left, -1, is_whole[0]), (right, 1, is_whole[1])):
        if -1 <= x <= sheet.width_px + 1:
            _paint_handle(painter, x, way, color(Role.PlaceholderText if is_unset else Role.Highlight))


def _paint_handle(painter: QPainter, x: float, way: int, colour: QColor) -> None:
    """A grip outside the range, and its edge down through the rows."""
    top, height = ROWS.thumbnails
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    grip = QRectF(x if way > 0 else x - HANDLE_PX, top, HANDLE_PX, height)
    painter.drawRoundedRect(grip, 3, 3)
    painter.setBrush(color(Role.Window))
    painter.drawRoundedRect(QRectF(grip.center().x() - 1, grip.center().y() - 7, 2, 14), 1, 1)
    painter.restore()


def paint_playhead(painter: QPainter, sheet: Sheet, pts: int) -> None:
    """The line at a frame, and where frames are wide the frame itself."""
    marks = sheet.marks
    index = marks.index_at(pts)
    start, ink = int(marks.pts[index]), color(Role.WindowText)
    width = (end_of(marks, start) - start) / sheet.scale.ticks_per_px
    if width >= _WIDE_FRAME_PX:
        area = QRectF(sheet.scale.x_of(start), ROWS.thumbnails[0], width, ROWS_PX - ROWS.thumbnails[0])
        painter.fillRect(area.intersected(QRectF(0, 0, sheet.width_px, ROWS_PX)), _faint(ink, 0.14))
    x = round(sheet.scale.x_of(middle_of(marks, index)) * sheet.ratio) / sheet.ratio
    if not -1 <= x <= sheet.width_px + 1:
        return
    top = ROWS.ruler[1] - 11
    painter.fillRect(QRectF(x - 1.5, top + 9, 4, ROWS_PX - top - 9), _faint(color(Role.Base), 0.7))
    painter.fillRect(QRectF(x - 0.5, top + 9, 2, ROWS_PX - top - 9), ink)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(color(Role.Window), 1.0))
    painter.setBrush(ink)
    head = ((-6, 0), (7, 0), (7, 5), (0.5, 11.5), (-6, 5))
    painter.drawPolygon(QPolygonF([QPointF(x + dx, top + dy) for dx, dy in head]))
    painter.restore()


def paint_nothing(painter: QPainter, area: QRectF, words: str) -> None:
    """What an empty timeline says."""
    painter.fillRect(area.adjusted(0, ROWS.thumbnails[0], 0, 0), color(Role.Base))
    painter.setPen(color(Role.PlaceholderText))
    painter.drawText(area.adjusted(0, ROWS.thumbnails[0], 0, 0), Qt.AlignmentFlag.AlignCenter, words)
