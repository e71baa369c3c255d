"""Puts analysed frames together and hands them out, on a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from app.domain.errors import UserError
from app.domain.governor import COMPOSITING
from app.pipeline.handover import LatestSlot
from app.pipeline.live.live_stats import LiveStats
from app.pipeline.live.outlet import LivePicture, Outlet
from app.pipeline.live.pictures import Finished
from app.pipeline.stats import StageClock

if TYPE_CHECKING:
    from app.pipeline.live.analysis import LiveAnalysed
    from app.pipeline.stages import Compositor

log = logging.getLogger(__name__)


class Composing:
    """Takes from `slot` until it is closed. say(UserError): a frame could not be put together.

    may_show_room: whether the user's wish still is that nothing be replaced; asked while the outlet's lock is held.
    """

    def __init__(
        self,
        slot: LatestSlot[LiveAnalysed],
        outlet: Outlet,
        *,
        stats: LiveStats,
        clock: StageClock,
        say: Callable[[UserError], None],
        may_show_room: Callable[[], bool],
    ) -> None:
        self._slot, self._outlet = slot, outlet
        self._stats, self._clock = stats, clock
        self._say, self._may_show_room = say, may_show_room

    def run(self) -> None:
        """Work until the slot is closed."""
        compositor: Compositor | None = None
        while not self._slot.is_closed:
            item = self._slot.take()
            if item is None:
                continue
            if compositor is None:
                from app.pipeline.stages import Compositor

                compositor = Compositor()
            with self._stats.meters[COMPOSITING].at_work():
                self._compose(compositor, item)

    def _compose(self, compositor: Compositor, item: LiveAnalysed) -> None:
        if item.analysed is None:
            self._stats.dropped("no clear outline")
            self._outlet.hand_out_cover()
            return
        try:
            item.analysed.clean()  # a stage of its own
            with self._clock.time("composite"):
                rendered = compositor.compose(item.analysed, item.look)
        except Exception as error:
            log.exception("a frame could not be put together")
            self._say(UserError(f"A frame could not be put together: {type(error).__name__}: {error}."))
            self._stats.dropped("compositing failed")
            self._outlet.hand_out_cover()
            return
        finished = Finished(rendered.composite, item.captured.captured_s, rendered.frame, rendered.alpha)
        picture = LivePicture(finished, rendered, item.is_transparent)
        with self._outlet.lock:
            if item.shows_room and not self._may_show_room():
                self._stats.dropped("the background had just changed")
                self._outlet.hand_out_cover()
            else:
                self._outlet.hand_out(picture, held=item.held)
