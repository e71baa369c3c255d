"""Saving and opening a mask project with many edited frames."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, TypeVar

import cv2
import numpy as np

from app.domain.compositing import Size
from app.domain.mask.correction import Correction
from app.domain.mask.document import Clip, FrameEdit, MaskDocument, MediaRef, Meta, Origin
from app.domain.mask.planes import Box, Planes
from app.pipeline.mask.project_store import ProjectStore

FRAMES: Final = 1000

_SIZE: Final[Size] = (1920, 1080)
_TICKS: Final = 512
_BLOB_PX: Final = (150, 130)
"""Half axes of what was painted on each frame: it touches some 30 tiles."""

T = TypeVar("T")


def bench_project(frames: int = FRAMES) -> dict[str, Any]:
    """Save, open and save again a project of 1080p frames, each with a soft-edged correction of its own.

    project_save_s: all frames, onto the disk; project_open_s: until the document is there; project_resave_s: one frame
    changed. project_tiles: a frame, mean. Wall time; what was just written is still in the system's memory when it is
    opened. UserError (OUTPUT) when the temporary folder can't be written.
    """
    document = document_of(frames)
    with tempfile.TemporaryDirectory(prefix="platematch-bench-") as folder:
        path = Path(folder) / "bench.platematch"
        store = ProjectStore.create(document.meta, path)
        try:
            saved, save_s = _timed(lambda: store.save(document))
            changed = document.with_frames({0: _edit(frames + 1)})
            _, resave_s = _timed(lambda: store.save(changed))
        finally:
            store.close()
        opened, open_s = _timed(lambda: ProjectStore.open(path))
        opened.store.close()
    tiles = sum(len(edit.correction.tiles) for edit in document.frames.values())
    return {
        "project_frames": len(opened.document.frames),
        "project_tiles": round(tiles / frames, 1),
        "project_mb": round(saved.written_bytes / 1e6, 2),
        "project_save_s": round(save_s, 3),
        "project_resave_s": round(resave_s, 3),
        "project_open_s": round(open_s, 3),
    }


def document_of(frames: int) -> MaskDocument:
    """A project with so many edited frames of a clip that is not there."""
    media = MediaRef("../clip.mp4", "", "sampled-sha256:0", 1)
    meta = Meta(Clip(media, _SIZE, Fraction(1, 30 * _TICKS)))
    return MaskDocument(meta).with_frames({number * _TICKS: _edit(number) for number in range(frames)})


def _edit(number: int) -> FrameEdit:
    """A blob with a soft rim that wanders over the frame; as a propagation leaves it, with many levels."""
    planes = Planes.empty(_SIZE)
    centre = 400 + 13 * number % 1100, 300 + 7 * number % 480
    cv2.ellipse(planes.weight, centre, _BLOB_PX, number % 180, 0, 360, (255 - number % 90,), -1)
    box = Box(*centre, *centre).grown(200)
    part = planes.at(box)
    part.weight[:] = cv2.blur(part.weight, (31, 31))
    rows, columns = np.ogrid[: box.size[1], : box.size[0]]
    part.value[:] = np.where(part.weight > 0, 200 + (rows + columns) // 16, 0)
    return FrameEdit(Correction(_SIZE).with_planes(planes, box), origin=Origin.PROPAGATED)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started_s = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started_s
