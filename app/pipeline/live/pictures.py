"""What the live threads hand to each other."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.compositing import Size
from app.domain.frame import Alpha8, Frame, Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """A frame and the moment it arrived. captured_s: `time.monotonic()`, the clock of latency and recordings."""

    frame: Frame
    captured_s: float


@dataclass(frozen=True, slots=True)
class Granted:
    """What a source really gives, which need not be what was asked. size: (width, height) px.

    rate_hz: None when nobody knows. detail: format or path in words, such as "MJPG".
    """

    name: str
    size: Size
    rate_hz: float | None = None
    detail: str = ""

    @property
    def text(self) -> str:
        """All of it in one line: `1280 x 720, 30 fps, MJPG`."""
        rate = [] if self.rate_hz is None else [f"{self.rate_hz:.4g} fps"]
        return ", ".join([f"{self.size[0]} \u00d7 {self.size[1]}", *rate, *([self.detail] if self.detail else [])])


@dataclass(frozen=True, eq=False)
class Finished:
    """A picture for the outputs, all of the same moment.

    composite (H, W, 3): never shows the room. captured_s: when its frame was captured; for a cover, when it was
    made. frame, alpha: the source's picture and its matte; None for a cover, which shows the plate alone.
    """

    composite: Pixels
    captured_s: float
    frame: Frame | None = None
    alpha: Alpha8 | None = None

    @property
    def is_cover(self) -> bool:
        """Whether nobody is in it because there was no valid matte, no camera or no wish to be seen."""
        return self.frame is None
