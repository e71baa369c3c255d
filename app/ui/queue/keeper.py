"""Keeps the queue's file as the queue is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PyQt6.QtCore import pyqtSignal

from app.pipeline.offline.queue_file import QueueLock, load_queue, queue_path, save_queue, saved_form
from app.pipeline.offline.queue_items import QueueItem
from app.ui.choices import Failure
from app.ui.worker import Worker, guarded


class QueueKeeper(Worker):
    """Writes on a thread: making sure of a file can take long. failed(Failure): it could not be written; said once.

    items, notes: what was in the file, unless another window keeps it.
    """

    failed = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__("queue file")
        self._path = queue_path()
        self._lock = QueueLock(self._path)
        self.items, self.notes = load_queue(self._path) if self.is_ours else ((), ())
        self._saved = saved_form(self.items)
        self._has_failed = False

    @property
    def is_ours(self) -> bool:
        """Whether this window keeps the file."""
        return self._lock.is_ours

    def keep(self, items: Sequence[QueueItem]) -> None:
        """Have them written, if there is anything new."""
        wanted = saved_form(items)
        if self.is_ours and wanted != self._saved:
            self._saved = wanted
            self._mailbox.errand(guarded(partial(save_queue, self._path, wanted), self._say_failed))

    def stop(self) -> None:
        """Write what is still to be written and end the thread."""
        self._mailbox.finish()
        self._thread.join()
        self._lock.release()

    def _say_failed(self, failure: Failure) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.failed.emit(failure)
