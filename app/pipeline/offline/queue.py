"""Deliveries one after the other: a list that can be changed while one of its entries is being made."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from app.domain.errors import ExitCode, UserError
from app.pipeline.offline.queue_items import ItemControl, QueueItem, State, after_error, after_result, waiting_again

if TYPE_CHECKING:
    from app.pipeline.offline.control import Control, Progress
    from app.pipeline.offline.job import Job
    from app.pipeline.offline.running import JobResult

    RunOne: TypeAlias = Callable[[Job, Control, Callable[[Progress], None]], JobResult]

log = logging.getLogger(__name__)

MAX_ITEMS: Final = 500


class RenderQueue:
    """Items, and a thread that makes them in order; any method may be called from any thread, only `close` waits.

    It begins held: nothing starts before `release` or `start`, and it is held again once all is done. run_one makes a
    delivery: JobResult, UserError, or Stopped when the control says so. job_of: from an item to its job; may raise
    UserError. discard: takes an item's unfinished work away. on_idle: there is nothing to do for the moment. These are
    called on the queue's thread. on_change: something is different now; called on any.
    """

    def __init__(
        self,
        run_one: RunOne,
        *,
        job_of: Callable[[QueueItem], Job],
        items: Iterable[QueueItem] = (),
        discard: Callable[[QueueItem], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._run_one, self._job_of, self._discard = run_one, job_of, discard
        self._on_change, self._on_idle = on_change, on_idle
        self._lock = threading.Lock()
        self._items: list[QueueItem] = list(items)
        self._chores: deque[QueueItem] = deque()
        self._asked: set[str] = set()
        self._dropped: set[str] = set()
        self._current: tuple[str, ItemControl] | None = None
        self._thread: threading.Thread | None = None
        self._is_held = self._is_resting = True
        self._is_closing = False

    @property
    def items(self) -> tuple[QueueItem, ...]:
        """All of them, in order."""
        with self._lock:
            return tuple(self._items)

    @property
    def is_held(self) -> bool:
        """Whether nothing is started by itself."""
        with self._lock:
            return self._is_held

    @property
    def is_busy(self) -> bool:
        """Whether one is under way or was just now: not before all that is to be made is made does it rest."""
        with self._lock:
            return not self._is_resting

    @property
    def current(self) -> QueueItem | None:
        """The one under way, held or not."""
        with self._lock:
            return None if self._current is None else self._find(self._current[0])

    def add(self, items: Iterable[QueueItem], *, first: bool = False) -> None:
        """Add at the end, or before all that wait. UserError (USAGE) when there would be too many."""
        new = list(items)
        with self._lock:
            if len(self._items) + len(new) > MAX_ITEMS:
                raise UserError(
                    f"The queue holds {MAX_ITEMS} videos at most.", "Clear finished ones first.", code=ExitCode.USAGE
                )
            place = self._first_open() if first else len(self._items)
            self._items[place:place] = new
        self._wake()

    def start(self, item_id: str) -> None:
        """Make this one as soon as nothing else is under way, whether the queue is held or not."""
        with self._lock:
            item = self._find(item_id)
            if item is not None and item.state in ("waiting", "paused") and self._control_of(item_id) is None:
                self._asked.add(item_id)
                self._put(replace(item, state="waiting"))
        self._wake()

    def release(self) -> None:
        """Make all that wait, one after the other; one that is held goes on."""
        with self._lock:
            self._is_held = self._current is None and not any(item.state == "waiting" for item in self._items)
            if self._current is not None:
                self._go_on(*self._current)
        self._wake()

    def hold(self) -> None:
        """Hold the one under way where it is, and start none."""
        with self._lock:
            self._is_held = True
            self._asked.clear()
            if self._current is not None:
                self._pause(*self._current)
        self._wake()

    def pause(self, item_id: str) -> None:
        """Hold it where it is; one that waits is passed over."""
        with self._lock:
            control = self._control_of(item_id)
            if control is not None:
                self._pause(item_id, control)
            else:
                self._alter(item_id, lambda item: replace(item, state="paused"), states=("waiting",))
        self._wake()

    def resume(self, item_id: str) -> None:
        """Undo `pause`."""
        with self._lock:
            control = self._control_of(item_id)
            if control is not None:
                self._go_on(item_id, control)
            else:
                self._alter(item_id, lambda item: replace(item, state="waiting"), states=("paused",))
        self._wake()

    def cancel(self, item_id: str) -> None:
        """Stop it, and throw its unfinished work away; it stays in the list."""
        with self._lock:
            control = self._control_of(item_id)
            if control is not None:
                control.dismiss()
            else:
                self._alter(item_id, self._thrown_away, states=("waiting", "paused"))
        self._wake()

    def retry(self, item_id: str) -> None:
        """Let it wait again after it failed or was cancelled; what is finished of it is used."""
        with self._lock:
            self._alter(item_id, waiting_again, states=("failed", "cancelled"))
        self._wake()

    def change_output(self, item_id: str, output: Path, *, overwrite: bool) -> None:
        """Give one that is not under way and not done another name; unfinished work under the old one is dropped."""

        def changed(item: QueueItem) -> QueueItem:
            return replace(waiting_again(self._thrown_away(item)), output=output, overwrite=overwrite)

        with self._lock:
            if self._control_of(item_id) is None:
                self._alter(item_id, changed, states=("waiting", "paused", "failed", "cancelled"))
        self._wake()

    def remove(self, item_id: str) -> None:
        """Take it out of the list, stopped if need be; finished videos stay where they are."""
        with self._lock:
            control, item = self._control_of(item_id), self._find(item_id)
            if control is not None:
                self._dropped.add(item_id)
                control.dismiss()
            elif item is not None:
                self._thrown_away(item)
                self._items.remove(item)
        self._wake()

    def clear_finished(self) -> None:
        """Take out all that are done or cancelled; failed ones stay to be looked at."""
        with self._lock:
            self._items = [item for item in self._items if item.state not in ("done", "cancelled")]
        self._wake()

    def move(self, item_ids: Sequence[str], place: int) -> None:
        """Put these, in this order, at another place, counted without them."""
        with self._lock:
            moved = [item for item in map(self._find, item_ids) if item is not None]
            rest = [item for item in self._items if item.id not in item_ids]
            place = max(0, place)
            self._items = [*rest[:place], *moved, *rest[place:]]
        self._wake()

    def close(self) -> None:
        """Stop, and wait for the thread. What is under way waits again, to be gone on with another time."""
        with self._lock:
            self._is_closing = True
            if self._current is not None:
                self._current[1].stop.set()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _wake(self) -> None:
        with self._lock:
            if self._thread is None and not self._is_closing and (self._chores or self._next() is not None):
                self._thread = threading.Thread(target=self._run, name="render queue", daemon=True)
                self._thread.start()
        self._on_change()

    def _run(self) -> None:
        while (work := self._take()) is not None:
            work()

    def _take(self) -> Callable[[], None] | None:
        """What is to be done next; None when there is nothing, and the thread ends."""
        with self._lock:
            if self._chores:
                return partial(self._throw_away, self._chores.popleft())
            item = None if self._is_closing else self._next()
            if item is not None:
                return partial(self._make, item, self._begin(item))
            if not self._is_resting:
                self._is_held = self._is_resting = True
                return self._rest
            self._thread = None
            return None

    def _rest(self) -> None:
        self._on_idle()
        self._on_change()

    def _next(self) -> QueueItem | None:
        waiting = [item for item in self._items if item.state == "waiting"]
        asked = (item for item in waiting if item.id in self._asked)
        return next(asked, None if self._is_held else next(iter(waiting), None))

    def _begin(self, item: QueueItem) -> ItemControl:
        control = ItemControl()
        self._asked.discard(item.id)
        self._current, self._is_resting = (item.id, control), False
        self._put(replace(waiting_again(item), state="running"))
        return control

    def _make(self, item: QueueItem, control: ItemControl) -> None:
        """Make one delivery, whatever becomes of it."""
        self._on_change()
        try:
            result = self._run_one(self._job_of(item), control, partial(self._note, item.id))
        except Exception as error:
            was_stopped, is_dismissed = control.should_stop(), control.dismissed.is_set()
            self._end(item.id, after_error(error, was_stopped=was_stopped, is_dismissed=is_dismissed))
        else:
            self._end(item.id, after_result(result))

    def _note(self, item_id: str, progress: Progress) -> None:
        with self._lock:
            item = self._find(item_id)
            if item is not None:
                self._put(replace(item, progress=progress, has_begun=item.has_begun or progress.done > 0))
        self._on_change()

    def _end(self, item_id: str, changes: dict[str, Any]) -> None:
        with self._lock:
            self._current = None
            item = self._find(item_id)
            if item is not None:
                ended = replace(item, progress=None, **changes)
                self._put(self._thrown_away(ended) if ended.state == "cancelled" else ended)
            if item_id in self._dropped:
                self._dropped.discard(item_id)
                self._items = [other for other in self._items if other.id != item_id]
        self._on_change()

    def _pause(self, item_id: str, control: ItemControl) -> None:
        control.pause.set()
        self._alter(item_id, lambda item: replace(item, state="paused"), states=("running",))

    def _go_on(self, item_id: str, control: ItemControl) -> None:
        control.pause.clear()
        self._alter(item_id, lambda item: replace(item, state="running"), states=("paused",))

    def _thrown_away(self, item: QueueItem) -> QueueItem:
        """The item, cancelled; its unfinished work is taken away on the queue's thread: that may take a while."""
        if item.state != "done" and (item.has_begun or item.state in ("failed", "cancelled")):
            self._chores.append(item)
        return replace(item, state="cancelled", has_begun=False)

    def _throw_away(self, item: QueueItem) -> None:
        with self._lock:
            others = [other for other in self._items if other.id != item.id and other.output == item.output]
        if any(other.has_begun for other in others):
            return
        try:
            self._discard(item)
        except Exception:
            log.warning("the unfinished work on %s can't be taken away", item.output, exc_info=True)

    def _alter(self, item_id: str, change: Callable[[QueueItem], QueueItem], *, states: tuple[State, ...]) -> None:
        item = self._find(item_id)
        if item is not None and item.state in states:
            self._put(change(item))

    def _put(self, item: QueueItem) -> None:
        self._items = [item if other.id == item.id else other for other in self._items]

    def _find(self, item_id: str) -> QueueItem | None:
        return next((item for item in self._items if item.id == item_id), None)

    def _control_of(self, item_id: str) -> ItemControl | None:
        """Of the one under way; None for any other."""
        return self._current[1] if self._current is not None and self._current[0] == item_id else None

    def _first_open(self) -> int:
        """Before the first that waits its turn: after the one under way, and those asked for by name."""
        busy = {*self._asked, *(self._current or ())[:1]}
        places = (n for n, item in enumerate(self._items) if not item.is_finished and item.id not in busy)
        return next(places, len(self._items))
