"""The live picture: capture -> analysis -> composite -> outputs, each on its own thread.

Between the threads lie latest-wins slots, so that a slow stage drops frames instead of making everything late, and
every drop is counted. A frame travels with its own matte. Whatever happens, an output gets either a composite with a
valid matte or the plate alone: never the room.

Importing this module imports no network; the analysis thread does, so that a window can be there first.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.domain.compositing import Size, solid_plate
from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.domain.settings import CameraOptions, Settings
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture import Capture, CaptureState, CaptureStatus
from app.pipeline.live.live_plates import COVER_RGB, NONE
from app.pipeline.live.live_stats import LiveFigures, LiveStats
from app.pipeline.live.notices import Repeats
from app.pipeline.live.pictures import Captured, Finished
from app.pipeline.live.rate import RateCap
from app.pipeline.live.slate import slate
from app.pipeline.live.sources import CaptureWish
from app.pipeline.stats import StageClock
from app.pipeline.torch_preload import import_torch_quietly

if TYPE_CHECKING:
    from app.pipeline.live.analysis import LiveAnalysed, LiveAnalyser
    from app.pipeline.stages import Compositor, Rendered

log = logging.getLogger(__name__)

TICK_S: Final = 0.1
FRESH_S: Final = 0.5
"""Without a new picture for so long, the plate covers what was shown last."""

STOP_S: Final = 3.0
"""Who hangs longer ends by itself: `stop` is waited for by a person."""

REST_S: Final = 0.5
"""Without a frame for so long, a plate that is a camera is let go of too."""

DARK_S: Final = 3.0
BLACK_LEVEL: Final = 20
"""Nothing brighter than this in a camera's picture is black: sensor noise behind a cover stays below."""

_GLANCE_PX: Final = 16
_FIRST_COVER: Final = (1280, 720)


@dataclass(frozen=True)
class LivePicture:
    """A finished picture and, for the preview's views, what it was made of; rendered is None for a cover."""

    finished: Finished
    rendered: Rendered | None = None
    is_transparent: bool = False


@dataclass(frozen=True)
class _Output:
    """Something that takes pictures. is_watched: whether anybody looks at it now."""

    put: Callable[[Finished], None]
    is_watched: Callable[[], bool]


