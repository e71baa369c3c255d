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
from collections.abc import Sequence
from typing import Any, Final

from PyQt6.QtCore import QEvent, QObject
from PyQt6.QtWidgets import QApplication

from app.cli import main as platematch
from app.domain.errors import ExitCode, UserError
from app.ui.qt_environment import display_checked, import_cv2
from app.ui.window_counts import STALL_MS
from app.ui.window_probe import Probe

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


if __name__ == "__main__":
    sys.exit(main())
