"""Animated GIF and WebP files, written a picture at a time; nothing but the one at hand is kept."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet
from av.video.stream import VideoStream
from PIL import Image

PreviewFormat = Literal["gif", "webp"]
Pixels8 = npt.NDArray[np.uint8]
"""(H, W, 3) sRGB or (H, W, 4) with straight alpha; all of a file alike."""

TICK_S: Final = {"gif": Fraction(1, 100), "webp": Fraction(1, 1000)}
LEAST_TICKS: Final = {"gif": 2, "webp": 1}
"""Browsers show GIF pictures of a single tick for ten."""

_WEBP_QUALITY: Final = {"quality": 95, "method": 2}
"""As near to the original as the GIF (53 dB at sigma 2 px), at a quarter of its size: 10 ms and 33 kB a picture of
640 x 360. Quality 80 gives 13 kB and blocks in soft backgrounds; method 4 saves 2 % and takes twice the time."""

_HALF_ALPHA: Final = 128
_WEBP_IS_ANIMATED: Final = 0x02
_WEBP_HAS_ALPHA: Final = 0x10
_WEBP_REPLACES: Final = 0x02


class PreviewFile(Protocol):
    """A file under way. Pictures follow each other without gaps; at, length: in ticks of TICK_S."""

    def append(self, pixels: Pixels8, *, at: int, length: int) -> None:
        """Write one picture. OSError or av.FFmpegError when that fails."""

    def __enter__(self) -> PreviewFile: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""


def preview_file(path: Path, format: PreviewFormat) -> PreviewFile:
    """Open a file to write. OSError or av.FFmpegError when that fails."""
    return GifFile(path) if format == "gif" else WebpFile(path)


class GifFile:
    """By libav's encoder: Pillow's keeps every picture until the end."""

    def __init__(self, path: Path) -> None:
        self._target = av.open(str(path), "w", format="gif", container_options={"loop": "0"})
        self._stream: VideoStream | None = None
        self._length = 0

    def append(self, pixels: Pixels8, *, at: int, length: int) -> None:
        """See `PreviewFile`."""
        if self._stream is None:
            self._stream = self._opened(pixels.shape)
        frame = _with_palette(pixels)
        frame.pts, frame.time_base, frame.duration = at, TICK_S["gif"], length
        self._mux(self._stream.encode(frame), length)
        self._length = length

    def __enter__(self) -> GifFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""
        try:
            if self._stream is not None and kind is None:
                self._mux(self._stream.encode(None), self._length)
        finally:
            self._target.close()

    def _opened(self, shape: tuple[int, ...]) -> VideoStream:
        tick_s = TICK_S["gif"]
        stream = self._target.add_stream("gif", rate=1 / tick_s)
        stream.width, stream.height, stream.pix_fmt = shape[1], shape[0], "pal8"
        stream.codec_context.time_base, stream.codec_context.thread_count = tick_s, 1
        return stream

    def _mux(self, packets: Iterable[Packet[VideoStream]], length: int) -> None:
        for packet in packets:
            packet.duration = length  # The encoder says one tick, and the last picture is shown for that.
            self._target.mux(packet)


class WebpFile:
    """Whole pictures in a row, each compressed for itself.

    That takes no more room than libav's animation encoder needs for camera pictures (portrait 32.7 kB a picture, 31.0;
    webcam 31.0, 26.0), which looks for what has changed, but loses half a megabyte of memory with every one (FFmpeg
    8.1). Chunks: https://developers.google.com/speed/webp/docs/riff_container
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._is_empty = True

    def append(self, pixels: Pixels8, *, at: int, length: int) -> None:
        """See `PreviewFile`."""
        size = b"".join((side - 1).to_bytes(3, "little") for side in (pixels.shape[1], pixels.shape[0]))
        if self._is_empty:
            flags = _WEBP_IS_ANIMATED | (_WEBP_HAS_ALPHA if pixels.shape[2] == 4 else 0)
            self._file.write(b"RIFF\0\0\0\0WEBP")
            self._file.write(_chunk(b"VP8X", bytes((flags, 0, 0, 0)) + size))
            self._file.write(_chunk(b"ANIM", bytes(6)))  # No background, looped for ever.
            self._is_empty = False
        head = bytes(6) + size + length.to_bytes(3, "little") + bytes((_WEBP_REPLACES,))
        self._file.write(_chunk(b"ANMF", head + b"".join(_still_chunks(pixels))))

    def __enter__(self) -> WebpFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file."""
        with self._file as file:
            end = file.tell()
            if kind is None and not self._is_empty:
                file.seek(4)
                file.write((end - 8).to_bytes(4, "little"))


def _with_palette(pixels: Pixels8) -> av.VideoFrame:
    """A palette of its own, and what it misses spread over the neighbours.

    Of palettes from an octree, from a median cut and from libavfilter, dithered, the first are the nearest to the
    original once the eye has averaged (sigma 2 px: 53 dB, 43 dB and 45 dB) and the quickest: 13 ms a picture of
    640 x 360 with its encoding, against 116 and 58 to 105. A saturated spot, such as lips, keeps its colour.
    """
    has_alpha = pixels.shape[2] == 4
    image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    found = image.quantize(255 if has_alpha else 256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    dithered = np.array(image.quantize(palette=found, dither=Image.Dither.FLOYDSTEINBERG))
    argb = np.zeros((256, 4), np.uint8)
    colours = np.array(found.getpalette(), np.uint8).reshape(-1, 3)[:256]
    argb[:, 0], argb[: len(colours), 1:] = 255, colours
    if has_alpha:
        dithered[pixels[..., 3] < _HALF_ALPHA] = 255
        argb[255] = 0
    return av.VideoFrame.from_ndarray((dithered, argb), "pal8")  # type: ignore[arg-type]


def _still_chunks(pixels: Pixels8) -> Iterator[bytes]:
    """A picture's own chunks out of a WebP file of it."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", **_WEBP_QUALITY)
    data, at = buffer.getvalue(), 12
    while at + 8 <= len(data):
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name in (b"ALPH", b"VP8 ", b"VP8L"):
            yield _chunk(name, data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2


def _chunk(name: bytes, data: bytes) -> bytes:
    return b"".join((name, len(data).to_bytes(4, "little"), data, b"\0" * (len(data) % 2)))
