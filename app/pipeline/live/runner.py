"""The live picture: capture -> analysis -> composite -> outputs, each on its own thread.

Between the threads lie latest-wins slots, so that a slow stage drops frames instead of making everything late, and
every drop is counted. A frame travels with its own matte. Whatever happens, an output gets either a composite with a
valid matte or the plate alone: never the room.

Importing this module imports no network; the analysis thread does, so that a window can be there first.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.domain.errors import UserError
from app.domain.governor import ANALYSIS, Level
from app.domain.settings import CameraOptions, Settings, size_in_words
from app.pipeline.handover import LatestSlot
from app.pipeline.kernel_cache import is_preparing, prepare_kernels
from app.pipeline.live.capture import Capture, CaptureState, CaptureStatus
from app.pipeline.live.composing import Composing
from app.pipeline.live.darkness import Darkness
from app.pipeline.live.keeping_up import (
    ANALYSIS_BUSY,
    COMPOSITING_BUSY,
    DISPLAY_BUSY,
    LOST_BY_SOURCE,
    OVER_THE_RATE,
    KeepingUp,
    counts_of,
)
from app.pipeline.live.live_plates import NONE
from app.pipeline.live.live_stats import LiveFigures, LiveStats
from app.pipeline.live.notices import Repeats
from app.pipeline.live.outlet import LivePicture, Outlet
from app.pipeline.live.pictures import Captured, Finished
from app.pipeline.live.rate import RateCap
from app.pipeline.live.sources import CaptureWish
from app.pipeline.stats import StageClock

if TYPE_CHECKING:
    from app.pipeline.live.analysis import LiveAnalysed, LiveAnalyser

log = logging.getLogger(__name__)

TICK_S: Final = 0.1

WARM_UP_S: Final = 4.0
"""From the first frame analysed, and from compiled loops in use, until it counts whether the rate is held."""

STOP_S: Final = 3.0
"""Who hangs longer ends by itself: `stop` is waited for by a person."""

REST_S: Final = 0.5
"""Without a frame for so long, a plate that is a camera is let go of too."""


class LiveRunner:
    """Runs from `start` to `stop`. Methods may be called from any thread; none of them waits for a frame.

    on_status(CaptureStatus) and on_notice(UserError) are called on the runner's threads. make_capture: what reads
    the source.
    """

    def __init__(
        self,
        *,
        on_status: Callable[[CaptureStatus], None] = lambda _: None,
        on_notice: Callable[[UserError], None] = lambda _: None,
        make_capture: Callable[[LatestSlot[Captured], Callable[[CaptureStatus], None]], Capture] = Capture,
    ) -> None:
        self.stats = LiveStats()
        self.clock = StageClock()
        self._on_status, self._on_notice = on_status, on_notice
        self._captured: LatestSlot[Captured] = LatestSlot()
        self._analysed: LatestSlot[LiveAnalysed] = LatestSlot()
        self._capture = make_capture(self._captured, self._status_changed)
        self._outlet = Outlet(stats=self.stats, status=lambda: self._capture.status, say=self._say)
        self._composing = Composing(
            self._analysed,
            self._outlet,
            stats=self.stats,
            clock=self.clock,
            say=self._say,
            may_show_room=lambda: self._settings.plate == NONE,
        )
        self._before = self._counted()
        self._settings = Settings()
        self._commands: deque[Callable[[LiveAnalyser], None]] = deque()
        self._repeats = Repeats()
        self._darkness = Darkness()
        self._keeping_up = KeepingUp()
        self._is_new_stream = False
        self._warm_s = math.inf
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (
                ("live-analysis", self._analyse_all),
                ("live-composite", self._composing.run),
                ("live-watch", self._watch),
            )
        ]

    @property
    def status(self) -> CaptureStatus:
        """How the source is doing."""
        return self._capture.status

    @property
    def is_covered(self) -> bool:
        """Whether the plate covers everything because someone asked for it."""
        return self._outlet.is_covered

    @property
    def display(self) -> LatestSlot[LivePicture]:
        """The latest picture, for one preview to take."""
        return self._outlet.display

    @property
    def latest(self) -> LivePicture | None:
        """The same, to look at."""
        return self._outlet.latest

    @property
    def is_dark(self) -> bool:
        """Whether the source has given nothing but black for a while: a cover or a privacy switch."""
        return self._darkness.is_lasting

    @property
    def level(self) -> Level:
        """How much work is done now, for what makes pictures ready to be shown."""
        return self._keeping_up.level

    def start(self, settings: Settings) -> None:
        """Begin, with the source the settings name."""
        self._settings = settings
        self._outlet.is_preview_seen = True
        for thread in self._threads:
            thread.start()
        self._capture.start(settings.camera.source, _wish(settings.camera))

    def stop(self) -> None:
        """Release the source and end all threads; one that hangs is waited for STOP_S, and ends by itself later."""
        self._stopping.set()
        self._outlet.close()
        self._capture.stop()
        for slot in (self._captured, self._analysed):
            slot.close()
        ends_s = time.monotonic() + STOP_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends_s - time.monotonic()))

    def update(self, settings: Settings) -> None:
        """Use these settings from the next frame on; another source is opened in place of this one."""
        with self._outlet.lock:
            before, self._settings = self._settings.camera, settings
        if (before.source, _wish(before)) != (settings.camera.source, _wish(settings.camera)):
            self.reset_figures()
            self.reopen()

    def reopen(self) -> None:
        """Open the source again; while nobody looks, once somebody does."""
        self._capture.start(self._settings.camera.source, _wish(self._settings.camera))
        if not self._outlet.is_wanted:
            self._capture.pause()

    def cover(self, *, on: bool) -> None:
        """Let the plate cover everything, at once, or show the person again."""
        self._outlet.cover(on=on)

    def freeze(self, *, frozen: bool) -> None:
        """Hold the colour curve as it is, or let it follow again."""
        self._commands.append(lambda analyser: analyser.freeze(frozen=frozen))

    def rematch(self) -> None:
        """Take the next curve as it is."""
        self._commands.append(lambda analyser: analyser.rematch())

    def attach(self, name: str, put: Callable[[Finished], None], is_watched: Callable[[], bool] = lambda: True) -> None:
        """Give every finished picture to `put`, which must not wait. is_watched: whether it needs the camera on."""
        self._outlet.attach(name, put, is_watched)

    def detach(self, name: str) -> None:
        """Give it no more pictures."""
        self._outlet.detach(name)

    def show_preview(self, *, seen: bool) -> None:
        """Say whether anybody can see the preview; with nobody looking at anything, the camera is released."""
        self._outlet.is_preview_seen = seen

    def figures(self) -> LiveFigures:
        """How it is doing."""
        return replace(self._figures(time.monotonic()), level=self._keeping_up.index, loads=self._keeping_up.loads)

    def reset_figures(self) -> None:
        """Count anew from here."""
        self._before = self._counted()
        self.stats.reset()

    def _figures(self, now_s: float) -> LiveFigures:
        now = self._counted()
        return self.stats.figures(now_s, elsewhere={key: now[key] - self._before[key] for key in now})

    def _counted(self) -> dict[str, int]:
        """Drops counted by the parts themselves, since the start."""
        return {
            LOST_BY_SOURCE: self._capture.lost,
            ANALYSIS_BUSY: self._captured.dropped,
            COMPOSITING_BUSY: self._analysed.dropped,
            DISPLAY_BUSY: self.display.dropped,
        }

    def _status_changed(self, status: CaptureStatus) -> None:
        if status.state is not CaptureState.LIVE:
            self._analysed.clear()
            # No mask of one stream may be carried to a picture of the next.
            self._is_new_stream = True
        self._on_status(status)

    def _analyse_all(self) -> None:
        try:
            self._analyse_captured()
        except Exception as error:
            log.exception("the analysis ended")
            self._on_notice(
                UserError(
                    f"The picture can't be analysed: {type(error).__name__}: {error}.", "The background covers it all."
                )
            )

    def _analyse_captured(self) -> None:
        prepare_kernels()
        from app.pipeline.live.analysis import LiveAnalyser
        from app.pipeline.threads import share_cores

        share_cores()
        analyser = LiveAnalyser(self._on_notice, self.clock)
        cap = RateCap()
        self._warm_s = time.monotonic() + WARM_UP_S
        self.reset_figures()  # what came while the networks were loaded was not dropped for being slow
        try:
            while not self._captured.is_closed:
                captured = self._captured.take(REST_S)
                if captured is None:
                    self._rest(analyser)
                elif cap.allows(captured.captured_s, rate_hz=float(self._settings.camera.rate_hz)):
                    with self.stats.meters[ANALYSIS].at_work():
                        self._analyse(analyser, captured)
                else:
                    self.stats.dropped(OVER_THE_RATE)
        finally:
            analyser.close()

    def _rest(self, analyser: LiveAnalyser) -> None:
        """No frame comes: let go of what only a picture needs, and cover with the plate that is set now."""
        analyser.rest()
        analyser.apply(self._settings)
        height, width = self._outlet.plate.shape[:2]
        self._outlet.plate = analyser.cover((width, height))

    def _analyse(self, analyser: LiveAnalyser, captured: Captured) -> None:
        """Analyse one frame; whatever goes wrong, the plate covers."""
        self._darkness.look(captured)
        try:
            if self._is_new_stream:
                self._is_new_stream = False
                analyser.start_over()
            while self._commands:
                self._commands.popleft()(analyser)
            analyser.apply(self._settings)
            analyser.reduce(self.level)
            result = analyser.analyse(captured)
        except UserError as error:
            self._say(error)
        except Exception as error:
            log.exception("a frame could not be analysed")
            self._say(UserError(f"A frame could not be analysed: {type(error).__name__}: {error}."))
        else:
            self._outlet.plate = result.plate
            self._analysed.put(result)
            return
        self.stats.dropped("analysis failed")
        self._outlet.hand_out_cover()

    def _say(self, error: UserError) -> None:
        """Say something once, not with every frame."""
        with self._outlet.lock:
            is_news = self._repeats.is_news(str(error), time.monotonic())
        if is_news:
            self._on_notice(error)

    def _watch(self) -> None:
        """Cover what has gone stale, let go of the camera while nobody looks, and see whether the rate is held."""
        while not self._stopping.wait(TICK_S):
            self._outlet.cover_what_is_stale()
            self._rest_or_wake()
            self._keep_up(time.monotonic())

    def _keep_up(self, now_s: float) -> None:
        if not self._is_warm(now_s) or self.is_covered or self._capture.status.state is not CaptureState.LIVE:
            self._keeping_up.wait()
        elif self._keeping_up.is_due(now_s):
            self._keeping_up.watch(counts_of(self.stats, self._figures(now_s), now_s), self._settings)

    def _is_warm(self, now_s: float) -> bool:
        """Whether all that is slow only once has been done: what is late before says nothing of the machine."""
        if is_preparing():
            self._warm_s = max(self._warm_s, now_s + WARM_UP_S)
            return False
        return now_s >= self._warm_s

    def _rest_or_wake(self) -> None:
        wanted = self._outlet.is_wanted
        paused = self._capture.status.state is CaptureState.PAUSED
        if wanted and paused:
            self._capture.resume()
        elif not wanted and not paused:
            self._capture.pause()


def _wish(camera: CameraOptions) -> CaptureWish:
    return CaptureWish(
        size=size_in_words(camera.size),
        rate_hz=float(camera.rate_hz),
        lock_white_balance=camera.lock_white_balance,
    )
