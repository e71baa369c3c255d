"""The clip over time: pictures, what was done where, and where the matte wants a look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from PyQt6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PyQt6.QtWidgets import QMenu, QSizePolicy, QToolTip, QWidget

from app.domain.mask.timeline_marks import (
    Marks,
    RulerUnit,
    Scale,
    middle_of,
    next_of,
    previous_of,
    whole,
)
from app.ui.focus import came_by_keyboard
from app.ui.mask.timeline_painting import (
    HANDLE_PX,
    MARGIN_PX,
    ROWS,
    ROWS_PX,
    Sheet,
    end_of,
    paint_nothing,
    paint_playhead,
    paint_range,
    paint_rows,
)
from app.ui.mask.timeline_scroll import ScaleBar
from app.ui.mask.timeline_thumbnails import Thumbnails, tiles
from app.ui.mask.timeline_words import frame_words, mark_words
from app.ui.text import tr
from app.ui.theme import color

_BAR_PX: Final = 10
_WIDTH_PX: Final = 1120
_NEAR_PX: Final = 7.0
_ZOOM_STEP: Final = 1.25
_WHEEL_NOTCH: Final = 120
_KEYS_ZOOM: Final = 2.0
_ASK_AFTER_MS: Final = 40
_PLAYHEAD_PX: Final = 9


class Timeline(QWidget):
    """A clip's frames on a line that can be zoomed, with a playhead.

    scrubbed(pts): a frame was gone to, by mouse or key; often, while dragging. range_changed(in_pts, out_pts): a handle
    was dragged and let go; first and last frame, both included. thumbnails_wanted(pts): the frames in sight that have
    no picture yet, left to right; what was asked for before and is not in it needn't come any more. All pts are Python
    integers of any size.
    """

    scrubbed = pyqtSignal(object)
    range_changed = pyqtSignal(object, object)
    thumbnails_wanted = pyqtSignal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline")
        self._marks = Marks()
        self._flags = self._marks.flags()
        self._scale = Scale(0.0, 1.0)
        self._position: int | None = None
        self._unit: RulerUnit = "time"
        self._thumbnails = Thumbnails()
        self._tile_px = 16 / 9 * ROWS.thumbnails[1]
        self._backdrop: QImage | None = None
        self._drag: str | None = None
        self._focused_by_key = False
        self._ask = QTimer(self)
        self._ask.setSingleShot(True)
        self._ask.setInterval(_ASK_AFTER_MS)
        self._ask.timeout.connect(self._want_thumbnails)
        self._bar = ScaleBar(self)
        self._bar.moved.connect(self._bar_moved)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedHeight(ROWS_PX + _BAR_PX + 2)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(tr("Timeline"))
        self._fit_bar()
        self._describe()

    @property
    def marks(self) -> Marks:
        """What is shown."""
        return self._marks

    @property
    def position(self) -> int | None:
        """The pts of the frame at the playhead; None without frames."""
        return self._position

    @property
    def scale(self) -> Scale:
        """How time lies on the line, whose left end is MARGIN_PX from the widget's."""
        return self._scale

    def sizeHint(self) -> QSize:  # noqa: N802
        """As wide as there is room."""
        return QSize(_WIDTH_PX, self.height())

    def set_marks(self, marks: Marks) -> None:
        """Show other marks; with other frames, another clip, from its start and as a whole.

        While an end of the range is dragged, the range stays with the mouse.
        """
        is_same_clip = np.array_equal(marks.pts, self._marks.pts)
        if is_same_clip and self._drag in ("in", "out"):
            marks = replace(marks, in_pts=self._marks.in_pts, out_pts=self._marks.out_pts)
        self._marks, self._flags = marks, marks.flags()
        if not is_same_clip:
            self._drag = None
            self._thumbnails.clear()
            self._position = int(marks.pts[0]) if len(marks) else None
            self._scale = whole(marks, self._line_px())
            self._fit_bar()
        self._describe()
        self._repaint_all()

    def set_position(self, pts: int) -> None:
        """Move the playhead to a frame, as while playing; it is kept in sight. Says nothing by `scrubbed`.

        While the mouse drags the playhead it stays with the mouse.
        """
        if len(self._marks) and self._drag != "playhead":
            self._move_to(pts)

    def set_thumbnail(self, pts: int, image: QImage) -> None:
        """Give a frame its picture; quickest `thumbnail_height_px` high."""
        height_px = self.thumbnail_height_px()
        if image.height() != height_px:
            image = image.scaledToHeight(height_px, Qt.TransformationMode.SmoothTransformation)
        self._thumbnails.put(pts, image)
        self._backdrop = None
        self.update(0, ROWS.thumbnails[0], self.width(), ROWS.thumbnails[1])

    def set_aspect(self, aspect: float) -> None:
        """Width by height of the clip's pictures."""
        self._tile_px = min(max(aspect, 0.4), 4.0) * ROWS.thumbnails[1]
        self._repaint_all()

    def thumbnail_height_px(self) -> int:
        """Height of a thumbnail, in device pixels."""
        return round(ROWS.thumbnails[1] * self.devicePixelRatioF())

    def set_unit(self, unit: RulerUnit) -> None:
        """Write times or frame numbers on the ruler."""
        self._unit = unit
        self._repaint_all()

    def show_whole(self) -> None:
        """Show the whole clip."""
        self._set_scale(whole(self._marks, self._line_px()))

    def zoom_by(self, factor: float, *, at_px: float | None = None) -> None:
        """Show larger (factor > 1) or smaller; what is at a place of the line, or at the playhead, stays there."""
        if at_px is None:
            x = self._scale.x_of(self._position or 0)
            at_px = x if 0 <= x <= self._line_px() else self._line_px() / 2
        self._set_scale(self._scale.zoomed(factor, at_px=at_px))

    # Events ---------------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Paint the kept rows, then the range and the playhead where they are asked for."""
        painter = QPainter(self)
        if not len(self._marks):
            paint_nothing(painter, QRectF(0, 0, self.width(), ROWS_PX), tr("Open a clip to correct its mask"))
            return
        area = QRect(0, 0, self.width(), self.height()) if event is None else event.rect()
        sheet, ratio = self._sheet(), self.devicePixelRatioF()
        source = QRectF(area.x() * ratio, area.y() * ratio, area.width() * ratio, area.height() * ratio)
        painter.drawImage(QRectF(area), self._kept_backdrop(sheet), source)
        painter.translate(MARGIN_PX, 0)
        if self._position is not None:
            paint_playhead(painter, sheet, self._position)
        painter.translate(-MARGIN_PX, 0)
        if self._focused_by_key:
            painter.setPen(QPen(color(QPalette.ColorRole.Highlight), 2))
            painter.drawRect(QRectF(1, 1, self.width() - 2, ROWS_PX - 2))

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802
        """Keep what was shown at the left; a whole clip stays whole."""
        self._bar.setGeometry(MARGIN_PX, ROWS_PX + 1, self._line_px(), _BAR_PX)
        before = 0 if event is None else event.oldSize().width() - 2 * MARGIN_PX
        is_whole = before <= 0 or self._scale == whole(self._marks, before)
        self._set_scale(whole(self._marks, self._line_px()) if is_whole else self._scale)

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802
        """Paint again in another theme's colours."""
        super().changeEvent(event)
        if event is not None and event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._repaint_all()

    def focusInEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Show the focus when the keyboard brought it."""
        self._focused_by_key = came_by_keyboard(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent | None) -> None:  # noqa: N802
        """Take the frame away."""
        self._focused_by_key = False
        self.update()

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Take a handle, or go to the frame under the mouse."""
        if event is None or event.button() != Qt.MouseButton.LeftButton or not len(self._marks):
            return
        self._drag = self._handle_at(event.position()) or "playhead"
        if self._drag == "playhead":
            self._scrub_to_x(event.position().x() - MARGIN_PX)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Drag what was taken."""
        if event is None or not len(self._marks):
            return
        x = event.position().x() - MARGIN_PX
        if self._drag == "playhead":
            self._scrub_to_x(self._at_edge(x))
        elif self._drag is not None:
            self._drag_handle(self._drag, self._at_edge(x))
        else:
            is_handle = self._handle_at(event.position()) is not None
            self.setCursor(Qt.CursorShape.SizeHorCursor if is_handle else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Let go; a dragged range is announced now, as one change."""
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        drag, self._drag = self._drag, None
        if drag in ("in", "out"):
            self.range_changed.emit(*self._marks.range_pts())

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Go to the mark, or the least trusted frame, that is near."""
        if event is None or event.button() != Qt.MouseButton.LeftButton or not len(self._marks):
            return
        pts = self._marked_near(event.position())
        if pts is not None:
            self._go_to(pts)

    def wheelEvent(self, event: QWheelEvent | None) -> None:  # noqa: N802
        """Zoom at the mouse; with Shift, or sideways, scroll."""
        if event is None or not len(self._marks):
            return
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier or abs(turn.x()) > abs(turn.y()):
            self._set_scale(self._scale.scrolled(-(turn.x() or turn.y()) / _WHEEL_NOTCH * self._line_px() / 10))
        else:
            self.zoom_by(_ZOOM_STEP ** (turn.y() / _WHEEL_NOTCH), at_px=event.position().x() - MARGIN_PX)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802
        """Left, Right: a frame (Shift: ten). Home, End: the ends. Page keys: edited frames. Plus, minus: zoom."""
        if event is None:
            return
        action = self._keys(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)).get(event.key())
        if action is None or self._position is None:
            super().keyPressEvent(event)
            return
        pts = action(self._position)
        if pts is not None:
            self._go_to(pts)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:  # noqa: N802
        """Offer how the line is shown."""
        if event is None or not len(self._marks):
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(tr("Show the whole clip"), self.show_whole)
        numbers = menu.addAction(tr("Frame numbers on the ruler"))
        if numbers is not None:
            numbers.setCheckable(True)
            numbers.setChecked(self._unit == "frames")
            numbers.toggled.connect(lambda is_on: self.set_unit("frames" if is_on else "time"))
        menu.popup(event.globalPos())

    def event(self, event: QEvent | None) -> bool:
        """Answer what the mouse points at; claim the keys it knows."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip and len(self._marks):
            QToolTip.showText(event.globalPos(), self.words_at(event.pos()), self)
            return True
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            # Its keys are its own while it has the focus, whatever they do elsewhere in the window.
            event.setAccepted(event.key() in self._keys(False))
            return event.isAccepted()
        return super().event(event)

    # What is under the mouse ----------------------------------------------------------------------------------------

    def words_at(self, place: QPoint) -> str:
        """The tool tip of a place: the frame there, its moment, its marks."""
        handle = self._handle_at(QPointF(place))
        if handle is not None:
            return tr("Start of the range: drag it") if handle == "in" else tr("End of the range: drag it")
        near = self._marked_near(QPointF(place)) if ROWS.at(place.y()) == "marks" else None
        pts = self._frame_at_x(place.x() - MARGIN_PX) if near is None else near
        lines = [frame_words(self._marks, pts), *mark_words(self._marks, pts)]
        return "\n".join(lines)

    def _handle_at(self, place: QPointF) -> str | None:
        """The handle under the mouse: they lie outside the range, in the row of pictures."""
        top, height = ROWS.thumbnails
        if not len(self._marks) or not top <= place.y() <= top + height:
            return None
        start, end = self._marks.range_pts()
        x = place.x() - MARGIN_PX
        if 0 <= self._scale.x_of(start) - x <= HANDLE_PX + 2:
            return "in"
        return "out" if 0 <= x - self._scale.x_of(end_of(self._marks, end)) <= HANDLE_PX + 2 else None

    def _frame_at_x(self, x: float) -> int:
        return self._marks.frame_at(self._scale.pts_at(x))

    def _marked_near(self, place: QPointF) -> int | None:
        """The nearest marked frame; in the strip of trust the least trusted one that is near."""
        x, marks = place.x() - MARGIN_PX, self._marks
        low, high = (marks.index_at(self._scale.pts_at(x + way * _NEAR_PX)) for way in (-1, 1))
        near = np.arange(low, high + 1)
        if ROWS.at(place.y()) == "confidence":
            if marks.confidence is None or np.all(np.isnan(marks.confidence[near])):
                return None
            return int(marks.pts[near[np.nanargmin(marks.confidence[near])]])
        near = near[self._flags[near] > 0]
        if len(near) == 0:
            return None
        return int(marks.pts[min(near.tolist(), key=lambda index: abs(self._scale.x_of(middle_of(marks, index)) - x))])

    # Moving ---------------------------------------------------------------------------------------------------------

    def _keys(self, shift: bool) -> dict[int, Callable[[int], int | None]]:
        marks, step, key = self._marks, 10 if shift else 1, Qt.Key
        return {
            key.Key_Left: lambda pts: marks.stepped(pts, -step),
            key.Key_Right: lambda pts: marks.stepped(pts, step),
            key.Key_Home: lambda _: int(marks.pts[0]),
            key.Key_End: lambda _: int(marks.pts[-1]),
            key.Key_PageUp: lambda pts: previous_of(marks.edited, pts),
            key.Key_PageDown: lambda pts: next_of(marks.edited, pts),
            key.Key_Plus: lambda _: self.zoom_by(_KEYS_ZOOM),
            key.Key_Equal: lambda _: self.zoom_by(_KEYS_ZOOM),
            key.Key_Minus: lambda _: self.zoom_by(1 / _KEYS_ZOOM),
        }

    def _scrub_to_x(self, x: float) -> None:
        pts = self._frame_at_x(x)
        if pts != self._position:
            self._go_to(pts)

    def _go_to(self, pts: int) -> None:
        self._move_to(pts)
        self.scrubbed.emit(self._position)

    def _move_to(self, pts: int) -> None:
        before, self._position = self._position, self._marks.frame_at(pts)
        if before == self._position:
            return
        middle = middle_of(self._marks, self._marks.index_at(self._position))
        scale = self._scale.showing(middle, self._line_px())
        if scale is self._scale:
            for moment in (before, self._position):
                if moment is not None:
                    self.update(self._playhead_area(moment))
        else:
            self._set_scale(scale)
        self._describe()

    def _playhead_area(self, pts: int) -> QRect:
        index = self._marks.index_at(pts)
        start = int(self._marks.pts[index])
        left = self._scale.x_of(start) + MARGIN_PX
        right = self._scale.x_of(end_of(self._marks, start)) + MARGIN_PX
        head = self._scale.x_of(middle_of(self._marks, index)) + MARGIN_PX
        left, right = min(left, head - _PLAYHEAD_PX), max(right, head + _PLAYHEAD_PX)
        return QRectF(left, 0, right - left, ROWS_PX).toAlignedRect().adjusted(-1, 0, 1, 0)

    def _at_edge(self, x: float) -> float:
        """Where the mouse is on the line; beyond an end the line moves along."""
        beyond = x - min(max(x, 0.0), float(self._line_px()))
        if beyond:
            self._set_scale(self._scale.scrolled(beyond / 4))
        return x - beyond

    def _drag_handle(self, handle: str, x: float) -> None:
        """Move an end of the range; it can't pass the other one."""
        start, end = self._marks.range_pts()
        pts = self._frame_at_x(x if handle == "in" else x - 1)
        if handle == "in":
            changed = replace(self._marks, in_pts=min(pts, end))
        else:
            changed = replace(self._marks, out_pts=max(pts, start))
        if changed.range_pts() != (start, end):
            self._marks = changed
            self._repaint_all()

    # The line -------------------------------------------------------------------------------------------------------

    def _line_px(self) -> int:
        return max(1, self.width() - 2 * MARGIN_PX)

    def _set_scale(self, scale: Scale) -> None:
        scale = scale.limited(self._marks, self._line_px())
        if scale != self._scale:
            self._scale = scale
            self._fit_bar()
        self._repaint_all()

    def _fit_bar(self) -> None:
        self._bar.fit(self._marks, self._scale, self._line_px())

    def _bar_moved(self, pts: float) -> None:
        self._scale = Scale(pts, self._scale.ticks_per_px).limited(self._marks, self._line_px())
        self._repaint_all()

    def _sheet(self) -> Sheet:
        return Sheet(
            marks=self._marks,
            flags=self._flags,
            scale=self._scale,
            width_px=float(self._line_px()),
            ratio=self.devicePixelRatioF(),
            unit=self._unit,
            thumbnails=self._thumbnails,
            tile_px=self._tile_px,
        )

    def _kept_backdrop(self, sheet: Sheet) -> QImage:
        """All but the playhead, painted again only when it changed."""
        size = QSize(round(self.width() * sheet.ratio), round(ROWS_PX * sheet.ratio))
        if self._backdrop is None or self._backdrop.size() != size:
            image = QImage(size, QImage.Format.Format_ARGB32_Premultiplied)
            image.fill(Qt.GlobalColor.transparent)
            image.setDevicePixelRatio(sheet.ratio)
            painter = QPainter(image)
            painter.setFont(self.font())
            painter.translate(MARGIN_PX, 0)
            paint_rows(painter, sheet)
            paint_range(painter, sheet)
            painter.end()
            self._backdrop = image
        return self._backdrop

    def _repaint_all(self) -> None:
        self._backdrop = None
        self.update()
        if len(self._marks) and not self._ask.isActive():
            self._ask.start()

    def _want_thumbnails(self) -> None:
        places = tiles(self._marks, self._scale, self._line_px(), tile_px=self._tile_px)
        missing = [pts for pts in dict.fromkeys(tile.pts for tile in places) if pts not in self._thumbnails]
        if missing and self.isVisible():
            self.thumbnails_wanted.emit(missing)

    def _describe(self) -> None:
        """Say where the playhead is, for who can't see it."""
        words = tr("No clip")
        if self._position is not None:
            words = ", ".join([frame_words(self._marks, self._position), *mark_words(self._marks, self._position)])
        if words != self.accessibleDescription():
            self.setAccessibleDescription(words)
