"""Looks on from inside a window that is measured, and closes it when all is known."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle
from typing import Any, Final

from PyQt6.QtCore import QEvent, QObject, QTimer
from PyQt6.QtGui import QGuiApplication
from PyQt6.QtWidgets import QApplication

from app.domain.errors import ExitCode, UserError
from app.domain.settings import GROUPS
from app.pipeline.live.capture_status import CaptureState, CaptureStatus
from app.pipeline.live.outlet import LivePicture
from app.pipeline.plates import DEFAULT_PLATES
from app.ui.choices import View
from app.ui.live.live_desk import LiveDesk
from app.ui.main_window import MainWindow
from app.ui.window_counts import PaintedStats, SteadyCounts, stalls, timer_on

BEAT_MS: Final = 2
"""Between heartbeats; a stall may be measured so much too short."""

_FIRST_PICTURE_LIMIT_S: Final = 60.0
_CURVE_LIMIT_S: Final = 5.0
_EXERCISE_EVERY_MS: Final = 2000


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
        self._steady: SteadyCounts | None = None
        self._figures: dict[str, Any] = {}
        self._beat = timer_on(self, self._on_beat, BEAT_MS)
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
        self._steady = SteadyCounts(self._desk, parent=self)
        if self._wants_record:
            self._desk.toggle_recording()
        if self._wants_exercise:
            steps = exercises(self._window)
            timer_on(self, lambda: next(steps)(), _EXERCISE_EVERY_MS).start()
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


def exercises(window: MainWindow) -> Iterator[Callable[[], None]]:
    """What a person who tries things out does: pages, backgrounds, views, in turn and for ever."""
    pages, plates, views = cycle(GROUPS), cycle([*DEFAULT_PLATES, "blur"]), cycle(View)
    while True:
        yield partial(window.workspace.inspector.show_page, next(pages))
        yield partial(window.workspace.plates.choose, next(plates))
        yield partial(window.header.choose_view, next(views))


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
