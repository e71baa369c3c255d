"""Many deliveries, several at once: a bad one never stops the others, a full disk holds only who needs it."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.control import Control, Keep, Progress, Stopped
from app.pipeline.offline.disk_room import is_disk_full, size_words, wait_for_room
from app.pipeline.offline.job import Job
from app.pipeline.offline.planning import work_folder_of

log = logging.getLogger(__name__)

Result = TypeVar("Result")
State = Literal["waiting", "running", "no room", "done", "there already", "failed", "stopped"]
"""waiting: not begun. no room: held until the disk has some. there already: by an earlier run of the same command, or
whoever else. stopped: goes on another time."""

ROOM_AT_LEAST_BYTES: Final = 64 << 20
_TICK_S: Final = 0.05


@dataclass(frozen=True)
class Entry(Generic[Result]):
    """One delivery of many, as it stands. needs_bytes: to be freed on the disk before it goes on."""

    number: int
    job: Job
    state: State = "waiting"
    progress: Progress | None = None
    result: Result | None = None
    error: UserError | None = None
    seconds: float = 0.0
    needs_bytes: int = 0

    @property
    def row(self) -> tuple[str, str, str, str]:
        """For a table: clip, state, time, and what to know of it."""
        detail = str(self.job.output) if self.state == "done" else str(self.error or "")
        if self.state == "no room":
            detail = f"{size_words(self.needs_bytes)} more are needed in “{self.job.output.parent}”"
        if self.state == "stopped":
            detail = "the same command goes on where it stopped"
        if self.state == "there already":
            detail = f"{self.job.output}; --overwrite makes it again"
        return self.job.clip.name, self.state, f"{self.seconds:.1f} s" if self.seconds else "", detail


@dataclass(frozen=True)
class BatchResult(Generic[Result]):
    """How all of them ended, in the order they were given."""

    entries: tuple[Entry[Result], ...]
    seconds: float
    was_interrupted: bool

    @property
    def rows(self) -> list[tuple[str, str, str, str]]:
        """The table at the end."""
        return [entry.row for entry in self.entries]

    @property
    def code(self) -> ExitCode:
        """What the command ends with: the first failure's; INTERRUPTED when it was."""
        if self.was_interrupted:
            return ExitCode.INTERRUPTED
        errors = [entry.error for entry in self.entries if entry.error is not None]
        return errors[0].code if errors else ExitCode.OK


RunOne: TypeAlias = Callable[[Job, Control, Callable[[Progress], None]], Result]
"""`run_job` with its executor and options."""


def run_batch(
    jobs: Sequence[Job],
    run_one: RunOne[Result],
    *,
    at_once: int = 1,
    on_event: Callable[[Entry[Result]], None] = lambda _: None,
    control: Control | None = None,
    poll_s: float = 2.0,
) -> BatchResult[Result]:
    """Make all deliveries, `at_once` of them at a time, each on a thread; returns however they end.

    on_event: told whenever one moves, one call at a time, on any thread. One whose output is there, whole, is passed
    over unless it may be overwritten: so the same command goes on with what is missing. A disk that is full holds the
    delivery that met it, tells how much it needs, looks every poll_s, and goes on. Ctrl-C, or the control, stops those
    that run, what they have finished is kept, and begins no other; a second Ctrl-C leaves at once (KeyboardInterrupt).
    """
    return _Batch(jobs, run_one, on_event, control or Keep(), poll_s).run(at_once)


@dataclass
class _Stop:
    """The owner's control, or Ctrl-C."""

    control: Control
    interrupted: threading.Event = field(default_factory=threading.Event)

    def should_stop(self) -> bool:
        return self.interrupted.is_set() or self.control.should_stop()

    def is_paused(self) -> bool:
        return self.control.is_paused()


