"""Finished pictures as an encoder wants them: YCbCr of 8 and 10 bits, RGB of up to 16, with and without alpha.

Without swscale: where it writes more than 8 bits, the same picture gave other codes each time at widths that are no
multiple of 16 (FFmpeg 8.1, RGB of 66 px to yuv422p10le).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any, Final, cast

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, ColorTrc

from app.domain.compiled import kernels
from app.domain.frame import Pixels
from app.pipeline.color_tags import ColorTags, rgb_from_yuv
from app.pipeline.image_saving import to_8_bits
from app.pipeline.offline.sinks import Picture
from app.pipeline.video_writer import FrameConverter

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_NAME: Final = re.compile(r"(?P<kind>yuva?4(?P<layout>20|22|44)p|nv12|p010|gray|bgr0|bgra|gbra?p)(?P<bits>10|16)?(le)?")
_STEPS: Final = {"20": (2, 2), "22": (2, 1), "44": (1, 1)}
_SUM_BITS: Final = 6
"""Chroma is summed in 16 bits with so many bits below the code, over up to four pixels: 1023 << 6 just fits."""
_RGB_MATRIX: Final = 0
"""H.273's number for samples that are RGB; PyAV's enumeration leaves it out."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What an FFmpeg pixel format holds. bits: a sample. step: luma samples a chroma sample, (across, down)."""

    kind: str
    bits: int
    step: tuple[int, int]

    @property
    def is_yuv(self) -> bool:
        """Whether there is chroma."""
        return self.kind.startswith(("yuv", "nv12", "p010"))

    @property
    def has_alpha(self) -> bool:
        """Whether there is an alpha plane."""
        return self.kind.startswith("yuva") or self.kind in ("bgra", "gbrap")

    def padding(self, size: tuple[int, int]) -> tuple[int, int]:
        """(right, bottom) px that make the sides whole numbers of chroma samples."""
        return -size[0] % self.step[0], -size[1] % self.step[1]


def layout_of(pix_fmt: str) -> Layout:
    """Read a format's name. ValueError for one that no picture is made into."""
    match = _NAME.fullmatch(pix_fmt)
    if match is None:
        raise ValueError(f"no pictures are made into {pix_fmt}")
    kind = match["kind"]
    is_paired = kind in ("nv12", "p010")
    bits = 10 if kind == "p010" else int(match["bits"] or 8)
    return Layout(kind, bits, _STEPS["20" if is_paired else match["layout"] or "44"])


class FramePacker:
    """Pictures into frames for one encoder: BT.709, limited range or full, tagged so; not thread-safe.

    The picture is (H, W) for grey content, (H, W, 4) for formats with alpha, else (H, W, 3); uint8 or uint16. `padded`
    (right, bottom) px repeat the last column or row. At most half a code of luma and of 4:4:4 chroma from the exact
    value, 0.52 where chroma is the mean of pixels, whose centre is its place. Alpha is never mixed with anything, full
    range. Grey content in YCbCr is luma with neutral chroma.
    """

    def __init__(self, pix_fmt: str, *, padded: tuple[int, int] = (0, 0), full_range: bool = False) -> None:
        self._pix_fmt, self._padded, self._full_range = pix_fmt, padded, full_range
        self._layout = layout_of(pix_fmt)
        self._plain = FrameConverter("yuv420p", full_range=full_range)

    def tag(self, target: VideoCodecContext | av.VideoFrame) -> None:
        """Write down what the numbers mean as colours."""
        self._plain.tag(target)
        if not self._layout.is_yuv:
            target.color_range = ColorRange.JPEG
            if self._layout.kind != "gray":
                cast("Any", target).colorspace = _RGB_MATRIX
        target.color_primaries, target.color_trc = ColorPrimaries.BT709, ColorTrc.BT709

    def frame(self, picture: Picture) -> av.VideoFrame:
        """Convert one picture; the frame has its own memory."""
        right, bottom = self._padded
        if right or bottom:
            picture = cast("Picture", cv2.copyMakeBorder(picture, 0, bottom, 0, right, cv2.BORDER_REPLICATE))
        colours, alpha = (picture, None) if picture.ndim == 2 or picture.shape[2] == 3 else _apart(picture)
        if self._layout.kind == "yuv420p" and self._is_plain(colours):
            return self._plain.frame(cast("Pixels", colours), "rgb24")
        frame = av.VideoFrame(picture.shape[1], picture.shape[0], self._pix_fmt)
        for plane, codes in zip(frame.planes, self._planes(colours, alpha), strict=True):
            _fill(plane, codes)
        self.tag(frame)
        return frame

    def _is_plain(self, colours: Picture) -> bool:
        """Whether the compiled loop for 8-bit 4:2:0 can do it, in a quarter of the time."""
        is_8_bit = self._layout.bits == 8 and colours.dtype == np.uint8
        return is_8_bit and colours.ndim == 3 and self._layout.step == (2, 2) and kernels() is not None

    def _planes(self, colours: Picture, alpha: Picture | None) -> list[Codes]:
        layout = self._layout
        if not layout.is_yuv:
            return _rgb_planes(layout, colours, alpha)
        opacity = [] if alpha is None else [levels(alpha, layout.bits)]
        if layout.kind == "yuva420p" and self._is_plain(colours):
            return [*_planes_of(self._plain.frame(cast("Pixels", colours), "rgb24")), *opacity]
        convert = _grey_codes if colours.ndim == 2 else ycbcr_codes
        luma, blue, red = convert(colours, bits=layout.bits, step=layout.step, full_range=self._full_range)
        if layout.kind == "nv12":
            return [luma, _paired(blue, red)]
        if layout.kind == "p010":  # Ten bits at the upper end of sixteen.
            return [np.left_shift(luma, 6, dtype=np.uint16), np.left_shift(_paired(blue, red), 6, dtype=np.uint16)]
        return [luma, blue, red, *opacity]


