"""The thread that opens, reads and closes one source."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from app.domain.errors import UserError
from app.pipeline.handover import LatestSlot
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_protocol import CaptureWish, LiveSource
from app.pipeline.live.sources import words_for

log = logging.getLogger(__name__)

Opener = Callable[[str, CaptureWish], LiveSource]


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What shall be read; each order is one of its own, so that the same may be asked for again."""

    spec: str
    wish: CaptureWish


class Reader:
    """One opening of one source, from open to close, all on its own thread.

    Its fields are written under `changed` and may be read under it; `changed` is notified when the source opens,
    gives its first frame, gives another size, fails, or is closed. Frames alone notify nobody: whoever watches
    looks at `heard_s` when the time has come.

    heard_s: monotonic moment of the last sign of life. is_doubted: `doubt` was called, no frame came since.
    is_released: the source is closed, or never opened.
    """

    def __init__(self, opener: Opener, order: Order, slot: LatestSlot[Captured], changed: threading.Condition) -> None:
        self.order = order
        self.heard_s = time.monotonic()
        self.opened_s: float | None = None
        self.granted: Granted | None = None
        self.fault: UserError | None = None
        self.frames = 0
        self.lost = 0
        self.is_released = False
        self.is_doubted = False
        self._opener = opener
        self._slot = slot
        self._changed = changed
        self._is_dismissed = False
        self._last_index: int | None = None
        self._thread = threading.Thread(target=self._run, name="capture-reader", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def dismiss(self) -> None:
        """Have it end at the next frame; from now on it puts nothing into the slot."""
        with self._changed:
            self._is_dismissed = True

    def doubt(self) -> None:
        """Have the next frame notified."""
        with self._changed:
            self.is_doubted = True

    def join(self) -> None:
        """Wait for the thread of a reader that has released its source."""
        self._thread.join()

    def _run(self) -> None:
        source: LiveSource | None = None
        try:
            source = self._opener(self.order.spec, self.order.wish)
            self._note_open(source)
            while self._deliver(source.read(), source):
                pass
        except UserError as error:
            self._fail(error)
        except Exception as error:  # drivers fail in ways nobody has listed
            # Only the kind: the text of a network error may hold a password.
            log.warning("reading %s failed: %s", words_for(self.order.spec), type(error).__name__)
            self._fail(UserError(f"{words_for(self.order.spec)} failed.", "It is tried again by itself."))
        finally:
            self._close(source)

    def _note_open(self, source: LiveSource) -> None:
        with self._changed:
            self.heard_s = self.opened_s = time.monotonic()
            self.granted = source.granted
            self._changed.notify_all()

    def _deliver(self, captured: Captured, source: LiveSource) -> bool:
        """Put one frame into the slot; False when no more are wanted."""
        index = captured.frame.index
        with self._changed:
            if self._is_dismissed:
                return False
            self._slot.put(captured)
            self.heard_s = time.monotonic()
            self.frames += 1
            self.lost += 0 if self._last_index is None else index - self._last_index - 1
            self._last_index = index
            if self.frames == 1 or self.is_doubted or source.granted != self.granted:
                self.granted, self.is_doubted = source.granted, False
                self._changed.notify_all()
        return True

    def _fail(self, error: UserError) -> None:
        with self._changed:
            self.fault = error
            self._changed.notify_all()

    def _close(self, source: LiveSource | None) -> None:
        try:
            if source is not None:
                source.close()
        except Exception as error:  # as for reading; the device counts as released all the same
            log.warning("closing %s failed: %s", words_for(self.order.spec), type(error).__name__)
        with self._changed:
            self.is_released = True
            self._changed.notify_all()
