"""A video plate that goes round and round."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_reader import VideoReader


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

    def frame_at(self, time_s: float) -> Frame:
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
