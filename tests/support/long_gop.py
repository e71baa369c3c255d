"""H.264 files that are hard to seek in: long GOPs, B-frames that others are predicted from, open GOPs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from app.domain.frame import Pixels


def moving(width: int, height: int, index: int) -> Pixels:
    """RGB waves that drift and change with `index`: every frame differs from its neighbours, and can be predicted."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin((x + index * (1 + c)) / (5 + c)) * np.cos((y - index) / (7 - c)) for c in range(3)]
    pixels: Pixels = np.uint8(127.5 + 120 * np.stack(waves, -1))
    return pixels


def write_long_gop(
    path: Path,
    *,
    frames: int = 60,
    gop: int = 250,
    size: tuple[int, int] = (96, 64),
    is_open: bool = False,
    options: str = "",
) -> Path:
    """Write frames of `moving` at 25 Hz: a key frame every `gop`, three B-frames in a row, one of them a reference."""
    params = f"scenecut=0:bframes=3:b-adapt=0:b-pyramid=normal:ref=3:open-gop={int(is_open)}:{options}"
    with av.open(str(path.absolute()), "w") as target:
        settings = {"crf": "18", "g": str(gop), "keyint_min": str(gop), "x264-params": params.rstrip(":")}
        stream = target.add_stream("libx264", rate=25, options=settings)
        stream.thread_type = "FRAME"  # else x264 cuts its frames into slices
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(moving(*size, index), "rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path
