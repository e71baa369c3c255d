"""Room on the disk: asked for before a delivery starts, and waited for when it runs out."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError, causes
from app.pipeline.recording.disk import free_bytes

MARGIN: Final = 1.1
"""Estimates are made from a few frames, and others write to the disk too."""

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Not EFBIG: a file that is too large for its file system does not get smaller by waiting."""

_LOOK_EVERY_S: Final = 0.2


def needed_bytes(result_bytes: int, *, is_assembled: bool, extras_bytes: int = 0, present_bytes: int = 0) -> int:
    """What a delivery still takes at its largest, just before its unfinished work is removed.

    result_bytes: of the finished files. is_assembled: made out of segments, which are there as long as the whole is
    not. extras_bytes: mattes and analysis that lie beside. present_bytes: of all that, what an earlier run left.
    """
    return max(0, result_bytes * (2 if is_assembled else 1) + extras_bytes - present_bytes)


def check_room(folder: Path, needed: int) -> None:
    """Raise UserError (OUTPUT) unless `needed` bytes and a tenth more are free where `folder` is, or is to be.

    A disk that can't be asked is taken to have room: writing will tell.
    """
    free = _free_bytes(folder)
    if free is None or free >= needed * MARGIN:
        return
    raise UserError(
        f"This needs about {size_words(needed)} in “{folder}”, {size_words(free)} are free.",
        "Free some space or choose another folder.",
        code=ExitCode.OUTPUT,
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what it came from, was a full disk or a used-up quota; in this process or another."""
    return any(_errno(one) in _FULL for one in causes(error))


def wait_for_room(
    folder: Path,
    needed: int,
    should_stop: Callable[[], bool],
    on_waiting: Callable[[int], None],
    poll_s: float = 2.0,
) -> bool:
    """Hold until `needed` bytes are free in `folder`, however long that takes; False when told to stop.

    on_waiting: told the bytes that are free each time they were too few, every `poll_s`. A folder that is gone, as
    network disks are at times, has no room.
    """
    while not should_stop():
        try:
            free = free_bytes(folder)
        except OSError:
            free = 0
        if free >= needed:
            return True
        on_waiting(free)
        _pause(poll_s, should_stop)
    return False


def size_words(size_bytes: int) -> str:
    """A size in decimal units: "41 GB", "5.2 GB", "980 MB", "3 kB"."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:.{1 if name == 'GB' and size_bytes < 10 * unit else 0}f} {name}"
    return f"{size_bytes} bytes"


def _free_bytes(folder: Path) -> int | None:
    """Of the nearest folder that exists."""
    for place in (folder.absolute(), *folder.absolute().parents):
        if place.exists():
            try:
                return free_bytes(place)
            except OSError:
                return None
    return None


def _errno(error: BaseException) -> object:
    return error.system_errno if isinstance(error, UserError) else getattr(error, "errno", None)


def _pause(length_s: float, should_stop: Callable[[], bool]) -> None:
    """Sleep, but not through a stop."""
    end_s = time.monotonic() + length_s
    while (left_s := end_s - time.monotonic()) > 0 and not should_stop():
        time.sleep(min(_LOOK_EVERY_S, left_s))
