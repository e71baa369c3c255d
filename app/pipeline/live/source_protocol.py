"""What every live source is, and the words all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from app.domain.cells import shrunk_into
from app.domain.compositing import Size
from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.live.pictures import Captured, Granted

DEFAULT_SIZE: Final[Size] = (1280, 720)
"""What is asked of a camera, and made by the sources that can make any size."""

LARGEST: Final[Size] = (1920, 1080)
"""Pictures and screens beyond this are made smaller, where no size was wished for."""

TICKS_HZ: Final = 1_000_000
"""Ticks a second of sources whose clock counts microseconds."""


class SourceLost(UserError):  # noqa: N818  (an event of the world, like StopIteration, not a mistake)
    """A source that was open gives no more pictures."""


@dataclass(frozen=True, slots=True)
class CaptureWish:
    """What is asked of a source; `Granted` says what came of it. size: (width, height) px, None is "automatic"."""

    size: Size | None = None
    rate_hz: float = 30
    lock_white_balance: bool = False


class LiveSource(Protocol):
    """An open source. Belongs to the thread that opened it; only that one calls its methods."""

    @property
    def granted(self) -> Granted:
        """What it really gives; may change with a frame read."""

    def read(self) -> Captured:
        """Wait for the next frame; `pts` and `index` rise strictly, a gap in `index` is frames lost.

        SourceLost when no more will come.
        """

    def close(self) -> None:
        """Release the device or file; a second call does nothing."""


def fitted(pixels: Pixels, largest: Size | None) -> Pixels:
    """Make a picture smaller, keeping its shape, until it fits into `largest` (LARGEST when None)."""
    return shrunk_into(pixels, largest or LARGEST)
