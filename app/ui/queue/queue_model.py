"""The queue as Qt's views see it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from PyQt6.QtCore import QAbstractListModel, QByteArray, QMimeData, QModelIndex, Qt, pyqtSignal
from PyQt6.QtGui import QImage

from app.pipeline.offline.queue_items import QueueItem
from app.ui.queue.services import Forecast
from app.ui.queue.words import spoken_text

ITEM: Final = Qt.ItemDataRole.UserRole
FORECAST: Final = Qt.ItemDataRole.UserRole + 1
PICTURE: Final = Qt.ItemDataRole.UserRole + 2
DELIVERY: Final = Qt.ItemDataRole.UserRole + 3

_MIME: Final = "application/x-platematch-queue"


class QueueModel(QAbstractListModel):
    """Rows of items. delivery_name: how an item is delivered, in words.

    moved(ids, row): these were dragged in front of that row. Files dragged over are left to the window. went_on(row):
    it is further than it was, and as high: `dataChanged` would have every row measured again.
    """

    moved = pyqtSignal(list, int)
    went_on = pyqtSignal(int)

    def __init__(self, delivery_name: Callable[[QueueItem], str]) -> None:
        super().__init__()
        self._delivery_name = delivery_name
        self._items: list[QueueItem] = []
        self._forecasts: Mapping[str, Forecast] = {}
        self._pictures: Mapping[str, QImage] = {}

    @property
    def items(self) -> Sequence[QueueItem]:
        """What the rows show, in order."""
        return tuple(self._items)

    def show_items(
        self, items: Sequence[QueueItem], forecasts: Mapping[str, Forecast], pictures: Mapping[str, QImage]
    ) -> None:
        """Show these; rows that stay keep their selection. forecasts: by id. pictures: by the clip's name."""
        is_same = (forecasts, pictures) == (self._forecasts, self._pictures)
        self._forecasts, self._pictures = dict(forecasts), dict(pictures)
        self._remove_others({item.id for item in items})
        for row, item in enumerate(items):
            self._place(row, item)
        if items and not is_same:
            self.dataChanged.emit(self.index(0), self.index(len(items) - 1))

    def row_of(self, item_id: str) -> int | None:
        """Where an item stands."""
        return next((row for row, item in enumerate(self._items) if item.id == item_id), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008, N802
        """How many there are."""
        return 0 if parent.isValid() else len(self._items)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """What a row shows."""
        if not index.isValid() or index.row() >= len(self._items):
            return None
        item = self._items[index.row()]
        forecast, delivery = self._forecasts.get(item.id), self._delivery_name(item)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return item.clip.name
            case Qt.ItemDataRole.AccessibleTextRole:
                return spoken_text(item, delivery, forecast)
            case Qt.ItemDataRole.ToolTipRole:
                return _tool_tip(item)
        return {
            ITEM: item, FORECAST: forecast, PICTURE: self._pictures.get(str(item.clip)), DELIVERY: delivery
        }.get(role)  # fmt: skip

    def flags(self, index: QModelIndex) -> Qt.ItemFlag:
        """Rows can be dragged, and let go between others."""
        flags = super().flags(index)
        return flags | (Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else Qt.ItemFlag.ItemIsDropEnabled)

    def supportedDropActions(self) -> Qt.DropAction:  # noqa: N802
        """Rows change their place only."""
        return Qt.DropAction.MoveAction

    def mimeTypes(self) -> list[str]:  # noqa: N802
        """Nothing but own rows can be let go."""
        return [_MIME]

    def mimeData(self, indexes: Iterable[QModelIndex]) -> QMimeData:  # noqa: N802
        """Name the rows that are dragged."""
        data = QMimeData()
        rows = sorted(index.row() for index in indexes)
        data.setData(_MIME, QByteArray("\n".join(self._items[row].id for row in rows).encode()))
        return data

    def dropMimeData(  # noqa: N802
        self, data: QMimeData | None, action: Qt.DropAction, row: int, column: int, parent: QModelIndex
    ) -> bool:
        """Tell where they were let go; the queue itself moves them."""
        if data is None or not data.hasFormat(_MIME):
            return False
        place = row if row >= 0 else parent.row() if parent.isValid() else len(self._items)
        self.moved.emit(bytes(data.data(_MIME).data()).decode().split("\n"), place)
        return True

    def _remove_others(self, wanted: set[str]) -> None:
        for row in reversed(range(len(self._items))):
            if self._items[row].id not in wanted:
                self.beginRemoveRows(QModelIndex(), row, row)
                del self._items[row]
                self.endRemoveRows()

    def _place(self, row: int, item: QueueItem) -> None:
        """Have the item in its row; all rows above are right already."""
        is_there = row < len(self._items) and self._items[row].id == item.id
        found = row if is_there else self.row_of(item.id)
        if found is None:
            self.beginInsertRows(QModelIndex(), row, row)
            self._items.insert(row, item)
            self.endInsertRows()
            return
        if found != row:
            self.beginMoveRows(QModelIndex(), found, found, QModelIndex(), row)
            self._items.insert(row, self._items.pop(found))
            self.endMoveRows()
        before, self._items[row] = self._items[row], item
        if before is item:
            return
        if _height_facts(before) == _height_facts(item):
            self.went_on.emit(row)
        else:
            self.dataChanged.emit(self.index(row), self.index(row))


def _height_facts(item: QueueItem) -> tuple[object, ...]:
    """What decides how high its row is: everything but numbers."""
    progress = item.progress
    phase = None if progress is None else (progress.phase, progress.total > 0, progress.waits_for_bytes > 0)
    return phase, replace(item, progress=None)


def _tool_tip(item: QueueItem) -> str:
    said = [item.message, item.hint] if item.state == "failed" else []
    return "\n".join([f"{item.clip} →", str(item.output), *said, *item.notices])
