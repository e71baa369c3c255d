"""Telling a file that grows from one that a crash left."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

if sys.platform != "win32":
    import fcntl

_QUIET_S: Final = 10.0


class WriterLock:
    """Marks a file as being written by a living process: the system takes the mark away with the process.

    On Windows an open file can't be renamed, which says the same; nothing is marked there.
    """

    def __init__(self, path: Path) -> None:
        self._handle: int | None = None
        if sys.platform != "win32":
            self._handle = os.open(path, os.O_RDONLY)
            with contextlib.suppress(OSError):  # Some network shares know no locks.
                fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def sync(self) -> None:
        """Put the file's contents on the disk."""
        handle = self._handle
        if handle is not None:
            with contextlib.suppress(OSError):
                os.fsync(handle)

    def release(self) -> None:
        """Take the mark away."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)


def is_being_written(path: Path) -> bool:
    """Whether a living process holds a `WriterLock` on the file; without locks: whether it grew just now."""
    if sys.platform == "win32":
        return not _can_be_renamed(path)
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return time.time() - path.stat().st_mtime < _QUIET_S
    finally:
        os.close(handle)
    return False


def _can_be_renamed(path: Path) -> bool:
    try:
        os.rename(path, path)
    except OSError:
        return False
    return True
