"""Handing frames between threads in bounded memory: without loss, or dropping what is late and counting it."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")
_END: Final = object()
_POLL_S: Final = 0.05


def read_ahead(items: Iterable[T], *, depth: int) -> Generator[T, None, None]:
    """The same items, produced up to `depth` ahead on a thread of their own.

    The producer's exception is raised here, after the items before it. Closing the generator (or dropping
    it) stops the producer at its next item and waits for it.
    """
    handed: queue.Queue[object] = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def produce() -> None:
        last: object = _END
        try:
            for item in items:
                if not _offer(handed, item, stop):
                    return
        except BaseException as error:  # handed to the consumer, whatever it is
            last = _Failure(error)
        _offer(handed, last, stop)

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    try:
        while (item := handed.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stop.set()
        thread.join()


class _Failure:
    """An exception on its way to another thread."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _offer(handed: queue.Queue[object], item: object, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            handed.put(item, timeout=_POLL_S)
        except queue.Full:
            continue
        return True
    return False


class WriteBehind(Generic[T]):
    """Runs `consume` on every item, in order, on a thread of its own; a context manager.

    `put` waits while `depth` items are queued: nothing is dropped and memory is bounded. The consumer's
    first exception is raised by the next `put` or on leaving; items after it are discarded.
    """

    def __init__(self, consume: Callable[[T], None], *, depth: int) -> None:
        self._consume = consume
        self._queue: queue.Queue[object] = queue.Queue(maxsize=depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="write-behind", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def put(self, item: T) -> None:
        """Queue one item; raises what the consumer raised."""
        if self._error is not None:
            raise self._error
        self._queue.put(item)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Work off what is queued and stop; on an exception of the block's own, discard it."""
        if kind is not None:
            self._error = self._error or _Discarded()
        self._queue.put(_END)
        self._thread.join()
        if kind is None and self._error is not None:
            raise self._error

    def _work(self) -> None:
        while (item := self._queue.get()) is not _END:
            if self._error is not None:
                continue
            try:
                self._consume(item)  # type: ignore[arg-type]
            except BaseException as error:  # raised again on the caller's thread
                self._error = error


class _Discarded(Exception):  # noqa: N818  (a mark, never shown)
    """The block that queued the items failed."""


class LatestSlot(Generic[T]):
    """Room for one item: a newer one replaces it, and `dropped` counts how many were never taken.

    counts: whether an item is missed when it is replaced; None misses all.
    """

    def __init__(self, counts: Callable[[T], bool] | None = None) -> None:
        self._counts = counts
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> None:
        """Leave an item; never waits. After `close` nothing is kept."""
        with self._changed:
            if self._closed:
                return
            if self._item is not None and (self._counts is None or self._counts(self._item)):
                self.dropped += 1
            self._item = item
            self._changed.notify()

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for an item; None when the time is over or the slot closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            return item

    def clear(self) -> None:
        """Throw away what lies there, uncounted: it belongs to something that has ended."""
        with self._changed:
            self._item = None

    def close(self) -> None:
        """Let who waits go, with nothing."""
        with self._changed:
            self._closed, self._item = True, None
            self._changed.notify_all()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed


class BoundedQueue(Generic[T]):
    """Room for `depth` items in order; one too many is refused and counted in `dropped`, nobody waits to put."""

    def __init__(self, depth: int) -> None:
        self._changed = threading.Condition()
        self._items: deque[T] = deque()
        self._depth = depth
        self._closed = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Queue an item; False when there is no room for it, or the queue was closed."""
        with self._changed:
            if self._closed:
                return False
            if len(self._items) >= self._depth:
                self.dropped += 1
                return False
            self._items.append(item)
            self._changed.notify()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """Wait for the oldest item; None when the time is over, or the queue is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            return self._items.popleft() if self._items else None

    def close(self) -> None:
        """Take nothing more in; what is queued can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def is_finished(self) -> bool:
        """Whether it is closed and nothing is left in it."""
        return self._closed and not self._items

    def __len__(self) -> int:
        """Items waiting."""
        return len(self._items)
