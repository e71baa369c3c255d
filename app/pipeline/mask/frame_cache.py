"""Decoded pictures at hand, within a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final, Generic, TypeVar

T = TypeVar("T")

CACHE_BYTES: Final = 128 << 20
"""41 frames at 1080p."""


class FrameCache(Generic[T]):
    """Pictures of one clip by pts; the least recently used leave first. Any thread may use it.

    `size_bytes` never exceeds `limit_bytes`. hits, misses: of `get`; evictions: pictures that had to leave.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.size_bytes = self.hits = self.misses = self.evictions = 0
        self._lock = threading.Lock()
        self._items: OrderedDict[int, tuple[T, int]] = OrderedDict()

    def get(self, pts: int) -> T | None:
        """Return the picture at `pts`, now the most recently used; None when it is not here."""
        with self._lock:
            held = self._items.get(pts)
            if held is None:
                self.misses += 1
                return None
            self.hits += 1
            self._items.move_to_end(pts)
            return held[0]

    def put(self, pts: int, item: T, *, size_bytes: int) -> None:
        """Keep a picture of so many bytes, in place of one with the same pts. One over the limit is not kept."""
        with self._lock:
            self._forget(pts)
            if size_bytes > self.limit_bytes:
                return
            while self.size_bytes + size_bytes > self.limit_bytes:
                self._forget(next(iter(self._items)))
                self.evictions += 1
            self._items[pts] = item, size_bytes
            self.size_bytes += size_bytes

    def clear(self) -> None:
        """Let all go, uncounted."""
        with self._lock:
            self._items.clear()
            self.size_bytes = 0

    def __contains__(self, pts: int) -> bool:
        """Whether it is here; not counted as a use."""
        with self._lock:
            return pts in self._items

    def __len__(self) -> int:
        """How many there are."""
        with self._lock:
            return len(self._items)

    def _forget(self, pts: int) -> None:
        item = self._items.pop(pts, None)
        if item is not None:
            self.size_bytes -= item[1]
