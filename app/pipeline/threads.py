"""How many threads each stage may take, so that stages which run side by side do not fight."""

from __future__ import annotations

import os
from typing import Final

import cv2
import torch

STAGES_AT_ONCE: Final = 3
"""Decoding, processing and encoding run side by side."""


def stage_threads() -> int:
    """Threads for one stage: the cores shared among the stages, at least 1."""
    return max(1, (os.cpu_count() or 1) // STAGES_AT_ONCE)


def share_cores() -> None:
    """Limit OpenCV and torch to one stage's share; process-wide, so a program's choice, not a library's.

    Measured on 2 cores, 720p with encoding, interleaved runs: 25.7 and 26.0 frames/s with each library's own
    default, 29.7 and 34.6 with one thread each (LiteRT too).
    """
    cv2.setNumThreads(stage_threads())
    torch.set_num_threads(stage_threads())
