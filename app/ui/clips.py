"""What a clip is to the window: a still at any time for the preview, all frames in order for the render."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final, Protocol

from app.domain.frame import Frame
from app.pipeline.demo_source import demo_frames
from app.pipeline.stills import StillReader
from app.pipeline.video_info import VideoInfo
from app.ui.choices import ClipInfo, Sample, Source

SAMPLE_SIZE: Final = (1280, 720)
SAMPLE_RATE: Final = Fraction(25)
SAMPLE_S: Final = 8.0


class Clip(Protocol):
    """An opened clip; belongs to one thread."""

    @property
    def info(self) -> ClipInfo:
        """What it is."""

    def still(self, time_s: float) -> Frame:
        """The frame shown `time_s` seconds after the start. UserError when it can't be decoded."""

    def close(self) -> None:
        """Release the file."""


class FileClip:
    """A video file."""

    def __init__(self, path: Path) -> None:
        self._stills = StillReader(path)
        self.info = info_of(self._stills.info)

    def still(self, time_s: float) -> Frame:
        """The frame shown at that time."""
        return self._stills.at(time_s)

    def close(self) -> None:
        """Close the file."""
        self._stills.close()


class SampleClip:
    """The sample that comes with the program; its frames are made, not decoded."""

    info = ClipInfo(
        source=Sample.SAMPLE,
        name="Sample",
        size=SAMPLE_SIZE,
        time_base=1 / SAMPLE_RATE,
        average_rate=SAMPLE_RATE,
        duration_s=SAMPLE_S,
        frame_count=round(SAMPLE_S * SAMPLE_RATE),
    )

    def still(self, time_s: float) -> Frame:
        """The frame shown at that time; its sensor noise differs from the rendered one's, nothing else.

        What the sample shows depends on the time alone. The second of two frames so far apart is the one
        wanted: going through all of them from the start took 4 s for the middle of the clip.
        """
        last = round(SAMPLE_S * SAMPLE_RATE) - 1
        index = min(max(int(time_s * SAMPLE_RATE), 0), last)
        if index == 0:
            return next(sample_frames())
        step_s = index / SAMPLE_RATE
        pair = demo_frames(size=SAMPLE_SIZE, rate=1 / step_s, seconds=float(2 * step_s))
        wanted = next(islice(pair, 1, None))
        return replace(wanted, pts=index, time_base=1 / SAMPLE_RATE, index=index)

    def close(self) -> None:
        """Nothing is held."""


def sample_frames() -> Iterator[Frame]:
    """All frames of the sample, in order."""
    return iter(demo_frames(size=SAMPLE_SIZE, rate=SAMPLE_RATE, seconds=SAMPLE_S))


def open_clip(source: Source) -> Clip:
    """Open a source. UserError as `VideoReader` raises it."""
    return SampleClip() if isinstance(source, Sample) else FileClip(source)


def info_of(video: VideoInfo) -> ClipInfo:
    """What the window needs to know of a video file."""
    return ClipInfo(
        source=video.path,
        name=video.path.name,
        size=video.size,
        time_base=video.time_base,
        average_rate=video.average_rate,
        duration_s=video.duration_s,
        frame_count=video.frame_count_hint,
    )
