"""Errors on their way to the person: one sentence in the window, the trace on the terminal."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final

from app.domain.errors import UserError
from app.ui.choices import Failure

log = logging.getLogger(__name__)

UNEXPECTED_HINT: Final = "The details are on the terminal that the program was started from."


def failure_of(error: BaseException) -> Failure:
    """The sentence for an error. One that is no UserError is a defect of ours: its trace is logged."""
    if isinstance(error, UserError):
        return Failure(error.message, error.hint)
    log.error("unexpected error", exc_info=error)
    return Failure(f"Something unexpected went wrong: {type(error).__name__}: {error}", UNEXPECTED_HINT)


@contextmanager
def faults_shown(show: Callable[[Failure], None], interrupted: Callable[[], None]) -> Iterator[None]:
    """Route exceptions nobody caught: without a hook of ours PyQt6 ends the process for one in a slot.

    show: called with any such exception on the main thread. interrupted: called for Ctrl-C and SIGTERM,
    which arrive as KeyboardInterrupt. Other threads' exceptions are logged only.
    """

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            interrupted()
        else:
            show(failure_of(error))

    def thread_hook(args: threading.ExceptHookArgs) -> None:
        log.error("unexpected error on a thread", exc_info=args.exc_value)

    previous = sys.excepthook, threading.excepthook
    sys.excepthook, threading.excepthook = hook, thread_hook
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook = previous
