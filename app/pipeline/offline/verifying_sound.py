"""Copied sound against the sound it was copied from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Discard

from app.pipeline.media_safety import MEDIA_ERRORS, open_media
from app.pipeline.offline.checks import Check
from app.pipeline.offline.clip_notes import Span

_START_ALLOWED_S: Final = Fraction(2, 1000)
"""Source and result may both be files that know whole ms only."""


class SoundTrack:
    """What was read of one track: start_s, end_s, how many packets, and a hash over their payloads in order."""

    def __init__(self, stream: AudioStream) -> None:
        self.start_s: Fraction | None = None
        self.end_s: Fraction | None = None
        self.packets = 0
        context = stream.codec_context
        self._has_headers = context is not None and context.codec.canonical_name == "aac" and not context.extradata
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of the payloads one after another: where one packet ends is the container's business (PCM)."""
        return self._hash.hexdigest()

    def add(self, packet: Packet[Any], *, delay_s: Fraction = Fraction(0)) -> None:
        """Count a packet in."""
        self.packets += 1
        self._hash.update(_without_header(bytes(packet)) if self._has_headers else packet)
        begin_s = _begin_s(packet)
        if begin_s is not None:
            self.start_s = begin_s + delay_s if self.start_s is None else self.start_s
            self.end_s = begin_s + delay_s + (packet.duration or 0) * packet.time_base


def _begin_s(packet: Packet[Any]) -> Fraction | None:
    """As `AudioCopier` counts: for sound the order of decoding is that of playing."""
    ticks = packet.dts if packet.dts is not None else packet.pts
    return None if ticks is None else ticks * packet.time_base


def _without_header(data: bytes) -> bytes:
    """Take off AAC's ADTS header (ISO 13818-7, 6.2), which MPEG-TS repeats and other containers hold once."""
    if len(data) < 9 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return data
    return data[7:] if data[1] & 1 else data[9:]


def sound_checks(found: dict[int, SoundTrack], source: Path, *, span: Span, frame_s: Fraction) -> Iterator[Check]:
    """Compare all tracks, in order, with those of the source in that span. UserError when it can't be opened."""
    wanted = _wanted(source, span)
    yield Check.equal("sound tracks", len(wanted), len(found))
    for number, (one, other) in enumerate(zip(wanted, found.values(), strict=False), 1):
        same = one.sha256 == other.sha256
        found_data = "as in the clip" if same else f"changed ({other.packets} packets, not {one.packets})"
        yield Check(f"sound {number}", same, "as in the clip", found_data)
        yield _near(f"start of sound {number}", one.start_s, other.start_s, _START_ALLOWED_S)
        yield _near(f"end of sound {number}", one.end_s, other.end_s, frame_s)


def _near(name: str, expected: Fraction | None, found: Fraction | None, allowed_s: Fraction) -> Check:
    is_near = expected == found if expected is None or found is None else abs(expected - found) <= allowed_s
    return Check(name, is_near, _seconds(expected), _seconds(found))


def _seconds(time_s: Fraction | None) -> str:
    return "never" if time_s is None else f"{float(time_s):.3f} s"


def _wanted(source: Path, span: Span) -> list[SoundTrack]:
    with open_media(source) as container:
        sounds = container.streams.audio
        for stream in container.streams:
            stream.discard = Discard.default if stream.type == "audio" else Discard.all
        tracks = {stream.index: SoundTrack(stream) for stream in sounds}
        try:
            for packet in container.demux(*sounds) if sounds else ():
                if packet.size and _belongs(packet, span):
                    tracks[packet.stream_index].add(packet, delay_s=span.delay_s)
        except MEDIA_ERRORS:
            pass  # Damaged there: what was copied is what could be read, which `assemble` reports.
        return list(tracks.values())


def _belongs(packet: Packet[Any], span: Span) -> bool:
    begin_s = (_begin_s(packet) or Fraction(0)) + span.delay_s
    if span.starts_inside and begin_s < 0:
        return False
    return span.until_s is None or begin_s + (packet.duration or 0) * packet.time_base / 2 < span.until_s
