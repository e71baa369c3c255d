"""How many threads each stage may take, so that stages which run side by side do not fight."""

from __future__ import annotations

import os
import sys
from typing import Final

import cv2

STAGES_AT_ONCE: Final = 3
"""Decoding, processing and encoding run side by side."""

_shared: list[int] = []
"""The share torch is held to once it is loaded, if anybody asked for sharing."""


_single: list[bool] = []
"""Whether this process is one of many, each with a core to itself."""


def stage_threads() -> int:
    """Threads for one stage: the cores shared among the stages, at least 1."""
    return 1 if _single else max(1, (os.cpu_count() or 1) // STAGES_AT_ONCE)


def one_thread_each() -> None:
    """For a process that is one of many, each with a core to itself: no library starts threads of its own."""
    _single[:] = [True]
    share_cores()


def share_cores() -> None:
    """Limit OpenCV and torch to one stage's share; process-wide, so a program's choice, not a library's.

    Measured on 2 cores, 720p with encoding, interleaved runs: 25.7 and 26.0 frames/s with each library's own
    default, 29.7 and 34.6 with one thread each (LiteRT too). Torch is not loaded for this: see `limit_torch`.
    """
    cv2.setNumThreads(stage_threads())
    _shared[:] = [stage_threads()]
    if "torch" in sys.modules:
        limit_torch()


def limit_torch() -> None:
    """Hold torch to its share, if `share_cores` was called; for who loads torch after it."""
    if _shared:
        import torch

        torch.set_num_threads(_shared[0])
