"""Segment files joined into the finished one: packets remuxed with their true times, nothing encoded again."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.stream import VideoStream

from app.domain.errors import ExitCode, UserError
from app.pipeline.encode_settings import container_format
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.offline.clip_notes import Span
from app.pipeline.offline.segment_packets import (
    check_alike,
    decode_times,
    miscounted,
    open_part,
    packets_of,
    scan,
)
from app.pipeline.offline.side_streams import SideStreams
from app.pipeline.video_output import PendingFile, is_disk_error
from app.pipeline.video_time import encoder_time_base, frame_step, movie_timescale, rescaled


@dataclass(frozen=True, slots=True)
class Part:
    """A segment file with the true pts of its pictures, ascending, in ticks of the delivery's time base."""

    path: Path
    pts: tuple[int, ...]


@dataclass(frozen=True)
class Assembly:
    """What the parts become.

    codec_tag: the container's name for the codec where it has several ("hvc1"). source: whose sound, subtitles,
    chapters and notes go along, None for none. sound_delay_s, sound_until_s, is_trimmed: as in `Span`. inputs: files
    that the output may not replace.
    """

    output: Path
    time_base: Fraction
    rate: Fraction
    codec_tag: str | None = None
    source: Path | None = None
    sound_delay_s: Fraction = Fraction(0)
    sound_until_s: Fraction | None = None
    is_trimmed: bool = False
    overwrite: bool = False
    inputs: tuple[Path, ...] = ()

    @property
    def span(self) -> Span:
        """Where the result lies on the source's clock."""
        return Span(self.sound_delay_s, self.sound_until_s, self.is_trimmed)


@dataclass(frozen=True, slots=True)
class Assembled:
    """What was made. video_sha256: of the picture's packets in file order; notices: what the source has that is not in.

    audio_cut_short: the source's sound could not be read to its end.
    """

    frames: int
    audio_packets: int
    audio_cut_short: bool
    notices: tuple[str, ...]
    video_sha256: str


def assemble(parts: Sequence[Part], assembly: Assembly, *, report: Callable[[int], None] = lambda _: None) -> Assembled:
    """Join the parts into `assembly.output`, which gets its name only when it is whole.

    Packets keep their bytes; each gets its picture's true pts, exact in MP4 and MOV, to the nearest ms in MKV and WebM.
    The container follows the suffix. report: told how many pictures are in; what it raises stops the work.

    UserError (OUTPUT) when the parts don't fit together or don't hold the pictures they should (nothing short is ever
    made), when the container can't hold them or the sound, and when writing fails; no part file is left then.
    ValueError for pts that don't ascend or begin before zero.
    """
    pts = _all_pts(parts, assembly.time_base)
    file = PendingFile(assembly.output, overwrite=assembly.overwrite, inputs=assembly.inputs)
    scanned = [scan(part.path, pictures=len(part.pts)) for part in parts]
    check_alike([part.path for part in parts], scanned)
    try:
        made = _Joiner(file, assembly, parts, pts, [one.order for one in scanned]).run(report)
    except BaseException:
        file.discard()
        raise
    file.commit()
    return made


def _all_pts(parts: Sequence[Part], time_base: Fraction) -> list[int]:
    """Every picture's pts, in the ticks that the output can hold."""
    finest = encoder_time_base(time_base)
    pts = [rescaled(ticks, time_base, finest) for part in parts for ticks in part.pts]
    if any(later <= earlier for earlier, later in itertools.pairwise(pts)):
        raise ValueError("the pictures' pts don't ascend")
    if pts and pts[0] < 0:
        raise ValueError("no container keeps a start before zero")
    if not pts:
        raise UserError("There is no picture to put into the file.", code=ExitCode.OUTPUT)
    return pts


