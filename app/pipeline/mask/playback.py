"""The threads that show a clip: one answers where the user scrubs to, one plays."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.handover import LatestSlot, read_ahead
from app.pipeline.mask.frame_index import Stopped
from app.pipeline.mask.seeking import Decoded, FrameSeeker

_PREFETCHED: Final = 8
_KEPT_GOING_BACK: Final = 24
"""More than ahead: going back, all frames since the key frame are decoded again for these."""
_READ_AHEAD: Final = 8
MAX_LATE_S: Final = 0.25
"""Frames are dropped to stay on time; this far behind, the clock is set back instead, so that something is shown."""


@dataclass(frozen=True, slots=True, eq=False)
class _Request:
    """A frame somebody wants to see. over: set once they want another."""

    pts: int
    over: threading.Event = field(default_factory=threading.Event)


class Scrubber:
    """Answers `request` on a thread of its own; the latest request wins, those in between are never decoded.

    open_seeker is called on the thread, and what it gives is closed there. on_frame, on_failure: called on the thread.
    When nothing is asked, the next frames in the direction of travel are decoded into the seeker's cache.
    """

    def __init__(
        self,
        open_seeker: Callable[[], FrameSeeker],
        *,
        on_frame: Callable[[Frame], None],
        on_failure: Callable[[UserError], None],
    ) -> None:
        self._open_seeker = open_seeker
        self._on_frame = on_frame
        self._on_failure = on_failure
        self._slot: LatestSlot[_Request] = LatestSlot()
        self._newest: _Request | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="scrubber", daemon=True)
        self._thread.start()

    def request(self, pts: int) -> None:
        """Ask for the frame nearest to `pts`; any thread, never waits."""
        request, before = _Request(pts), self._newest
        self._newest = request
        self._slot.put(request)
        if before is not None:
            before.over.set()

    @property
    def skipped(self) -> int:
        """Requests that a newer one replaced before they were taken up."""
        return self._slot.dropped

    def stop(self) -> None:
        """End the thread and wait for it; a frame in the making is given up."""
        self._stopping.set()
        if self._newest is not None:
            self._newest.over.set()
        self._slot.close()
        self._thread.join()

    def _work(self) -> None:
        try:
            seeker = self._open_seeker()
        except UserError as error:
            self._on_failure(error)
            return
        before = seeker.index.start_pts
        with contextlib.closing(seeker), contextlib.suppress(Stopped):
            while (request := self._slot.take()) is not None:
                pts = seeker.index.nearest(request.pts)
                going_back = pts < before
                self._answer(seeker, pts, before)
                self._prefetch(seeker, pts, going_back=going_back, over=request.over)
                before = pts

    def _answer(self, seeker: FrameSeeker, pts: int, before: int) -> None:
        index = seeker.index
        steps_back = index.index_of(before) - index.index_of(pts)
        keep = _KEPT_GOING_BACK if 0 < steps_back <= _KEPT_GOING_BACK else 0
        try:
            frame = seeker.at(pts, keep=keep, should_stop=self._stopping.is_set)
        except UserError as error:
            self._on_failure(error)
        else:
            self._on_frame(frame)

    def _prefetch(self, seeker: FrameSeeker, pts: int, *, going_back: bool, over: threading.Event) -> None:
        index = seeker.index
        far = index.pts_at(index.index_of(pts) + (-_KEPT_GOING_BACK if going_back else _PREFETCHED))
        with contextlib.suppress(Stopped):
            for _ in seeker.decoded_between(pts, far, should_stop=over.is_set):
                if over.is_set():
                    return


class Clock(Protocol):
    """Time that never goes back, and waiting in it."""

    def now_s(self) -> float:
        """Seconds since some moment."""

    def wait(self, over: threading.Event, timeout_s: float) -> None:
        """Return after so long, or at once when `over` is set."""


class MonotonicClock:
    """The computer's own."""

    def now_s(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, over: threading.Event, timeout_s: float) -> None:
        """Return after so long, or at once when `over` is set."""
        over.wait(timeout_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """What to play: from pts, to the end of `span` (first and last pts). over: set once that is not wanted any more."""

    pts: int
    span: tuple[int, int]
    loops: bool
    over: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    """A frame and its moment, s since playing began. next_s: when the one after it is due."""

    due_s: float
    next_s: float
    decoded: Decoded


class Playback:
    """Plays a clip at its own times, whatever its frame rate does, on a thread of its own; decodes ahead on another.

    open_seeker is called on the thread: a seeker that nobody else uses; one with `FrameCache(0)` saves a copy of each
    frame. on_frame comes when the frame is due; a frame whose successor is due already is dropped and counted in
    `dropped`, before it is made RGB. Further behind than MAX_LATE_S, playing slows down to what can be decoded. Frames
    that can't be decoded are left out. on_end: the end was reached, not when it was stopped. on_failure: playing ended
    by an error. All are called on the thread.
    """

    def __init__(
        self,
        open_seeker: Callable[[], FrameSeeker],
        *,
        on_frame: Callable[[Frame], None],
        on_end: Callable[[], None],
        on_failure: Callable[[UserError], None],
        clock: Clock | None = None,
    ) -> None:
        self.dropped = 0
        self._open_seeker = open_seeker
        self._on_frame = on_frame
        self._on_end = on_end
        self._on_failure = on_failure
        self._clock = clock or MonotonicClock()
        self._slot: LatestSlot[_Order] = LatestSlot()
        self._current: _Order | None = None
        self._thread = threading.Thread(target=self._work, name="playback", daemon=True)
        self._thread.start()

    def play(self, pts: int, *, span: tuple[int, int], loops: bool = False) -> None:
        """Play from `pts`, if that lies in `span` (first and last pts, included), else from its start, up to its end.

        loops: then again from its first one, and so on. All are pts of the index. What is playing gives way.
        """
        self.pause()
        self._current = _Order(pts, span, loops)
        self._slot.put(self._current)

    def pause(self) -> None:
        """Stop playing; at most one frame still comes."""
        self._slot.clear()
        if self._current is not None:
            self._current.over.set()

    def stop(self) -> None:
        """End the threads and wait for them."""
        self.pause()
        self._slot.close()
        self._thread.join()

    def _work(self) -> None:
        try:
            seeker = self._open_seeker()
        except UserError as error:
            self._on_failure(error)
            return
        with contextlib.closing(seeker):
            while (order := self._slot.take()) is not None:
                try:
                    self._play(seeker, order)
                except UserError as error:
                    self._on_failure(error)
                else:
                    if not order.over.is_set():
                        self._on_end()

    def _play(self, seeker: FrameSeeker, order: _Order) -> None:
        began_s: float | None = None
        with contextlib.closing(read_ahead(_timed(seeker, order), depth=_READ_AHEAD)) as frames:
            for timed in frames:
                began_s = self._clock.now_s() - timed.due_s if began_s is None else began_s
                late_s = self._clock.now_s() - began_s - timed.due_s
                if late_s > MAX_LATE_S:
                    began_s += late_s
                elif late_s >= timed.next_s - timed.due_s:
                    self.dropped += 1
                    continue
                self._clock.wait(order.over, max(0.0, -late_s))
                if order.over.is_set():
                    return
                self._on_frame(seeker.frame_of(timed.decoded))


def _timed(seeker: FrameSeeker, order: _Order) -> Iterator[_Timed]:
    """Yield the frames of an order with their moments; ends early once it is over."""
    index, (first, last) = seeker.index, order.span
    begin, base = order.pts if first <= order.pts <= last else first, 0
    with contextlib.suppress(Stopped):
        while True:
            some = False
            for decoded in seeker.decoded_between(begin, last, should_stop=order.over.is_set):
                due, after = (base + pts - begin for pts in (decoded.pts, index.end_of(decoded.pts)))
                yield _Timed(float(due * index.time_base), float(after * index.time_base), decoded)
                some = True
            if not (order.loops and some):
                return
            begin, base = first, base + index.end_of(last) - begin
