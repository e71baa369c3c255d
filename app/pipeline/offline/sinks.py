"""Where finished pictures go."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Picture: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W) grey, (H, W, 3) RGB or (H, W, 4) RGB and alpha; uint8 0..255, or uint16 0..65535 where the delivery has more
than 8 bits. Colours sRGB/BT.709-encoded, full range."""


class Sink(Protocol):
    """Takes a segment's pictures in order."""

    def append(self, picture: Picture, *, pts: int, number: int) -> None:
        """Write one picture. pts: ticks of the delivery's time base; number: 0-based, in the whole delivery.

        UserError (OUTPUT) when it can't be written.
        """

    def close(self) -> None:
        """Finish; what was written gets its final name."""

    def abort(self) -> None:
        """Leave nothing that looks finished; safe to call at any time, more than once."""
