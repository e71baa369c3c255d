"""One render on a thread of its own, with progress and cancel; answers by signals."""

from __future__ import annotations

import threading
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.settings import Settings
from app.ui.choices import ClipInfo
from app.ui.faults import failure_of


class _Cancelled(BaseException):
    """Leaves the render from inside its progress report; no Exception, so that nothing on the way keeps it."""


class RenderJob(QObject):
    """Renders once. Exactly one of finished(RenderReport), failed(Failure) and cancelled() ends it.

    progressed(frames): finished frames so far; 0 at the start, while the networks load.
    """

    progressed = pyqtSignal(int)
    finished = pyqtSignal(object)
    failed = pyqtSignal(object)
    cancelled = pyqtSignal()

    def __init__(self, clip: ClipInfo, settings: Settings, output: Path) -> None:
        super().__init__()
        self.clip = clip
        self.settings = settings
        self.output = output
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="render", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the frame in hand; the unfinished file is removed."""
        self._stop.set()

    def wait(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            from app.ui.render_work import render_clip

            report = render_clip(self.clip, self.settings, self.output, report=self._report)
        except _Cancelled:
            self.cancelled.emit()
        except Exception as error:
            self.failed.emit(failure_of(error))
        else:
            self.finished.emit(report)

    def _report(self, frames: int) -> None:
        if self._stop.is_set():
            raise _Cancelled
        self.progressed.emit(frames)
