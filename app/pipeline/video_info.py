"""What a video is, from its first decoded frame and its header."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.stream import VideoStream

from app.domain.errors import UserError
from app.pipeline.color_tags import ColorTags, resolve_tags
from app.pipeline.media_safety import check_size
from app.pipeline.video_geometry import Orientation, orientation_from_matrix, square_pixel_size
from app.pipeline.video_time import frame_step, plausible_rate

_RESERVED_CODE: Final = 2  # "unspecified" in every H.273 table but the range


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is, known once its first frame is decoded.

    width, height: px of the frames delivered: upright, square pixels. coded_size: (width, height) as stored.
    rotation_deg: clockwise turn already applied. pixel_aspect: stored pixels' width / height, already evened
    out. time_base: s per tick of every pts. average_rate: Hz, None when unknown. start_pts: first frame's.
    duration_s, frame_count_hint: from the header, None when it doesn't say; not to be trusted.
    bit_depth: of the stored samples; frames are always 8 bit.
    """

    path: Path
    width: int
    height: int
    coded_size: tuple[int, int]
    rotation_deg: int
    pixel_aspect: Fraction
    time_base: Fraction
    average_rate: Fraction | None
    start_pts: int
    duration_s: float | None
    frame_count_hint: int | None
    codec: str
    pix_fmt: str
    bit_depth: int
    color: ColorTags
    audio_streams: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px of the frames delivered."""
        return self.width, self.height

    @property
    def frame_step(self) -> int:
        """Ticks of one frame at the average rate, at least 1."""
        return frame_step(self.average_rate, self.time_base)


def read_info(path: Path, container: InputContainer, stream: VideoStream, first: av.VideoFrame) -> VideoInfo:
    """Describe the video; the first frame's own tags go before the container's.

    UserError for a side over the limit, HDR, or a colour encoding that can't be decoded.
    """
    check_size(first.width, first.height, path)
    coded = (first.width, first.height)
    aspect = stream.sample_aspect_ratio or Fraction(1)
    orientation = orientation_of(first)
    width, height = orientation.size(*square_pixel_size(*coded, aspect))
    check_size(width, height, path)
    time_base = stream.time_base or Fraction(1, 1000)
    rate = plausible_rate(stream.average_rate) or plausible_rate(stream.guessed_rate)
    duration_s = _duration_s(container, stream)
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        coded_size=coded,
        rotation_deg=orientation.rotation_deg,
        pixel_aspect=aspect,
        time_base=time_base,
        average_rate=rate,
        start_pts=first.pts or 0,
        duration_s=duration_s,
        frame_count_hint=stream.frames or (round(duration_s * rate) if duration_s and rate else None),
        codec=stream.codec_context.name,
        pix_fmt=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        color=_color(path, stream, first),
        audio_streams=len(container.streams.audio),
    )


def _color(path: Path, stream: VideoStream, first: av.VideoFrame) -> ColorTags:
    codec = stream.codec_context
    tags = resolve_tags(
        matrix=_known(first.colorspace, codec.colorspace),
        color_range=first.color_range or codec.color_range,
        primaries=_known(first.color_primaries, codec.color_primaries),
        trc=_known(first.color_trc, codec.color_trc),
        pix_fmt=first.format.name,
        height_px=first.height,
    )
    if tags is None:
        raise UserError(
            f"The colours of “{path.name}” are stored in a way that is not supported yet.",
            "Convert it to BT.709 first.",
        )
    if tags.is_hdr:
        raise UserError(
            f"“{path.name}” is HDR video ({'PQ' if tags.trc == 'smpte2084' else 'HLG'}), not supported yet.",
            "Convert it to SDR (BT.709) first, or switch HDR off when filming.",
        )
    return tags


def _known(frame_code: int, stream_code: int) -> int:
    return stream_code if frame_code == _RESERVED_CODE else frame_code


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Read how the stored picture becomes upright."""
    # Not `frame.side_data`: that stays with the frame and holds it, and with it the decoder's pictures (tens of MB of a
    # 720p video), until Python collects cycles, which in a process that has loaded torch is seldom.
    data = cast("Iterable[SideData]", SideDataContainer(frame))  # type: ignore[call-arg]  # the stubs lack it
    matrix = next((m for m in data if m.type.name == "DISPLAYMATRIX"), None)
    return Orientation() if matrix is None else orientation_from_matrix(bytes(matrix))


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
