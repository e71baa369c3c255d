"""A segment's pictures into a file of its own, without sound; the assembler gives them their true times."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream

from app.domain.compositing import Size
from app.domain.errors import ExitCode, UserError
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.offline.encoder_choice import EncoderChoice
from app.pipeline.offline.encoder_options import encoder_rate
from app.pipeline.offline.sinks import Picture
from app.pipeline.video_output import PendingFile, is_disk_error

_MUXER: Final = {".mkv": "matroska", ".mov": "mov"}


class SegmentWriter:
    """Encodes pictures of (width, height) into `path`, which gets its name when `close` has put it on the disk.

    In the file the pictures follow each other at `rate`, whatever their pts: encoders that are told of variable times
    spend bits by them, headers would depend on the time base, and Matroska rounds times until they are equal. The true
    ones, in ticks of `time_base`, are the caller's to keep; packets in order of their file pts are those of pictures in
    order. The same pictures give the same bytes. Without a picture the file is a header, which joins with nothing.

    ValueError for pictures of another kind or size than the choice says, and for pts that are not later than the last.
    UserError (OUTPUT) when writing fails; nothing is left then.
    """

    def __init__(self, path: Path, *, choice: EncoderChoice, size: Size, time_base: Fraction, rate: Fraction) -> None:
        self.frames_written = 0
        self.time_base = time_base
        self._choice = choice
        self._shape = (size[1], size[0]) if choice.gray else (size[1], size[0], 4 if choice.alpha else 3)
        self._rate = encoder_rate(rate)
        self._packer = choice.packer()
        self._last_pts: int | None = None
        self._closed = False
        self._file = PendingFile(path)
        self._container = self._open()
        try:
            self._stream = self._start(size)
        except BaseException:
            self.abort()
            raise

    def append(self, picture: Picture, *, pts: int, number: int) -> None:
        """Encode one picture. pts: ticks of `time_base`; number: not used, as the file has no gaps."""
        self._check(picture, pts)
        frame = self._packer.frame(picture)
        frame.pts, frame.time_base, frame.duration = self.frames_written, 1 / self._rate, 1
        self._encode(frame)
        self._last_pts = pts
        self.frames_written += 1

    def close(self) -> None:
        """Drain the encoder, finish the file and give it its name."""
        if self._closed:
            return
        try:
            self._encode(None)
            self._container.close()
        except MEDIA_ERRORS as error:
            raise self._failed(error) from error
        except BaseException:  # Ctrl-C too: what is not whole gets no name.
            self.abort()
            raise
        self._closed = True
        self._file.commit()

    def abort(self) -> None:
        """Stop and remove the part file; safe to call at any time, more than once."""
        if self._closed:
            return
        self._closed = True
        # The trailer fails as the write before it did, and that failure has been reported already.
        with contextlib.suppress(*MEDIA_ERRORS):
            self._container.close()
        self._file.discard()

    def _open(self) -> OutputContainer:
        # Otherwise Matroska files get random numbers, and files would differ though their pictures don't.
        options = {"fflags": "+bitexact"}
        try:
            muxer = _MUXER[self._choice.segment_suffix]
            return av.open(str(self._file.part), "w", format=muxer, container_options=options)
        except MEDIA_ERRORS as error:
            raise self._file.error(error) from error

    def _start(self, size: Size) -> VideoStream:
        """Open the encoder and write the header, so that what can fail fails now."""
        try:
            stream = cast("VideoStream", self._container.add_stream(self._choice.encoder, self._rate))
            self._choice.set_up(stream.codec_context, size=size, rate=self._rate)
            stream.time_base = 1 / self._rate
            stream.codec_context.open()
            self._container.start_encoding()
        except (*MEDIA_ERRORS, RuntimeError) as error:
            raise self._refused(error, size) from error
        return stream

    def _refused(self, error: BaseException, size: Size) -> UserError:
        if is_disk_error(error):
            return self._file.error(error)
        return UserError(
            f"“{self._choice.encoder}” can't encode {size[0]} x {size[1]} px here.",
            "It could when the delivery was planned: start it again, without hardware encoding.",
            code=ExitCode.OUTPUT,
        )

    def _check(self, picture: Picture, pts: int) -> None:
        if self._closed:
            raise ValueError("the writer is closed")
        if picture.shape != self._shape or picture.dtype not in (np.uint8, np.uint16):
            raise ValueError(f"the picture is {picture.dtype} {picture.shape}, the writer takes {self._shape}")
        if self._last_pts is not None and pts <= self._last_pts:
            raise ValueError(f"pts {pts} is not later than {self._last_pts}")

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            packets: Sequence[av.Packet[VideoStream]] = self._stream.encode(frame)
            for packet in packets:
                self._container.mux_one(packet)
        except MEDIA_ERRORS as error:
            raise self._failed(error) from error

    def _failed(self, error: BaseException) -> UserError:
        """Discard the file at the first error: after it, `Container.close` may well succeed silently."""
        failure = self._file.error(error)
        self.abort()
        return failure
