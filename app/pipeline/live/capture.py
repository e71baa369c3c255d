"""Keeps one source's latest frame in a slot, and gets the source back when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.domain.errors import UserError
from app.pipeline.handover import LatestSlot
from app.pipeline.live.capture_reader import Opener, Order, Reader
from app.pipeline.live.capture_status import CaptureState, CaptureStatus
from app.pipeline.live.pictures import Captured
from app.pipeline.live.source_network import is_stream
from app.pipeline.live.sources import CaptureWish, device_of, open_source, stall_error, words_for

__all__ = ["Capture", "CaptureState", "CaptureStatus", "Limits"]

_STOP_S: Final = 0.8


@dataclass(frozen=True, slots=True)
class Limits:
    """How long is waited, s.

    open_s: for a source to open, and then for its first frame. release_s: for a reader that hangs to let go of a
    device before it is opened a second time; OpenCV's own limit for a read is 10 s. stream_s: for a network stream
    that is silent, and said to be, before it is given up: connecting anew takes longer than most hiccups.
    """

    open_s: float = 10.0
    release_s: float = 12.0
    stream_s: float = 3.0


class Capture:
    """Reads a source on a thread of its own and watches it from another, since a read may hang for 10 s.

    All methods may be called from any thread; `start`, `pause` and `resume` return at once (unless a `stop` is
    under way), `stop` within a second. Frames go to `slot`; whenever they end, nothing old is left in it.
    `on_status` is called on the watching thread, in order, never while a lock is held; it must return soon and
    not call `stop`.

    stall_s: no frame for so long is a loss. retry_s: pauses before each new try; the last one goes on for ever.
    """

    def __init__(
        self,
        slot: LatestSlot[Captured],
        on_status: Callable[[CaptureStatus], None],
        *,
        opener: Opener = open_source,
        stall_s: float = 1.0,
        retry_s: tuple[float, ...] = (0.5, 1.0, 2.0),
        limits: Limits | None = None,
    ) -> None:
        self._slot = slot
        self._on_status = on_status
        self._opener = opener
        self._stall_s = stall_s
        self._retry_s = retry_s
        self._limits = limits or Limits()
        self._ending = threading.Lock()
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._is_paused = False
        self._is_ended = False
        self._thread: threading.Thread | None = None
        self._status = CaptureStatus(CaptureState.STOPPED)
        self._held: list[Reader] = []
        self._counted_frames = 0
        self._counted_lost = 0
        self._reader: Reader | None = None

    @property
    def status(self) -> CaptureStatus:
        """How it stands."""
        return self._status

    @property
    def frames(self) -> int:
        """Frames put into the slot so far, over all sources."""
        with self._changed:
            return self._counted_frames + (self._reader.frames if self._reader else 0)

    @property
    def lost(self) -> int:
        """Frames the sources lost so far: gaps in their numbers."""
        with self._changed:
            return self._counted_lost + (self._reader.lost if self._reader else 0)

    def start(self, spec: str, wish: CaptureWish) -> None:
        """Read this source from now on, instead of any other; ends a pause."""
        with self._ending, self._changed:
            self._order = Order(spec, wish)
            self._is_paused = False
            if self._thread is None:
                self._is_ended = False
                self._thread = threading.Thread(target=self._supervise, name="capture", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def pause(self) -> None:
        """Let go of the device; the state is PAUSED once that is done."""
        with self._changed:
            self._is_paused = True
            self._changed.notify_all()

    def resume(self) -> None:
        """Open the source again."""
        with self._changed:
            self._is_paused = False
            self._changed.notify_all()

    def stop(self) -> None:
        """Let go of the device and end the threads, at most a second later.

        A reader that hangs in a read can't be ended: it closes the source as soon as the read returns.
        """
        with self._ending:
            with self._changed:
                self._is_ended, self._order = True, None
                thread, self._thread = self._thread, None
                self._changed.notify_all()
            if thread is not None:
                thread.join()

    # All below runs on the watching thread.

    def _supervise(self) -> None:
        while not self._is_ended:
            order = self._next_order()
            if order is not None:
                self._serve(order)
            elif self._must_pause():
                self._let_go(CaptureState.PAUSED)
        self._let_go(CaptureState.STOPPED)

    def _next_order(self) -> Order | None:
        """Wait for something to do: a source to read, or None for a pause or the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_ended or self._must_pause() or self._wanted() is not None)
            return self._wanted()

    def _wanted(self) -> Order | None:
        return None if self._is_ended or self._is_paused else self._order

    def _must_pause(self) -> bool:
        return self._is_paused and self._status.state is not CaptureState.PAUSED

    def _is_current(self, order: Order) -> bool:
        return self._wanted() is order

    def _serve(self, order: Order) -> None:
        """Read one source until something else is wanted; lost ones are tried again."""
        self._tell(CaptureStatus(CaptureState.OPENING))
        tries = 0
        while self._is_current(order):
            self._await_release(order)
            if not self._is_current(order):
                return
            reader = self._new_reader(order)
            fault = self._watch(reader)
            self._dismiss(reader)
            if fault is None:
                return
            tries = 1 if reader.frames else tries + 1
            self._tell(CaptureStatus(CaptureState.LOST, reason=fault.message, hint=fault.hint, retries=tries))
            pause_s = self._retry_s[min(tries, len(self._retry_s)) - 1]
            with self._changed:
                self._changed.wait_for(lambda: not self._is_current(order), pause_s)

    def _new_reader(self, order: Order) -> Reader:
        reader = Reader(self._opener, order, self._slot, self._changed)
        with self._changed:
            self._reader = reader
        reader.start()
        return reader

    def _watch(self, reader: Reader) -> UserError | None:
        """Follow a reader until it fails, hangs or is no longer wanted (None)."""
        while True:
            with self._changed:
                left_s = self._deadline_s(reader) - time.monotonic()
                news = self._news(reader)
                if not news and left_s > 0:
                    self._changed.wait(left_s)
                    news = self._news(reader)
                if not self._is_current(reader.order):
                    return None
                if reader.fault is not None:
                    return reader.fault
                granted = reader.granted
            if self._deadline_s(reader) <= time.monotonic():
                if not self._bears_with(reader):
                    return self._hang(reader)
            elif news and granted is not None:
                self._tell(CaptureStatus(CaptureState.LIVE, granted, opened_s=reader.opened_s))

    def _news(self, reader: Reader) -> bool:
        """Whether there is something to tell: an end, the first frame, another size."""
        shown = self._status.granted if self._status.state is CaptureState.LIVE else None
        is_seen = reader.frames > 0 and not reader.is_doubted and reader.granted != shown
        return is_seen or reader.fault is not None or not self._is_current(reader.order)

    def _deadline_s(self, reader: Reader) -> float:
        patience_s = self._limits.stream_s if reader.is_doubted else 0.0
        return reader.heard_s + patience_s + (self._stall_s if reader.frames else self._limits.open_s)

    def _bears_with(self, reader: Reader) -> bool:
        """Whether a silent source is a stream that may go on by itself; it counts as lost until it does."""
        if reader.is_doubted or not reader.frames or not is_stream(reader.order.spec):
            return False
        reader.doubt()
        self._slot.clear()
        fault = self._hang(reader)
        self._tell(CaptureStatus(CaptureState.LOST, reason=fault.message, hint=fault.hint))
        return True

    def _hang(self, reader: Reader) -> UserError:
        spec = reader.order.spec
        if reader.opened_s is None:
            return UserError(f"{words_for(spec)} takes too long to open.", "It is tried again by itself.")
        return stall_error(spec, reader.granted.name if reader.granted else "")

    def _dismiss(self, reader: Reader) -> None:
        """Have the reader end, whatever it is at; nothing of it stays in the slot."""
        reader.dismiss()
        self._slot.clear()
        with self._changed:
            self._counted_frames += reader.frames
            self._counted_lost += reader.lost
            self._reader = None
            self._held = [held for held in (*self._held, reader) if not held.is_released]

    def _await_release(self, order: Order) -> None:
        """Wait for readers that still hold the device, so that it is not opened twice at once; up to release_s."""
        device = device_of(order.spec)
        holders = [held for held in self._held if device is not None and device_of(held.order.spec) == device]
        if not holders:
            return
        with self._changed:
            is_free = self._changed.wait_for(
                lambda: all(held.is_released for held in holders) or not self._is_current(order), self._stall_s
            )
        if is_free:
            return
        self._tell(replace(self._status, hint=f"{words_for(order.spec)} has not been let go of yet; that is awaited."))
        with self._changed:
            self._changed.wait_for(
                lambda: all(held.is_released for held in holders) or not self._is_current(order),
                self._limits.release_s,
            )

    def _let_go(self, state: CaptureState) -> None:
        """Wait a little for all readers to end, and say how that went."""
        with self._changed:
            self._changed.wait_for(lambda: all(held.is_released for held in self._held), _STOP_S)
            ended = [held for held in self._held if held.is_released]
            self._held = [held for held in self._held if not held.is_released]
        for reader in ended:
            reader.join()
        stuck = [words_for(held.order.spec) for held in self._held]
        reason = f"{stuck[0]} hangs and is let go of as soon as it answers." if stuck else ""
        self._tell(CaptureStatus(state, reason=reason))

    def _tell(self, status: CaptureStatus) -> None:
        if status != self._status:
            self._status = status
            self._on_status(status)
