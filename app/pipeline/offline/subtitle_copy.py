"""Subtitles carried over: as they are, or put into the container's own format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, cast

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream
from av.subtitles.stream import SubtitleStream

from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.offline.clip_notes import Span, describe

_COPIED_SUBTITLES: Final = {
    "mp4": frozenset({"mov_text"}),
    "mov": frozenset({"mov_text"}),
    "matroska": frozenset(
        {"subrip", "ass", "webvtt", "hdmv_pgs_subtitle", "hdmv_text_subtitle", "dvd_subtitle", "dvb_subtitle"}
    ),
    "webm": frozenset({"webvtt"}),
}
_TEXT_SUBTITLES: Final = frozenset({"mov_text", "subrip", "ass", "webvtt", "text"})
_SUBTITLE_ENCODER: Final = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_TEXT_TIME_BASE: Final = Fraction(1, 1000)
_LATEST_S: Final = 10**6
"""Later than any clip, and still a gap that MP4 can hold: 31 bits of ms. Beyond it a file is damaged or hostile."""


class SubtitleCopier:
    """Copies all subtitles of an opened `source`, which nobody else reads, into `target`, in step with the picture.

    `notices` says which tracks the target can't hold, one sentence each.
    """

    def __init__(self, source: InputContainer, target: OutputContainer, *, span: Span) -> None:
        self._source = source
        self._target = target
        self._span = span
        self._last: dict[int, int] = {}
        self._unreadable = 0
        self.notices: list[str] = []
        self._tracks = self._add_tracks()
        for stream in source.streams:
            if stream.index not in self._tracks:
                stream.discard = Discard.all
        self._lines = self._read()
        self._waiting = next(self._lines, None)

    def feed(self, until_s: Fraction | None) -> None:
        """Mux all subtitles due by `until_s`; None: all there are. Raises what the muxer raises."""
        while self._waiting is not None and (until_s is None or _start_s(self._waiting) <= until_s):
            self._target.mux_one(self._waiting)
            self._waiting = next(self._lines, None)

    def finish(self) -> None:
        """Mux what is left. Raises what the muxer raises."""
        self.feed(None)
        if self._unreadable:
            self.notices.append(f"Subtitles: {self._unreadable} that could not be read were left out.")

    def close(self) -> None:
        """Forget what is left; the source is its owner's to close."""
        self._waiting, self._lines = None, iter(())

    def _add_tracks(self) -> dict[int, _Track]:
        tracks: dict[int, _Track] = {}
        for number, stream in enumerate(self._source.streams.subtitles, 1):
            track = _Track.added(stream, self._target)
            if track is None:
                kind = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
                self.notices.append(
                    f"Subtitle track {_name(number, stream)} ({kind}) is left out: "
                    f"{self._target.format.name.upper()} can't hold it."
                )
            else:
                tracks[stream.index] = track
        return tracks

    def _read(self) -> Iterator[Packet[SubtitleStream]]:
        """Yield what is to be muxed, on the result's clock; a damaged rest of the file is the sound's to report."""
        if not self._tracks:
            return
        packets = self._source.demux(*(t.source for t in self._tracks.values()))
        while True:
            try:
                packet = next(packets, None)
            except MEDIA_ERRORS:
                return
            if packet is None:
                return
            if packet.size and packet.pts is not None:
                yield from self._moved(cast("Packet[SubtitleStream]", packet))

    def _moved(self, packet: Packet[SubtitleStream]) -> Iterator[Packet[SubtitleStream]]:
        index, time_base, pts = packet.stream_index, packet.time_base, packet.pts or 0
        duration = max(0, packet.duration or 0)
        # One without a length (a picture that stays until the next) is kept where it begins.
        shown = self._span.clipped(pts * time_base, (pts + (duration or 1)) * time_base)
        if shown is None or shown[0] > _LATEST_S:
            return
        try:
            made = self._tracks[index].converted(packet)
        except MEDIA_ERRORS:
            self._unreadable += 1
            return
        if made is not None:
            start = max(round(shown[0] / time_base), self._last.get(index, 0))
            self._last[index] = start
            made.stream, made.time_base = self._tracks[index].copy, time_base
            made.pts = made.dts = start
            made.duration = max(0, round(shown[1] / time_base) - start) if duration else 0
            yield made


@dataclass(frozen=True)
class _Track:
    """A subtitle track and its copy; is_converted: decoded and encoded again as text."""

    source: SubtitleStream
    copy: SubtitleStream
    is_converted: bool

    @classmethod
    def added(cls, source: SubtitleStream, target: OutputContainer) -> _Track | None:
        """Add a copy to the target; None where it can't hold it."""
        if source.codec_context is None:
            return None
        kind, container = source.codec_context.codec.canonical_name, target.format.name
        copied = kind in _COPIED_SUBTITLES.get(container, ())
        try:
            if copied:
                copy = target.add_stream_from_template(source)
            elif kind in _TEXT_SUBTITLES and container in _SUBTITLE_ENCODER:
                copy = _text_stream(source, target)
            else:
                return None
        except (ValueError, av.FFmpegError):
            return None
        describe(source, copy, target)
        return cls(source, copy, not copied)

    def converted(self, packet: Packet[SubtitleStream]) -> Packet[SubtitleStream] | None:
        """Make the copy's packet, times still to be set; None for nothing shown. MEDIA_ERRORS for damage."""
        if not self.is_converted:
            # MP4 marks the gaps between lines by empty ones; the muxer makes its own.
            is_gap = self.source.codec_context.codec.canonical_name == "mov_text" and packet.size <= 2
            return None if is_gap else packet
        lines = self.source.codec_context.decode2(packet)
        if lines is None or not len(lines):
            return None
        return self.copy.codec_context.encode_subtitle(lines)


def _text_stream(source: SubtitleStream, target: OutputContainer) -> SubtitleStream:
    decoder = source.codec_context
    decoder.open(strict=False)  # Only then it knows its header, which the encoder wants.
    stream = cast("SubtitleStream", target.add_stream(_SUBTITLE_ENCODER[target.format.name]))
    stream.codec_context.subtitle_header = decoder.subtitle_header
    stream.time_base = _TEXT_TIME_BASE
    return stream


def _start_s(packet: Packet[Any]) -> Fraction:
    return (packet.pts or 0) * packet.time_base


def _name(number: int, stream: Stream) -> str:
    words = (stream.metadata.get("language"), stream.metadata.get("title"))
    return " ".join([str(number), *(f"“{word[:40]}”" for word in words if word and word != "und")])
