"""Single frames of a video file at any time, by seeking; `VideoReader` reads a file once, in order."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from app.domain.frame import Frame, Pixels
from app.pipeline.media_safety import MEDIA_ERRORS, check_size, damaged, open_media, picture_stream
from app.pipeline.video_geometry import Orientation, resized, square_pixel_size
from app.pipeline.video_info import VideoInfo, orientation_of
from app.pipeline.video_reader import VideoReader
from app.pipeline.yuv import RgbConverter


class OpenVideo:
    """A video's container and decoder, held open for reading from any place. UserError as `VideoReader` raises it.

    threads: of the decoder, 0 for as many as FFmpeg thinks right.
    """

    def __init__(self, path: Path, *, threads: int = 0) -> None:
        self.container: InputContainer = open_media(path)
        try:
            self.stream: VideoStream = picture_stream(self.container, path)
            self.stream.thread_type = "AUTO"
            self.stream.codec_context.thread_count = threads
        except BaseException:
            self.close()
            raise

    def packets(self) -> Iterator[av.Packet[VideoStream]]:
        """Yield what the file holds from here on; the last one, of size 0, flushes the decoder.

        A file that can't be read further ends here, as it does for `VideoReader`, and without that last one.
        """
        with contextlib.suppress(*MEDIA_ERRORS):
            yield from self.container.demux(self.stream)

    def decoded(self, packet: av.Packet[VideoStream] | None) -> list[av.VideoFrame]:
        """Decode one packet, or flush with None; one that can't be decoded gives nothing."""
        try:
            return self.stream.decode(packet)
        except (EOFError, *MEDIA_ERRORS):
            return []

    def frames(self) -> Iterator[av.VideoFrame]:
        """Yield the frames from here on."""
        for packet in self.packets():
            yield from self.decoded(packet)
        yield from self.decoded(None)

    def seek(self, pts: int) -> None:
        """Go to a key frame at or before `pts`, where the container knows of one. MEDIA_ERRORS when it can't."""
        self.container.seek(pts, stream=self.stream, backward=True)

    def close(self) -> None:
        """Close the file."""
        self.container.close()


class Developer:
    """Makes pixels of a video's decoded pictures, the same that `VideoReader` makes; belongs to one thread."""

    def __init__(self, info: VideoInfo) -> None:
        self._path = info.path
        self._shape = (info.height, info.width, 3)
        self._to_rgb = RgbConverter(info.color)
        self._square_size = square_pixel_size(*info.coded_size, info.pixel_aspect)

    def __call__(self, picture: av.VideoFrame, orientation: Orientation) -> Pixels:
        """(H, W, 3) uint8 sRGB, upright, square pixels. UserError when the picture can't be converted to that."""
        check_size(picture.width, picture.height, self._path)
        try:
            pixels = orientation.apply(resized(self._to_rgb(picture), self._square_size))
        except (av.FFmpegError, MemoryError) as error:
            raise damaged(self._path, "is damaged at this moment") from error
        if pixels.shape != self._shape:
            raise damaged(self._path, "changes its picture size at this moment")
        return pixels


class StillReader:
    """Frames of a video by time, as `VideoReader` would deliver them; one container is held open.

    UserError from the constructor as `VideoReader` raises it, from `at` when nothing can be decoded.
    """

    def __init__(self, path: Path) -> None:
        with VideoReader(path) as reader:
            self.info: VideoInfo = reader.info
            self._first = next(reader)
        self._path = path
        self._developed = Developer(self.info)
        self._video = OpenVideo(path)

    def close(self) -> None:
        """Close the file."""
        self._video.close()

    def at(self, time_s: float) -> Frame:
        """Return the frame shown `time_s` seconds after the first one; the last one after the end."""
        if time_s <= 0:
            return self._first
        target = self.info.start_pts + round(time_s / self.info.time_base)
        found = self._seek(target)
        if found is None:
            return self._first
        pts = target if found.pts is None else found.pts
        return Frame(self._developed(found, orientation_of(found)), pts, self.info.time_base, self._first.index)

    def _seek(self, target: int) -> av.VideoFrame | None:
        """Find the last frame that is not later than `target`; None when nothing decodes from there on.

        A seek lands on the key frame before, or a little earlier: what follows is decoded up to the target.
        """
        last: av.VideoFrame | None = None
        with contextlib.suppress(*MEDIA_ERRORS):
            self._video.seek(target)
            for frame in self._video.frames():
                if frame.pts is not None and frame.pts > target:
                    return last or frame
                last = frame
        return last
