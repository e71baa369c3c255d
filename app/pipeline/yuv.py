"""Decoded video frames to sRGB pixels."""

from __future__ import annotations

from types import ModuleType
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.reformatter import VideoReformatter

from app.domain.compiled import kernels
from app.domain.frame import Pixels
from app.pipeline.color_tags import ColorTags, rgb_from_yuv
from app.pipeline.deep_frames import DeepConverter, reduced
from app.pipeline.sample_planes import CHROMA_STEP, GREY, PLANAR, Samples, has_upright_rows, samples, swscaled


class RgbConverter:
    """Turns decoded frames of one stream into (H, W, 3) uint8 sRGB; one per reader, not thread-safe.

    Planar YCbCr, the format of nearly every camera and web video, is converted here: bilinear chroma
    (centre siting, as the writer samples it) and one rounded matrix product. Measured at 1280x720 on one
    core: 1.1 ms, at most 0.6 levels from the exact value. swscale's default path takes 0.3 ms but is dark by
    0.8 levels on average and up to 2.9; its accurate path takes 10 ms. Everything else (packed, palette,
    RGB) goes through swscale's accurate path. An alpha plane is ignored. HDR and the primaries of BT.2020 are converted
    at 16 bits, which takes some 100 ms at 1080p (`app.pipeline.deep_frames`).
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
        self._deep = DeepConverter(tags) if tags.is_converted else None
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """(H, W, 3) uint8, full-range sRGB RGB, C-contiguous or a view with padded rows.

        av.FFmpegError when swscale can't read the frame's format.
        """
        if self._deep is not None:
            return reduced(self._deep(frame))
        name = frame.format.name
        upright_rows = has_upright_rows(frame)
        if upright_rows and (planar := PLANAR.fullmatch(name)) and self._tags.matrix != "rgb":
            return self._from_planes(frame, layout=planar["layout"], bits=int(planar["bits"] or 8))
        if upright_rows and (grey := GREY.fullmatch(name)):
            return self._from_grey(frame, bits=int(grey["bits"] or 8))
        return self._from_any(frame)

    def _from_planes(self, frame: av.VideoFrame, *, layout: str, bits: int) -> Pixels:
        luma, *chroma = (samples(plane, bits) for plane in frame.planes[:3])
        loops = kernels()
        if loops is not None and layout == "20" and bits == 8:
            return self._mixed(loops, luma, *chroma)
        height, width = luma.shape
        step = CHROMA_STEP[layout]
        if step != (1, 1):
            chroma = [self._enlarged(i, plane, step)[:height, :width] for i, plane in enumerate(chroma)]
        self._merged = cv2.merge([luma, *chroma], self._merged)
        mixed = cv2.transform(self._merged, self._matrix(bits))
        # 16-bit sums saturate at 0 below but not at 255 above.
        return cast("Pixels", mixed if bits == 8 else cv2.convertScaleAbs(mixed))

    def _mixed(self, loops: ModuleType, *planes: Samples) -> Pixels:
        """8-bit 4:2:0 by the compiled loop."""
        if self._rounding is None:
            self._rounding = self._matrix(8) + np.array([0, 0, 0, 0.5], np.float32)
        if self._planes is None or self._planes[0].shape != planes[0].shape:
            self._planes = tuple(np.empty(planes[0].shape, np.uint8) for _ in range(3))
        loops.rgb_planes(*(np.ascontiguousarray(plane) for plane in planes), self._rounding, *self._planes)
        return cast("Pixels", cv2.merge(self._planes))

    def _enlarged(self, index: int, plane: Samples, step: tuple[int, int]) -> Samples:
        """Chroma at luma resolution; an odd luma size leaves one sample more than needed."""
        size = (plane.shape[1] * step[0], plane.shape[0] * step[1])
        self._chroma[index] = cv2.resize(plane, size, dst=self._chroma[index], interpolation=cv2.INTER_LINEAR)
        return cast("Samples", self._chroma[index])

    def _from_grey(self, frame: av.VideoFrame, *, bits: int) -> Pixels:
        step = 1 << (bits - 8)
        black, span = (0, (1 << bits) - 1) if self._tags.is_full_range else (16 * step, 219 * step)
        level = (samples(frame.planes[0], bits).astype(np.float32) - black) * np.float32(255 / span)
        return cast("Pixels", cv2.cvtColor(cv2.convertScaleAbs(level.clip(0)), cv2.COLOR_GRAY2RGB))

    def _from_any(self, frame: av.VideoFrame) -> Pixels:
        return cast("Pixels", swscaled(self._reformatter, frame, self._tags, "rgb24").to_ndarray())

    def _matrix(self, bits: int) -> npt.NDArray[np.float32]:
        if bits not in self._matrices:
            self._matrices[bits] = rgb_from_yuv(self._tags, bits)
        return self._matrices[bits]
