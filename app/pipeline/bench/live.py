"""How well the live pipeline keeps up on this machine, without a window: rate, drops, latency, memory, release."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.settings import Settings
from app.pipeline.bench.feeding import Gate, UnpacedSource
from app.pipeline.bench.live_report import Counts, LiveReport, RunFacts, report_of
from app.pipeline.bench.machine import CpuMeter, rss_mb
from app.pipeline.bench.preview import WINDOW_PREVIEW_PX, to_bgra
from app.pipeline.bench.recordings import RecordWish, recorded
from app.pipeline.flat_memory import share_memory_pools
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture import Capture, CaptureState, CaptureStatus
from app.pipeline.live.outlet import LivePicture
from app.pipeline.live.pictures import Captured, Finished
from app.pipeline.live.runner import LiveRunner
from app.pipeline.recording.settings import RecordStatus

START_LIMIT_S: Final = 60.0
"""Until the first picture: the networks may come from a slow disk."""

CURVE_LIMIT_S: Final = 5.0
"""From the first picture to the first matched one; with nobody in it there is none, and measuring begins anyway."""

RELEASE_LIMIT_S: Final = 20.0

_SAMPLE_S: Final = 1.0
_NO_CAP_HZ: Final = "1000"
"""More than any machine manages: neither the cap on the frame rate nor who falls behind it is measured unpaced."""


@dataclass(frozen=True)
class Wish:
    """What to measure. preview: (width, height) px that pictures are fitted into, never enlarged.

    unpaced: as fast as it goes, from a video file. ValueError for recording then: the recorder takes what a camera
    gives, and would drop the rest.
    """

    settings: Settings
    seconds: float
    preview: Size = WINDOW_PREVIEW_PX
    record: RecordWish | None = None
    unpaced: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be measured."""
        if self.unpaced and self.record is not None:
            raise ValueError("an unpaced run is not recorded")


def bench_live(wish: Wish) -> tuple[LiveReport, tuple[str, ...]]:
    """Run the pipeline on a source for so long; the figures, and what was noticed meanwhile.

    UserError when the source can't be opened, the pipeline can't work, or no picture comes.
    """
    share_memory_pools()  # as the window does
    session = _Session(wish)
    with session.running():
        session.await_start()
        with session.recording() as status:
            counts = session.measured()
        release_s = session.released()
    return report_of(counts, session.facts(release_s), status()), tuple(session.notices)


