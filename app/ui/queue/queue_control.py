"""The queue behind its panel: what runs, what is kept on the disk, and what the window is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from PyQt6.QtCore import QObject, QTimer, pyqtSignal
from PyQt6.QtGui import QImage

from app.domain.compositing import Size
from app.domain.errors import UserError
from app.pipeline.offline.queue import RenderQueue
from app.pipeline.offline.queue_items import QueueItem
from app.ui.choices import Source
from app.ui.faults import failure_of
from app.ui.queue.clip_worker import ClipWorker, ForecastWorker, How
from app.ui.queue.keeper import QueueKeeper
from app.ui.queue.queue_wish import AddWish, items_for
from app.ui.queue.rows import PICTURE_PX
from app.ui.queue.services import Forecast, Services

_FORECAST_AFTER_MS: Final = 1200


class QueueControl(QObject):
    """The queue of this window, and all that is known of its clips.

    changed: something is different. clips_found(list[Path]): those that were asked for. ended(QueueItem): one is done,
    failed, or was cancelled. rested(list[QueueItem]): nothing is under way any more, and this has ended since.
    added(list[QueueItem]): these were. failed(Failure): something about the queue itself did not work.
    """

    changed = pyqtSignal()
    clips_found = pyqtSignal(object)
    ended = pyqtSignal(object)
    rested = pyqtSignal(object)
    added = pyqtSignal(object)
    failed = pyqtSignal(object)
    _rung = pyqtSignal()

    def __init__(self, services: Services, *, pixel_ratio: float = 1.0) -> None:
        super().__init__()
        self.keeper = QueueKeeper()
        self.forecasts: dict[str, Forecast] = {}
        self.pictures: dict[str, QImage] = {}
        self.wants_forecasts = False
        self._picture_px: Size = (round(PICTURE_PX[0] * pixel_ratio), round(PICTURE_PX[1] * pixel_ratio))
        self._bell = threading.Lock()
        self._is_rung = False
        self._asked_pictures: set[Path] = set()
        self._unknown: set[str] = set()
        self._forecasting = ""
        self._before = {item.id: item for item in self.keeper.items}
        self._ended: list[QueueItem] = []
        self.queue = RenderQueue(
            services.run,
            job_of=services.job_of,
            items=self.keeper.items,
            discard=services.discard,
            on_change=self._ring,
            on_idle=services.rest,
        )
        self._clips, self._forecasts = ClipWorker(), ForecastWorker(services)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_FORECAST_AFTER_MS)
        self._later.timeout.connect(self._ask_forecast)
        self._connect()
        self._follow()

    @property
    def items(self) -> Sequence[QueueItem]:
        """All of them, in order."""
        return self.queue.items

    def find(self, sources: Sequence[Source]) -> None:
        """Look for the clips that files and folders stand for; `clips_found` follows."""
        self._clips.find(sources)

    @property
    def taken(self) -> frozenset[Path]:
        """Names that no other result may have."""
        return frozenset(item.output for item in self.items if item.state != "cancelled")

    def add(self, wish: AddWish, how: How) -> None:
        """Add clips as wished, under names that are free."""
        taken = self.taken
        self.add_made(lambda: items_for(wish, taken), how)

    def add_made(self, make: Callable[[], list[QueueItem]], how: How) -> None:
        """Add what `make` gives; it is called on a thread and may raise UserError."""
        self._clips.make(make, how)

    @property
    def interrupted(self) -> list[QueueItem]:
        """Those that were under way when the program ended."""
        return [item for item in self.items if item.state == "waiting" and item.has_begun]

    def move(self, ids: Sequence[str], row: int) -> None:
        """Put items, in their order, in front of the one that stands in that row."""
        self.queue.move(ids, sum(item.id not in ids for item in self.items[:row]))

    def close(self) -> None:
        """Stop everything; what is under way is gone on with another time."""
        self.blockSignals(True)  # What the threads still say comes when nobody is there to hear it.
        self._later.stop()
        self.queue.close()
        self.keeper.keep(self.items)
        self.keeper.stop()
        self._clips.stop()
        self._forecasts.stop()

    def _connect(self) -> None:
        self._rung.connect(self._follow)
        self._clips.found.connect(self.clips_found)
        self._clips.failed.connect(self.failed)
        self._clips.made.connect(self._add)
        self._clips.pictured.connect(self._show_picture)
        self._forecasts.ready.connect(self._show_forecast)
        self.keeper.failed.connect(self.failed)

    def _ring(self) -> None:
        """Have `_follow` called on the window's thread; called on any. Many changes at once are one."""
        with self._bell:
            if self._is_rung:
                return
            self._is_rung = True
        self._rung.emit()

    def _follow(self) -> None:
        with self._bell:
            self._is_rung = False
        items = self.items
        self.keeper.keep(items)
        self._look_at_clips(items)
        self._tell_ends(items)
        self.ask_forecast()
        self.changed.emit()

    def _tell_ends(self, items: Sequence[QueueItem]) -> None:
        for item in items:
            before = self._before.get(item.id)
            if item.is_finished and (before is None or not before.is_finished):
                self._ended.append(item)
                self.ended.emit(item)
        self._before = {item.id: item for item in items}
        if self._ended and not self.queue.is_busy:
            ended, self._ended = self._ended, []
            self.rested.emit(ended)

    def _look_at_clips(self, items: Sequence[QueueItem]) -> None:
        for item in items:
            if item.clip not in self._asked_pictures:
                self._asked_pictures.add(item.clip)
                self._clips.picture(item.clip, self._picture_px)

    def ask_forecast(self) -> None:
        """Find out about items nobody knows of, in a moment: what was just added may be started at once."""
        if self.wants_forecasts:
            self._later.start()

    def _ask_forecast(self) -> None:
        """Find out about the next one, while nothing else is computed and somebody looks."""
        if not self.wants_forecasts or self._forecasting or self.queue.is_busy:
            return
        known = self.forecasts.keys() | self._unknown
        item = next((one for one in self.items if one.state == "waiting" and one.id not in known), None)
        if item is not None:
            self._forecasting = item.id
            self._forecasts.ask(item)

    def _add(self, items: list[QueueItem], how: How) -> None:
        try:
            self.queue.add(items, first=how is How.FIRST)
        except UserError as error:
            self.failed.emit(failure_of(error))
            return
        if how is How.START:
            self.queue.release()
        elif how is How.FIRST:
            for item in items:
                self.queue.start(item.id)
        self.added.emit(items)

    def _show_picture(self, clip: str, picture: QImage) -> None:
        self.pictures[clip] = picture
        self.changed.emit()

    def _show_forecast(self, item_id: str, forecast: Forecast | None) -> None:
        self._forecasting = ""
        if forecast is None:
            self._unknown.add(item_id)
        else:
            self.forecasts[item_id] = forecast
        self._ask_forecast()
        self.changed.emit()
