"""A video file as a camera: at its own pace, round and round."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_pacing import PaceClock, Pacer
from app.pipeline.live.source_protocol import SourceLost
from app.pipeline.video_reader import VideoReader

HOLD_S: Final = 0.5
"""A frame shown for longer is given again: a slide show is no camera that hangs."""

_FINE_TICK: Final = Fraction(1, 1000)


class FileSource:
    """A video's frames by their pts, at any rate, also a varying one.

    Time 0 is the first frame; the last is shown for one average frame, then the first follows. Frames that are
    late are left out; one that is shown for longer than HOLD_S is given again. UserError as `VideoReader` raises it.
    """

    def __init__(self, path: Path, *, clock: PaceClock | None = None) -> None:
        self._path = path
        self._reader = VideoReader(path)
        info = self._reader.info
        self.granted = Granted(
            path.name, info.size, None if info.average_rate is None else float(info.average_rate), "video file"
        )
        # Ticks as coarse as seconds leave no room for a frame given again in between.
        self._ticks = 1 if info.time_base * 2 < HOLD_S else math.ceil(info.time_base / _FINE_TICK)
        self._time_base = info.time_base / self._ticks
        self._pacer = Pacer(clock or PaceClock())
        self._frames = self._rounds()
        self._shown: Frame | None = None
        self._next = next(self._frames)
        self._repeats = 0

    def read(self) -> Captured:
        """The next frame, when it is due."""
        hold = None if self._shown is None else self._held(self._shown)
        if hold is not None and hold.time_s < self._next.time_s:
            self._shown = hold
            self._repeats += 1
            return Captured(hold, self._pacer.wait_until(hold.time_s))
        frame = self._due()
        self._shown = replace(frame, index=frame.index + self._repeats)
        return Captured(self._shown, self._pacer.wait_until(frame.time_s))

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def _held(self, frame: Frame) -> Frame:
        return replace(frame, pts=frame.pts + round(HOLD_S / self._time_base), index=frame.index + 1)

    def _due(self) -> Frame:
        """The newest frame that is due, or the one that comes next; the one after it is decoded meanwhile."""
        self._pacer.forgive(self._next.time_s)
        elapsed_s = self._pacer.elapsed_s()
        frame, self._next = self._next, self._following()
        while self._next.time_s <= elapsed_s:
            frame, self._next = self._next, self._following()
        return frame

    def _following(self) -> Frame:
        try:
            return next(self._frames)
        except (UserError, StopIteration) as error:
            raise SourceLost(
                f"“{self._path.name}” can't be read any more.", "Choose it again, or another source."
            ) from error

    def _rounds(self) -> Iterator[Frame]:
        """All rounds in one; opened anew for each, because not every file can be wound back."""
        round_start, index = 0, 0
        step = self._reader.info.frame_step
        while True:
            origin = pts = None
            for frame in self._reader:
                origin = frame.pts if origin is None else origin
                pts = frame.pts - origin + round_start
                yield self._placed(frame, pts, index + frame.index)
            if pts is None:
                return
            round_start, index = pts + step, index + frame.index + 1
            self._reader.close()
            self._reader = VideoReader(self._path)

    def _placed(self, frame: Frame, pts: int, index: int) -> Frame:
        return Frame(pixels=frame.pixels, pts=pts * self._ticks, time_base=self._time_base, index=index)
