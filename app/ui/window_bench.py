"""The window measured from inside: start-up, pictures on the screen, stalls of Qt's thread. Its own process.

`platematch bench window` starts it as `python -m app.ui.window_bench`, so that the start is a cold one and the
command line needs no import of the window. It runs `platematch gui` itself and looks on: by an event filter until
it has been painted, a timer that notices how late it is called, and the statistics' hook for painted frames.
One JSON object goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle
from typing import Any, Final

import psutil
from PyQt6.QtCore import QEvent, QObject, Qt, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication

from app.cli import main as platematch
from app.domain.errors import ExitCode, UserError
from app.domain.settings import GROUPS
from app.pipeline.live.capture_status import CaptureState, CaptureStatus
from app.pipeline.live.live_bench import BEFORE_FINISHED, CpuMeter, percentiles, recording_facts, rss_facts
from app.pipeline.live.live_stats import LiveStats
from app.pipeline.live.outlet import LivePicture
from app.pipeline.live.pictures import Finished
from app.pipeline.plates import DEFAULT_PLATES
from app.ui.choices import View
from app.ui.live.live_desk import LiveDesk
from app.ui.main_window import MainWindow
from app.ui.qt_environment import display_checked, import_cv2

BEAT_MS: Final = 2
"""Between heartbeats; a stall may be measured so much too short."""

STALL_MS: Final = 8.0
"""Nothing shall hold Qt's thread up for longer."""

_FIRST_PICTURE_LIMIT_S: Final = 60.0
_CURVE_LIMIT_S: Final = 5.0
_EXERCISE_EVERY_MS: Final = 2000
_SAMPLE_EVERY_MS: Final = 1000
_WORST_EVENTS: Final = 15


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code."""
    args = _parser().parse_args(argv)
    try:
        report = _measured(args)
    except UserError as error:
        report = {"error": error.message, "hint": error.hint, "code": int(error.code)}
    sys.stdout.write(json.dumps(report) + "\n")
    return int(report.get("code", ExitCode.OK))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="window_bench")
    parser.add_argument("--source", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--born", type=float, required=True, help="time.monotonic() when the process was made")
    for name in ("record", "exercise", "events"):
        parser.add_argument(f"--{name}", action="store_true")
    return parser


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    import_cv2()
    events = EventTimes()
    with display_checked():
        app = TimedApplication(events) if args.events else QApplication(sys.argv[:1])
    probe = Probe(app, args.born, seconds=args.seconds, record=args.record, exercise=args.exercise)
    if platematch(["gui", "--source", args.source]) != ExitCode.OK:
        raise UserError("The window was closed before all was measured.", code=ExitCode.INTERRUPTED)
    report = probe.report()
    return report | {"longest_events": events.longest(since_s=args.born)} if args.events else report


class EventTimes:
    """Events that took longer than STALL_MS: how long, to what, which, when."""

    def __init__(self) -> None:
        self._found: list[tuple[float, str, str, float]] = []

    def note(self, took_ms: float, receiver: QObject | None, kind: str) -> None:
        """One event is done."""
        if took_ms > STALL_MS:
            self._found.append((took_ms, type(receiver).__name__, kind, time.monotonic()))

    def longest(self, *, since_s: float) -> list[dict[str, Any]]:
        """The worst, longest first. since_s: the moment that `at_s` counts from."""
        worst = sorted(self._found, reverse=True)[:_WORST_EVENTS]
        return [{"ms": round(ms, 1), "to": to, "event": e, "at_s": round(at - since_s, 2)} for ms, to, e, at in worst]


class TimedApplication(QApplication):
    """Times every event, nested ones within others; Python called for each costs Qt's thread some 5 us."""

    def __init__(self, events: EventTimes) -> None:
        super().__init__(sys.argv[:1])
        self._events = events

    def notify(self, receiver: QObject | None, event: QEvent | None) -> bool:
        """Deliver an event."""
        kind = "" if event is None else event.type().name
        started_s = time.perf_counter()
        is_done = super().notify(receiver, event)
        self._events.note(1000 * (time.perf_counter() - started_s), receiver, kind)
        return is_done


class PaintedStats(LiveStats):
    """The live statistics, that also keep every painted frame: (captured_s, painted_s)."""

    def __init__(self, painted: Callable[[float, float], None]) -> None:
        super().__init__()
        self._painted = painted

    def shown(self, captured_s: float, now_s: float) -> None:
        """A picture captured then is on the screen now."""
        super().shown(captured_s, now_s)
        self._painted(captured_s, now_s)


