"""A job cut into segments: everything that any worker needs to know, decided once."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from app.domain.compositing import Size
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline.encoder_choice import EncoderChoice
from app.pipeline.offline.job import Job
from app.pipeline.video_info import VideoInfo

Stage = Literal["analyse", "render"]
"""The two passes over a segment."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One picture of the delivery: the source's frame at source_pts, shown from out_pts, in ticks of out_time_base."""

    source_pts: int
    out_pts: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Frames with first_pts <= pts < stop_pts. shown: what of them is delivered; number: of the first picture shown."""

    index: int
    first_pts: int
    stop_pts: int
    shown: tuple[Shown, ...]
    number: int


@dataclass(frozen=True)
class Plan:
    """A job made definite.

    folder: where unfinished work lies. info: of the clip. size: of the result. out_time_base, out_rate: its clock.
    sound_delay_s, sound_until_s: what the picture's start was moved by, and where the sound stops (None: at its own
    end). is_trimmed: the result begins at zero, and what was before is left out. encoder: for the main output, None for
    pictures. analysis_key, render_key: differ whenever a segment's analysis or pictures would.
    """

    job: Job
    folder: Path
    info: VideoInfo
    index: FrameIndex
    segments: tuple[Segment, ...]
    size: Size
    depth: int
    out_time_base: Fraction
    out_rate: Fraction
    sound_delay_s: Fraction
    sound_until_s: Fraction | None
    encoder: EncoderChoice | None
    matte_encoder: EncoderChoice | None
    analysis_key: str
    render_key: str
    is_trimmed: bool = False
    notices: tuple[str, ...] = ()

    @property
    def picture_size(self) -> Size:
        """(width, height) px of a picture as it is written, before the codec's padding."""
        width, height = self.size
        return (2 * width, height) if self.job.content == "side-by-side" else self.size
