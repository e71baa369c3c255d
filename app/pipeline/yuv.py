"""Decoded video frames to sRGB pixels."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any, Final, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.plane import VideoPlane
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from app.domain.compiled import kernels
from app.domain.frame import Pixels
from app.pipeline.color_tags import ColorTags, Matrix, rgb_from_yuv

_PLANAR: Final = re.compile(r"yuv[ja]?4(?P<layout>\d\d)p(?P<bits>\d\d?)?(?:le)?")
_GREY: Final = re.compile(r"gray(?P<bits>\d\d?)?(?:le)?")
_CHROMA_STEP: Final = {"44": (1, 1), "22": (2, 1), "20": (2, 2), "40": (1, 2), "11": (4, 1), "10": (4, 4)}
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

_Samples = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


class RgbConverter:
    """Turns decoded frames of one stream into (H, W, 3) uint8 sRGB; one per reader, not thread-safe.

    Planar YCbCr, the format of nearly every camera and web video, is converted here: bilinear chroma
    (centre siting, as the writer samples it) and one rounded matrix product. Measured at 1280x720 on one
    core: 1.1 ms, at most 0.6 levels from the exact value. swscale's default path takes 0.3 ms but is dark by
    0.8 levels on average and up to 2.9; its accurate path takes 10 ms. Everything else (packed, palette,
    RGB) goes through swscale's accurate path. An alpha plane is ignored.
    """

    def __init__(self, tags: ColorTags) -> None:
        self._tags = tags
        self._matrices: dict[int, npt.NDArray[np.float32]] = {}
        # Reused from frame to frame: fresh memory of this size is paged in anew each time, which cost as much
        # again as the arithmetic on a busy machine.
        self._chroma: list[cv2.typing.MatLike | None] = [None, None]
        self._merged: cv2.typing.MatLike | None = None
        self._planes: tuple[npt.NDArray[np.uint8], ...] | None = None
        self._rounding: npt.NDArray[np.float32] | None = None
        # One context for all frames: `frame.reformat` keeps a scaler, megabytes of it, per living frame.
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """(H, W, 3) uint8, full-range sRGB RGB, C-contiguous or a view with padded rows.

        av.FFmpegError when swscale can't read the frame's format.
        """
        name = frame.format.name
        upright_rows = all(plane.line_size > 0 for plane in frame.planes)
        if upright_rows and (planar := _PLANAR.fullmatch(name)) and self._tags.matrix != "rgb":
            return self._from_planes(frame, layout=planar["layout"], bits=int(planar["bits"] or 8))
        if upright_rows and (grey := _GREY.fullmatch(name)):
            return self._from_grey(frame, bits=int(grey["bits"] or 8))
        return self._from_any(frame)

    def _from_planes(self, frame: av.VideoFrame, *, layout: str, bits: int) -> Pixels:
        luma, *chroma = (_samples(plane, bits) for plane in frame.planes[:3])
        loops = kernels()
        if loops is not None and layout == "20" and bits == 8:
            return self._mixed(loops, luma, *chroma)
        height, width = luma.shape
        step = _CHROMA_STEP[layout]
        if step != (1, 1):
            chroma = [self._enlarged(i, plane, step)[:height, :width] for i, plane in enumerate(chroma)]
        self._merged = cv2.merge([luma, *chroma], self._merged)
        mixed = cv2.transform(self._merged, self._matrix(bits))
        # 16-bit sums saturate at 0 below but not at 255 above.
        return cast("Pixels", mixed if bits == 8 else cv2.convertScaleAbs(mixed))

    def _mixed(self, loops: ModuleType, *planes: _Samples) -> Pixels:
        """8-bit 4:2:0 by the compiled loop."""
        if self._rounding is None:
            self._rounding = self._matrix(8) + np.array([0, 0, 0, 0.5], np.float32)
        if self._planes is None or self._planes[0].shape != planes[0].shape:
            self._planes = tuple(np.empty(planes[0].shape, np.uint8) for _ in range(3))
        loops.rgb_planes(*(np.ascontiguousarray(plane) for plane in planes), self._rounding, *self._planes)
        return cast("Pixels", cv2.merge(self._planes))

    def _enlarged(self, index: int, plane: _Samples, step: tuple[int, int]) -> _Samples:
        """Chroma at luma resolution; an odd luma size leaves one sample more than needed."""
        size = (plane.shape[1] * step[0], plane.shape[0] * step[1])
        self._chroma[index] = cv2.resize(plane, size, dst=self._chroma[index], interpolation=cv2.INTER_LINEAR)
        return cast("_Samples", self._chroma[index])

    def _from_grey(self, frame: av.VideoFrame, *, bits: int) -> Pixels:
        step = 1 << (bits - 8)
        black, span = (0, (1 << bits) - 1) if self._tags.is_full_range else (16 * step, 219 * step)
        level = (_samples(frame.planes[0], bits).astype(np.float32) - black) * np.float32(255 / span)
        return cast("Pixels", cv2.cvtColor(cv2.convertScaleAbs(level.clip(0)), cv2.COLOR_GRAY2RGB))

    def _from_any(self, frame: av.VideoFrame) -> Pixels:
        matrix = _SWS_MATRIX[self._tags.matrix]
        rgb = self._reformatter.reformat(
            frame,
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if self._tags.is_full_range else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=_ACCURATE,
        )
        return cast("Pixels", rgb.to_ndarray())

    def _matrix(self, bits: int) -> npt.NDArray[np.float32]:
        if bits not in self._matrices:
            self._matrices[bits] = rgb_from_yuv(self._tags, bits)
        return self._matrices[bits]


def _samples(plane: VideoPlane, bits: int) -> _Samples:
    """View a plane's samples without a copy; the array keeps the plane alive."""
    dtype: Any = np.uint8 if bits == 8 else np.dtype("<u2")
    row = plane.line_size // np.dtype(dtype).itemsize
    return cast(
        "_Samples",
        np.frombuffer(cast("memoryview[int]", plane), dtype).reshape(plane.height, row)[:, : plane.width],
    )
