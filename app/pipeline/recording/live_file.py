"""One growing file of a recording: picture and sound, readable up to a second before a crash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.recording.encoders import EncoderChoice, quiet
from app.pipeline.recording.file_lock import WriterLock
from app.pipeline.recording.naming import put_in_place
from app.pipeline.recording.recovery import is_playable
from app.pipeline.recording.settings import TIME_BASE, ContainerName
from app.pipeline.recording.sound import RATE_HZ, Samples
from app.pipeline.video_output import PendingFile
from app.pipeline.video_time import frame_step, movie_timescale
from app.pipeline.video_writer import FrameConverter

_FORMAT: Final = {"mp4": "mp4", "mkv": "matroska", "webm": "webm"}
_SOUND_CODEC: Final = {"mp4": "aac", "mkv": "aac", "webm": "libopus"}
_SOUND_BITS_PER_S: Final = {"aac": 128_000, "libopus": 96_000}
_SOUND_FORMAT: Final = {"aac": "fltp", "libopus": "flt"}
_KEYFRAME_EVERY_S: Final = 2
# What a crash may cost at most, with flush_packets; without it FFmpeg keeps back 256 KiB, minutes of a still
# scene. Fragments of MP4, clusters of Matroska. Measured at 640x480, killed at random: 1.1 s of 1 s fragments,
# 1.3 s of Matroska's own clusters.
_FRAGMENT_MS: Final = 500


class LiveFile:
    """A file that grows, under its part name; the first OSError of the disk is raised by every call after it.

    Times are ticks of TIME_BASE[container] and samples of RATE_HZ, both from the file's own zero. gray: a matte,
    full range. `close` ends the file, `commit` gives it its name; not on one thread necessarily, as the second
    waits for the disk. UserError (OUTPUT) when it can't be begun; nothing is left then.
    """

    def __init__(
        self,
        path: Path,
        *,
        container: ContainerName,
        size: Size,
        choice: EncoderChoice,
        rate_hz: float,
        gray: bool = False,
        sound: bool = False,
    ) -> None:
        self.pending = PendingFile(path, overwrite=False)
        self.size = size
        self.frames = 0
        self.samples = 0
        self.end_ticks = 0
        self._time_base = TIME_BASE[container]
        self._rate = Fraction(rate_hz).limit_denominator(1001)
        self._step = frame_step(self._rate, self._time_base)
        self._gray = gray
        self._converter = FrameConverter("yuv420p", padded=choice.padding(size), full_range=gray)
        self._failure: BaseException | None = None
        self._is_open = True
        self._rest: Samples = np.zeros(0, np.float32)
        try:
            self._container = self._open(container)
            self._video = self._add_video(choice)
            self._audio = self._add_sound(_SOUND_CODEC[container]) if sound else None
            self._container.start_encoding()
            self._lock = WriterLock(self.pending.part)
        except MEDIA_ERRORS as error:
            failure = self.pending.error(error)
            self.pending.discard()
            raise failure from error

    @property
    def bytes_written(self) -> int:
        """Size on the disk by now."""
        for path in (self.pending.part, self.pending.final):
            with contextlib.suppress(OSError):
                return path.stat().st_size
        return 0

    def append(self, pixels: Pixels | Alpha8, ticks: int, *, keyframe: bool = False) -> None:
        """Encode one picture of `size` at `ticks`, later than the last."""
        frame = self._converter.frame(pixels, "gray" if self._gray else "rgb24")
        frame.pts, frame.time_base, frame.duration = ticks, self._time_base, self._step
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        self._mux(self._video.encode(frame))
        self.frames += 1
        self.end_ticks = ticks + self._step

    def append_sound(self, samples: Samples) -> None:
        """Encode sound that follows what was appended before; ignored by a file without sound."""
        if self._audio is None:
            return
        length = self._audio.codec_context.frame_size
        waiting = np.concatenate([self._rest, samples])
        whole = len(waiting) // length * length
        for start in range(0, whole, length):
            self._encode_sound(self._audio, waiting[start : start + length])
        self._rest = waiting[whole:]

    def sync(self) -> None:
        """Put on the disk what has been written; any thread."""
        self._lock.sync()

    def close(self) -> None:
        """Drain the encoders and end the file. Raises the first fault of the disk, then or earlier."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            if self._failure is None:
                self._mux(self._video.encode(None))
                self._end_sound()
        finally:
            self._close_container()
        if self._failure is not None:
            raise self._failure

    def commit(self) -> Path:
        """Give the closed file its name and return it: a file that doesn't play keeps its part name, nothing is lost.

        A name taken meanwhile gets a number. UserError when the disk refuses; the part file is kept.
        """
        self._lock.release()
        if not is_playable(self.pending.part):
            return self.pending.part
        try:
            return put_in_place(self.pending.part, self.pending.final)
        except OSError as error:
            raise UserError(
                f"“{self.pending.part.name}” could not get its final name ({error.strerror or error}).",
                "It is whole: rename it yourself.",
                code=ExitCode.OUTPUT,
            ) from error

    def abandon(self) -> None:
        """Close without a word and leave the part file as it is."""
        with contextlib.suppress(*MEDIA_ERRORS):
            self.close()
        self._lock.release()

    def _open(self, container: ContainerName) -> av.container.OutputContainer:
        options = {"flush_packets": "1"}
        if container == "mp4":
            options |= {
                "movflags": "+hybrid_fragmented+delay_moov",
                "frag_duration": str(1000 * _FRAGMENT_MS),
                "video_track_timescale": str(self._time_base.denominator),
                "movie_timescale": str(movie_timescale(self._time_base)),
            }
        else:
            options["cluster_time_limit"] = str(_FRAGMENT_MS)
        return av.open(str(self.pending.part), "w", format=_FORMAT[container], container_options=options)

    def _add_video(self, choice: EncoderChoice) -> VideoStream:
        quiet()
        options = {**choice.options, "g": str(max(1, round(self._rate * _KEYFRAME_EVERY_S)))}
        stream = cast("VideoStream", self._container.add_stream(choice.name, self._rate, options=options))
        context = stream.codec_context
        context.width, context.height = (s + p for s, p in zip(self.size, choice.padding(self.size), strict=True))
        context.pix_fmt = "yuv420p"
        context.time_base = stream.time_base = self._time_base
        self._converter.tag(context)
        if choice.name.startswith(("hevc", "libx265")):
            context.codec_tag = "hvc1"  # What Apple's players ask for in an MP4.
        context.open()
        return stream

    def _add_sound(self, codec: str) -> AudioStream:
        stream = cast("AudioStream", self._container.add_stream(codec, RATE_HZ, layout="mono"))
        stream.codec_context.bit_rate = _SOUND_BITS_PER_S[codec]
        stream.codec_context.format = _SOUND_FORMAT[codec]
        stream.codec_context.open()
        return stream

    def _encode_sound(self, stream: AudioStream, samples: Samples) -> None:
        # One channel lies in memory alike, planar (fltp) or not (flt).
        frame = av.AudioFrame.from_ndarray(
            samples[None], format=_SOUND_FORMAT[stream.codec_context.name], layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, self.samples, Fraction(1, RATE_HZ)
        self._mux(stream.encode(frame))
        self.samples += len(samples)

    def _end_sound(self) -> None:
        if self._audio is None:
            return
        if len(self._rest):
            self._encode_sound(self._audio, self._rest)
        self._mux(self._audio.encode(None))

    def _mux(self, packets: Iterable[Packet[Any]]) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            for packet in packets:
                self._container.mux_one(packet)
        except MEDIA_ERRORS as error:
            # Kept: after it `Container.close` may well succeed silently.
            self._failure = error
            raise

    def _close_container(self) -> None:
        try:
            self._container.close()
        except MEDIA_ERRORS as error:
            self._failure = self._failure or error
