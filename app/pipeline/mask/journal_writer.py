"""The thread that keeps what is painted: within moments in a file, within seconds on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument
from app.pipeline.handover import LatestSlot
from app.pipeline.mask.inside import removed, write_all, write_part
from app.pipeline.mask.journal import Heading, between, heading_record, journal_path, records
from app.pipeline.video_output import PendingFile

SYNC_S: Final = 2.0
"""The disk is not asked more often."""

COMPACT_BYTES: Final = 64 * 2**20
"""A journal that grew by so much since it was last written anew is written anew: steps taken back and done again
pile up."""

_RECENT: Final = 16
"""Documents noted of late that are remembered, to tell what came after one that is being saved."""


@dataclass(frozen=True, slots=True)
class _Noted:
    """A document to keep. steps: noted in all, this one included."""

    document: MaskDocument
    steps: int


class JournalWriter:
    """Keeps the difference between the saved document and the one noted last in the project's journal.

    The file is made with the first difference. When it can't be written, `on_trouble` is told once, on the writer's
    thread, and it is tried again every SYNC_S with all that is owed.
    """

    def __init__(
        self, folder: Path, saved: MaskDocument, base: str, *, on_trouble: Callable[[UserError], None]
    ) -> None:
        self._folder = folder
        self._on_trouble = on_trouble
        self._saved, self._base, self._follows = saved, base, ""
        self._written = _Noted(saved, 0)
        self._before_save = 0  # Steps noted before the last save.
        self._noting = threading.Lock()
        self._recent = deque([self._written], maxlen=_RECENT)
        self._owed: _Noted | None = None
        self._handle: int | None = None
        self._grown_bytes = 0
        self._unsynced_since_s: float | None = None
        self._is_in_trouble = False
        self._slot: LatestSlot[_Noted] = LatestSlot()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="mask-journal", daemon=True)
        self._thread.start()

    def note(self, document: MaskDocument, *, steps: int = 1) -> None:
        """Have the document kept; returns at once. steps: it took since the one noted before."""
        with self._noting:
            self._recent.append(_Noted(document, self._recent[-1].steps + steps))
            self._slot.put(self._recent[-1])

    def later_than(self, document: MaskDocument) -> MaskDocument | None:
        """What was noted after this very document; None when nothing was, or when it was never noted itself."""
        with self._noting:
            known = [index for index, noted in enumerate(self._recent) if noted.document is document]
            return self._recent[-1].document if known and known[-1] < len(self._recent) - 1 else None

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was noted is in the file; False when it isn't by then."""
        last = self._last()
        with self._changed:
            return self._changed.wait_for(lambda: self._written.steps >= last.steps, timeout_s)

    def rebase(self, saved: MaskDocument, base: str, commit: Callable[[], None]) -> None:
        """Go on from what `commit` saves; what it raises is raised, and the journal is as it was.

        What was noted after `saved` is in the new journal before the commit: a kill at any moment leaves a project
        and a journal that belong together.
        """
        with self._changed:
            self._slot.take(0)  # Whatever it was, `_recent` has it too.
            last = self._last()
            later = self.later_than(saved)
            upcoming = journal_path(self._folder, base)
            try:
                if later is not None:
                    self._write_new(upcoming, Heading(base, self._base), saved, later, steps=1)
                commit()
            except BaseException:
                if base != self._base:
                    removed(upcoming)
                self._keep(last)
                raise
            self._close()
            if base != self._base:
                removed(journal_path(self._folder, self._base))
            self._saved, self._base, self._follows = saved, base, self._base
            self._written, self._owed = _Noted(later or saved, last.steps), None
            self._before_save = last.steps - (later is not None)
            if later is not None and not self._opened(upcoming):
                self._owed = self._written
            self._changed.notify_all()

    def stop(self, *, discard: bool) -> None:
        """End the thread; what was noted is kept in the file first, or the file removed."""
        last = self._slot.take(0)
        self._slot.close()
        self._thread.join()
        with self._changed:
            if discard:
                self._close()
                removed(journal_path(self._folder, self._base))
            else:
                self._keep(last or self._owed)
                self._sync()
                self._close()

    def _last(self) -> _Noted:
        with self._noting:
            return self._recent[-1]

    def _work(self) -> None:
        while not self._slot.is_closed:
            noted = self._slot.take(self._wait_s())
            with self._changed:
                self._keep(noted or self._owed)
                if self._unsynced_since_s is not None and time.monotonic() >= self._unsynced_since_s + SYNC_S:
                    self._sync()

    def _wait_s(self) -> float | None:
        with self._changed:
            if self._owed is not None:
                return SYNC_S
            if self._unsynced_since_s is None:
                return None
            return max(0.0, self._unsynced_since_s + SYNC_S - time.monotonic())

    def _keep(self, noted: _Noted | None) -> None:
        if noted is None or (noted.steps <= self._written.steps and noted is not self._owed):
            return
        try:
            self._append(noted)
        except (OSError, UserError) as error:
            self._close()  # The next try writes the whole difference anew; a torn end is cut off when it is read.
            self._owed = noted
            self._report(error)
        else:
            self._written, self._owed, self._is_in_trouble = noted, None, False
        self._changed.notify_all()

    def _append(self, noted: _Noted) -> None:
        delta = between(self._written.document, noted.document)
        if delta.is_nothing and self._owed is None:
            if self._handle is None:
                # One of an earlier session, recovered and taken back at once: it would be recovered again.
                journal_path(self._folder, self._base).unlink(missing_ok=True)
            return
        if self._handle is None or self._grown_bytes > COMPACT_BYTES:
            self._begin(noted)
            return
        for record in records(delta, steps=noted.steps - self._written.steps, time_s=time.time()):
            write_all(self._handle, record)
            self._grown_bytes += len(record)
        if self._unsynced_since_s is None:
            self._unsynced_since_s = time.monotonic()

    def _begin(self, noted: _Noted) -> None:
        path = journal_path(self._folder, self._base)
        self._close()
        steps = noted.steps - self._before_save
        self._write_new(path, Heading(self._base, self._follows), self._saved, noted.document, steps=steps)
        if not self._opened(path):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _write_new(
        self, path: Path, heading: Heading, saved: MaskDocument, document: MaskDocument, *, steps: int
    ) -> None:
        pending = PendingFile(path)
        delta = between(saved, document)
        write_part(pending, (heading_record(heading), *records(delta, steps=steps, time_s=time.time())))
        pending.commit()

    def _opened(self, path: Path) -> bool:
        """Whether what was just written can be appended to; where not, it is written anew with the next difference."""
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        except OSError:
            return False
        self._grown_bytes = 0
        return True

    def _close(self) -> None:
        handle, self._handle = self._handle, None
        self._unsynced_since_s = None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.close(handle)

    def _sync(self) -> None:
        self._unsynced_since_s = None
        if self._handle is not None:
            try:
                os.fsync(self._handle)
            except OSError as error:
                self._close()
                self._owed = self._written
                self._report(error)

    def _report(self, error: OSError | UserError) -> None:
        if self._is_in_trouble:
            return
        self._is_in_trouble = True
        why = error.message if isinstance(error, UserError) else f"{error.strerror}."
        self._on_trouble(
            UserError(f"What you paint is not being kept against a crash: {why}", "Free some space, or save elsewhere.")
        )
