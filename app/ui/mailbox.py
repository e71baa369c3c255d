"""Handing work to a thread: errands are all done, in order; of wishes only the latest counts."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]


class Mailbox:
    """Where one thread waits for work. Errands go first; `wish` replaces a wish not yet taken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._errands: deque[Work] = deque()
        self._wish: Work | None = None
        self._is_closed = self._is_finishing = False

    def errand(self, work: Work) -> None:
        """Queue work that must be done."""
        with self._changed:
            self._errands.append(work)
            self._changed.notify()

    def wish(self, work: Work) -> None:
        """Ask for work that only matters until the next wish."""
        with self._changed:
            self._wish = work
            self._changed.notify()

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything else to do, or nothing any more: lengthy work may be cut short."""
        return self._is_closed or self._is_finishing or self._wish is not None or bool(self._errands)

    def finish(self) -> None:
        """Let the waiting thread go once all errands are done."""
        with self._changed:
            self._is_finishing = True
            self._changed.notify_all()

    def close(self) -> None:
        """Let the waiting thread go; work not yet taken is dropped."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def take(self) -> Work | None:
        """Wait for the next piece of work; None when the mailbox was closed."""
        with self._changed:
            while not (self._is_closed or self._is_finishing or self._errands or self._wish):
                self._changed.wait()
            if self._is_closed:
                return None
            if self._errands:
                return self._errands.popleft()
            if self._is_finishing:
                return None
            work, self._wish = self._wish, None
            return work
