"""What the window shows, and what is asked of and answered by its threads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Final

from PyQt6.QtGui import QImage

from app.domain.compositing import Size
from app.domain.settings import Settings

PICTURE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
"""Endings that make a dropped file a background; everything else is tried as a video."""


VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".ts", ".mts"})
"""Endings of videos, where pictures and videos of a folder are picked out."""


class Mode(Enum):
    """What the window is for at the moment."""

    LIVE = "Live"
    RENDER = "Render"
    MASK = "Mask"


class View(Enum):
    """What the preview shows, in the order of the keys Ctrl+1 to Ctrl+7."""

    SPLIT = "Split"
    MATCHED = "Matched"
    PASTED = "Pasted"
    SIDE_BY_SIDE = "Side by side"
    ORIGINAL = "Original"
    MATTE = "Matte"
    EDGES = "Edges"

    @property
    def parts(self) -> tuple[View, ...]:
        """The pictures it takes to show it."""
        return _PARTS.get(self, (self,))

    @property
    def hint(self) -> str:
        """What the view is, in one sentence."""
        return _HINTS[self]


_HINTS: Final = {
    View.SPLIT: "Left of the line pasted, right of it matched; drag the line",
    View.MATCHED: "The finished picture, with matched colours",
    View.PASTED: "The same without the colour match",
    View.SIDE_BY_SIDE: "Left as it was filmed, right the finished picture",
    View.ORIGINAL: "The picture as it was filmed",
    View.MATTE: "What was found to be the person: white stays, black is replaced",
    View.EDGES: "The person over a dimmed room, the matte's soft edge in colour",
}

_PARTS: Final = {View.SPLIT: (View.PASTED, View.MATCHED), View.SIDE_BY_SIDE: (View.ORIGINAL, View.MATCHED)}


class Sample(Enum):
    """The clip that comes with the program."""

    SAMPLE = "Sample"


Source = Path | Sample
"""Where frames come from: a video file or the sample."""


@dataclass(frozen=True, slots=True)
class ClipInfo:
    """An opened clip. size: (width, height) in px. duration_s, frame_count: None when nobody knows."""

    source: Source
    name: str
    size: Size
    time_base: Fraction
    average_rate: Fraction | None
    duration_s: float | None
    frame_count: int | None


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """One picture asked for. clip: number of the opening it belongs to. size_px: device px to fill."""

    clip: int
    time_s: float
    settings: Settings
    size_px: Size


@dataclass(frozen=True)
class Pictures:
    """The answer: a picture of every view there is yet, all of one size. has_person: None until known."""

    request: PreviewRequest
    images: dict[View, QImage]
    has_person: bool | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that did not work, as the person reads it."""

    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class RenderReport:
    """A finished render. seconds: of wall time. notices: one sentence each."""

    path: Path
    frames: int
    seconds: float
    notices: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """What was done, in one line."""
        rate = f", {self.frames / self.seconds:.0f} a second" if self.seconds > 0 else ""
        return f"Saved “{self.path.name}”: {self.frames} frames in {self.seconds:.0f} s{rate}."
