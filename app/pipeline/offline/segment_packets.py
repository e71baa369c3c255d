"""Segment files as packets: in which order, at which times, and whether they belong together."""

from __future__ import annotations

import bisect
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS, open_media

_REORDERED: Final = frozenset({"h264", "hevc"})
"""Codecs whose packets may come in another order than their pictures are shown in; the others' never do."""


def decode_times(pts: Sequence[int], step: int) -> list[int]:
    """dts of packets from their pts, both in decoding order: strictly increasing, never after the pts.

    As many frames late as the order asks for: dts[k] is the pts shown as number k - delay; before the first, `step`
    ticks each.
    """
    shown = sorted(pts)
    delay = max(k - bisect.bisect_left(shown, p) for k, p in enumerate(pts))
    return [shown[k - delay] if k >= delay else shown[0] - (delay - k) * step for k in range(len(pts))]


@dataclass(frozen=True, slots=True)
class Scanned:
    """A segment file. order: for each packet the place of its picture among those shown; header: how to decode it."""

    order: tuple[int, ...]
    header: tuple[str, int, int, str | None, bytes | None]


def scan(path: Path, *, pictures: int) -> Scanned:
    """Read a segment of so many pictures. UserError (OUTPUT) when it is damaged or does not hold them.

    The times in its file are rounded, but keep the order; it is read through only where the order matters.
    """
    with open_part(path) as stream:
        context = stream.codec_context
        codec = context.codec.canonical_name
        header = (codec, context.width, context.height, context.pix_fmt, context.extradata)
        if codec not in _REORDERED:
            return Scanned(tuple(range(pictures)), header)
        raw = [packet.pts for packet in packets_of(stream)]
    places = {ticks: place for place, ticks in enumerate(sorted(p for p in raw if p is not None))}
    if len(raw) != pictures:
        raise miscounted(path, pictures=pictures, found=len(raw))
    if len(places) != pictures:
        raise _damaged(path, "names no or the same time for several pictures")
    return Scanned(tuple(places[ticks] for ticks in raw if ticks is not None), header)


def check_alike(paths: Sequence[Path], scanned: Sequence[Scanned]) -> None:
    """UserError (OUTPUT) unless one header, the first's, describes all segments."""
    for path, one in zip(paths, scanned, strict=True):
        if one.header != scanned[0].header:
            raise _damaged(path, "was encoded differently from the first one")


@contextlib.contextmanager
def open_part(path: Path) -> Iterator[VideoStream]:
    """Open a segment file for its only stream. UserError (OUTPUT) when it is missing or damaged."""
    try:
        container = open_media(path)
    except UserError as error:
        raise _damaged(path, f"can't be read ({error.message.rstrip('.')})") from error
    with container:
        if len(container.streams.video) != 1 or container.streams.video[0].codec_context is None:
            raise _damaged(path, "holds no picture")
        yield container.streams.video[0]


def packets_of(stream: VideoStream) -> Iterator[Packet[VideoStream]]:
    """Yield an input stream's packets; the empty ones at the end, which only flush decoders, are left out.

    UserError (OUTPUT) when the file is damaged, or when the first is no key frame and would need what is before it.
    """
    container = cast("InputContainer", stream.container)
    packets = (packet for packet in container.demux(stream) if packet.size)
    for count in itertools.count():
        try:
            packet = next(packets, None)
        except MEDIA_ERRORS as error:
            raise _damaged(Path(container.name), "can't be read to its end") from error
        if packet is None:
            return
        if count == 0 and not packet.is_keyframe:
            raise _damaged(Path(container.name), "does not begin with a key frame")
        yield packet


def miscounted(path: Path, *, pictures: int, found: int) -> UserError:
    """Make the error for a segment that does not hold the pictures it should."""
    return _damaged(path, f"holds {found} pictures instead of {pictures}")


def _damaged(path: Path, what: str) -> UserError:
    return UserError(f"The segment “{path.name}” {what}.", "Start the delivery afresh (--fresh).", code=ExitCode.OUTPUT)
