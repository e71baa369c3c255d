"""The sample person as a camera, for whoever has none at hand."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8
from app.domain.frame import Frame, Pixels
from app.pipeline.demo_source import demo_frames
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_pacing import PaceClock, Ticker

SAMPLE_SIZE: Final[Size] = (1280, 720)
SAMPLE_RATE: Final = Fraction(25)
SAMPLE_S: Final = 8.0
"""Its movements repeat after this long, so that the rounds join."""

_QUALITY: Final = 90
"""Of the JPEGs kept; at 95 the 200 frames take 48 MB, mostly for noise."""


class SampleSource:
    """The demo's filmed portrait, 1280 x 720 at 25 Hz, for ever.

    Making a frame takes ten times as long as decoding one (0.85 of a core at 25 Hz, 0.08 from memory), so each is
    made once and kept as a JPEG, and in the first round only every second frame is a new one: the movement, slow
    anyway, takes twice as long then. Frames made too slowly slow it further, without a jump. UserError when
    the photograph is not installed.
    """

    def __init__(self, *, clock: PaceClock | None = None, size: Size = SAMPLE_SIZE) -> None:
        self.granted = Granted("Sample", size, float(SAMPLE_RATE), "built in")
        self._making: Iterator[Frame] = iter(demo_frames(size=size, rate=SAMPLE_RATE, seconds=SAMPLE_S))
        self._count = round(SAMPLE_S * SAMPLE_RATE)
        self._kept: list[npt.NDArray[np.uint8]] = []
        self._last, self._content = -1, -1
        self._keep(next(self._making))
        self._ticker = Ticker(float(SAMPLE_RATE), clock or PaceClock())

    @property
    def kept_bytes(self) -> int:
        """Memory of the frames kept."""
        return sum(jpeg.nbytes for jpeg in self._kept)

    def read(self) -> Captured:
        """The next frame, when it is due."""
        tick = self._ticker.next()
        pixels = self._picture(tick - self._last, is_new=tick % 2 == 0)
        self._last = tick
        return Captured(Frame(pixels, pts=tick, time_base=1 / SAMPLE_RATE, index=tick), self._ticker.wait())

    def close(self) -> None:
        """Forget what was kept."""
        self._kept.clear()

    def _picture(self, step: int, *, is_new: bool) -> Pixels:
        """What is shown `step` frames on: from memory, or the next one made when it may be a new one."""
        wanted = self._content + step
        if len(self._kept) == self._count:
            self._content = wanted % self._count
        else:
            if wanted >= len(self._kept) and is_new:
                self._keep(next(self._making))
            self._content = min(wanted, len(self._kept) - 1)
        picture = cv2.imdecode(self._kept[self._content], cv2.IMREAD_COLOR)
        return as_uint8(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))

    def _keep(self, frame: Frame) -> None:
        picture = cv2.cvtColor(frame.pixels, cv2.COLOR_RGB2BGR)
        _, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        self._kept.append(as_uint8(jpeg))
