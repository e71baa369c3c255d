"""Something lengthy that is done once, on a thread of its own, with progress and cancel; answers by signals."""

from __future__ import annotations

import threading

from PyQt6.QtCore import QObject, pyqtSignal

from app.ui.faults import failure_of


class _Cancelled(BaseException):
    """Leaves the work from inside its progress report; no Exception, so that nothing on the way keeps it."""


class Job(QObject):
    """Base of what makes files. Exactly one of finished(report), failed(Failure) and cancelled() ends it.

    progressed(frames): frames done so far; 0 at the start, while the networks load.
    """

    progressed = pyqtSignal(int)
    finished = pyqtSignal(object)
    failed = pyqtSignal(object)
    cancelled = pyqtSignal()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the frame in hand; an unfinished file is removed."""
        self._stop.set()

    def wait(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _work(self) -> object:
        """Do it, on the thread, calling `_report` for every frame; returns what `finished` says."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            report = self._work()
        except _Cancelled:
            self.cancelled.emit()
        except Exception as error:
            self.failed.emit(failure_of(error))
        else:
            self.finished.emit(report)

    def _report(self, frames: int) -> None:
        """So many frames are done; leaves the work where it was cancelled."""
        if self._stop.is_set():
            raise _Cancelled
        self.progressed.emit(frames)
