"""What a video is, from its first decoded frame and its header."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
from av.container import InputContainer
from av.sidedata.sidedata import SideData, SideDataContainer
from av.video.stream import VideoStream

from app.domain.errors import UserError
from app.domain.tone_mapping import PQ_PEAK_NITS, REFERENCE_WHITE_NITS
from app.pipeline.color_tags import ColorTags, Hdr, resolve_tags
from app.pipeline.media_safety import check_size
from app.pipeline.video_geometry import Orientation, orientation_from_matrix, square_pixel_size
from app.pipeline.video_time import frame_step, plausible_rate

_RESERVED_CODE: Final = 2  # "unspecified" in every H.273 table but the range

_LIGHT_LEVEL: Final = struct.Struct("=2I")
"""AVContentLightMetadata: MaxCLL and MaxFALL in cd/m2."""
_MASTERING: Final = struct.Struct("=72x2i2i")
"""AVMasteringDisplayMetadata from its greatest luminance on: a fraction, then whether primaries, luminance are known.
"""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video is, known once its first frame is decoded.

    width, height: px of the frames delivered: upright, square pixels. coded_size: (width, height) as stored.
    rotation_deg: clockwise turn already applied. pixel_aspect: stored pixels' width / height, already evened
    out. time_base: s per tick of every pts. average_rate: Hz, None when unknown. start_pts: first frame's.
    duration_s, frame_count_hint: from the header, None when it doesn't say; not to be trusted.
    is_picture_duration: that duration_s is not perhaps the sound's.
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
    is_picture_duration: bool
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


def read_info(
    path: Path, container: InputContainer, stream: VideoStream, first: av.VideoFrame, *, hdr: Hdr = "refuse"
) -> VideoInfo:
    """Describe the video; the first frame's own tags go before the container's.

    UserError for a side over the limit, HDR that is to be refused, or a colour encoding that can't be decoded.
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
        is_picture_duration=bool(stream.duration) or not container.streams.audio,
        frame_count_hint=stream.frames or (round(duration_s * rate) if duration_s and rate else None),
        codec=stream.codec_context.name,
        pix_fmt=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        color=_color(path, stream, first, hdr),
        audio_streams=len(container.streams.audio),
    )


def _color(path: Path, stream: VideoStream, first: av.VideoFrame, hdr: Hdr) -> ColorTags:
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
    if not tags.is_hdr:
        return tags
    if hdr == "refuse":
        raise UserError(
            f"“{path.name}” is HDR video ({'PQ' if tags.trc == 'smpte2084' else 'HLG'}), which has to be converted.",
            "Render it with `--hdr tone-map`, convert it to SDR (BT.709) first, or switch HDR off when filming.",
        )
    return replace(tags, peak_nits=_peak_nits(first))


def _known(frame_code: int, stream_code: int) -> int:
    return stream_code if frame_code == _RESERVED_CODE else frame_code


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Read how the stored picture becomes upright."""
    matrix = _side_data(frame, "DISPLAYMATRIX")
    return Orientation() if matrix is None else orientation_from_matrix(matrix)


def _peak_nits(frame: av.VideoFrame) -> float | None:
    """The brightest the content gets, else what it was graded on: CTA-861.3 and SMPTE ST 2086, as FFmpeg keeps them."""
    light, display = _side_data(frame, "CONTENT_LIGHT_LEVEL"), _side_data(frame, "MASTERING_DISPLAY_METADATA")
    peaks: list[float] = []
    if light is not None and len(light) >= _LIGHT_LEVEL.size:
        peaks.append(float(_LIGHT_LEVEL.unpack_from(light)[0]))
    if display is not None and len(display) >= _MASTERING.size:
        nits, unit, _, has_luminance = _MASTERING.unpack_from(display)
        peaks.append(nits / unit if has_luminance and unit > 0 else 0.0)
    # Files hold zeros for "unknown" and ones of somebody's test; neither is a peak of HDR video.
    return next((peak for peak in peaks if REFERENCE_WHITE_NITS <= peak <= PQ_PEAK_NITS), None)


def _side_data(frame: av.VideoFrame, name: str) -> bytes | None:
    # Not `frame.side_data`: that stays with the frame and holds it, and with it the decoder's pictures (tens of MB of a
    # 720p video), until Python collects cycles, which in a process that has loaded torch is seldom.
    data = cast("Iterable[SideData]", SideDataContainer(frame))  # type: ignore[call-arg]  # the stubs lack it
    return next((bytes(one) for one in data if one.type.name == name), None)


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None
