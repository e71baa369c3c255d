"""From the live pipeline's pictures to Qt's, on a thread of its own and at the size they are shown."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtGui import QImage

from app.domain.compositing import Size, blend
from app.domain.frame import Pixels
from app.domain.governor import LEVELS, Level
from app.domain.histograms import Histogram, histogram
from app.domain.placement import apply_placement
from app.pipeline.handover import LatestSlot
from app.pipeline.live.live_plates import checkerboard
from app.pipeline.live.live_stats import WorkMeter
from app.pipeline.live.outlet import LivePicture
from app.ui.choices import View
from app.ui.images import images_of, to_image

if TYPE_CHECKING:
    from app.pipeline.looks import Rendered

_CURVES_EVERY_S: Final = 0.1
"""The curves are drawn this often at most: faster, they tremble instead of move."""

_LEAST_OF_SHARE: Final = 0.9
"""A smaller picture may be smaller yet by so much, where its size can't be multiplied back exactly."""

_HISTOGRAMS_EVERY_S: Final = 0.3
"""New histograms cost the plot 1 ms more than a new curve alone, and nobody reads them faster."""


@dataclass(frozen=True)
class Shown:
    """What the preview shows next. captured_s: `time.monotonic()` of its frame."""

    images: dict[View, QImage]
    captured_s: float
    is_cover: bool
    has_person: bool


@dataclass(frozen=True)
class MatchFacts:
    """What the match does now. table (256, 3) uint8 or None; histograms (256, 3) float32 of person and plate."""

    table: npt.NDArray[np.uint8] | None
    foreground: Histogram
    plate: Histogram


class LiveDisplay(QObject):
    """Takes pictures from `slot` and makes images of the views that are wanted. Its signals arrive on Qt's thread.

    level: how much work may be done. meter: takes down how long it works. ready: there is something new to `take`.
    match_ready(MatchFacts): what the match does, while that is wanted.
    """

    ready = pyqtSignal()
    match_ready = pyqtSignal(object)

    def __init__(
        self,
        slot: LatestSlot[LivePicture],
        *,
        level: Callable[[], Level] = lambda: LEVELS[0],
        meter: WorkMeter | None = None,
    ) -> None:
        super().__init__()
        self.wants_match = False
        self._slot, self._level, self._meter = slot, level, meter or WorkMeter()
        self._passed_over = 0
        self._shown: LatestSlot[Shown] = LatestSlot()
        self._wanted: tuple[tuple[View, ...], Size] = ((View.MATCHED,), (640, 360))
        self._is_told = False
        self._curves_s = 0.0
        self._histograms: tuple[float, Histogram, Histogram] | None = None
        self._thread = threading.Thread(target=self._run, name="live-display", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Images made and never taken."""
        return self._shown.dropped

    def want(self, views: tuple[View, ...], size_px: Size) -> None:
        """Make images of these views, to fit into (width, height) device px, from the next picture on."""
        self._wanted = views, size_px

    def take(self) -> Shown | None:
        """The latest images, once."""
        self._is_told = False
        return self._shown.take(0)

    def stop(self) -> None:
        """End the thread; the slot has been closed."""
        self._slot.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._slot.is_closed:
            picture = self._slot.take()
            if picture is not None and self._is_next(picture):
                with self._meter.at_work():
                    self._shown.put(self._made(picture))
                if not self._is_told:
                    self._is_told = True
                    self.ready.emit()

    def _is_next(self, picture: LivePicture) -> bool:
        """Whether this one is shown; a cover always is, and at once."""
        if picture.rendered is not None and self._passed_over + 1 < self._level().preview_every:
            self._passed_over += 1
            return False
        self._passed_over = 0
        return True

    def _made(self, picture: LivePicture) -> Shown:
        views, size_px = self._wanted
        finished, rendered = picture.finished, picture.rendered
        size_px = smaller_room(_size_of(finished.composite), size_px, self._level().preview_share)
        if rendered is None:
            images = {View.MATCHED: to_image(finished.composite, size_px)}
            return Shown(images, finished.captured_s, is_cover=True, has_person=False)
        images = images_of(rendered, size_px, [part for view in views for part in view.parts])
        if picture.is_transparent and View.MATCHED in images:
            images[View.MATCHED] = to_image(_over_checkerboard(rendered), size_px)
        if self.wants_match:
            self._tell_match(rendered, time.monotonic())
        return Shown(images, finished.captured_s, is_cover=False, has_person=rendered.has_person)

    def _tell_match(self, rendered: Rendered, now_s: float) -> None:
        if now_s - self._curves_s < _CURVES_EVERY_S:
            return
        self._curves_s = now_s
        if self._histograms is None or now_s - self._histograms[0] >= _HISTOGRAMS_EVERY_S:
            person, plate = histogram(rendered.foreground, rendered.alpha), histogram(rendered.plate)
            self._histograms = now_s, person, plate
        self.match_ready.emit(MatchFacts(rendered.table, *self._histograms[1:]))


def smaller_room(picture: Size, room: Size, share: float) -> Size:
    """Room for about `share` of the size at which a picture would be shown in `room`; all (width, height) px.

    What is made for it is enlarged to exactly the same place, so that the picture goes soft but does not jump.
    """
    if share >= 1.0:
        return room
    scale = min(1.0, room[0] / picture[0], room[1] / picture[1])
    shown = round(picture[0] * scale), round(picture[1] * scale)
    place = _fitted(shown, room)
    heights = range(round(share * shown[1]), round(_LEAST_OF_SHARE * share * shown[1]), -1)
    sizes = [(max(1, round(height * shown[0] / shown[1])), height) for height in heights]
    return next((size for size in sizes if _fitted(size, room) == place), sizes[0] if sizes else shown)


def _size_of(pixels: Pixels) -> Size:
    return pixels.shape[1], pixels.shape[0]


def _fitted(size: Size, room: Size) -> Size:
    """The size enlarged to fill the room, its aspect kept, as the preview does."""
    factor = min(room[0] / size[0], room[1] / size[1])
    return round(size[0] * factor), round(size[1] * factor)


def _over_checkerboard(rendered: Rendered) -> npt.NDArray[np.uint8]:
    size = _size_of(rendered.plate)
    pixels, alpha = apply_placement(rendered.foreground, rendered.alpha, rendered.placement, size)
    return blend(pixels, checkerboard(size), alpha)
