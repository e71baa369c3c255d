"""Workers on this machine: one on a thread of this process, or several processes of their own."""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event as ProcessEvent
from typing import Any, Final, TypeAlias

import psutil

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.control import Control, SegmentDone, Stopped
from app.pipeline.offline.plan import Plan, Stage
from app.pipeline.offline.workers import FramesDone, SegmentWorker
from app.pipeline.threads import one_thread_each

log = logging.getLogger(__name__)

Event: TypeAlias = FramesDone | SegmentDone

TELL_EVERY_S: Final = 0.2
POLL_S: Final = 0.1
TRIES: Final = 3
WORKER_BYTES: Final = 700 << 20
"""What a worker may take, whatever the clip's length."""

_CONTEXT: Final = multiprocessing.get_context("spawn")


def default_workers() -> int:
    """One a core, as far as memory goes."""
    fits = int(psutil.virtual_memory().available * 0.8 // WORKER_BYTES)
    return max(1, min(os.cpu_count() or 1, fits))


class Pace:
    """Called with every frame a worker has done: tells now and then, holds while paused, and stops when told to."""

    def __init__(self, tell: Any, control: Control) -> None:
        self._tell, self._control = tell, control
        self._told_s = 0.0

    def __call__(self, frames: int) -> None:
        """Raises `Stopped`."""
        while self._control.is_paused() and not self._control.should_stop():
            time.sleep(POLL_S)
        if self._control.should_stop():
            raise Stopped
        now_s = time.monotonic()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            self._tell(frames)


class InlineExecutor:
    """One worker on a thread of this process: for short clips, where starting processes takes longer than the work."""

    workers = 1

    def __init__(self) -> None:
        self._worker: tuple[Plan, SegmentWorker] | None = None

    def run(self, plan: Plan, stage: Stage, indices: Sequence[int], control: Control) -> Iterator[Event]:
        """See `Executor.run`."""
        handed: queue.Queue[Event | BaseException | None] = queue.Queue()
        leave = threading.Event()
        watched = _Watched(control, leave)

        def work() -> None:
            try:
                for index in indices:
                    pace = Pace(lambda frames, index=index: handed.put(FramesDone(stage, index, frames)), watched)
                    handed.put(self._worker_for(plan).run(stage, index, pace))
                handed.put(None)
            except BaseException as error:  # handed to the owner, whatever it is
                handed.put(error)

        thread = threading.Thread(target=work, name="segments", daemon=True)
        thread.start()
        try:
            while (event := handed.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            leave.set()
            thread.join()

    def close(self) -> None:
        """Close the worker."""
        if self._worker is not None:
            self._worker[1].close()
            self._worker = None

    def _worker_for(self, plan: Plan) -> SegmentWorker:
        if self._worker is None or self._worker[0] is not plan:
            self.close()
            self._worker = plan, SegmentWorker(plan)
        return self._worker[1]


@dataclass(frozen=True, slots=True)
class _Watched:
    """A control that also stops when nobody listens any more."""

    control: Control
    leave: threading.Event

    def should_stop(self) -> bool:
        return self.leave.is_set() or self.control.should_stop()

    def is_paused(self) -> bool:
        return self.control.is_paused()


@dataclass(frozen=True, slots=True)
class _Failed:
    """A worker's exception on its way here."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class _Flags:
    """The control as other processes see it."""

    stop: ProcessEvent
    pause: ProcessEvent

    def should_stop(self) -> bool:
        # An orphan must not go on writing what its owner's successor writes too.
        owner = multiprocessing.parent_process()
        return self.stop.is_set() or (owner is not None and not owner.is_alive())

    def is_paused(self) -> bool:
        return self.pause.is_set()


class PoolExecutor:
    """Worker processes, started when first needed and kept for the next delivery.

    A worker that dies (out of memory, killed) is replaced and its segment done again, up to TRIES times.
    """

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or default_workers()
        self._flags = _Flags(_CONTEXT.Event(), _CONTEXT.Event())
        self._members: list[_Member] = []

    def run(self, plan: Plan, stage: Stage, indices: Sequence[int], control: Control) -> Iterator[Event]:
        """See `Executor.run`."""
        waiting = sorted(indices)
        tries: dict[int, int] = {}
        self._set_flags(control)
        self._hire(min(self.workers, len(waiting)))
        try:
            while waiting or any(m.task is not None for m in self._members):
                self._set_flags(control)
                for member in self._members:
                    if member.task is None and waiting:
                        index = next_for(member.last, waiting, {m.task for m in self._members if m.task is not None})
                        waiting.remove(index)
                        member.begin(plan, stage, index)
                for lost in self._replace_dead():
                    waiting = sorted([*waiting, lost])
                    tries[lost] = tries.get(lost, 0) + 1
                    if tries[lost] >= TRIES:
                        raise _died(plan)
                yield from self._heard()
        finally:
            self._quiet()

    def close(self) -> None:
        """Stop the processes."""
        self._flags.stop.set()
        for member in self._members:
            member.end()
        self._members.clear()

    def _set_flags(self, control: Control) -> None:
        for flag, wanted in ((self._flags.stop, control.should_stop()), (self._flags.pause, control.is_paused())):
            if wanted and not flag.is_set():
                flag.set()
            elif not wanted and flag.is_set():
                flag.clear()

    def _hire(self, count: int) -> None:
        self._replace_dead()
        while len(self._members) < count:
            self._members.append(_Member(self._flags))

    def _replace_dead(self) -> list[int]:
        """Segments that died with their workers; new workers stand in their place."""
        dead = [member for member in self._members if member.is_gone]
        for member in dead:
            log.warning("a render worker died (exit code %s); another takes over", member.process.exitcode)
            member.end()
            self._members[self._members.index(member)] = _Member(self._flags)
        return [member.task for member in dead if member.task is not None]

    def _heard(self) -> Iterator[Event]:
        ready = wait([member.connection for member in self._members], timeout=POLL_S)
        for member in [m for m in self._members if m.connection in ready]:
            try:
                message = member.connection.recv()
            except (EOFError, OSError):
                member.is_gone = True
                continue
            if isinstance(message, _Failed):
                member.task = None
                raise message.error
            if isinstance(message, SegmentDone):
                member.task = None
            yield message

    def _quiet(self) -> None:
        """Have all of them idle: who still works is stopped."""
        busy = [member for member in self._members if member.task is not None]
        if busy:
            self._flags.stop.set()
        for member in busy:
            member.settle()
        self._flags.stop.clear()


def next_for(last: int | None, waiting: Sequence[int], busy: Collection[int]) -> int:
    """Which of the waiting segments (ascending) a worker takes that did `last` before.

    The one after it, whose frames it has nearly decoded already; else the longest stretch of them, at its start, or in
    its middle where another worker is on the way through it.
    """
    if last is not None and last + 1 in waiting:
        return last + 1
    runs: list[list[int]] = []
    for index in waiting:
        if runs and runs[-1][-1] + 1 == index:
            runs[-1].append(index)
        else:
            runs.append([index])
    longest = max(runs, key=len)
    return longest[len(longest) // 2] if longest[0] - 1 in busy else longest[0]


class _Member:
    """One worker process. task: the segment it works on, None while idle. last: the one it began last.

    is_gone: its end of the line is closed, which is how a dead one shows; what it had sent was heard before.
    """

    def __init__(self, flags: _Flags) -> None:
        self.task: int | None = None
        self.last: int | None = None
        self.is_gone = False
        self._plan: Plan | None = None
        self.connection, theirs = _CONTEXT.Pipe()
        self.process: SpawnProcess = _CONTEXT.Process(target=_serve, args=(theirs, flags), name="render", daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, plan: Plan, stage: Stage, index: int) -> None:
        """Give it a segment; a plan goes over once."""
        self.task = self.last = index
        try:
            if self._plan is not plan:
                self.connection.send(plan)
                self._plan = plan
            self.connection.send((stage, index))
        except OSError:
            self.is_gone = True

    def settle(self) -> None:
        """Wait until it has left its segment."""
        while self.task is not None and (self.process.is_alive() or self.connection.poll()):
            if not self.connection.poll(POLL_S):
                continue
            try:
                message = self.connection.recv()
            except (EOFError, OSError):
                break
            if isinstance(message, SegmentDone | _Failed):
                break
        self.task = None

    def end(self) -> None:
        """Stop it, by force if it does not listen."""
        self.connection.close()
        self.process.join(5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _serve(connection: Connection[Any, Any], flags: _Flags) -> None:
    """A worker process's life: plans and segments in, progress and results out, until nobody is there."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to answer: finished segments are kept.
    one_thread_each()
    worker: SegmentWorker | None = None
    try:
        while True:
            message = connection.recv()
            if isinstance(message, Plan):
                if worker is not None:
                    worker.close()
                worker = SegmentWorker(message)
                continue
            assert worker is not None  # noqa: S101  (a plan comes first)
            stage, index = message
            connection.send(_result(worker, stage, index, connection, flags))
    except (EOFError, OSError, KeyboardInterrupt):
        pass
    finally:
        if worker is not None:
            worker.close()


def _result(
    worker: SegmentWorker, stage: Stage, index: int, connection: Connection[Any, Any], flags: _Flags
) -> SegmentDone | _Failed:
    try:
        return worker.run(stage, index, Pace(lambda n: connection.send(FramesDone(stage, index, n)), flags))
    except Stopped as error:
        return _Failed(error)
    except UserError as error:
        return _Failed(error)
    except MemoryError:
        return _Failed(UserError("There is not enough memory for the render.", "Use fewer workers: --workers 1."))
    except Exception as error:
        log.exception("a render worker failed")
        return _Failed(RuntimeError(f"{type(error).__name__}: {error}"))


def _died(plan: Plan) -> UserError:
    return UserError(
        f"The work on “{plan.job.clip.name}” ended {TRIES} times without a word, as it does when memory runs out.",
        "Use fewer workers (--workers 1), or close other programs; what is finished is kept.",
        code=ExitCode.FAILED,
    )
