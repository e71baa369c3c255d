"""How well the live pipeline keeps up on this machine, without a window: rate, drops, latency, memory, release."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import psutil

from app.domain.cells import shrunk_into
from app.domain.compositing import Size, as_uint8
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Pixels
from app.domain.settings import Settings
from app.pipeline.flat_memory import share_memory_pools
from app.pipeline.live.capture import CaptureState, CaptureStatus
from app.pipeline.live.outlet import LivePicture
from app.pipeline.live.pictures import Finished
from app.pipeline.live.runner import LiveRunner
from app.pipeline.recording.recorder import Recorder
from app.pipeline.recording.settings import RecordSettings, RecordStatus

START_LIMIT_S: Final = 60.0
"""Until the first picture: the networks may come from a slow disk."""

CURVE_LIMIT_S: Final = 5.0
"""From the first picture to the first matched one; with nobody in it there is none, and measuring begins anyway."""

RELEASE_LIMIT_S: Final = 20.0

WINDOW_PREVIEW_PX: Final[Size] = (952, 519)
"""What the preview of a window of the default size, 1280 x 800, has room for."""

_SAMPLE_S: Final = 1.0
BEFORE_FINISHED: Final = ("analysis was busy", "compositing was busy", "over the frame rate", "analysis failed")
"""Causes of drops after capture and before the composite."""


@dataclass(frozen=True)
class Wish:
    """What to measure. preview: (width, height) px that pictures are fitted into, never enlarged."""

    settings: Settings
    seconds: float
    preview: Size = WINDOW_PREVIEW_PX
    record: bool = False


@dataclass(frozen=True)
class LiveReport:
    """Figures of `seconds` s, counted after the warm-up: networks loaded, first matched picture shown.

    captured: frames the source gave; finished: composites made of them; converted: those ready for a screen.
    fps: converted a second. drops, drops_percent: by cause; percent of captured + lost by the source.
    covered: pictures that showed the plate alone. latency: capture -> converted. held_share: of the finished,
    those for which nothing was inferred. stages_ms: medians a call, warm-up calls left out. cpu_percent: of one
    core; others_cpu_percent: what the rest of the machine used meanwhile. rss_slope_mb_min: least squares over a
    sample a second; late: over the second half, since memory grows into its size at first. first_..._s: since the
    process began; None where there was none. release_s: from nobody looking to a closed source.
    """

    source: str
    granted: str
    seconds: float
    captured: int
    finished: int
    converted: int
    fps: float
    drops: Mapping[str, int]
    drops_percent: Mapping[str, float]
    dropped_percent: float
    covered: int
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    held_share: float
    stages_ms: Mapping[str, float]
    cpu_percent: float
    others_cpu_percent: float
    rss_start_mb: float
    rss_end_mb: float
    rss_slope_mb_min: float
    rss_slope_late_mb_min: float
    first_picture_s: float
    first_match_s: float | None
    release_s: float | None
    recording: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        return asdict(self)


def bench_live(wish: Wish) -> tuple[LiveReport, tuple[str, ...]]:
    """Run the pipeline on a source for so long; the figures, and what was noticed meanwhile.

    UserError when the source can't be opened, the pipeline can't work, or no picture comes.
    """
    share_memory_pools()  # as the window does
    session = _Session(wish)
    with session.running():
        session.await_start()
        with session.recording() as recorded:
            counts = session.measured()
        release_s = session.released()
    return session.report(counts, release_s=release_s, recording=recorded()), tuple(session.notices)


def to_bgra(pixels: Pixels, room: Size) -> Pixels:
    """(H, W, 3) -> (h, w, 4) that fits into `room`, as the window's display thread makes it; never enlarged."""
    return as_uint8(cv2.cvtColor(shrunk_into(pixels, room), cv2.COLOR_RGB2BGRA))


def slope(times_s: Sequence[float], values: Sequence[float]) -> float:
    """Rise of the values a second, least squares; 0 of fewer than two."""
    return float(np.polyfit(times_s, values, 1)[0]) if len(times_s) > 1 else 0.0


