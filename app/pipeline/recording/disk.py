"""What a recording does with the disk while it records: measuring, syncing and naming, on a thread of its own."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.pipeline.handover import BoundedQueue

MEGABYTE: Final = 1_000_000
WARN_BYTES: Final = 1000 * MEGABYTE
STOP_BYTES: Final = 200 * MEGABYTE
STOP_S: Final = 10.0

_EVERY_S: Final = 1.0
_TASKS: Final = 1000

DiskLeft = Callable[[Path], int]
"""Bytes that can still be written in a folder."""


def free_bytes(folder: Path) -> int:
    """Bytes this user can still write there; OSError when the folder is gone."""
    return shutil.disk_usage(folder).free


def stop_below(bytes_per_s: float) -> float:
    """Free bytes under which a recording ends: STOP_BYTES, or what STOP_S of it take if that is more."""
    return max(STOP_BYTES, STOP_S * bytes_per_s)


class DiskKeeper:
    """Runs tasks that wait for the disk, in order, and `each_second` between them; nothing here stops an encoder."""

    def __init__(self, each_second: Callable[[], None]) -> None:
        self._each_second = each_second
        self._tasks: BoundedQueue[Callable[[], None]] = BoundedQueue(_TASKS)
        self._thread = threading.Thread(target=self._work, name="record-disk", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self, task: Callable[[], None]) -> None:
        """Run a task soon; it must not raise."""
        self._tasks.put(task)

    def stop(self) -> None:
        """Finish what is queued and end the thread."""
        self._tasks.close()
        self._thread.join()

    def _work(self) -> None:
        while not self._tasks.is_finished:
            task = self._tasks.take(_EVERY_S)
            (task or self._each_second)()