def ycbcr_codes(picture: Picture, *, bits: int, step: tuple[int, int], full_range: bool) -> list[Codes]:
    """Luma (H, W) and chroma (H / down, W / across) codes of RGB (H, W, 3) by BT.709, rounded to the nearest.

    bits: 8 or 10. step: (across, down), 1 or 2 each. Chroma is the mean of those pixels, at odd sides the last counts
    twice.
    """
    below = 0 if step == (1, 1) else _SUM_BITS - step[0] * step[1] // 2
    mixed = cv2.transform(
        picture.astype(np.uint16, copy=False), _matrix(bits, full_range, int(np.iinfo(picture.dtype).max), below)
    )
    if full_range:  # Pure blue and red are half a code above the top.
        np.minimum(mixed, ((1 << bits) - 1) << below, out=mixed)
    luma, blue, red = cv2.split(mixed)
    return [_as_codes(plane, bits) for plane in (luma, _mean(blue, step), _mean(red, step))]


def levels(plane: Picture, bits: int) -> Codes:
    """Full-range samples, uint8 or uint16, at `bits` bits, to the nearest; uint8 for 8 bits, else uint16."""
    if plane.dtype == np.uint8 and bits == 8:
        return plane
    if plane.dtype == np.uint16 and bits in (8, 16):
        return to_8_bits(plane) if bits == 8 else plane
    return cast("Codes", _level_table(bits, int(np.iinfo(plane.dtype).max))[plane])


def _apart(picture: Picture) -> tuple[Picture, Picture]:
    return np.ascontiguousarray(picture[..., :3]), picture[..., 3]


def _grey_codes(picture: Picture, *, bits: int, step: tuple[int, int], full_range: bool) -> list[Codes]:
    black, span = (0, (1 << bits) - 1) if full_range else (16 << (bits - 8), 219 << (bits - 8))
    luma = _level_table(bits, int(np.iinfo(picture.dtype).max), black, span)[picture]
    halved = -(-picture.shape[0] // step[1]), -(-picture.shape[1] // step[0])
    neutral = np.full(halved, 128 << (bits - 8), luma.dtype)
    return [luma, neutral, neutral]


def _rgb_planes(layout: Layout, colours: Picture, alpha: Picture | None) -> list[Codes]:
    scaled = levels(colours, layout.bits)
    if layout.kind == "gray":
        return [scaled]
    if layout.kind.startswith("bgr"):
        packed = cv2.cvtColor(scaled, cv2.COLOR_RGB2BGRA)
        if alpha is not None:
            packed[..., 3] = levels(alpha, 8)
        return [cast("Codes", packed.reshape(packed.shape[0], -1))]
    red, green, blue = cv2.split(scaled)
    opacity = [] if alpha is None else [levels(alpha, layout.bits)]
    return [cast("Codes", plane) for plane in (green, blue, red)] + opacity


@functools.cache
def _matrix(bits: int, full_range: bool, white: int, below: int) -> npt.NDArray[np.float64]:
    """(3, 4) from RGB 0..white to codes, chroma with `below` bits under the point."""
    tags = ColorTags("bt709", "full" if full_range else "limited", "bt709", "bt709", False)
    forward = rgb_from_yuv(tags, bits).astype(np.float64)
    back = np.linalg.inv(forward[:, :3])
    matrix = np.column_stack((back * (255.0 / white), -back @ forward[:, 3]))
    matrix[1:] *= 1 << below
    return matrix


@functools.cache
def _level_table(bits: int, white: int, black: int = 0, span: int | None = None) -> npt.NDArray[Any]:
    top = (1 << bits) - 1 if span is None else span
    scaled = (np.arange(white + 1, dtype=np.int64) * (2 * top) + white) // (2 * white)
    return (scaled + black).astype(np.uint8 if bits == 8 else np.uint16)


def _mean(plane: Any, step: tuple[int, int]) -> Any:
    """Of the pixels of a step; the sum of codes has _SUM_BITS below the point."""
    across, down = step
    if step == (1, 1):
        return plane
    right, bottom = plane.shape[1] % across, plane.shape[0] % down
    if right or bottom:
        plane = cv2.copyMakeBorder(plane, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    parts = [plane[row::down, column::across] for row in range(down) for column in range(across)]
    total = np.add(parts[0], parts[1])
    for part in parts[2:]:
        total += part
    total += np.uint16(1 << (_SUM_BITS - 1))
    return total >> _SUM_BITS


def _as_codes(plane: Any, bits: int) -> Codes:
    return cast("Codes", plane.astype(np.uint8) if bits == 8 else plane)


def _paired(blue: Codes, red: Codes) -> Codes:
    """Cb and Cr next to each other."""
    return cast("Codes", np.dstack((blue, red)).reshape(blue.shape[0], -1))


def _planes_of(frame: av.VideoFrame) -> list[Codes]:
    return [_rows(plane, np.uint8)[:, : plane.width] for plane in frame.planes]


def _fill(plane: Any, codes: Codes) -> None:
    """Write rows; what lies beyond them is cleared, so that nothing depends on what the memory held before."""
    rows = _rows(plane, codes.dtype)
    rows[:, : codes.shape[1]] = codes
    rows[:, codes.shape[1] :] = 0


def _rows(plane: Any, dtype: Any) -> Any:
    samples = np.frombuffer(plane, dtype)
    per_row = plane.line_size // samples.itemsize
    return samples[: plane.height * per_row].reshape(plane.height, per_row)