def rss_facts(samples: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Start, end and slopes of the resident size, of samples (s, MB), as `LiveReport` names them."""
    late = samples[len(samples) // 2 :]
    return {
        "rss_start_mb": samples[0][1],
        "rss_end_mb": samples[-1][1],
        "rss_slope_mb_min": _mb_a_minute(samples),
        "rss_slope_late_mb_min": _mb_a_minute(late),
    }


def _mb_a_minute(samples: Sequence[tuple[float, float]]) -> float:
    return round(60 * slope([at_s for at_s, _ in samples], [mb for _, mb in samples]), 2)


def percentiles(values: Sequence[float], wanted: Sequence[float]) -> list[float | None]:
    """Percentiles rounded to hundredths; None each of nothing."""
    return [round(float(p), 2) for p in np.percentile(values, wanted)] if values else [None for _ in wanted]


def process_age_s() -> float:
    """Seconds since this process was made.

    psutil counts from the boot time in whole seconds, half a second wrong on average; Linux knows to 10 ms.
    """
    try:
        words = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time() - float(psutil.Process().create_time())


class CpuMeter:
    """CPU time from its making on: of this process, and of the rest of the machine, in percent of one core."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._start = time.monotonic(), self._own_s(), self._busy_s()

    def percents(self) -> tuple[float, float]:
        """(own, others')."""
        past_s = max(1e-6, time.monotonic() - self._start[0])
        own_s = self._own_s() - self._start[1]
        others_s = max(0.0, self._busy_s() - self._start[2] - own_s)
        return round(100 * own_s / past_s, 1), round(100 * others_s / past_s, 1)

    def _own_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _busy_s(self) -> float:
        times = psutil.cpu_times()
        return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


@dataclass
class _Counts:
    """What is counted while measuring; appended to by the threads, read at the end."""

    finished: int = 0
    covered: int = 0
    held: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    drops: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cpu: tuple[float, float] = (0.0, 0.0)
    rss: list[tuple[float, float]] = field(default_factory=list)


class _Session:
    """One run of the pipeline, with somebody who looks at its pictures."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._changed = threading.Condition()
        self._runner = LiveRunner(on_status=self._follow, on_notice=self._note)
        self._viewer = threading.Thread(target=self._look, name="bench-display", daemon=True)
        self._counts: _Counts | None = None
        self._fault: UserError | None = None
        self._state = CaptureState.STOPPED
        self._granted = ""
        self._first_picture_s: float | None = None
        self._first_match_s: float | None = None
        self.notices: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """The pipeline at work, from start to stop."""
        self._runner.attach("bench", self._count, lambda: False)
        self._viewer.start()
        try:
            self._runner.start(self._wish.settings)
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
        """Record into a folder that is removed, if that is wished; gives the final status once it is over."""
        if not self._wish.record:
            yield lambda: None
            return
        with ExitStack() as held:
            folder = held.enter_context(tempfile.TemporaryDirectory())
            recorder = Recorder(self._record_settings(Path(folder)), size=self._picture_size())
            recorder.start()
            held.callback(recorder.stop)
            self._runner.attach("recording", recorder.put)
            held.callback(self._runner.detach, "recording")
            yield lambda: recorder.status

    def measured(self) -> _Counts:
        """Count for as long as is wished."""
        counts, cpu = _Counts(), CpuMeter()
        self._runner.reset_figures()
        begun_s = time.monotonic()
        self._counts = counts
        _sample_rss(counts, 0.0)
        for due_s in _ticks(self._wish.seconds):
            _wait_until(begun_s + due_s)
            _sample_rss(counts, due_s)
        self._counts = None
        counts.seconds, counts.cpu = time.monotonic() - begun_s, cpu.percents()
        figures = self._runner.figures()
        counts.drops, counts.held = dict(figures.drops), figures.held
        return counts

    def released(self) -> float | None:
        """Stop looking, and how long the source takes to be let go of, s; None where it is not within the limit."""
        begun_s = time.monotonic()
        self._runner.show_preview(seen=False)
        is_paused = self._await(lambda: self._state is CaptureState.PAUSED, RELEASE_LIMIT_S)
        return round(time.monotonic() - begun_s, 3) if is_paused else None

    def report(self, counts: _Counts, *, release_s: float | None, recording: RecordStatus | None) -> LiveReport:
        """What came out."""
        captured = counts.finished + sum(counts.drops.get(cause, 0) for cause in BEFORE_FINISHED)
        due = max(1, captured + counts.drops.get("lost by the source", 0))
        drops = {cause: count for cause, count in counts.drops.items() if count}
        if recording is not None and recording.dropped:
            drops["the recorder was busy"] = recording.dropped
        p50, p95, p99 = percentiles(counts.latencies_ms, (50, 95, 99))
        return LiveReport(
            source=self._wish.settings.camera.source,
            granted=self._granted,
            seconds=round(counts.seconds, 3),
            captured=captured,
            finished=counts.finished,
            converted=len(counts.latencies_ms),
            fps=round(len(counts.latencies_ms) / counts.seconds, 2),
            drops=drops,
            drops_percent={cause: round(100 * count / due, 2) for cause, count in drops.items()},
            dropped_percent=round(100 * sum(drops.values()) / due, 2),
            covered=counts.covered,
            latency_p50_ms=p50,
            latency_p95_ms=p95,
            latency_p99_ms=p99,
            held_share=round(counts.held / max(1, counts.finished), 3),
            stages_ms=self._runner.clock.medians_ms(),
            cpu_percent=counts.cpu[0],
            others_cpu_percent=counts.cpu[1],
            **rss_facts(counts.rss),
            first_picture_s=round(self._first_picture_s or 0.0, 3),
            first_match_s=None if self._first_match_s is None else round(self._first_match_s, 3),
            release_s=release_s,
            recording=None if recording is None else recording_facts(recording),
        )

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
        age_s = process_age_s()
        with self._changed:
            self._first_picture_s = self._first_picture_s or age_s
            if is_matched:
                self._first_match_s = age_s
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

    def _record_settings(self, folder: Path) -> RecordSettings:
        return RecordSettings(folder=folder, microphone=None, rate_hz=float(self._wish.settings.camera.rate_hz))


def recording_facts(status: RecordStatus) -> dict[str, Any]:
    """A recording in figures."""
    return {
        "encoder": status.encoder,
        "frames": status.frames,
        "dropped": status.dropped,
        "repeated": status.repeated,
        "mb": round(status.bytes_written / 1e6, 2),
        "failure": None if status.failure is None else str(status.failure),
    }


def _sample_rss(counts: _Counts, at_s: float) -> None:
    counts.rss.append((at_s, round(psutil.Process().memory_info().rss / 1e6, 2)))


def _ticks(seconds: float) -> list[float]:
    """The moments of a sample a second, the last one at the end."""
    return [*(_SAMPLE_S * n for n in range(1, int(seconds / _SAMPLE_S) + 1) if _SAMPLE_S * n < seconds), seconds]


def _wait_until(due_s: float) -> None:
    while (left_s := due_s - time.monotonic()) > 0:
        time.sleep(left_s)
