"""Recordings that a crash cut off: found, checked and made whole files again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Stream

from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS, open_media, picture_stream
from app.pipeline.recording.file_lock import is_being_written
from app.pipeline.recording.naming import RECOVERED, final_name, is_our_part, numbered
from app.pipeline.video_output import PendingFile

_FORMAT: Final = {".mp4": "mp4", ".mkv": "matroska", ".webm": "webm"}


def unfinished(folder: Path) -> list[Path]:
    """Part files of recordings that no living process writes, oldest name first; empty for a missing folder."""
    try:
        parts = sorted(path for path in folder.iterdir() if is_our_part(path) and path.is_file())
    except OSError:
        return []
    return [path for path in parts if _is_left(path)]


def recover(part: Path) -> Path:
    """Make a whole file of a part file and return it; what can't be read of it is left out.

    The packets are copied, not encoded again, beside the part file; the part file is removed only when the copy is
    on the disk, holds as many pictures and plays. UserError (BAD_INPUT) when nothing of it plays, (OUTPUT) when
    the copy can't be written; the part file is kept then.
    """
    if not is_playable(part):
        raise UserError(f"Nothing of “{part.name}” can be played.", "The file was left as it is.")
    copy = PendingFile(_recovered_name(part), overwrite=False)
    try:
        pictures = _copy_packets(part, copy.part)
    except MEDIA_ERRORS as error:
        failure = copy.error(error)
        copy.discard()
        raise failure from error
    if _count_pictures(copy.part) < pictures or not is_playable(copy.part):
        copy.discard()
        raise UserError(f"“{part.name}” could not be copied whole.", "It was kept.", code=ExitCode.OUTPUT)
    copy.commit()
    with contextlib.suppress(OSError):
        part.unlink()
    return copy.final


def is_playable(path: Path) -> bool:
    """Whether at least one picture of the file decodes. Reads no further than that."""
    try:
        with contextlib.closing(open_media(path)) as container:
            stream = picture_stream(container, path)
            return any(_decodes(packet) for packet in _readable(container, [stream]))
    except (UserError, *MEDIA_ERRORS):
        return False


def playable_s(path: Path) -> float:
    """Time of the last picture that can be read, s; 0 when there is none."""
    try:
        with contextlib.closing(open_media(path)) as container:
            packets = _readable(container, [picture_stream(container, path)])
            return max((float(p.pts * p.time_base) for p in packets if p.pts is not None), default=0.0)
    except (UserError, *MEDIA_ERRORS):
        return 0.0


def _recovered_name(part: Path) -> Path:
    wanted = final_name(part)
    return next(p for p in numbered(wanted.with_name(f"{wanted.stem}{RECOVERED}{wanted.suffix}")) if not p.exists())


def _is_left(path: Path) -> bool:
    try:
        return not is_being_written(path)
    except OSError:
        return False


def _decodes(packet: Packet[Stream]) -> bool:
    try:
        return bool(packet.decode())
    except MEDIA_ERRORS:
        return False


def _readable(container: InputContainer, streams: list[Stream]) -> Iterator[Packet[Stream]]:
    """Give the whole packets up to the first place that can't be read."""
    packets = container.demux(*streams)
    while True:
        try:
            packet = next(packets, None)
        except MEDIA_ERRORS:
            return
        if packet is None:
            return
        if packet.size and packet.dts is not None and not packet.is_corrupt:
            yield packet


def _copy_packets(source: Path, target: Path) -> int:
    """Copy what is whole, picture and sound; return the number of pictures."""
    with contextlib.closing(open_media(source)) as reader:
        kept = [picture_stream(reader, source), *reader.streams.audio]
        for stream in kept:
            stream.discard = av.stream.Discard.default
        options = {"movie_timescale": "90000"} if target.suffix == ".mp4" else {}
        with av.open(str(target), "w", format=_FORMAT[target.suffix], container_options=options) as writer:
            return _copy_streams(reader, writer, kept)


def _copy_streams(reader: InputContainer, writer: OutputContainer, kept: list[Stream]) -> int:
    outputs = {stream.index: writer.add_stream_from_template(stream) for stream in kept}
    pictures = 0
    for packet in _readable(reader, kept):
        pictures += packet.stream_index == kept[0].index
        packet.stream = outputs[packet.stream_index]
        writer.mux_one(packet)
    return pictures


def _count_pictures(path: Path) -> int:
    with contextlib.closing(open_media(path)) as container:
        return sum(1 for _ in _readable(container, [picture_stream(container, path)]))