class _Batch(Generic[Result]):
    def __init__(
        self,
        jobs: Sequence[Job],
        run_one: RunOne[Result],
        on_event: Callable[[Entry[Result]], None],
        control: Control,
        poll_s: float,
    ) -> None:
        self._entries = [Entry[Result](number, job) for number, job in enumerate(jobs)]
        self._run_one, self._on_event, self._poll_s = run_one, on_event, poll_s
        self._stop = _Stop(control)
        self._lock = threading.Lock()
        self._begun = self._ended = 0
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        for entry in self._entries:
            self._numbers.put(entry.number)

    def run(self, at_once: int) -> BatchResult[Result]:
        started_s = time.monotonic()
        threads = [
            threading.Thread(target=self._work, name=f"delivery {n}", daemon=True)
            for n in range(max(1, min(at_once, len(self._entries))))
        ]
        try:
            for thread in threads:
                thread.start()
            self._wait(len(threads))
        except KeyboardInterrupt:
            self._stop.interrupted.set()
            time.sleep(_TICK_S)  # One that was just being started finds nothing to do, or is counted.
            self._wait(self._begun)
        seconds = time.monotonic() - started_s
        return BatchResult(tuple(self._entries), seconds, self._stop.interrupted.is_set())

    def _wait(self, threads: int) -> None:
        """Until so many have ended; not by `join`: after Ctrl-C in it, CPython 3.11 may take a thread for ended."""
        while self._ended < threads:
            time.sleep(_TICK_S)

    def _work(self) -> None:
        with self._lock:
            self._begun += 1
        try:
            while not self._stop.should_stop():
                try:
                    number = self._numbers.get_nowait()
                except queue.Empty:
                    return
                self._do(number)
        finally:
            with self._lock:
                self._ended += 1

    def _do(self, number: int) -> None:
        """One delivery to its end, whatever that is."""
        started_s = time.monotonic()
        if _is_there(self._entries[number].job):
            self._set(number, state="there already")
            return
        self._set(number, state="running")
        try:
            result = self._through(number)
        except Stopped:
            self._set(number, state="stopped", seconds=time.monotonic() - started_s)
        except UserError as error:
            self._set(number, state="failed", error=error, seconds=time.monotonic() - started_s)
        except Exception as error:
            log.exception("a delivery failed")
            told = UserError(f"Something unexpected went wrong: {type(error).__name__}: {error}", code=ExitCode.FAILED)
            self._set(number, state="failed", error=told, seconds=time.monotonic() - started_s)
        else:
            self._set(number, state="done", result=result, seconds=time.monotonic() - started_s)

    def _through(self, number: int) -> Result:
        """Run it, again after every time that the disk was full."""
        job, needed = self._entries[number].job, 0

        def report(progress: Progress) -> None:
            state: State = "no room" if progress.waits_for_bytes else "running"
            self._set(number, state=state, progress=progress, needs_bytes=progress.waits_for_bytes)

        while True:
            try:
                with contextlib.suppress(OSError):  # Who writes there says what is wrong.
                    job.output.parent.mkdir(parents=True, exist_ok=True)
                return self._run_one(job, self._stop, report)
            except UserError as error:
                if not is_disk_full(error):
                    raise
                needed = self._more_than(needed, job)
            self._wait_for_room(number, job, needed)

    def _wait_for_room(self, number: int, job: Job, needed: int) -> None:
        def waiting(free: int) -> None:
            self._set(number, state="no room", needs_bytes=max(1, needed - free))

        wait_for_room(job.output.parent, needed, self._stop.should_stop, waiting, self._poll_s)
        if self._stop.should_stop():
            raise Stopped
        self._set(number, state="running", needs_bytes=0)

    @staticmethod
    def _more_than(needed: int, job: Job) -> int:
        """Free bytes to wait for: what its unfinished work takes, once more; twice as much each time that was too few.

        What is free says nothing: a quota may be used up, or another delivery may have had it meanwhile.
        """
        folder, work = work_folder_of(job.output), 0
        with contextlib.suppress(OSError):
            work = sum(path.stat().st_size for path in folder.iterdir())
        return max(ROOM_AT_LEAST_BYTES, work, 2 * needed)

    def _set(self, number: int, **changes: object) -> None:
        with self._lock:
            self._entries[number] = replace(self._entries[number], **changes)  # type: ignore[arg-type]
            self._on_event(self._entries[number])


def _is_there(job: Job) -> bool:
    """Whether an output stands there that may stay, with no unfinished work beside it.

    UserError is for one delivery alone: of many, the finished ones are to be passed over when the command is repeated.
    """
    output = job.output
    if job.overwrite or work_folder_of(output).exists():
        return False
    return any(output.iterdir()) if output.is_dir() else output.is_file()
