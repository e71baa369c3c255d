"""The backgrounds to choose from, as thumbnails along the bottom."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from PyQt6.QtCore import QModelIndex, QPoint, QRectF, QSize, Qt, pyqtSignal
from PyQt6.QtGui import QColor, QImage, QPainter, QPainterPath, QPalette, QPen
from PyQt6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.domain.compositing import Size
from app.ui.buttons import menu_button
from app.ui.resources import icon
from app.ui.text import tr
from app.ui.theme import color

THUMBNAIL_PX: Final = (112, 63)
_TILE_PX: Final = (124, 92)
_SCROLL_BAR_PX: Final = 22
_SPEC: Final = Qt.ItemDataRole.UserRole
_IMAGE: Final = Qt.ItemDataRole.UserRole + 1
_SIGN: Final = Qt.ItemDataRole.UserRole + 2
_OWN: Final = Qt.ItemDataRole.UserRole + 3
_SIGN_PX: Final = 26


class PlateStrip(QWidget):
    """A list of plates, one chosen, and ways to more.

    chosen(spec): another plate was chosen, by whatever way. picture_wanted, folder_wanted, colour_wanted: the menu's
    entries; source_wanted(spec): a live source was picked there. removed(spec): a plate was taken out by hand.
    """

    chosen = pyqtSignal(str)
    picture_wanted = pyqtSignal()
    folder_wanted = pyqtSignal()
    colour_wanted = pyqtSignal()
    source_wanted = pyqtSignal(str)
    removed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("plates")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._list = _horizontal_list()
        self._list.currentItemChanged.connect(self._announce)
        self._list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self._list.customContextMenuRequested.connect(self._offer_removal)
        self._colour_item: QListWidgetItem | None = None
        self._menu = QMenu(self)
        self.set_sources([])
        row = QHBoxLayout(self)
        row.setContentsMargins(10, 6, 12, 2)
        row.setSpacing(10)
        row.addWidget(self._list, 1)
        row.addLayout(self._buttons())

    def _buttons(self) -> QVBoxLayout:
        column = QVBoxLayout()
        hint = tr("Use something of yours as the background; dropping files here works too")
        add = menu_button("plus", tr("Add"), hint)
        add.setMenu(self._menu)
        column.addSpacing(8)
        column.addWidget(add)
        column.addStretch()
        return column

    def set_sources(self, sources: list[tuple[str, str]]) -> None:
        """Offer live sources, (spec, name), in the menu."""
        menu = self._menu
        menu.clear()
        for name, words, wanted in (
            ("add-picture", tr("Picture or video…"), self.picture_wanted),
            ("add-folder", tr("Folder…"), self.folder_wanted),
            ("colour", tr("Plain colour…"), self.colour_wanted),
        ):
            menu.addAction(icon(name), words, wanted.emit)
        if sources:
            menu.addSeparator()
        for spec, words in sources:
            picture = "screen" if spec.startswith("screen") else "second-camera"
            menu.addAction(icon(picture), words, partial(self.source_wanted.emit, spec))

    @property
    def current(self) -> str:
        """The chosen plate, as `open_plate` takes it; empty when there is none."""
        item = self._list.currentItem()
        return "" if item is None else str(item.data(_SPEC))

    def specs(self) -> list[str]:
        """All plates, in order."""
        return [str(self._item(row).data(_SPEC)) for row in range(self._list.count())]

    def add(self, spec: str, name: str, *, sign: str = "", own: bool = False) -> None:
        """Add a plate at the end; nothing happens when it is there already.

        sign: name of the icon that stands for it. own: it was added by hand and can be taken out again.
        """
        if self._find(spec) is None:
            item = _item(spec, name)
            item.setData(_SIGN, sign)
            item.setData(_OWN, own)
            self._list.addItem(item)

    def show_only(self, is_shown: Callable[[str], bool]) -> None:
        """Hide the plates that make no sense now; the chosen one is never hidden."""
        for row in range(self._list.count()):
            item = self._item(row)
            item.setHidden(item is not self._list.currentItem() and not is_shown(str(item.data(_SPEC))))

    def set_thumbnail(self, spec: str, image: QImage) -> None:
        """Give a plate its picture."""
        item = self._find(spec)
        if item is not None:
            item.setData(_IMAGE, image)

    def set_colour(self, spec: str) -> None:
        """Add or change the one plain colour and choose it; spec is `#rrggbb`."""
        if self._colour_item is None:
            self._colour_item = _item(spec, spec)
            self._list.addItem(self._colour_item)
        swatch = QImage(*THUMBNAIL_PX, QImage.Format.Format_RGB32)
        swatch.fill(QColor(spec))
        item = self._colour_item
        item.setData(_SPEC, spec)
        item.setData(_IMAGE, swatch)
        item.setText(spec)
        if self._list.currentItem() is item:
            self.chosen.emit(spec)
        else:
            self._list.setCurrentItem(item)

    @property
    def colour(self) -> str:
        """The plain colour in the strip, `#rrggbb`; empty while there is none."""
        return "" if self._colour_item is None else str(self._colour_item.data(_SPEC))

    def restore_colour(self, spec: str) -> None:
        """Go back to an earlier plain colour, or to none."""
        if spec:
            self.set_colour(spec)
        elif self._colour_item is not None:
            self.remove(self.colour)
            self._colour_item = None

    def choose(self, spec: str) -> None:
        """Choose a plate that is in the strip."""
        item = self._find(spec)
        if item is not None:
            self._list.setCurrentItem(item)
            self._list.scrollToItem(item)

    def remove(self, spec: str) -> None:
        """Take a plate out, as one that turned out to be unusable."""
        item = self._find(spec)
        if item is not None:
            self._list.takeItem(self._list.row(item))

    def _announce(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(str(item.data(_SPEC)))

    def _offer_removal(self, position: QPoint) -> None:
        item = self._list.itemAt(position)
        if item is not None and item.data(_OWN):
            spec = str(item.data(_SPEC))
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.addAction(icon("close"), tr("Remove from the list"), lambda: self._remove_own(spec))
            menu.popup(self._list.mapToGlobal(position))

    def _remove_own(self, spec: str) -> None:
        self.remove(spec)
        self.removed.emit(spec)

    def _item(self, row: int) -> QListWidgetItem:
        item = self._list.item(row)
        assert item is not None  # noqa: S101  (row is below count)
        return item

    def _find(self, spec: str) -> QListWidgetItem | None:
        items = (self._item(row) for row in range(self._list.count()))
        return next((item for item in items if item.data(_SPEC) == spec), None)


def _horizontal_list() -> QListWidget:
    plates = QListWidget()
    plates.setAccessibleName("Backgrounds")
    plates.setViewMode(QListView.ViewMode.IconMode)
    plates.setFlow(QListView.Flow.LeftToRight)
    plates.setWrapping(False)
    plates.setMovement(QListView.Movement.Static)
    plates.setUniformItemSizes(True)
    plates.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
    plates.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    plates.setItemDelegate(PlateDelegate(plates))
    plates.setFixedHeight(_TILE_PX[1] + _SCROLL_BAR_PX)
    return plates


def _item(spec: str, name: str) -> QListWidgetItem:
    item = QListWidgetItem(name)
    item.setData(_SPEC, spec)
    item.setSizeHint(QSize(*_TILE_PX))
    item.setToolTip(name)
    return item


class PlateDelegate(QStyledItemDelegate):
    """Paints a tile: the picture with round corners, a frame when chosen, the name below."""

    def paint(self, painter: QPainter | None, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint one tile."""
        if painter is None:
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        tile = QRectF(option.rect)
        left = tile.left() + (tile.width() - THUMBNAIL_PX[0]) / 2
        picture = QRectF(left, tile.top() + 6, *THUMBNAIL_PX)
        _paint_thumbnail(painter, picture, index.data(_IMAGE))
        if index.data(_SIGN) and index.data(_IMAGE) is None:
            place = QRectF(0, 0, _SIGN_PX, _SIGN_PX)
            place.moveCenter(picture.center())
            icon(str(index.data(_SIGN))).paint(painter, place.toRect())
        _paint_frame(painter, picture, option)
        name = QRectF(tile.left() + 4, picture.bottom() + 5, tile.width() - 8, 18)
        painter.setPen(color(QPalette.ColorRole.WindowText))
        text = option.fontMetrics.elidedText(str(index.data()), Qt.TextElideMode.ElideMiddle, int(name.width()))
        painter.drawText(name, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter, text)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:  # noqa: N802
        """All tiles are alike."""
        return QSize(*_TILE_PX)


def _paint_thumbnail(painter: QPainter, area: QRectF, image: object) -> None:
    shape = QPainterPath()
    shape.addRoundedRect(area, 6, 6)
    painter.fillPath(shape, color(QPalette.ColorRole.Mid))
    if isinstance(image, QImage):
        painter.save()
        painter.setClipPath(shape)
        painter.drawImage(area, image)
        painter.restore()


def _paint_frame(painter: QPainter, area: QRectF, option: QStyleOptionViewItem) -> None:
    is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
    is_near = bool(option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus))
    if is_chosen or is_near:
        role = QPalette.ColorRole.Highlight if is_chosen else QPalette.ColorRole.PlaceholderText
        painter.setPen(QPen(color(role), 3 if is_chosen else 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(area.adjusted(-2, -2, 2, 2), 7, 7)


def thumbnail_size_px(device_pixel_ratio: float) -> Size:
    """(width, height) in device px of a tile's picture."""
    width, height = THUMBNAIL_PX
    return round(width * device_pixel_ratio), round(height * device_pixel_ratio)
