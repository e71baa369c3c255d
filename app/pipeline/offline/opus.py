"""Sound for WebM, which holds Opus and Vorbis only: the one case in which sound is encoded anew."""

from __future__ import annotations

import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import av

from app.domain.errors import ExitCode, UserError
from app.pipeline.audio_copy import AudioCopier
from app.pipeline.encode_settings import FORMATS
from app.pipeline.media_safety import MEDIA_ERRORS, open_media
from app.pipeline.video_output import PendingFile

_HELD: Final = frozenset({"opus", "vorbis"})
_RATE_HZ: Final = 48_000
_BITS_A_CHANNEL: Final = 96_000


def sound_for_webm(clip: Path, folder: Path) -> tuple[Path, str]:
    """What of a clip goes along into WebM, and a sentence on what was done to its sound, empty for nothing.

    The clip itself where its sound fits; else a file in `folder` with the same tracks as Opus, the same notes and
    chapters. UserError (OUTPUT) when it can't be converted.
    """
    with open_media(clip) as source:
        contexts = [stream.codec_context for stream in source.streams.audio]
        codecs = {"unknown" if context is None else context.codec.canonical_name for context in contexts}
    if codecs <= _HELD:
        return clip, ""
    pending = PendingFile(folder / "sound.mka")
    try:
        _convert(clip, pending.part)
    except MEDIA_ERRORS as error:
        pending.discard()
        raise UserError(
            f"The sound ({', '.join(sorted(codecs)).upper()}) could not be converted to Opus, which WebM asks for.",
            "Name the output .mkv, which holds any sound.",
            code=ExitCode.OUTPUT,
        ) from error
    pending.commit()
    return pending.final, f"The sound ({', '.join(sorted(codecs)).upper()}) was converted to Opus: WebM holds no other."


def check_sound(clip: Path, suffix: str) -> None:
    """UserError (OUTPUT) now if a container can't hold the clip's sound; WebM gets it converted. MP4, MOV, MKV."""
    if suffix == ".webm" or not clip.is_file():
        return
    with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as target:
        AudioCopier(clip, target).close()


def _convert(clip: Path, output: Path) -> None:
    with ExitStack() as stack:
        source = stack.enter_context(open_media(clip))
        target = stack.enter_context(av.open(str(output), "w", format="matroska"))
        target.metadata.update(source.metadata)
        target.set_chapters(source.chapters())
        lanes = {stream.index: _Lane(stream, target) for stream in source.streams.audio}
        for packet in source.demux(*source.streams.audio):
            for frame in _frames(packet):
                lanes[packet.stream_index].take(frame)
        for lane in lanes.values():
            lane.take(None)


def _frames(packet: Any) -> list[Any]:
    """What a packet decodes to; a damaged one to nothing, and the time it filled stays empty."""
    try:
        return list(packet.decode())
    except MEDIA_ERRORS:
        return []


class _Lane:
    """One track on its way to Opus."""

    def __init__(self, stream: Any, target: Any) -> None:
        self._target = target
        layout = stream.layout.name
        self._stream = target.add_stream("libopus", rate=_RATE_HZ, layout=layout)
        self._stream.bit_rate = _BITS_A_CHANNEL * max(1, stream.channels)
        self._stream.metadata.update(stream.metadata)
        self._stream.disposition = stream.disposition
        sample_format = self._stream.codec_context.format or "flt"
        self._resampler = av.AudioResampler(format=sample_format, layout=layout, rate=_RATE_HZ)

    def take(self, frame: Any) -> None:
        """Encode a frame at its own time; None ends the track."""
        for resampled in self._resampler.resample(frame):
            self._target.mux(self._stream.encode(resampled))
        if frame is None:
            self._target.mux(self._stream.encode(None))
