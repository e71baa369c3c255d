"""A video that is played again and again: read forward round by round, or sought in at any time."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.mask.frame_cache import FrameCache
from app.pipeline.mask.frame_index import read_index
from app.pipeline.mask.seeking import Decoded, FrameSeeker
from app.pipeline.media_safety import damaged
from app.pipeline.plate_sync import PlayMode, shown_place
from app.pipeline.threads import stage_threads
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_reader import VideoReader

BACKWARD_CACHE_BYTES: Final = 128 << 20
"""41 frames at 1080p: so many are kept at a time of those that have to be decoded forwards to be shown backwards."""


class LoopingReader:
    """Gives the frame a looping video shows at a time; a context manager.

    Time 0 is the clip's first frame. One round lasts from the first frame to the end of the last, which is
    shown for one average frame; then the first follows without a gap. Returned frames carry the looped time
    in `pts` and count on in `index`. Moves forward only; two frames are held, whatever the length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = VideoReader(path)
        self._round_start = 0
        self._round_ticks: int | None = None
        self._first_index = 0
        first = next(self._reader)
        self._origin = first.pts
        self._current = replace(first, pts=0, index=0)
        self._next: Frame | None = self._following()

    @property
    def info(self) -> VideoInfo:
        """What the clip is."""
        return self._reader.info

    @property
    def round_s(self) -> float | None:
        """Length of one round in s, None until the clip has been gone through once."""
        return None if self._round_ticks is None else float(self._round_ticks * self.info.time_base)

    def frame_at(self, time_s: float | Fraction) -> Frame:
        """Return the frame shown at `time_s` s of looped time; an earlier time gives the current frame.

        UserError when the file can't be opened again for another round.
        """
        target = Fraction(time_s) / self.info.time_base
        while True:
            if self._next is None:
                end = self._end_of_round()
                if target < end:
                    return self._current
                self._start_round(end, target)
            elif self._next.pts <= target:
                self._current, self._next = self._next, self._following()
            else:
                return self._current

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        """Return the reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _following(self) -> Frame | None:
        frame = next(self._reader, None)
        if frame is None:
            return None
        pts = frame.pts - self._origin + self._round_start
        return replace(frame, pts=pts, index=frame.index + self._first_index)

    def _end_of_round(self) -> int:
        if self._round_ticks is None:
            self._round_ticks = self._current.pts - self._round_start + self.info.frame_step
        return self._round_start + self._round_ticks

    def _start_round(self, end: int, target: Fraction) -> None:
        """Open the clip anew at the round that holds `target`; whole rounds between are not decoded."""
        round_ticks = end - self._round_start
        self._round_start = end + int((target - end) // round_ticks) * round_ticks
        self._first_index = self._current.index + 1
        self._reader.close()
        self._reader = VideoReader(self._path)
        first = self._following()
        if first is None:
            raise UserError(f"“{self._path.name}” can't be read any more.", "Choose another plate.")
        self._current, self._next = first, self._following()


class SoughtFrames:
    """Any frame of a video by its 0-based place, pixel for pixel `VideoReader`'s; a context manager.

    Where a frame can't be decoded, the last one before it that can be is shown, as it is by who reads forward. Going
    on from the frame asked for last is as fast as reading; anything else costs decoding from the key frame before.
    cache_bytes: for going backwards. UserError as `VideoReader` and `read_index` raise it.
    """

    def __init__(self, path: Path, *, cache_bytes: int = 0) -> None:
        self._path = path
        self.index = read_index(path)
        self._cache: FrameCache[Decoded] = FrameCache(cache_bytes)
        self._seeker = FrameSeeker(path, self.index, cache=self._cache, decoders=1, threads=stage_threads())
        self._shown: Frame | None = None
        self._frame_bytes = 1

    @property
    def info(self) -> VideoInfo:
        """What the video is."""
        return self._seeker.info

    @cached_property
    def last(self) -> int:
        """The place of the last frame that can be decoded: its key frame and what follows are decoded to know that."""
        return self.at(len(self.index) - 1).index

    def at(self, place: int) -> Frame:
        """Return the frame at this place, `index` being its own place; UserError when it can't be read any more."""
        for earlier in range(place, -1, -1):
            frame = self.exactly(earlier)
            if frame is not None:
                return frame
        raise damaged(self._path, "can't be decoded any more")

    def exactly(self, place: int) -> Frame | None:
        """Return the frame at this place, None when it can't be decoded."""
        if self._shown is not None and self._shown.index == place:
            return self._shown
        decoded = self._decoded(place)
        if decoded is None:
            return None
        self._frame_bytes = max(1, decoded.size_bytes)
        with suppress(UserError):
            self._shown = self._frame_of(decoded)
            return self._shown
        return None

    def close(self) -> None:
        """Close the file."""
        self._seeker.close()
        self._cache.clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()

    def _frame_of(self, decoded: Decoded) -> Frame:
        """Make a frame of what the decoder gave. UserError when that can't be done."""
        return self._seeker.frame_of(decoded)

    def _decoded(self, place: int) -> Decoded | None:
        pts = self.index.pts_at(place)
        if self._shown is not None and place < self._shown.index:
            with suppress(UserError):
                return self._seeker.decoded_at(pts, keep=max(0, self._cache.limit_bytes // self._frame_bytes - 1))
        return next(self._seeker.decoded_between(pts, pts), None)


class SeekingLoop:
    """What `LoopingReader` shows, and the other ways to play a video, wherever one begins; a context manager.

    The frame shown at a time is the same in whatever order times are asked for. Times before 0 show the first frame.
    `Frame.index` is the frame's place in the video and `pts` its own: neither counts the rounds.
    """

    def __init__(self, path: Path, mode: PlayMode = "loop") -> None:
        self._frames = SoughtFrames(path, cache_bytes=BACKWARD_CACHE_BYTES if mode == "ping-pong" else 0)
        self._mode: PlayMode = mode
        self._pts = [int(pts) for pts in self._frames.index.pts - self._frames.index.start_pts]

    @property
    def info(self) -> VideoInfo:
        """What the video is."""
        return self._frames.info

    def frame_at(self, time_s: float | Fraction) -> Frame:
        """Return the frame shown `time_s` s after the first one was. UserError when the file can't be read any more."""
        elapsed = max(Fraction(0), Fraction(time_s) / self.info.time_base)
        if elapsed < self._pts[-1]:
            # A frame that comes out is the right one in the first round, and saves looking for the last that does.
            frame = self._frames.exactly(shown_place(self._pts, self.info.frame_step, elapsed, "hold"))
            if frame is not None:
                return frame
        whole = self._pts[: self._frames.last + 1]
        return self._frames.at(shown_place(whole, self.info.frame_step, elapsed, self._mode))

    def close(self) -> None:
        """Close the file."""
        self._frames.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()
