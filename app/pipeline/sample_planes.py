"""How decoded pictures lie in memory: their planes as arrays, and swscale for what has none that are simple."""

from __future__ import annotations

import re
from typing import Any, Final, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from app.pipeline.color_tags import ColorTags, Matrix

Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

PLANAR: Final = re.compile(r"yuv[ja]?4(?P<layout>\d\d)p(?P<bits>\d\d?)?(?:le)?")
GREY: Final = re.compile(r"gray(?P<bits>\d\d?)?(?:le)?")
CHROMA_STEP: Final = {"44": (1, 1), "22": (2, 1), "20": (2, 2), "40": (1, 2), "11": (4, 1), "10": (4, 4)}
"""Luma samples per chroma sample, (across, down), by the digits after the 4 in the format's name."""

_SWS_MATRIX: Final[dict[Matrix, Colorspace]] = {
    "rgb": Colorspace.ITU709,
    "bt709": Colorspace.ITU709,
    "bt601": Colorspace.ITU601,
    "smpte240m": Colorspace.SMPTE240M,
    "fcc": Colorspace.FCC,
    "bt2020": Colorspace.BT2020,
}
_ACCURATE: Final = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT


def has_upright_rows(frame: av.VideoFrame) -> bool:
    """Whether rows follow each other from the top; some decoders give the last one first."""
    return all(plane.line_size > 0 for plane in frame.planes)


def samples(plane: VideoPlane, bits: int) -> Samples:
    """View a plane's samples without a copy; the array keeps the plane alive."""
    dtype: Any = np.uint8 if bits == 8 else np.dtype("<u2")
    row = plane.line_size // np.dtype(dtype).itemsize
    return cast(
        "Samples",
        np.frombuffer(cast("memoryview[int]", plane), dtype).reshape(plane.height, row)[:, : plane.width],
    )


def swscaled(reformatter: VideoReformatter, frame: av.VideoFrame, tags: ColorTags, to: str) -> av.VideoFrame:
    """The picture in another format by swscale's accurate path; RGB full range. av.FFmpegError when it can't read it.

    One reformatter for all frames: `frame.reformat` keeps a scaler, megabytes of it, per living frame.
    """
    matrix = _SWS_MATRIX[tags.matrix]
    own_range = ColorRange.JPEG if tags.is_full_range else ColorRange.MPEG
    return reformatter.reformat(
        frame,
        format=to,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=own_range,
        dst_color_range=own_range if to.startswith("yuv") else ColorRange.JPEG,
        interpolation=_ACCURATE,
    )
