"""A clip to deliver: a video file or a folder of numbered pictures, read stretch by stretch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from app.domain.errors import UserError
from app.pipeline.color_tags import Hdr
from app.pipeline.deep_frames import DeepDeveloper
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import FrameIndex, read_index
from app.pipeline.mask.seeking import Decoded, FrameSeeker
from app.pipeline.offline.picture_sequence import PictureSequence
from app.pipeline.offline.source_frame import SourceFrame
from app.pipeline.video_info import VideoInfo

__all__ = ["Source", "SourceFrame", "VideoSource", "open_source"]


class Source(Protocol):
    """The frames of a clip; belongs to one thread.

    info, index: what it is, known without reading it. notices: what its owner may want to know, one sentence each.
    damaged_frames, lost_frames, resized_frames: of those read so far, concealed by the decoder, left out because
    nothing could be decoded, or brought to the size of the first.
    """

    info: VideoInfo
    index: FrameIndex
    notices: tuple[str, ...]
    damaged_frames: int
    lost_frames: int
    resized_frames: int

    def frames(self, first_pts: int, stop_pts: int) -> Iterator[SourceFrame]:
        """Yield the frames with first_pts <= pts < stop_pts in order, those of `VideoReader`; `index` is their place.

        Where the range before ended, reading goes on; elsewhere it begins at the key frame before. UserError when the
        file can't be read any more.
        """

    def close(self) -> None:
        """Close files."""


class VideoSource:
    """A `Source` that is a video file. deep: 16 bits a channel too where the file has more than 8.

    index: read anew when None. threads: of the decoder, 0 for as many as FFmpeg thinks right. UserError as
    `VideoReader` and `read_index` raise it.
    """

    def __init__(
        self, clip: Path, *, index: FrameIndex | None = None, hdr: Hdr = "refuse", deep: bool = False, threads: int = 0
    ) -> None:
        self.index = read_index(clip, hdr=hdr) if index is None else index
        self._seeker = FrameSeeker(clip, self.index, cache=FrameCache(0), decoders=1, threads=threads, hdr=hdr)
        self.info = self._seeker.info
        self.notices: tuple[str, ...] = ()
        self.damaged_frames = self.lost_frames = self.resized_frames = 0
        self._deep = DeepDeveloper(self.info) if deep and self.info.bit_depth > 8 else None

    def frames(self, first_pts: int, stop_pts: int) -> Iterator[SourceFrame]:
        """See `Source.frames`."""
        first, stop = self.index.first_from(first_pts), self.index.first_from(stop_pts)
        if first >= stop:
            return
        expected = first
        for decoded in self._seeker.decoded_between(self.index.pts_at(first), self.index.pts_at(stop - 1)):
            self.lost_frames += decoded.place - expected
            expected = decoded.place + 1
            found = self._developed(decoded)
            if found is not None:
                yield found
        self.lost_frames += stop - expected

    def close(self) -> None:
        """Close the file."""
        self._seeker.close()

    def _developed(self, decoded: Decoded) -> SourceFrame | None:
        """Convert to RGB; None, and lost, where that can't be done."""
        picture = decoded.picture
        try:
            frame = self._seeker.frame_of(decoded)
            deep = None if self._deep is None else self._deep(picture, decoded.orientation)
        except UserError:
            self.lost_frames += 1
            return None
        self.damaged_frames += picture.is_corrupt
        self.resized_frames += (picture.width, picture.height) != self.info.coded_size
        return SourceFrame(frame, deep)


def open_source(
    clip: Path,
    *,
    index: FrameIndex | None = None,
    sequence_rate: Fraction,
    hdr: Hdr = "refuse",
    deep: bool = False,
    decode_threads: int | None = None,
) -> Source:
    """Open a video file, or a folder of numbered pictures at `sequence_rate` pictures a second.

    index: of an earlier `open_source`, saves reading it again. UserError (BAD_INPUT) for what can't be read.
    """
    if clip.is_dir():
        return PictureSequence(clip, sequence_rate, index=index, deep=deep)
    return VideoSource(clip, index=index, hdr=hdr, deep=deep, threads=decode_threads or 0)
