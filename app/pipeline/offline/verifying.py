"""A finished file read back: every picture decoded, every time, tag and packet of sound compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Self

import av
from av.container import InputContainer
from av.stream import Discard
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from app.domain.compositing import Size
from app.domain.errors import UserError
from app.pipeline.encode_settings import container_format
from app.pipeline.mask.alpha_video import has_alpha
from app.pipeline.media_safety import MEDIA_ERRORS, open_media, picture_stream
from app.pipeline.offline.checks import Check, failures, raise_if_failed
from app.pipeline.offline.clip_notes import Span
from app.pipeline.offline.verifying_pictures import ExpectedPictures, verify_pictures
from app.pipeline.offline.verifying_sound import SoundTrack, sound_checks
from app.pipeline.video_geometry import Orientation
from app.pipeline.video_info import orientation_of
from app.pipeline.video_time import encoder_time_base, frame_step, rescaled

__all__ = [
    "Check",
    "Codes",
    "Expected",
    "ExpectedPictures",
    "failures",
    "raise_if_failed",
    "verify",
    "verify_pictures",
]

_MS: Final = Fraction(1, 1000)
_STRICT: Final = {"err_detect": "crccheck+bitstream+buffer+explode"}
"""Decoders else hide what is damaged, as players want it."""


@dataclass(frozen=True, slots=True)
class Codes:
    """What the samples mean as colours, in FFmpeg's codes (ITU-T H.273; range 1 limited, 2 full)."""

    matrix: int
    primaries: int
    trc: int
    range: int

    @classmethod
    def of(cls, tagged: VideoCodecContext | av.VideoFrame) -> Self:
        """Read them off a stream's codec context or a decoded frame."""
        codes = (tagged.colorspace, tagged.color_primaries, tagged.color_trc, tagged.color_range)
        return cls(*(int(code) for code in codes))

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Read them off a file's header. UserError as `open_media` and `picture_stream` raise it."""
        with open_media(path) as container:
            return cls.of(picture_stream(container, path).codec_context)


@dataclass(frozen=True)
class Expected:
    """What a finished file has to be.

    pts: of every picture, in ticks of time_base; rate: its average. colors: None where nothing was asked for.
    has_alpha: None likewise. source, span: whose sound it has, and which part. video_sha256: of the picture's packets,
    as `assemble` reports it.
    """

    pts: Sequence[int]
    time_base: Fraction
    rate: Fraction
    size: Size
    colors: Codes | None = None
    has_alpha: bool | None = None
    source: Path | None = None
    span: Span = field(default_factory=Span)
    video_sha256: str | None = None


def verify(output: Path, expected: Expected, *, threads: int = 0) -> tuple[Check, ...]:
    """Decode the whole file and compare it; what can't be opened is one failed check. threads: 0 for all cores.

    Times have to be exact in MP4 and MOV, right to the nearest ms in MKV and WebM; sound is compared packet by packet
    with the source's and ends within a frame of where it should. Memory does not grow with the file. Never raises for
    what is wrong with the file.
    """
    try:
        found = _read(output, threads)
        alpha = None if expected.has_alpha is None else has_alpha(output) is not False
    except (UserError, *MEDIA_ERRORS) as error:
        return (Check("file", ok=False, expected="readable", found=f"not readable ({error})"),)
    checks = [*_picture_checks(output, found, expected), *_time_checks(output, found, expected)]
    if alpha is not None:
        checks.append(Check.equal("alpha", expected.has_alpha, alpha))
    if expected.source is not None:
        frame_s = frame_step(expected.rate, expected.time_base) * expected.time_base
        checks += sound_checks(found.sound, expected.source, span=expected.span, frame_s=frame_s)
    return tuple(checks)


@dataclass
class _Found:
    """What a file holds; damaged: pictures that could not be decoded, or only in part."""

    time_base: Fraction
    end_s: Fraction | None
    codes: Codes
    frame_codes: Codes | None = None
    sizes: set[Size] = field(default_factory=set)
    orientations: set[Orientation] = field(default_factory=set)
    aspect: Fraction = Fraction(1)
    pts: list[int | None] = field(default_factory=list)
    damaged: int = 0
    sha256: str = ""
    is_cut_short: bool = False
    sound: dict[int, SoundTrack] = field(default_factory=dict)


