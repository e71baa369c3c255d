"""A camera, read by OpenCV."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8
from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.live.pictures import Captured, Granted
from app.pipeline.live.source_camera_opening import (
    CvCapture,
    Device,
    Devices,
    find_device,
    open_device,
    silent,
    unplugged,
)
from app.pipeline.live.source_pacing import PaceClock
from app.pipeline.live.source_protocol import TICKS_HZ, CaptureWish

EMPTY_S: Final = 1.0
"""So long without a usable frame is no camera any more."""

FROZEN_S: Final = 1.0
"""A picture that stays the same bit for bit while the device's clock stands still for so long is a dead one's:
some systems go on handing out the last frame of an unplugged camera, with success."""

_CLOCKS_APART_S: Final = 1.0
_EMPTY_PAUSE_S: Final = 0.01

_Bgr = npt.NDArray[np.uint8]


class CameraClock:
    """Frame times in microseconds since the first: the device's own, or of arrival where that makes no sense.

    stands_still: the device's clock has worked, and did not go on with the last frame.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last_ms = -1.0
        self._last_us = -1
        self._has_risen = False
        self.is_device = True
        self.stands_still = False

    def time_us(self, device_ms: float, arrived_s: float) -> int:
        """The time of a frame, after all before it. device_ms: the device's word, any number."""
        if self._first is None:
            self._first = device_ms, arrived_s
            self.is_device = device_ms > 0
        arrived_us = (arrived_s - self._first[1]) * 1e6
        device_us = (device_ms - self._first[0]) * 1e3
        self._has_risen |= 0 < self._last_ms < device_ms
        self.stands_still = self._has_risen and device_ms == self._last_ms
        if abs(device_us - arrived_us) > _CLOCKS_APART_S * 1e6:
            self.is_device = False
        self._last_ms = device_ms
        told_us = device_us if self.is_device else arrived_us
        self._last_us = max(self._last_us + 1, round(told_us))
        return self._last_us


class CameraSource:
    """A camera by id (see `Camera`); the first one when it is empty.

    Empty frames are left out and leave a gap in `index`. A frame of another size is handed on as it is, and
    `granted` says so. UserError when it can't be opened; SourceLost when it has been unplugged or is dead.
    """

    def __init__(
        self,
        identity: str,
        wish: CaptureWish,
        *,
        devices: Devices | None = None,
        clock: PaceClock | None = None,
    ) -> None:
        self._devices = devices or Devices()
        self._clock = clock or PaceClock()
        self._device: Device = find_device(identity, self._devices)
        self._capture = open_device(self._device, wish, self._devices)
        self._auto_white_balance = _lock_white_balance(self._capture) if wish.lock_white_balance else None
        self.granted = _granted(self._capture, self._device.name)
        self._times = CameraClock()
        self._index = -1
        self._previous: _Bgr | None = None
        self._changed_s = 0.0

    def read(self) -> Captured:
        """The next frame the camera has."""
        bgr = self._next_picture()
        captured_s = self._clock.now()
        pts = self._times.time_us(self._capture.get(cv2.CAP_PROP_POS_MSEC), captured_s)
        self._check_alive(bgr, captured_s)
        self._note_size((bgr.shape[1], bgr.shape[0]))
        pixels = as_uint8(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
        return Captured(Frame(pixels, pts=pts, time_base=Fraction(1, TICKS_HZ), index=self._index), captured_s)

    def close(self) -> None:
        """Give the camera back, its white balance as it was."""
        if self._auto_white_balance is not None:
            self._capture.set(cv2.CAP_PROP_AUTO_WB, self._auto_white_balance)
            self._auto_white_balance = None
        self._capture.release()

    def _next_picture(self) -> _Bgr:
        waiting_since_s = self._clock.now()
        while True:
            self._index += 1
            try:
                is_read, bgr = self._capture.read()
            except cv2.error:  # a frame that can't be converted
                is_read, bgr = False, None
            if is_read and bgr is not None and bgr.ndim == 3 and bgr.size:
                return bgr
            self._bear_no_picture(waiting_since_s)

    def _bear_no_picture(self, since_s: float) -> None:
        if self._device.is_gone(self._devices):
            raise unplugged(self._device.words)
        if self._clock.now() - since_s > EMPTY_S:
            raise silent(self._device.words)
        self._clock.sleep(_EMPTY_PAUSE_S)

    def _check_alive(self, bgr: _Bgr, now_s: float) -> None:
        """SourceLost when this is the last frame of a dead camera, handed out again and again.

        A still picture alone is no sign: a virtual camera may send one without noise.
        """
        if not _is_same(self._previous, bgr):
            self._previous, self._changed_s = bgr, now_s
        elif now_s - self._changed_s > FROZEN_S:
            if self._device.is_gone(self._devices):
                raise unplugged(self._device.words)
            if self._times.stands_still:
                raise silent(self._device.words)
            self._changed_s = now_s  # Asking for the device is slow on some systems: once in a while will do.

    def _note_size(self, size: Size) -> None:
        if size != self.granted.size:
            self.granted = Granted(self.granted.name, size, self.granted.rate_hz, self.granted.detail)


def _is_same(one: _Bgr | None, other: _Bgr) -> bool:
    if one is None or one.shape != other.shape:
        return False
    # A few rows tell living pictures apart at once: sensors are never free of noise.
    return np.array_equal(one[::32], other[::32]) and np.array_equal(one, other)


def _lock_white_balance(capture: CvCapture) -> float | None:
    """Switch the automatic off; what it was before, None when the camera has none."""
    before = capture.get(cv2.CAP_PROP_AUTO_WB)
    return before if before > 0 and capture.set(cv2.CAP_PROP_AUTO_WB, 0) else None


def _granted(capture: CvCapture, name: str) -> Granted:
    """What the camera says it gives now, whatever was asked."""
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if not (width >= 1 and height >= 1):
        capture.release()
        raise UserError(f"The camera “{name}” offers no picture size.", "Choose another camera.")
    rate_hz = capture.get(cv2.CAP_PROP_FPS)
    code = int(capture.get(cv2.CAP_PROP_FOURCC))
    letters = code.to_bytes(4, "little", signed=False) if 0 < code < 2**32 else b""
    detail = letters.decode("ascii", "ignore").strip() if letters.isascii() else ""
    known = rate_hz if 0 < rate_hz <= 1000 else None
    return Granted(name, (int(width), int(height)), known, detail if detail.isprintable() else "")
