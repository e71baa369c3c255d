"""The window measured from inside: start-up, pictures on the screen, stalls of Qt's thread. Its own process.

`platematch bench window` starts it as `python -m app.ui.window_bench`, so that the start is a cold one and the
command line needs no import of the window. It opens the very window of `platematch gui`, by the same function, and
looks on: an event filter until the window has been painted, a timer that notices how late it is called, and the
statistics' hook for painted frames. One JSON object goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import ExitCode, UserError

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

BEAT_MS: Final = 2
"""Between heartbeats. A stall is measured up to so much too short; each beat costs Qt's thread some 10 us."""

STALL_MS: Final = 8.0
"""Nothing shall hold Qt's thread up for longer."""

_FIRST_PICTURE_LIMIT_S: Final = 60.0
_CURVE_LIMIT_S: Final = 5.0
_EXERCISE_EVERY_MS: Final = 2000
_SAMPLE_EVERY_MS: Final = 1000
_WORST_EVENTS: Final = 12


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
    parser = argparse.ArgumentParser(prog="window_bench", description=__doc__)
    parser.add_argument("--source", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--born", type=float, required=True, help="time.monotonic() when the process was made")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--exercise", action="store_true")
    parser.add_argument("--events", action="store_true")
    return parser


def _measured(args: argparse.Namespace) -> dict[str, Any]:
    from app.ui.application import run_window
    from app.ui.qt_environment import display_checked, import_cv2

    import_cv2()
    with display_checked():
        app, worst = _application(timed=args.events)
    probe = _probe(app, args)
    code = run_window(None, source=args.source)
    closed_s = time.monotonic()
    if code != ExitCode.OK:
        raise UserError("The window was closed by a signal.", code=ExitCode.INTERRUPTED)
    report = probe.report(closed_s)
    return report | ({"longest_events": worst()} if args.events else {})


def _application(*, timed: bool) -> tuple[QApplication, Callable[[], list[dict[str, Any]]]]:
    """The application `run_window` will find. timed: notes how long every event takes, some 5 us each."""
    from PyQt6.QtCore import QEvent, QObject
    from PyQt6.QtWidgets import QApplication

    found: list[tuple[float, str, str, float]] = []
    begun_s = time.monotonic()

    class Timed(QApplication):
        """Times events, those inside others too."""

        def notify(self, receiver: QObject | None, event: QEvent | None) -> bool:
            """Deliver it."""
            kind = "" if event is None else event.type().name
            started = time.perf_counter()
            done = super().notify(receiver, event)
            took_ms = 1000 * (time.perf_counter() - started)
            if took_ms > STALL_MS:
                found.append((took_ms, type(receiver).__name__, kind, time.monotonic() - begun_s))
            return done

    def worst() -> list[dict[str, Any]]:
        longest = sorted(found, reverse=True)[:_WORST_EVENTS]
        return [{"ms": round(ms, 1), "to": to, "event": e, "at_s": round(at_s, 2)} for ms, to, e, at_s in longest]

    return (Timed if timed else QApplication)(sys.argv[:1]), worst


def _probe(app: QApplication, args: argparse.Namespace) -> Any:  # noqa: C901  (one closure: Qt must not be imported above)
    return args