def _read(path: Path, threads: int) -> _Found:
    """Go through the file once, everything decoded that is picture."""
    with open_media(path) as container:
        stream = picture_stream(container, path)
        stream.codec_context.options = {**stream.codec_context.options, **_STRICT}
        stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
        found = _Found(stream.time_base or _MS, _end_s(stream), Codes.of(stream.codec_context))
        found.aspect = stream.sample_aspect_ratio or Fraction(1)
        for sound in container.streams.audio:
            sound.discard = Discard.default
            found.sound[sound.index] = SoundTrack(sound)
        digest = hashlib.sha256()
        for packet in _packets(container, [stream, *container.streams.audio], found):
            is_picture = packet.stream_index == stream.index
            if is_picture:  # Also the empty one at the end, which makes the decoder give what it holds.
                _decode(stream, packet, found)
            if packet.size and is_picture:
                digest.update(packet)
            elif packet.size:
                found.sound[packet.stream_index].add(packet)
        found.sha256 = digest.hexdigest()
        return found


def _packets(container: InputContainer, streams: list[Any], found: _Found) -> Iterator[Any]:
    try:
        yield from container.demux(*streams)
    except MEDIA_ERRORS:
        found.is_cut_short = True


def _decode(stream: VideoStream, packet: Any, found: _Found) -> None:
    try:
        frames = stream.decode(packet)
    except EOFError:
        return
    except MEDIA_ERRORS:
        found.damaged += 1
        return
    for frame in frames:
        found.damaged += frame.is_corrupt
        found.frame_codes = found.frame_codes or Codes.of(frame)
        found.sizes.add((frame.width, frame.height))
        found.orientations.add(orientation_of(frame))
        found.pts.append(frame.pts)


def _end_s(stream: VideoStream) -> Fraction | None:
    """When the picture ends by the header: of the stream, in MKV and WebM as a tag (`00:00:10.040000000`)."""
    if stream.duration and stream.time_base:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None


def _picture_checks(output: Path, found: _Found, expected: Expected) -> Iterator[Check]:
    yield Check("decoding", not found.damaged and not found.is_cut_short, "no errors", _damage(found))
    yield Check("size", found.sizes == {expected.size}, _sizes({expected.size}), _sizes(found.sizes))
    yield Check.equal("pixel shape", Fraction(1), found.aspect)
    turned = found.orientations - {Orientation()}
    yield Check("rotation", not turned, "none", "none" if not turned else "the picture is turned")
    if expected.colors is not None:
        yield Check.equal("colour tags", expected.colors, found.codes)
        yield Check.equal("colour tags of the pictures", expected.colors, found.frame_codes)
    if expected.video_sha256 is not None:
        same = found.sha256 == expected.video_sha256
        yield Check("picture data", same, "as written", "as written" if same else f"changed in “{output.name}”")


def _damage(found: _Found) -> str:
    errors = f"{found.damaged} errors" if found.damaged else "no errors"
    return f"{errors}, and the file breaks off" if found.is_cut_short else errors


def _sizes(sizes: set[Size]) -> str:
    return " and ".join(f"{width} x {height}" for width, height in sorted(sizes)) or "no picture"


def _time_checks(output: Path, found: _Found, expected: Expected) -> Iterator[Check]:
    is_exact = container_format(output) in ("mp4", "mov")
    finest = encoder_time_base(expected.time_base)
    wanted = [rescaled(pts, expected.time_base, finest) * finest for pts in expected.pts]
    yield Check.equal("pictures", len(wanted), len(found.pts))
    allowed_s = Fraction(0) if is_exact else _MS
    pairs = enumerate(zip(wanted, found.pts, strict=False))
    wrong = [
        (number, pts)
        for number, (time_s, pts) in pairs
        if pts is None or abs(pts * found.time_base - time_s) > allowed_s
    ]
    yield Check("times", not wrong, "as planned", _times(wrong, wanted, found.time_base))
    step_s = frame_step(expected.rate, finest) * finest
    end_s = wanted[-1] + step_s if wanted else step_s
    ends = found.end_s is not None and abs(found.end_s - end_s) <= step_s
    yield Check(
        "length", ends, f"{float(end_s):.3f} s", "unknown" if found.end_s is None else f"{float(found.end_s):.3f} s"
    )


def _times(wrong: list[tuple[int, int | None]], wanted: list[Fraction], time_base: Fraction) -> str:
    if not wrong:
        return "as planned"
    number, pts = wrong[0]
    shown = "no time" if pts is None else f"{float(pts * time_base):.6f} s"
    return f"{len(wrong)} otherwise, the first picture {number} at {shown} (not {float(wanted[number]):.6f} s)"