class LiveRunner:
    """Runs from `start` to `stop`. Methods may be called from any thread; none of them waits for a frame.

    display: the latest picture, for one preview to take. latest: the same, to look at.
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
        # Nobody misses a cover that made room for a picture.
        self.display: LatestSlot[LivePicture] = LatestSlot(counts=lambda picture: picture.rendered is not None)
        self.stats = LiveStats()
        self.clock = StageClock()
        self._on_status, self._on_notice = on_status, on_notice
        self._captured: LatestSlot[Captured] = LatestSlot()
        self._analysed: LatestSlot[LiveAnalysed] = LatestSlot()
        self._capture = make_capture(self._captured, self._status_changed)
        self._before = self._counted()
        self._settings = Settings()
        self._outputs: dict[str, _Output] = {}
        self._commands: deque[Callable[[LiveAnalyser], None]] = deque()
        self.latest: LivePicture | None = None
        self._cover = solid_plate(_FIRST_COVER, COVER_RGB)
        self._slate: tuple[Pixels, str, Pixels] | None = None
        self._is_covered = self._is_preview_seen = False
        self._handing_out = threading.RLock()
        self._handed_s = 0.0
        self._repeats = Repeats()
        self._dark_since_s: float | None = None
        self._is_new_stream = False
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (
                ("live-analysis", self._analyse_all),
                ("live-composite", self._compose_all),
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
        return self._is_covered

    @property
    def is_dark(self) -> bool:
        """Whether the source has given nothing but black for a while: a cover or a privacy switch."""
        since_s = self._dark_since_s
        return since_s is not None and time.monotonic() - since_s > DARK_S

    def start(self, settings: Settings) -> None:
        """Begin, with the source the settings name."""
        self._settings = settings
        self._is_preview_seen = True
        for thread in self._threads:
            thread.start()
        self._capture.start(settings.camera.source, _wish(settings.camera))

    def stop(self) -> None:
        """Release the source and end all threads; one that hangs is waited for STOP_S, and ends by itself later."""
        self._stopping.set()
        self._capture.stop()
        for slot in (self._captured, self._analysed, self.display):
            slot.close()
        ends_s = time.monotonic() + STOP_S
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, ends_s - time.monotonic()))

    def update(self, settings: Settings) -> None:
        """Use these settings from the next frame on; another source is opened in place of this one."""
        with self._handing_out:
            before, self._settings = self._settings.camera, settings
        if (before.source, _wish(before)) != (settings.camera.source, _wish(settings.camera)):
            self.reset_figures()
            self.reopen()

    def reopen(self) -> None:
        """Open the source again; while nobody looks, once somebody does."""
        self._capture.start(self._settings.camera.source, _wish(self._settings.camera))
        if not self._is_wanted():
            self._capture.pause()

    def cover(self, *, on: bool) -> None:
        """Let the plate cover everything, at once, or show the person again."""
        with self._handing_out:
            self._is_covered = on
            if on:
                self._hand_out_cover()

    def freeze(self, *, frozen: bool) -> None:
        """Hold the colour curve as it is, or let it follow again."""
        self._commands.append(lambda analyser: analyser.freeze(frozen=frozen))

    def rematch(self) -> None:
        """Take the next curve as it is."""
        self._commands.append(lambda analyser: analyser.rematch())

    def attach(self, name: str, put: Callable[[Finished], None], is_watched: Callable[[], bool] = lambda: True) -> None:
        """Give every finished picture to `put`, which must not wait. is_watched: whether it needs the camera on."""
        with self._handing_out:
            self._outputs = {**self._outputs, name: _Output(put, is_watched)}

    def detach(self, name: str) -> None:
        """Give it no more pictures."""
        with self._handing_out:
            self._outputs = {key: output for key, output in self._outputs.items() if key != name}

    def show_preview(self, *, seen: bool) -> None:
        """Say whether anybody can see the preview; with nobody looking at anything, the camera is released."""
        self._is_preview_seen = seen

    def figures(self) -> LiveFigures:
        """How it is doing."""
        now = self._counted()
        return self.stats.figures(time.monotonic(), elsewhere={key: now[key] - self._before[key] for key in now})

    def reset_figures(self) -> None:
        """Count anew from here."""
        self._before = self._counted()
        self.stats.reset()

    def _counted(self) -> dict[str, int]:
        """Drops counted by the parts themselves, since the start."""
        return {
            "lost by the source": self._capture.lost,
            "analysis was busy": self._captured.dropped,
            "compositing was busy": self._analysed.dropped,
            "the display was busy": self.display.dropped,
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
        import_torch_quietly()
        from app.pipeline.live.analysis import LiveAnalyser
        from app.pipeline.threads import share_cores

        share_cores()
        analyser = LiveAnalyser(self._on_notice, self.clock)
        cap = RateCap()
        self.reset_figures()  # what came while the networks were loaded was not dropped for being slow
        try:
            while not self._captured.is_closed:
                captured = self._captured.take(REST_S)
                if captured is None:
                    self._rest(analyser)
                elif cap.allows(captured.captured_s, rate_hz=float(self._settings.camera.rate_hz)):
                    self._analyse(analyser, captured)
                else:
                    self.stats.dropped("over the frame rate")
        finally:
            analyser.close()

    def _rest(self, analyser: LiveAnalyser) -> None:
        """No frame comes: let go of what only a picture needs, and cover with the plate that is set now."""
        analyser.rest()
        analyser.apply(self._settings)
        height, width = self._cover.shape[:2]
        self._cover = analyser.cover((width, height))

    def _analyse(self, analyser: LiveAnalyser, captured: Captured) -> None:
        """Analyse one frame; whatever goes wrong, the plate covers."""
        self._watch_for_black(captured)
        try:
            if self._is_new_stream:
                self._is_new_stream = False
                analyser.start_over()
            while self._commands:
                self._commands.popleft()(analyser)
            analyser.apply(self._settings)
            result = analyser.analyse(captured)
        except UserError as error:
            self._say(error)
        except Exception as error:
            log.exception("a frame could not be analysed")
            self._say(UserError(f"A frame could not be analysed: {type(error).__name__}: {error}."))
        else:
            self._cover = result.plate
            self._analysed.put(result)
            return
        self.stats.dropped("analysis failed")
        self._hand_out_cover()

    def _watch_for_black(self, captured: Captured) -> None:
        if captured.frame.pixels[::_GLANCE_PX, ::_GLANCE_PX].max() > BLACK_LEVEL:
            self._dark_since_s = None
        elif self._dark_since_s is None:
            self._dark_since_s = captured.captured_s

    def _say(self, error: UserError) -> None:
        """Say something once, not with every frame."""
        with self._handing_out:
            is_news = self._repeats.is_news(str(error), time.monotonic())
        if is_news:
            self._on_notice(error)

    def _compose_all(self) -> None:
        compositor: Compositor | None = None
        while not self._analysed.is_closed:
            item = self._analysed.take()
            if item is None:
                continue
            if compositor is None:
                from app.pipeline.stages import Compositor

                compositor = Compositor()
            self._compose(compositor, item)

    def _compose(self, compositor: Compositor, item: LiveAnalysed) -> None:
        if item.analysed is None:
            self.stats.dropped("no clear outline")
            self._hand_out_cover()
            return
        try:
            with self.clock.time("composite"):
                rendered = compositor.compose(item.analysed, item.look)
        except Exception as error:
            log.exception("a frame could not be put together")
            self._say(UserError(f"A frame could not be put together: {type(error).__name__}: {error}."))
            self.stats.dropped("compositing failed")
            self._hand_out_cover()
            return
        finished = Finished(rendered.composite, item.captured.captured_s, rendered.frame, rendered.alpha)
        picture = LivePicture(finished, rendered, item.is_transparent)
        with self._handing_out:
            if item.shows_room and self._settings.plate != NONE:
                self.stats.dropped("the background had just changed")
                self._hand_out_cover()
            else:
                self._hand_out(picture, held=item.held)

    def _hand_out(self, picture: LivePicture, *, held: bool = False) -> None:
        """Give a picture to everybody; the one place where it is decided that the room may not be seen."""
        with self._handing_out:
            if self._stopping.is_set():
                return
            if picture.rendered is not None and self._is_covered:
                picture = self._covered_picture()
            elif picture.rendered is not None and not self._is_live(picture.finished.captured_s):
                self.stats.dropped("the source had just changed")
                picture = self._covered_picture()
            now_s = self._handed_s = time.monotonic()
            self.stats.finished(now_s, held=held, is_cover=picture.finished.is_cover)
            for name, output in self._outputs.items():
                self._put(name, output, picture.finished)
            self.latest = picture
            if not self._is_preview_seen:
                self.display.clear()
            self.display.put(picture)

    def _put(self, name: str, output: _Output, finished: Finished) -> None:
        """One output's fault is its own: the others and the picture go on."""
        try:
            output.put(finished)
        except Exception as error:
            self._switch_off(name, error)

    def _is_watched(self, name: str, output: _Output) -> bool:
        try:
            return output.is_watched()
        except Exception as error:
            self._switch_off(name, error)
            return False

    def _switch_off(self, name: str, error: Exception) -> None:
        log.error("output %s", name, exc_info=error)
        self.detach(name)
        self._say(UserError(f"The output “{name}” failed and was switched off: {type(error).__name__}: {error}."))

    def _hand_out_cover(self) -> None:
        with self._handing_out:
            self._hand_out(self._covered_picture())

    def _is_live(self, captured_s: float | None = None) -> bool:
        """Whether the source gives pictures, and one captured then is of this opening of it."""
        status = self._capture.status
        if status.state is not CaptureState.LIVE:
            return False
        return captured_s is None or status.opened_s is None or captured_s >= status.opened_s

    def _covered_picture(self) -> LivePicture:
        plate, words = self._cover, ""
        if self._capture.status.state is CaptureState.LOST and not self._is_covered:
            words = self._capture.status.reason
        if words:
            if self._slate is None or self._slate[0] is not plate or self._slate[1] != words:
                self._slate = plate, words, slate(plate, words)
            plate = self._slate[2]
        return LivePicture(Finished(plate, time.monotonic()))

    def _watch(self) -> None:
        """Cover what has gone stale, and let go of the camera while nobody looks."""
        while not self._stopping.wait(TICK_S):
            with self._handing_out:
                if time.monotonic() - self._handed_s > FRESH_S or not self._is_live():
                    self._hand_out_cover()
            self._rest_or_wake()

    def _is_wanted(self) -> bool:
        return self._is_preview_seen or any(self._is_watched(*item) for item in self._outputs.items())

    def _rest_or_wake(self) -> None:
        wanted = self._is_wanted()
        paused = self._capture.status.state is CaptureState.PAUSED
        if wanted and paused:
            self._capture.resume()
        elif not wanted and not paused:
            self._capture.pause()


def _wish(camera: CameraOptions) -> CaptureWish:
    size: Size | None = None
    if camera.size != "auto":
        width, height = camera.size.split("x")
        size = int(width), int(height)
    return CaptureWish(size=size, rate_hz=float(camera.rate_hz), lock_white_balance=camera.lock_white_balance)
