"""One export of a mask project on a thread of its own, with progress and cancel; answers by signals."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.masks_in import ProjectMedia
from app.ui.choices import RenderReport
from app.ui.faults import failure_of


class ExportKind(Enum):
    """What is made of a project; the value is what the person reads."""

    COMPOSITE = "Matched composite (video)"
    MATTE_VIDEO = "Matte video"
    MATTE_PICTURES = "Matte pictures (PNG)"
    CUTOUTS = "Cut-out pictures (PNG with alpha)"

    @property
    def is_video(self) -> bool:
        """Whether it becomes one file; else a folder of pictures."""
        return self in (ExportKind.COMPOSITE, ExportKind.MATTE_VIDEO)


@dataclass(frozen=True, slots=True)
class ExportWish:
    """output: a video's file, or the folder for pictures. whole: the clip from end to end, not the in-out range."""

    kind: ExportKind
    output: Path
    whole: bool


class _Cancelled(BaseException):
    """Leaves the export from inside its progress report; no Exception, so that nothing on the way keeps it."""


class ExportJob(QObject):
    """Exports once. Exactly one of finished(RenderReport), failed(Failure) and cancelled() ends it.

    progressed(frames): how many frames of the clip have been gone through. notices: one sentence each, until the end.
    What is in the way of the output is replaced: whoever asked for it has agreed. Inputs never are.
    """

    progressed = pyqtSignal(int)
    finished = pyqtSignal(object)
    failed = pyqtSignal(object)
    cancelled = pyqtSignal()

    def __init__(self, document: MaskDocument, media: ProjectMedia, wish: ExportWish) -> None:
        super().__init__()
        self.document, self.media, self.wish = document, media, wish
        self.notices: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="export", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Stop after the frame in hand; an unfinished file is removed, finished pictures stay."""
        self._stop.set()

    def wait(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _run(self) -> None:
        try:
            report = self._exported()
        except _Cancelled:
            self.cancelled.emit()
        except Exception as error:
            self.failed.emit(failure_of(error))
        else:
            self.finished.emit(report)

    def _exported(self) -> RenderReport:
        from app.pipeline.threads import share_cores

        share_cores()
        self._report(0)
        started_s = time.monotonic()
        frames = self._composite() if self.wish.kind is ExportKind.COMPOSITE else self._mattes()
        return RenderReport(self.wish.output, frames, time.monotonic() - started_s, tuple(self.notices))

    def _composite(self) -> int:
        from app.pipeline.mask.project_render import RenderWish, render_project

        wish = RenderWish(whole=self.wish.whole, overwrite=True)
        return render_project(
            self.document, self.media, self.wish.output, wish, on_notice=self.notices.append, report=self._report
        ).frames

    def _mattes(self) -> int:
        from app.pipeline.mask.mattes_out import MatteWish, export_matte

        wish = MatteWish(rgba=self.wish.kind is ExportKind.CUTOUTS, whole=self.wish.whole, overwrite=True)
        return export_matte(
            self.document, self.media, self.wish.output, wish, on_notice=self.notices.append, report=self._report
        )

    def _report(self, frames: int) -> None:
        if self._stop.is_set():
            raise _Cancelled
        self.progressed.emit(frames)
