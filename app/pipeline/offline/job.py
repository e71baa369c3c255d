"""What is to be made out of which clip: one value, the same from the window, the command line and another machine."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from app.domain.compositing import FitMode, Size
from app.domain.mask.document import MaskDocument
from app.pipeline.looks import Look
from app.pipeline.offline.formats import Encoding
from app.pipeline.plate_sync import PlateSync
from app.pipeline.segmenter_choice import SegmenterChoice

Content = Literal["composite", "foreground", "matte", "side-by-side"]
"""What the pictures show. foreground: the matched person alone, over black where the format has no alpha."""


@dataclass(frozen=True, slots=True)
class Trim:
    """The part of the clip to deliver, in seconds from its first frame; None is the clip's own end."""

    from_s: float | None = None
    to_s: float | None = None


@dataclass(frozen=True, slots=True)
class Extras:
    """What else to write: the matte as grey video, a contact sheet, a folder of .cube files a scene, curves as JSON."""

    matte: Path | None = None
    sheet: Path | None = None
    cubes: Path | None = None
    curves: Path | None = None


@dataclass(frozen=True)
class Job:
    """One delivery.

    clip: a video file, or a folder of numbered pictures at sequence_rate. plate: as `open_plate` takes it. output: a
    file, or for picture formats a folder. size: (width, height) of the result; None is the clip's, made smaller where
    that is more than max_size. rate: frames a second to convert to; None keeps every frame and its own time.
    max_frames: stop after so many. document: a mask project's corrections and locks, None without. hdr: what to do with
    PQ and HLG clips. has_sound: whether the clip's sound, subtitles and chapters go along.
    """

    clip: Path
    plate: str
    output: Path
    look: Look = field(default_factory=Look)
    person: SegmenterChoice = field(default_factory=SegmenterChoice)
    encoding: Encoding = field(default_factory=Encoding)
    content: Content = "composite"
    extras: Extras = field(default_factory=Extras)
    fit: FitMode = "cover"
    sync: PlateSync = field(default_factory=PlateSync)
    trim: Trim = field(default_factory=Trim)
    size: Size | None = None
    max_size: Size | None = None
    rate: Fraction | None = None
    sequence_rate: Fraction = Fraction(24)
    max_frames: int | None = None
    weights: str | None = None
    device: str = "cpu"
    hdr: Literal["refuse", "tone-map"] = "refuse"
    document: MaskDocument | None = None
    has_sound: bool = True
    overwrite: bool = False

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Every file that is read, which no output may replace."""
        read = (self.clip, Path(self.plate or "."), self.person.mask)
        return tuple(path for path in read if path is not None and path.is_file())
