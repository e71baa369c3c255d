"""Single frames of a video file at any time, by seeking; `VideoReader` reads a file once, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av

from app.domain.frame import Frame
from app.pipeline.media_safety import MEDIA_ERRORS, damaged, open_media, picture_stream
from app.pipeline.video_geometry import resized, square_pixel_size
from app.pipeline.video_info import VideoInfo, orientation_of
from app.pipeline.video_reader import VideoReader
from app.pipeline.yuv import RgbConverter


class StillReader:
    """Frames of a video by time, as `VideoReader` would deliver them; one container is held open.

    UserError from the constructor as `VideoReader` raises it, from `at` when nothing can be decoded.
    """

    def __init__(self, path: Path) -> None:
        with VideoReader(path) as reader:
            self.info: VideoInfo = reader.info
            self._first = next(reader)
        self._path = path
        self._to_rgb = RgbConverter(self.info.color)
        self._square_size = square_pixel_size(*self.info.coded_size, self.info.pixel_aspect)
        self._container = open_media(path)
        try:
            self._stream = picture_stream(self._container, path)
            self._stream.thread_type = "AUTO"
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def at(self, time_s: float) -> Frame:
        """Return the frame shown `time_s` seconds after the first one; the last one after the end."""
        if time_s <= 0:
            return self._first
        target = self.info.start_pts + round(time_s / self.info.time_base)
        found = self._seek(target)
        if found is None:
            return self._first
        try:
            pixels = orientation_of(found).apply(resized(self._to_rgb(found), self._square_size))
        except (av.FFmpegError, MemoryError) as error:
            raise damaged(self._path, "is damaged at this moment") from error
        if pixels.shape != self._first.pixels.shape:
            raise damaged(self._path, "changes its picture size at this moment")
        pts = target if found.pts is None else found.pts
        return Frame(pixels, pts, self.info.time_base, self._first.index)

    def _seek(self, target: int) -> av.VideoFrame | None:
        """Find the last frame that is not later than `target`; None when nothing decodes from there on.

        A seek lands on the key frame before, or a little earlier: what follows is decoded up to the target.
        """
        last: av.VideoFrame | None = None
        with contextlib.suppress(*MEDIA_ERRORS):
            self._container.seek(target, stream=self._stream, backward=True)
            for frame in self._decoded():
                if frame.pts is not None and frame.pts > target:
                    return last or frame
                last = frame
        return last

    def _decoded(self) -> Iterator[av.VideoFrame]:
        """Yield frames; a packet that can't be decoded is passed over."""
        for packet in self._container.demux(self._stream):
            try:
                yield from self._stream.decode(packet)
            except EOFError:
                return
            except MEDIA_ERRORS:
                continue
