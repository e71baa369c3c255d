"""Handing frames between threads, in order, without loss, in bounded memory."""

from __future__ import annotations

import queue
import threading
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