class _Session:
    """One run of the pipeline, with somebody who looks at its pictures."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._changed = threading.Condition()
        self._gate = Gate()
        self._runner = LiveRunner(on_status=self._follow, on_notice=self._note, make_capture=self._capture)
        self._viewer = threading.Thread(target=self._look, name="bench-display", daemon=True)
        self._counts: Counts | None = None
        self._fault: UserError | None = None
        self._state = CaptureState.STOPPED
        self._started_s = 0.0
        self._granted = ""
        self._first_picture_s: float | None = None
        self._first_match_s: float | None = None
        self.notices: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """The pipeline at work, from start to stop."""
        self._runner.attach("bench", self._count, lambda: False)
        self._viewer.start()
        self._started_s = time.monotonic()
        try:
            self._runner.start(self._settings())
            yield
        finally:
            self._runner.stop()
            self._viewer.join()

    def await_start(self) -> None:
        """Wait for the first matched picture; UserError when there is not even one that is not."""
        self._await(lambda: self._first_picture_s is not None or self._fault is not None, START_LIMIT_S)
        if self._first_picture_s is None:
            fault = self._fault or UserError("The source gives no picture.", "Choose another source.")
            raise UserError(fault.message, fault.hint, code=fault.code)
        self._await(lambda: self._first_match_s is not None, CURVE_LIMIT_S)

    @contextmanager
    def recording(self) -> Iterator[Callable[[], RecordStatus | None]]:
        """Record if that is wished; gives the final status once it is over."""
        wish = self._wish.record
        if wish is None:
            yield lambda: None
            return
        rate_hz = float(self._wish.settings.camera.rate_hz)
        with recorded(wish, size=self._picture_size(), rate_hz=rate_hz, attach=self._attached) as status:
            yield status

    def measured(self) -> Counts:
        """Count for as long as is wished."""
        counts, cpu = Counts(), CpuMeter()
        self._runner.reset_figures()
        begun_s = time.monotonic()
        self._counts = counts
        counts.rss.append((0.0, rss_mb()))
        for due_s in _ticks(self._wish.seconds):
            _wait_until(begun_s + due_s)
            counts.rss.append((due_s, rss_mb()))
        self._counts = None
        counts.seconds, counts.cpu = time.monotonic() - begun_s, cpu.facts()
        figures = self._runner.figures()
        counts.drops, counts.held, counts.level = dict(figures.drops), figures.held, figures.level
        counts.stages_ms = self._runner.clock.medians_ms()
        return counts

    def released(self) -> float | None:
        """Stop looking, and how long the source takes to be let go of, s; None where it is not within the limit."""
        begun_s = time.monotonic()
        self._runner.show_preview(seen=False)
        is_paused = self._await(lambda: self._state is CaptureState.PAUSED, RELEASE_LIMIT_S)
        return round(time.monotonic() - begun_s, 3) if is_paused else None

    def facts(self, release_s: float | None) -> RunFacts:
        """What is known besides the counts."""
        return RunFacts(
            source=self._wish.settings.camera.source,
            granted=self._granted,
            paced=not self._wish.unpaced,
            first_picture_s=round(self._first_picture_s or 0.0, 3),
            first_match_s=None if self._first_match_s is None else round(self._first_match_s, 3),
            release_s=release_s,
        )

    def _settings(self) -> Settings:
        settings = self._wish.settings
        if not self._wish.unpaced:
            return settings
        return replace(settings, camera=replace(settings.camera, rate_hz=_NO_CAP_HZ, keep_up=False))

    def _capture(self, slot: LatestSlot[Captured], on_status: Callable[[CaptureStatus], None]) -> Capture:
        if not self._wish.unpaced:
            return Capture(slot, on_status)
        return Capture(slot, on_status, opener=lambda spec, _: UnpacedSource(Path(spec), self._gate))

    def _attached(self, put: Callable[[Finished], None]) -> Callable[[], None]:
        self._runner.attach("recording", put)
        return lambda: self._runner.detach("recording")

    # Called on the pipeline's threads.

    def _follow(self, status: CaptureStatus) -> None:
        with self._changed:
            self._state = status.state
            if status.granted is not None:
                self._granted = status.granted.text
            if status.state is CaptureState.LOST and self._first_picture_s is None:
                self._fault = self._fault or UserError(status.reason, status.hint)
            self._changed.notify_all()

    def _note(self, error: UserError) -> None:
        """Before the first picture, what can't be used ends the run; after it, it is only said."""
        with self._changed:
            self.notices.append(str(error))
            if self._first_picture_s is None:
                self._fault = self._fault or error
            self._changed.notify_all()

    def _count(self, picture: Finished) -> None:
        if not picture.is_cover:
            self._gate.leave()
        counts = self._counts
        if counts is not None:
            counts.finished += not picture.is_cover
            counts.covered += picture.is_cover

    def _look(self) -> None:
        """On the viewer's thread: make every picture ready for a screen."""
        slot = self._runner.display
        while not slot.is_closed:
            picture = slot.take()
            if picture is None:
                continue
            with self._runner.clock.time("for the screen"):
                to_bgra(picture.finished.composite, self._wish.preview)
            self._seen(picture, time.monotonic())

    def _seen(self, picture: LivePicture, now_s: float) -> None:
        if picture.rendered is None:
            return
        counts = self._counts
        if counts is not None:
            counts.latencies_ms.append(1000 * (now_s - picture.finished.captured_s))
        is_matched = picture.rendered.table is not None
        if self._first_picture_s is not None and (self._first_match_s is not None or not is_matched):
            return
        since_s = now_s - self._started_s
        with self._changed:
            self._first_picture_s = self._first_picture_s or since_s
            if is_matched:
                self._first_match_s = since_s
            self._changed.notify_all()

    def _await(self, is_true: Callable[[], bool], limit_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(is_true, limit_s)

    def _picture_size(self) -> Size:
        latest = self._runner.latest
        if latest is None:
            raise UserError("There is no picture to record.", code=ExitCode.FAILED)
        height, width = latest.finished.composite.shape[:2]
        return width, height


def _ticks(seconds: float) -> list[float]:
    """The moments of a sample a second, the last one at the end."""
    return [*(_SAMPLE_S * n for n in range(1, int(seconds / _SAMPLE_S) + 1) if _SAMPLE_S * n < seconds), seconds]


def _wait_until(due_s: float) -> None:
    while (left_s := due_s - time.monotonic()) > 0:
        time.sleep(left_s)
