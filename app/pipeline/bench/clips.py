"""The clip that is measured: the user's own, or the built-in sample, at the size that was asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from app.domain.compositing import Size, fit_plate
from app.domain.frame import Frame
from app.pipeline.demo_source import demo_frames
from app.pipeline.encode_settings import EncodeSettings
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import VideoWriter

SAMPLE_SIZE: Final[Size] = (1920, 1080)
SAMPLE_RATE_HZ: Final = Fraction(30)
SAMPLE_S: Final = 8
"""The sample's movements repeat after this long, so that rounds join."""

MIN_SIDE_PX: Final = 64

_ENCODING: Final = EncodeSettings(preset="ultrafast", crf=18)
"""Visually lossless at the bit rate of a good camera: 22 Mbit/s for the sample at 1080p30; 66 with crf 14."""


@dataclass(frozen=True, slots=True)
class ClipWish:
    """clip: a video file, None for the sample. size: (width, height) px, None for its own (the sample: 1080p).

    frames: how many are needed; a clip made for the occasion has no more.
    """

    clip: Path | None = None
    size: Size | None = None
    frames: int = 300


@contextmanager
def clip_for(wish: ClipWish, *, tick: Callable[[], None] = lambda: None) -> Iterator[Path]:
    """The file to measure: the clip itself where it has the size, else an H.264 copy that is removed afterwards.

    A clip of another shape is cropped, as a plate is. tick: called for every frame made. UserError for a clip that
    can't be read, and as `VideoWriter` raises it.
    """
    with ExitStack() as held:
        if wish.clip is not None:
            reader = held.enter_context(VideoReader(wish.clip, max_frames=wish.frames))
            rate = reader.info.average_rate
            size = None if wish.size is None else whole_size(wish.size)
            if reader.info.size in (size or reader.info.size, wish.size):
                reader.close()
                yield wish.clip
                return
            frames: Iterable[Frame] = (_fitted(frame, size or reader.info.size) for frame in reader)
        else:
            rate, size = SAMPLE_RATE_HZ, whole_size(wish.size or SAMPLE_SIZE)
            frames = _sample(size, wish.frames)
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="platematch-bench-")))
        path = folder / f"{wish.clip.stem if wish.clip else 'sample'}.mp4"
        _write(path, frames, size or SAMPLE_SIZE, rate, tick)
        yield path


def whole_size(size: Size) -> Size:
    """The nearest size, not smaller, that 4:2:0 video can have; at least MIN_SIDE_PX a side."""
    width, height = (max(MIN_SIDE_PX, side + side % 2) for side in size)
    return width, height


def _sample(size: Size, frames: int) -> Iterator[Frame]:
    seconds = min(float(SAMPLE_S), frames / float(SAMPLE_RATE_HZ))
    return demo_frames(size=size, rate=SAMPLE_RATE_HZ, seconds=seconds)


def _fitted(frame: Frame, size: Size) -> Frame:
    return replace(frame, pixels=fit_plate(frame.pixels, size))


def _write(path: Path, frames: Iterable[Frame], size: Size, rate: Fraction | None, tick: Callable[[], None]) -> None:
    """Write all frames, their times kept."""
    with ExitStack() as held:
        writer: VideoWriter | None = None
        for frame in frames:
            if writer is None:
                writer = held.enter_context(
                    VideoWriter(
                        path,
                        width=size[0],
                        height=size[1],
                        time_base=frame.time_base,
                        average_rate=rate,
                        settings=_ENCODING,
                    )
                )
            writer.append(frame)
            tick()
