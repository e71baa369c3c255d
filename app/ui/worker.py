"""A thread that does what is put into its mailbox."""

from __future__ import annotations

import threading
from collections.abc import Callable

from PyQt6.QtCore import QObject

from app.ui.choices import Failure
from app.ui.faults import failure_of
from app.ui.mailbox import Mailbox, Work


class Worker(QObject):
    """Base of the threads behind the window; their signals arrive on the thread that made the object."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._mailbox = Mailbox()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it: as long as the work in hand takes."""
        self._mailbox.close()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (work := self._mailbox.take()) is not None:
                work()
        finally:
            self._close()

    def _close(self) -> None:
        """Release what the thread holds; called on it, at its end."""


def guarded(work: Work, failed: Callable[[Failure], None]) -> Work:
    """The same work, with any exception turned into the sentence for it: a thread that dies says nothing."""

    def run() -> None:
        try:
            work()
        except Exception as error:
            failed(failure_of(error))

    return run
