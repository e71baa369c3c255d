"""The pictures of a matte video by time: read forward, or sought in for who begins in the middle."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from typing import Final, Protocol, cast

import av
import cv2
from av.video.reformatter import VideoReformatter

from app.domain.frame import Frame, Pixels
from app.pipeline.mask.alpha_video import AlphaReader, alpha_plane
from app.pipeline.mask.seeking import Decoded
from app.pipeline.media_safety import check_size, damaged
from app.pipeline.video_geometry import resized, square_pixel_size
from app.pipeline.video_loop import SoughtFrames
from app.pipeline.video_reader import VideoReader

_ALPHA_BESIDE: Final = frozenset({"vp8", "vp9", "libvpx", "libvpx-vp9"})
"""Codecs whose alpha is a stream of its own, with key frames of its own: none of the picture's may be one of them."""


class MatteFrames(Protocol):
    """A matte video's frames. first_s: time of the first. spacing_s: from it to the second, inf without one."""

    first_s: float
    spacing_s: float

    def shown_at(self, wanted_s: float) -> Frame:
        """Return the last frame not later than this time of the file's, the first before all."""

    def is_last(self, frame: Frame) -> bool:
        """Whether none comes after the frame that was returned last."""

    def close(self) -> None:
        """Close the file."""


def matte_frames(path: Path, *, is_alpha: bool, seekable: bool) -> MatteFrames:
    """Open a matte video. is_alpha: its alpha, as grey, instead of its colours.

    seekable: for who doesn't begin at the start; what is shown is the same. Alpha of VP8 and VP9 is read forward all
    the same.
    """
    reader: type[VideoReader] = AlphaReader if is_alpha else VideoReader
    if not seekable:
        return ForwardMatte(path, reader)
    sought = SoughtAlpha(path) if is_alpha else SoughtFrames(path)
    if not (is_alpha and sought.info.codec in _ALPHA_BESIDE):
        return SoughtMatte(sought)
    sought.close()
    return ForwardMatte(path, reader)


class ForwardMatte:
    """`MatteFrames` that are read forward; going back begins anew."""

    def __init__(self, path: Path, reader: type[VideoReader]) -> None:
        self._path, self._opened = path, reader
        self._reader = reader(path)
        self._now, self._next = self._first_two()
        self._wanted_s = float("-inf")
        self.first_s = self._now.time_s
        self.spacing_s = self._next.time_s - self.first_s if self._next else float("inf")

    def shown_at(self, wanted_s: float) -> Frame:
        """See `MatteFrames`."""
        if wanted_s < self._wanted_s:
            self.close()
            self._reader = self._opened(self._path)
            self._now, self._next = self._first_two()
        self._wanted_s = wanted_s
        while self._next is not None and self._next.time_s <= wanted_s:
            self._now, self._next = self._next, next(self._reader, None)
        return self._now

    def is_last(self, frame: Frame) -> bool:
        """See `MatteFrames`."""
        return self._next is None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _first_two(self) -> tuple[Frame, Frame | None]:
        return next(self._reader), next(self._reader, None)


class SoughtMatte:
    """`MatteFrames` in any order."""

    def __init__(self, frames: SoughtFrames) -> None:
        self._frames = frames
        self._pts = [int(pts) for pts in frames.index.pts]
        self.first_s = frames.at(0).time_s
        later = (frames.exactly(place) for place in range(1, len(self._pts)))
        self.spacing_s = next((frame.time_s for frame in later if frame is not None), float("inf")) - self.first_s

    def shown_at(self, wanted_s: float) -> Frame:
        """See `MatteFrames`."""
        time_base = self._frames.index.time_base
        # The very comparison of `ForwardMatte`: an array times a float rounds otherwise.
        place = bisect_right(self._pts, wanted_s, key=lambda pts: float(pts * time_base)) - 1
        return self._frames.at(max(0, place))

    def is_last(self, frame: Frame) -> bool:
        """See `MatteFrames`."""
        return frame.index >= self._frames.last

    def close(self) -> None:
        """Close the file."""
        self._frames.close()


class SoughtAlpha(SoughtFrames):
    """A video's alpha, as grey, as `AlphaReader` gives it; only of codecs that keep it in the picture."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._reformatter = VideoReformatter()
        self._square_size = square_pixel_size(*self.info.coded_size, self.info.pixel_aspect)

    def _frame_of(self, decoded: Decoded) -> Frame:
        picture = decoded.picture
        check_size(picture.width, picture.height, self.info.path)
        try:
            alpha = cast("Pixels", cv2.cvtColor(alpha_plane(picture, self._reformatter), cv2.COLOR_GRAY2RGB))
        except (av.FFmpegError, MemoryError) as error:
            raise damaged(self.info.path, "is damaged at this moment") from error
        pixels = decoded.orientation.apply(resized(alpha, self._square_size))
        return Frame(pixels, decoded.pts, self.index.time_base, decoded.place)
