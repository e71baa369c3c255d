"""Frames of a video file, upright, in order, on the file's own clock."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import av
from av.video.stream import VideoStream

from app.domain.errors import UserError
from app.domain.frame import Frame, Pixels
from app.pipeline.color_tags import Hdr
from app.pipeline.media_safety import MEDIA_ERRORS, check_size, damaged, open_media, picture_stream
from app.pipeline.video_geometry import resized, square_pixel_size
from app.pipeline.video_info import orientation_of, read_info
from app.pipeline.video_time import next_pts
from app.pipeline.yuv import RgbConverter

EARLY_END_S: Final = 0.5
"""A picture that ends this much before the length in the header counts as cut short."""


class VideoReader:
    """Iterates over a video's frames in presentation order; a context manager.

    pixels: full-range sRGB RGB, upright, square pixels, all of the first frame's size. pts: the file's own,
    made strictly increasing. One decoded frame is held ahead, whatever the length.

    Damage is survived and counted, not fatal: `damaged_frames` (lost or concealed by the decoder; a lost one
    leaves a gap in `Frame.index`), `repaired_pts`, `resized_frames` (the size changed midway), `cut_short`
    (the file ends before its header says). UserError from the constructor when the file can't be opened, is
    over the size limit, is HDR that `hdr` refuses, or has no readable frame.
    """

    def __init__(self, path: Path, *, max_frames: int | None = None, hdr: Hdr = "refuse") -> None:
        self.damaged_frames = 0
        self.repaired_pts = 0
        self.resized_frames = 0
        self.cut_short = False
        self._path = Path(path)
        self._left = max_frames
        self._hdr = hdr
        self._index = 0
        self._last_pts: int | None = None
        self._frames: Iterator[Frame] = iter(())
        self._container = open_media(self._path)
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._stream = picture_stream(self._container, self._path)
        self._stream.thread_type = "AUTO"
        decoded = self._decode()
        first = next(decoded, None)
        if first is None:
            raise self._nothing_readable()
        self.info = read_info(self._path, self._container, self._stream, first, hdr=self._hdr)
        self._orientation = orientation_of(first)
        self._square_size = square_pixel_size(*self.info.coded_size, self.info.pixel_aspect)
        self._to_rgb = RgbConverter(self.info.color)
        self._frames = self._convert(itertools.chain([first], decoded))
        self._waiting = next(self._frames, None)
        if self._waiting is None:
            raise self._nothing_readable()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """Return the reader itself; a second loop goes on where the first stopped."""
        return self

    def __next__(self) -> Frame:
        """Return the next frame."""
        if self._left is not None and self._left <= 0:
            raise StopIteration
        frame = self._waiting or next(self._frames)
        self._waiting = None
        if self._left is not None:
            self._left -= 1
        return frame

    def close(self) -> None:
        """Close the file; iteration ends."""
        self._waiting = None
        self._frames = iter(())
        self._container.close()

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Yield decoded frames; a packet that fails costs its own frame only."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except MEDIA_ERRORS:
                self.cut_short = True
                packet = None
            # The demuxer ends with an empty packet that flushes the decoder; after a read error it does not.
            yield from self._frames_of(packet)
            if packet is None:
                self._check_length()
                return

    def _frames_of(self, packet: av.Packet[VideoStream] | None) -> list[av.VideoFrame]:
        try:
            frames = self._stream.decode(packet)
        except EOFError:
            return []
        except MEDIA_ERRORS:
            self.damaged_frames += 1
            self._index += 1
            return []
        self.damaged_frames += sum(frame.is_corrupt for frame in frames)
        return frames

    def _convert(self, decoded: Iterator[av.VideoFrame]) -> Iterator[Frame]:
        """Yield finished frames; one that can't be converted is damage like any other."""
        for frame in decoded:
            try:
                pixels = self._upright(frame)
            except (av.FFmpegError, MemoryError):
                self.damaged_frames += 1
            else:
                yield Frame(pixels=pixels, pts=self._pts(frame), time_base=self.info.time_base, index=self._index)
            self._index += 1

    def _upright(self, frame: av.VideoFrame) -> Pixels:
        check_size(frame.width, frame.height, self._path)
        if (frame.width, frame.height) != self.info.coded_size:
            self.resized_frames += 1
        return self._orientation.apply(resized(self._to_rgb(frame), self._square_size))

    def _pts(self, frame: av.VideoFrame) -> int:
        pts = next_pts(frame.pts, self._last_pts, step=self.info.frame_step)
        self.repaired_pts += pts != frame.pts
        self._last_pts = pts
        return pts

    def _check_length(self) -> None:
        """Note an end well before the header's. A file's length may be that of its sound: then nobody knows.

        Containers count the length from zero or from the first frame; from zero errs to the safe side.
        """
        if self._last_pts is None or self.info.duration_s is None:
            return
        if not self.info.is_picture_duration:
            return
        end_s = float((self._last_pts + self.info.frame_step) * self.info.time_base)
        if self.info.duration_s - end_s > EARLY_END_S:
            self.cut_short = True

    def _nothing_readable(self) -> UserError:
        if self.damaged_frames:
            return damaged(self._path, "is damaged: none of its pictures can be decoded")
        return damaged(self._path, "contains no readable picture; it may be cut short")
