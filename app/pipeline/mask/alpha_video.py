"""A video's alpha plane as a matte: ProRes 4444, VP9 and VP8 with alpha, FFV1, PNG or Animation in MOV."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from app.domain.frame import Alpha8, Pixels
from app.pipeline.media_safety import MAX_SIDE_PX, MEDIA_ERRORS, open_media, picture_stream
from app.pipeline.video_reader import VideoReader
from app.pipeline.yuv import RgbConverter

PLACES: Final = 16
"""Where alpha is looked at before it is believed to be opaque everywhere, spread evenly over the video."""

_KEEPS_ALPHA: Final = {"vp9": "libvpx-vp9", "vp8": "libvpx"}
"""Decoder by codec: FFmpeg's own for these drop alpha, which lies in a second stream beside the picture."""


def has_alpha(path: Path) -> bool | None:
    """Whether a video's alpha says anything; None when it has one that is opaque wherever it was looked at.

    UserError as `open_media` and `picture_stream` raise it. A video whose first picture can't be decoded has none.
    """
    with open_media(path) as container:
        stream = picture_stream(container, path)
        reformatter = VideoReformatter()
        first = _picture_at(container, stream, None)
        if first is None or not _carries_alpha(first):
            return False
        pictures = (_picture_at(container, stream, place) for place in range(1, PLACES))
        if not _is_opaque(first, reformatter) or not all(p is None or _is_opaque(p, reformatter) for p in pictures):
            return True
    return None


class AlphaReader(VideoReader):
    """A video whose pictures are its alpha, as grey, 255 for opaque. A picture without alpha is damaged: empty."""

    def _decode(self) -> Iterator[av.VideoFrame]:
        self._decoder = _decoder(self._stream)
        return super()._decode()

    def _frames_of(self, packet: av.Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            return self._decoder.decode(packet)
        except EOFError:
            return []
        except MEDIA_ERRORS:
            self.damaged_frames += 1
            self._index += 1
            return []

    def _convert(self, decoded: Iterator[av.VideoFrame]) -> Iterator[Any]:
        self._to_rgb = _AlphaToGrey(self.info.color)
        return super()._convert(decoded)


class _AlphaToGrey(RgbConverter):
    """Takes the alpha where the other takes the colours."""

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        return cast("Pixels", cv2.cvtColor(alpha_plane(frame, self._reformatter), cv2.COLOR_GRAY2RGB))


def alpha_plane(frame: av.VideoFrame, reformatter: VideoReformatter) -> Alpha8:
    """A decoded picture's alpha (H, W) uint8, the nearest of its levels; empty where it has none.

    Alpha is full range in every format, whatever the colours are. av.FFmpegError for a format nothing can read.
    """
    if not _carries_alpha(frame):
        return np.zeros((frame.height, frame.width), np.uint8)
    format_, bits = frame.format, max(component.bits for component in frame.format.components)
    if format_.name.startswith(("yuva", "gbrap")) and bits <= 16 and not (bits > 8 and format_.is_big_endian):
        samples = _samples(frame, 3, bits)
        top = (1 << bits) - 1
        return (
            np.ascontiguousarray(samples)
            if bits == 8
            else cast("Alpha8", cv2.convertScaleAbs(samples, None, 255 / top))
        )
    packed = reformatter.reformat(
        frame,
        format="rgba64le" if bits > 8 else "rgba",
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.JPEG,
    )
    rgba = _samples(packed, 0, 16 if bits > 8 else 8).reshape(frame.height, -1, 4)
    alpha = np.ascontiguousarray(rgba[:, : frame.width, 3])
    return alpha if bits <= 8 else cast("Alpha8", cv2.convertScaleAbs(alpha, None, 255 / 65535))


def _samples(frame: av.VideoFrame, plane: int, bits: int) -> Any:
    """View a plane's rows, padding cut off where a row holds one sample a pixel."""
    source = frame.planes[plane]
    dtype: Any = np.dtype(np.uint8 if bits == 8 else "<u2")
    rows = np.frombuffer(cast("memoryview[int]", source), dtype).reshape(
        source.height, source.line_size // dtype.itemsize
    )
    return rows[:, : source.width] if len(frame.planes) > 1 else rows


def _carries_alpha(frame: av.VideoFrame) -> bool:
    return frame.format.has_palette or any(component.is_alpha for component in frame.format.components)


def _is_opaque(frame: av.VideoFrame, reformatter: VideoReformatter) -> bool:
    try:
        return int(alpha_plane(frame, reformatter).min()) == 255
    except MEDIA_ERRORS:
        return True


def _decoder(stream: VideoStream) -> VideoCodecContext:
    """What decodes the stream with its alpha; under the same limits as the stream's own."""
    own = stream.codec_context
    name = _KEEPS_ALPHA.get(own.codec.canonical_name)
    if name is None:
        return own
    decoder = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    decoder.options = {"max_pixels": str(MAX_SIDE_PX * MAX_SIDE_PX)}
    decoder.thread_type = "AUTO"
    return decoder


def _picture_at(container: InputContainer, stream: VideoStream, place: int | None) -> av.VideoFrame | None:
    """The first picture that can be decoded from one of the PLACES on; None for none, or when it can't be reached."""
    try:
        if place is not None and not _seek(container, stream, place):
            return None
        decoder = _decoder(stream)
        return next((frame for packet in container.demux(stream) for frame in decoder.decode(packet)), None)
    except MEDIA_ERRORS:
        return None


def _seek(container: InputContainer, stream: VideoStream, place: int) -> bool:
    """Go to one of the PLACES; False when nobody knows where it is."""
    if stream.duration:
        container.seek((stream.start_time or 0) + stream.duration * place // PLACES, stream=stream)
    elif container.duration:
        container.seek(max(0, container.start_time or 0) + container.duration * place // PLACES)
    else:
        return False
    return True
