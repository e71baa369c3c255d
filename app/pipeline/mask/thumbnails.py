"""The little pictures of a project's clip, kept beside it: they can be made again at any time."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image

from app.domain.frame import Pixels
from app.domain.mask.document import Clip

MAX_SIDE_PX: Final = 512
MAX_BYTES: Final = 256 * 1024
MAX_FILES: Final = 2000
"""Enough for every scale a timeline has been looked at in; some 5 MB."""

_QUALITY: Final = 85


class ThumbnailFolder:
    """JPEG files by pts in the project's folder; one that can't be read or written is just not there."""

    def __init__(self, project: Path, clip: Clip) -> None:
        name = hashlib.sha256(clip.media.fingerprint.encode()).hexdigest()[:16]
        self._folder = project / "thumbnails" / name
        self._count = 0
        with contextlib.suppress(OSError):
            self._count = len(os.listdir(self._folder))

    def get(self, pts: int) -> Pixels | None:
        """A frame's picture (h, w, 3), no side over MAX_SIDE_PX."""
        try:
            with self._path(pts).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:
                if len(data) > MAX_BYTES or max(picture.size) > MAX_SIDE_PX:
                    return None
                return np.array(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError):
            return None

    def put(self, pts: int, pixels: Pixels) -> None:
        """Keep a frame's picture (h, w, 3), unless there are MAX_FILES."""
        if self._count >= MAX_FILES:
            return
        bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
        is_made, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        path = self._path(pts)
        with contextlib.suppress(OSError):
            # Not the project's own folder: one that has moved is not made anew.
            self._folder.parent.mkdir(exist_ok=True)
            self._folder.mkdir(exist_ok=True)
            if is_made:
                part = path.with_suffix(".part")
                part.write_bytes(data.tobytes())
                part.replace(path)
                self._count += 1

    def _path(self, pts: int) -> Path:
        return self._folder / f"{pts}.jpg"
