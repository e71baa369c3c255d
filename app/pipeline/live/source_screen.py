"""A screen, or a part of one, as a camera."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np

from app.domain.compositing import as_uint8
from app.domain.errors import UserError
from app.domain.frame import Frame, Pixels
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_pacing import PaceClock, Ticker
from app.pipeline.live.source_protocol import TICKS_HZ, CaptureWish, SourceLost, fitted

_SPEC: Final = re.compile(r"screen:(?P<number>\d{1,3})(?::(?P<box>-?\d+,-?\d+,\d+,\d+))?")
_HINT: Final = "Write screen:0, or screen:0:x,y,width,height for a part of it."


def _new_mss() -> Any:
    from mss import MSS  # late: on Linux it looks for X11 libraries as it loads

    return MSS()


class ScreenSource:
    """`screen:N` or `screen:N:x,y,w,h`, N from 0, the box in px from that screen's upper left corner.

    What lies outside of the screen is cut off; pictures over the wished size are made smaller. grabber: what
    `mss.MSS()` gives, for tests. UserError without a screen that can be read; SourceLost when it goes away.
    """

    def __init__(
        self,
        spec: str,
        wish: CaptureWish,
        *,
        clock: PaceClock | None = None,
        grabber: Callable[[], Any] = _new_mss,
    ) -> None:
        found = _SPEC.fullmatch(spec)
        if found is None:
            raise UserError(f"“{spec}” names no screen.", _HINT)
        number = int(found["number"])
        self._wish = wish
        self._mss = _opened(grabber)
        try:
            self._box = _box_on(self._mss, number, found["box"])
            height, width = self._grab().shape[:2]
        except BaseException:
            self._mss.close()
            raise
        rate = Fraction(wish.rate_hz).limit_denominator(1001)
        self.granted = Granted(f"Screen {number + 1}", (width, height), float(rate), "screen")
        self._ticker = Ticker(float(rate), clock or PaceClock())
        self._rate = rate

    def read(self) -> Captured:
        """What the screen shows when the next frame is due."""
        tick = self._ticker.next()
        captured_s = self._ticker.wait()
        pts = round(tick * TICKS_HZ / self._rate)
        return Captured(Frame(self._grab(), pts=pts, time_base=Fraction(1, TICKS_HZ), index=tick), captured_s)

    def close(self) -> None:
        """Let go of the display."""
        self._mss.close()

    def _grab(self) -> Pixels:
        try:
            shot = self._mss.grab(self._box)
            bgra = np.frombuffer(shot.bgra, np.uint8).reshape(shot.height, shot.width, 4)
        except Exception as error:  # every system fails with types of its own
            raise SourceLost("The screen can't be read any more.", "Choose the screen again.") from error
        return fitted(as_uint8(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGB)), self._wish.size)


def _opened(grabber: Callable[[], Any]) -> Any:
    try:
        return grabber()
    except Exception as error:  # no display, no libraries, no permission: each system in its own way
        raise UserError(
            "The screen can't be read here.",
            "On Linux it needs an X11 session (Wayland lets no program look); on macOS, allow screen recording.",
        ) from error


def _box_on(mss: Any, number: int, box: str | None) -> dict[str, int]:
    try:
        screens = mss.monitors[1:]  # The first stands for all of them together.
    except Exception as error:
        raise UserError("The screens can't be listed here.", "It needs an X11 session, Windows or macOS.") from error
    if number >= len(screens):
        raise UserError(f"There is no screen {number}: this computer has {len(screens)}, counted from 0.", _HINT)
    left, top, width, height = (int(screens[number][key]) for key in ("left", "top", "width", "height"))
    if box is None:
        return {"left": left, "top": top, "width": width, "height": height}
    x, y, w, h = (int(value) for value in box.split(","))
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
    if x1 <= x0 or y1 <= y0:
        raise UserError(f"The part {box} lies outside of the screen, which is {width} x {height}.", _HINT)
    return {"left": left + x0, "top": top + y0, "width": x1 - x0, "height": y1 - y0}
