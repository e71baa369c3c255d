"""From "Render…" to the finished file: the question, the job, its progress and its end."""

from __future__ import annotations

from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal
from PyQt6.QtWidgets import QWidget

from app.ui import dialogs
from app.ui.choices import Failure, RenderReport
from app.ui.message_bar import MessageBar
from app.ui.opening import open_file, place_of
from app.ui.render_bar import RenderBar
from app.ui.render_job import RenderJob
from app.ui.session import Session
from app.ui.text import tr


class RenderControl(QObject):
    """One render at a time. busy(bool): a render began or ended."""

    busy = pyqtSignal(bool)

    def __init__(self, parent: QWidget, session: Session, messages: MessageBar) -> None:
        super().__init__(parent)
        self.bar = RenderBar()
        self._window = parent
        self._session = session
        self._messages = messages
        self._job: RenderJob | None = None
        self.bar.cancel_wanted.connect(self._cancel)

    @property
    def is_busy(self) -> bool:
        """Whether a render is under way."""
        return self._job is not None

    def ask(self) -> None:
        """Ask for a file name and start."""
        if self._session.clip is not None and not self.is_busy:
            dialogs.ask_output(self._window, dialogs.suggested_output(self._session.clip), self.start)

    def start(self, output: str) -> None:
        """Render the open clip as it is set now; nothing happens without one or during another."""
        clip = self._session.clip
        if clip is None or self.is_busy:
            return
        job = self._job = RenderJob(clip, self._session.settings, Path(output))
        job.progressed.connect(self.bar.show_frames)
        job.finished.connect(self._finished)
        job.failed.connect(self._failed)
        job.cancelled.connect(self._cancelled)
        self._messages.hide()
        self.bar.begin(job.output.name, clip.frame_count)
        self.busy.emit(True)
        job.start()

    def close(self) -> None:
        """Cancel what is under way and wait until its unfinished file is gone."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
            self._job = None

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def _end(self) -> None:
        if self._job is not None:
            self._job.wait()
        self._job = None
        self.bar.hide()
        self.busy.emit(False)

    def _finished(self, report: RenderReport) -> None:
        self._end()
        hint = " ".join([place_of(report.path), *report.notices])
        self._messages.show_done(
            report.summary, hint, action=tr("Play"), do=lambda: open_file(report.path, self._messages)
        )

    def _failed(self, failure: Failure) -> None:
        self._end()
        self._messages.show_failure(failure)

    def _cancelled(self) -> None:
        self._end()
        self._messages.show_note(tr("The render was cancelled."), tr("The unfinished file was removed."))
