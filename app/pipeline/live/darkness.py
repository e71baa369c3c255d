"""Whether a source gives nothing but black: a cover before the lens, or a privacy switch."""

from __future__ import annotations

import time
from typing import Final

from app.pipeline.live.pictures import Captured

DARK_S: Final = 3.0
BLACK_LEVEL: Final = 20
"""Nothing brighter than this in a camera's picture is black: sensor noise behind a cover stays below."""

_GLANCE_PX: Final = 16


class Darkness:
    """Looks at every frame; one thread calls `look`, any may ask."""

    def __init__(self) -> None:
        self._since_s: float | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether it has been dark for a while."""
        since_s = self._since_s
        return since_s is not None and time.monotonic() - since_s > DARK_S

    def look(self, captured: Captured) -> None:
        """Look at the next frame."""
        if captured.frame.pixels[::_GLANCE_PX, ::_GLANCE_PX].max() > BLACK_LEVEL:
            self._since_s = None
        elif self._since_s is None:
            self._since_s = captured.captured_s