class Probe(QObject):
    """Looks on from Qt's thread and closes the window when all is measured.

    born_s: `time.monotonic()` when the process was made; the clock is the machine's, not the process's.
    """

    def __init__(self, app: QApplication, born_s: float, *, seconds: float, record: bool, exercise: bool) -> None:
        super().__init__(app)
        self._born_s, self._seconds = born_s, seconds
        self._wants_record, self._wants_exercise = record, exercise
        self._window: MainWindow | None = None
        self._desk: LiveDesk | None = None
        self._fault: UserError | None = None
        self._visible_s: float | None = None
        self._first_s: dict[str, float] = {}
        self._made_s: dict[str, float] = {}
        self._start_beats, self._beats_ms = array("d"), array("d")
        self._last_beat_s = 0.0
        self._steady: _Steady | None = None
        self._figures: dict[str, Any] = {}
        self._beat = _timer(self, self._on_beat, BEAT_MS)
        QTimer.singleShot(0, self._find_window)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Wait for the window's first paint; whatever is painted with it is done when Qt comes back to us."""
        if event is not None and event.type() == QEvent.Type.Paint and watched is not None:
            watched.removeEventFilter(self)
            QTimer.singleShot(0, self._note_visible)
        return False

    def report(self) -> dict[str, Any]:
        """All figures, once the window is closed. UserError when there was no picture."""
        if self._fault is not None:
            raise self._fault
        if not self._figures:
            raise UserError("The window was closed before all was measured.", code=ExitCode.INTERRUPTED)
        return {
            "platform": QGuiApplication.platformName(),
            "visible_s": _rounded(self._visible_s),
            "first_picture_s": _rounded(self._first_s.get("picture")),
            "first_match_s": _rounded(self._first_s.get("match")),
            **self._figures,
            "stalls_starting": stalls(self._start_beats),
            "stalls": stalls(self._beats_ms),
        }

    def _find_window(self) -> None:
        self._window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow))
        self._desk = self._window.live.desk
        if self._desk is None:
            raise RuntimeError("the window did not open on the live picture")
        self._desk.runner.stats = PaintedStats(self._note_painted)
        self._desk.status_changed.connect(self._check)
        self._window.installEventFilter(self)
        self._last_beat_s = time.monotonic()
        self._beat.start()
        QTimer.singleShot(round(1000 * _FIRST_PICTURE_LIMIT_S), self._check_picture)

    def _note_visible(self) -> None:
        if self._visible_s is None:
            self._visible_s = time.monotonic() - self._born_s

    def _on_beat(self) -> None:
        now_s = time.monotonic()
        beats = self._start_beats if self._steady is None else self._beats_ms
        beats.append(max(0.0, 1000 * (now_s - self._last_beat_s) - BEAT_MS))
        self._last_beat_s = now_s
        if "match" not in self._made_s and self._desk is not None:
            self._look_at(self._desk.runner.latest)

    def _look_at(self, picture: LivePicture | None) -> None:
        """Note when the frames were captured that count as the first ones."""
        if picture is None or picture.rendered is None:
            return
        self._made_s.setdefault("picture", picture.finished.captured_s)
        if picture.rendered.table is not None:
            self._made_s.setdefault("match", picture.finished.captured_s)

    def _note_painted(self, captured_s: float, now_s: float) -> None:
        """Called with every painted frame, covers too."""
        self._note_visible()
        if self._steady is not None:
            self._steady.painted(captured_s, now_s)
            return
        for what, made_s in self._made_s.items():
            if captured_s >= made_s and what not in self._first_s:
                self._first_s[what] = now_s - self._born_s
                QTimer.singleShot(0 if what == "match" else round(1000 * _CURVE_LIMIT_S), self._begin)

    def _begin(self) -> None:
        """Count from here on."""
        if self._steady is not None or self._window is None or self._desk is None:
            return
        self._steady = _Steady(self._desk, parent=self)
        if self._wants_record:
            self._desk.toggle_recording()
        if self._wants_exercise:
            steps = exercises(self._window)
            _timer(self, lambda: next(steps)(), _EXERCISE_EVERY_MS).start()
        QTimer.singleShot(round(1000 * self._seconds), self._finish)

    def _finish(self) -> None:
        if self._window is None or self._desk is None or self._steady is None:
            return
        self._beat.stop()
        self._figures = self._steady.figures()
        self._figures["granted"] = "" if (granted := self._desk.status.granted) is None else granted.text
        self._figures["preview"] = "{} x {}".format(*self._window.workspace.preview.area_px())
        self._figures["closing_s"] = self._closed()

    def _closed(self) -> float:
        begun_s = time.monotonic()
        if self._window is not None:
            self._window.quit()
        return round(time.monotonic() - begun_s, 3)

    def _check(self, status: CaptureStatus) -> None:
        """Give up on a source that was lost before it gave a picture."""
        if status.state is CaptureState.LOST and not self._first_s:
            self._give_up(UserError(status.reason, status.hint))

    def _check_picture(self) -> None:
        if not self._first_s:
            self._give_up(UserError("The source gives no picture.", "Choose another source."))

    def _give_up(self, fault: UserError) -> None:
        self._fault = self._fault or fault
        self._beat.stop()
        self._closed()


