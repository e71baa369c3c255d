"""Sound carried over from a file packet by packet, never decoded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Discard

from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS, open_media

_INTERLEAVED_S: Final = 10
"""How far apart in time packets that follow each other in a file may be; FFmpeg's own muxers keep to this."""


class AudioCopier:
    """Copies every audio stream of `source` into `target`, in step with the picture.

    Call `feed` with the picture's time as it advances: one packet is held here, and the muxer has to hold no
    more than the two streams are apart. Packets keep their bytes (only AAC from MPEG-TS loses its per-packet
    header, see `_strip_headers`) and their times; `packets` counts them, `cut_short` says that the source's
    sound could not be read to its end. Make it before the target's header is written. `delay_s`, s, moves
    all sound, for a picture that had to be moved because it begins before zero. UserError when the container
    can't hold the sound.
    """

    def __init__(self, source: Path, target: OutputContainer) -> None:
        self.packets = 0
        self.cut_short = False
        self.delay_s = Fraction(0)
        self._target = target
        self._source = open_media(source)
        self._from_s: Fraction | None = None
        self._last_dts: dict[int, int] = {}
        self._filters: dict[int, BitStreamFilterContext] = {}
        try:
            self._outputs = {s.index: self._add(s) for s in self._source.streams.audio}
        except BaseException:
            self._source.close()
            raise
        for stream in self._source.streams:
            if stream.index not in self._outputs:
                stream.discard = Discard.all
        self._packets = self._demux()
        self._waiting = self._next()

    @property
    def streams(self) -> int:
        """Number of audio streams copied."""
        return len(self._outputs)

    @property
    def pairs(self) -> tuple[tuple[AudioStream, AudioStream], ...]:
        """Each stream of the source with its copy, to describe it before the header is written."""
        return tuple((stream, self._outputs[stream.index]) for stream in self._source.streams.audio)

    def feed(self, until_s: Fraction | None) -> None:
        """Mux all sound due by `until_s`; None: all there is. Raises what the muxer raises."""
        while self._waiting is not None and (until_s is None or self._time_s(self._waiting) <= until_s):
            self._mux(self._waiting)
            self._waiting = self._next()

    def finish(self, *, end_s: Fraction) -> None:
        """Mux what is left of every stream before `end_s`: all packets whose greater part lies before it.

        Files keep their tracks a second or so apart, so the first packet that comes too late is not the last to look
        at. Raises what the muxer raises.
        """
        beyond: set[int] = set()
        while self._waiting is not None and len(beyond) < self.streams:
            packet, time_s = self._waiting, self._time_s(self._waiting)
            if time_s > end_s + _INTERLEAVED_S:
                return
            if time_s + (packet.duration or 0) * packet.time_base / 2 < end_s:
                self._mux(packet)
            else:
                beyond.add(packet.stream_index)
            self._waiting = self._next()

    def skip(self, *, until_s: Fraction) -> None:
        """Leave out the sound that begins before `until_s`."""
        self._from_s = until_s
        if self._waiting is not None and self._time_s(self._waiting) < until_s:
            self._waiting = self._next()

    def close(self) -> None:
        """Close the source."""
        self._waiting = None
        self._packets = iter(())
        self._source.close()

    def refusal(self) -> UserError:
        """Make the error for sound that the container turned down; some say so only at the header."""
        codecs = {s.codec_context.codec.canonical_name for s in self._source.streams.audio}
        return _refusal(", ".join(sorted(codecs)), self._target)

    def _add(self, stream: AudioStream) -> AudioStream:
        codec = stream.codec_context.codec if stream.codec_context else None
        if codec is None or codec.name not in self._target.supported_codecs:
            raise _refusal(codec.canonical_name if codec else "of an unknown kind", self._target)
        if codec.canonical_name == "aac" and not stream.codec_context.extradata:
            self._strip_headers(stream)
        try:
            return self._target.add_stream_from_template(stream)
        except (ValueError, av.FFmpegError) as error:
            raise _refusal(codec.canonical_name, self._target) from error

    def _strip_headers(self, stream: AudioStream) -> None:
        """MPEG-TS repeats an ADTS header before every AAC packet, MP4 keeps it once, in the file's header.

        FFmpeg's MP4 muxer takes them off by itself, but fails to in fragments with a delayed header.
        """
        if self._target.format.name in ("mp4", "mov"):
            self._filters[stream.index] = BitStreamFilterContext("aac_adtstoasc", in_stream=stream)

    def _next(self) -> Packet[AudioStream] | None:
        """Find the next packet that is wanted, of whichever stream."""
        wanted = (p for p in self._packets if self._from_s is None or self._time_s(p) >= self._from_s)
        return next(wanted, None)

    def _demux(self) -> Iterator[Packet[AudioStream]]:
        if not self._outputs:
            return
        packets = self._source.demux(*self._source.streams.audio)
        while True:
            try:
                packet = next(packets, None)
            except MEDIA_ERRORS:
                self.cut_short = True
                return
            if packet is None:
                return
            if packet.size:  # The empty ones only flush decoders.
                yield cast("Packet[AudioStream]", packet)

    def _time_s(self, packet: Packet[AudioStream]) -> Fraction:
        """Presentation order is decoding order for sound; a packet without times goes out at once."""
        ticks = packet.dts if packet.dts is not None else packet.pts
        return self.delay_s + (ticks or 0) * packet.time_base

    def _mux(self, packet: Packet[AudioStream]) -> None:
        index, time_base = packet.stream_index, packet.time_base
        self._retime(packet)
        stripper = self._filters.get(index)
        for part in stripper.filter(packet) if stripper else [packet]:
            part.time_base = time_base
            part.stream = self._outputs[index]
            self._target.mux_one(part)
        self.packets += 1

    def _retime(self, packet: Packet[AudioStream]) -> None:
        shift = round(self.delay_s / packet.time_base)
        if packet.dts is not None:
            # A damaged file's clock may step back, which muxers refuse; the sound itself is kept.
            dts = packet.dts + shift
            last = self._last_dts.get(packet.stream_index, dts)
            packet.dts = max(dts, last)
            # MKV need not say how long a packet is; a last one of no length lies outside MP4's edit list, and is lost.
            packet.duration = packet.duration or max(0, dts - last)
            self._last_dts[packet.stream_index] = packet.dts
        if packet.pts is not None:
            pts = packet.pts + shift
            packet.pts = pts if packet.dts is None else max(pts, packet.dts)


def _refusal(codec: str, target: OutputContainer) -> UserError:
    return UserError(
        f"The sound ({codec.upper()}) can't be put into {target.format.name.upper()} unchanged.",
        "Name the output .mkv, which holds any sound, or leave the sound out.",
        code=ExitCode.OUTPUT,
    )
