"""Keeping the process from growing while many threads come by memory."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from typing import Final

_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def share_memory_pools() -> None:
    """Have all threads share two of glibc's memory pools; process-wide, before they start. Nothing elsewhere.

    With one pool a thread, each keeps what it has freed: live at 720p the process grew by 17 MB in the second half of
    a minute, with two pools by 2, and was 18 MB smaller at the end, at the same speed.
    """
    if sys.platform.startswith("linux"):
        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)