class _Steady:
    """What is counted from the first matched picture to the end."""

    def __init__(self, desk: LiveDesk, *, parent: QObject) -> None:
        self._desk = desk
        self._begun_s = time.monotonic()
        self._drops = dict(desk.facts().drops)
        self._cpu = CpuMeter()
        self._process = psutil.Process()
        self._rss: list[tuple[float, float]] = []
        self._latencies_ms = array("d")
        self._captured_s: set[float] = set()
        self._finished = self._covered = 0
        desk.runner.attach("bench", self._finish, lambda: False)
        self._sample()
        _timer(parent, self._sample, _SAMPLE_EVERY_MS).start()

    def painted(self, captured_s: float, now_s: float) -> None:
        """A frame is on the screen; a cover is none."""
        if captured_s in self._captured_s:
            self._captured_s.discard(captured_s)
            self._latencies_ms.append(1000 * (now_s - captured_s))

    def figures(self) -> dict[str, Any]:
        """What came out."""
        seconds = time.monotonic() - self._begun_s
        drops = {cause: n - self._drops.get(cause, 0) for cause, n in self._desk.facts().drops.items()}
        drops = {cause: n for cause, n in drops.items() if n > 0}
        captured = self._finished + sum(drops.get(cause, 0) for cause in BEFORE_FINISHED)
        due = max(1, captured + drops.get("lost by the source", 0))
        p50, p95, p99 = percentiles(self._latencies_ms, (50, 95, 99))
        own, others = self._cpu.percents()
        self._sample()
        recording = self._desk.outputs.recording
        return {
            "seconds": round(seconds, 3),
            "captured": captured,
            "finished": self._finished,
            "painted": len(self._latencies_ms),
            "fps": round(len(self._latencies_ms) / seconds, 2),
            "drops": drops,
            "drops_percent": {cause: round(100 * n / due, 2) for cause, n in drops.items()},
            "dropped_percent": round(100 * sum(drops.values()) / due, 2),
            "covered": self._covered,
            "latency_p50_ms": p50,
            "latency_p95_ms": p95,
            "latency_p99_ms": p99,
            "stages_ms": self._desk.runner.clock.medians_ms(),
            "cpu_percent": own,
            "others_cpu_percent": others,
            **rss_facts(self._rss),
            "recording": None if recording is None else recording_facts(recording),
        }

    def _finish(self, picture: Finished) -> None:
        """Called on the pipeline's threads."""
        self._covered += picture.is_cover
        if not picture.is_cover:
            self._finished += 1
            self._captured_s.add(picture.captured_s)

    def _sample(self) -> None:
        rss_mb = round(self._process.memory_info().rss / 1e6, 2)
        self._rss.append((time.monotonic() - self._begun_s, rss_mb))


def exercises(window: MainWindow) -> Iterator[Callable[[], None]]:
    """What a person who tries things out does: pages, backgrounds, views, in turn and for ever."""
    pages, plates, views = cycle(GROUPS), cycle([*DEFAULT_PLATES, "blur"]), cycle(View)
    while True:
        yield partial(window.workspace.inspector.show_page, next(pages))
        yield partial(window.workspace.plates.choose, next(plates))
        yield partial(window.header.choose_view, next(views))


def stalls(beats_ms: Sequence[float]) -> dict[str, Any]:
    """How late Qt's thread came to its heartbeat, ms; and how often by more than STALL_MS."""
    p50, p99 = percentiles(beats_ms, (50, 99))
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "max_ms": round(max(beats_ms), 2) if beats_ms else None,
        f"over_{STALL_MS:g}_ms": sum(ms > STALL_MS for ms in beats_ms),
        "beats": len(beats_ms),
    }


def _timer(parent: QObject, work: Callable[[], None], every_ms: int) -> QTimer:
    timer = QTimer(parent)
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(every_ms)
    timer.timeout.connect(work)
    return timer


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


if __name__ == "__main__":
    sys.exit(main())
