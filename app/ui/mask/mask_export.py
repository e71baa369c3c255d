"""From "Export…" in Mask mode to the finished files: the question, the job, its progress and its end."""

from __future__ import annotations

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QWidget

from app.domain.mask.document import MaskDocument
from app.pipeline.mask.sessions import Session
from app.ui.choices import Failure, RenderReport
from app.ui.mask.export_dialog import ExportDialog
from app.ui.mask.export_job import ExportJob, ExportWish
from app.ui.message_bar import MessageBar
from app.ui.opening import open_file, place_of
from app.ui.render_bar import RenderBar
from app.ui.text import tr


class ExportControl(QObject):
    """One export at a time, of the project as it was when it was asked for. busy(bool): one began or ended."""

    busy = pyqtSignal(bool)

    def __init__(self, window: QWidget, bar: RenderBar, messages: MessageBar) -> None:
        super().__init__(window)
        self._window, self._bar, self._messages = window, bar, messages
        self._dialog: ExportDialog | None = None
        self._job: ExportJob | None = None
        bar.cancel_wanted.connect(self._cancel)

    @property
    def is_busy(self) -> bool:
        """Whether an export is under way."""
        return self._job is not None

    def ask(self, session: Session, document: MaskDocument) -> None:
        """Ask what is wanted, and start; nothing happens during another export or question."""
        if self.is_busy or self._dialog is not None:
            return
        dialog = self._dialog = ExportDialog(self._window, session, document)
        dialog.chosen.connect(lambda wish: self.start(session, document, wish))
        dialog.finished.connect(self._forget_dialog)
        dialog.open()

    def start(self, session: Session, document: MaskDocument, wish: ExportWish) -> None:
        """Export; nothing happens during another one."""
        if self.is_busy:
            return
        job = self._job = ExportJob(document, session.media, wish)
        job.progressed.connect(self._bar.show_frames)
        job.finished.connect(self._finished)
        job.failed.connect(self._failed)
        job.cancelled.connect(self._cancelled)
        self._messages.hide()
        self._bar.begin(wish.output.name, frames_to_pass(session, document, whole=wish.whole))
        self.busy.emit(True)
        job.start()

    def close(self) -> None:
        """Take the question back, cancel what is under way and wait until its unfinished file is gone."""
        if self._dialog is not None:
            self._dialog.reject()
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
            self._job = None

    def _forget_dialog(self) -> None:
        self._dialog = None

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _end(self) -> list[str]:
        """What it had to say."""
        job, self._job = self._job, None
        if job is not None:
            job.wait()
        self._bar.hide()
        self.busy.emit(False)
        return [] if job is None else job.notices

    def _finished(self, report: RenderReport) -> None:
        self._end()
        hint = " ".join([place_of(report.path), *report.notices])
        self._messages.show_done(
            report.summary,
            hint,
            action=tr("Show") if report.path.is_dir() else tr("Play"),
            do=lambda: open_file(report.path, self._messages),
        )

    def _failed(self, failure: Failure) -> None:
        notices = self._end()
        self._messages.show_failure(Failure(failure.message, " ".join([failure.hint, *notices]).strip()))

    def _cancelled(self) -> None:
        notices = self._end()
        self._messages.show_note(tr("The export was cancelled."), " ".join(notices) or tr("Nothing is left of it."))


def frames_to_pass(session: Session, document: MaskDocument, *, whole: bool) -> int:
    """Frames an export goes through: from the clip's first, also when the range begins later, to the last wanted."""
    last_pts = None if whole else document.meta.span.last_pts
    return len(session.index) if last_pts is None else session.index.first_from(last_pts + 1)