class _Joiner:
    """One output file while it is written. pts: of all pictures as shown; order: of each part's packets, by place."""

    def __init__(
        self,
        file: PendingFile,
        assembly: Assembly,
        parts: Sequence[Part],
        pts: Sequence[int],
        order: Sequence[Sequence[int]],
    ) -> None:
        self._file = file
        self._assembly = assembly
        self._parts = parts
        self._time_base = encoder_time_base(assembly.time_base)
        self._step = frame_step(assembly.rate, self._time_base)
        self._shown = [*pts, pts[-1] + self._step]
        starts = itertools.accumulate((len(part.pts) for part in parts[:-1]), initial=0)
        self._places = [start + place for start, one in zip(starts, order, strict=True) for place in one]
        self._dts = decode_times([pts[place] for place in self._places], self._step)
        self._hash = hashlib.sha256()
        self._sides: SideStreams | None = None
        self._done = 0

    def run(self, report: Callable[[int], None]) -> Assembled:
        container = self._open()
        try:
            with open_part(self._parts[0].path) as template:
                stream = self._start(container, template)
            for part in self._parts:
                self._copy(part, container, stream, report)
            if self._sides:
                self._sides.finish()
            container.close()
        except MEDIA_ERRORS as error:
            raise self._file.error(error) from error
        finally:
            # After a failure the trailer fails as the write before it did, and that has been reported already.
            with contextlib.suppress(*MEDIA_ERRORS):
                container.close()
            if self._sides:
                self._sides.close()
        return self._made()

    def _made(self) -> Assembled:
        sides = self._sides
        return Assembled(
            frames=self._done,
            audio_packets=sides.audio_packets if sides else 0,
            audio_cut_short=sides is not None and sides.audio_cut_short,
            notices=sides.notices if sides else (),
            video_sha256=self._hash.hexdigest(),
        )

    def _open(self) -> OutputContainer:
        name = container_format(self._assembly.output)
        options = _muxer_options(name, self._time_base)
        try:
            return av.open(str(self._file.part), "w", format=name, container_options=options)
        except MEDIA_ERRORS as error:
            raise self._file.error(error) from error

    def _start(self, container: OutputContainer, template: VideoStream) -> VideoStream:
        """Add all streams and write the header, so that what can be refused is refused now."""
        stream = self._add_stream(container, template)
        if self._assembly.source is not None:
            self._sides = SideStreams(self._assembly.source, container, span=self._assembly.span)
        try:
            container.start_encoding()
        except MEDIA_ERRORS as error:
            refusal = self._sides.refusal() if self._sides and not is_disk_error(error) else None
            raise refusal or self._file.error(error) from error
        return stream

    def _add_stream(self, container: OutputContainer, template: VideoStream) -> VideoStream:
        context = template.codec_context
        try:
            # The template's codec is the decoder; an encoder of its name there may not be.
            stream = container.add_stream_from_template(template, opaque=True)
        except (ValueError, av.FFmpegError) as error:
            raise UserError(
                f"{container.format.name.upper()} can't hold video of the kind {context.codec.canonical_name.upper()}.",
                "Choose another format or name the output .mkv.",
                code=ExitCode.OUTPUT,
            ) from error
        stream.time_base = self._time_base
        stream.codec_context.framerate = self._assembly.rate
        stream.disposition = Disposition.default
        # Only its tag tells ProRes 4444 from 422, in MKV too; others mean something to MP4 and MOV alone.
        own = context.codec_tag if context.codec.canonical_name == "prores" else None
        asked = self._assembly.codec_tag if container.format.name in ("mp4", "mov") else None
        if (tag := asked or own) is not None:
            stream.codec_context.codec_tag = tag
        if "alpha_mode" in template.metadata:  # Without it nobody looks for the alpha beside VP9's picture.
            stream.metadata["alpha_mode"] = template.metadata["alpha_mode"]
        return stream

    def _copy(self, part: Part, container: OutputContainer, stream: VideoStream, report: Callable[[int], None]) -> None:
        end = self._done + len(part.pts)
        with open_part(part.path) as source:
            for count, packet in enumerate(packets_of(source), 1):
                if self._done == end:
                    raise miscounted(part.path, pictures=len(part.pts), found=count)
                self._mux(packet, container, stream)
                report(self._done)
        if self._done != end:
            raise miscounted(part.path, pictures=len(part.pts), found=len(part.pts) - (end - self._done))

    def _mux(self, packet: Packet[VideoStream], container: OutputContainer, stream: VideoStream) -> None:
        place, dts = self._places[self._done], self._dts[self._done]
        self._hash.update(packet)
        packet.stream, packet.time_base = stream, self._time_base
        packet.pts, packet.dts = self._shown[place], dts
        packet.duration = self._shown[place + 1] - self._shown[place]
        container.mux_one(packet)
        self._done += 1
        if self._sides:
            self._sides.feed(dts * self._time_base)


def _muxer_options(name: str, time_base: Fraction) -> dict[str, str]:
    # Everything is fed in step, so nothing need be held back until a sparse stream (subtitles) has its next packet:
    # FFmpeg would hold 10 s, 270 MB of ProRes.
    options = {"max_interleave_delta": "500000"}
    if name in ("mp4", "mov"):
        return options | {
            "movflags": "+faststart",
            "video_track_timescale": str(time_base.denominator),
            "movie_timescale": str(movie_timescale(time_base)),
        }
    # AAC begins 21 ms before zero, with what the encoder needs to start; left to itself the muxer moves everything,
    # the picture too, by that much.
    options["avoid_negative_ts"] = "disabled"
    return options | ({"cues_to_front": "1"} if name == "webm" else {})
