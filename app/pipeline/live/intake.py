"""What is done to a captured frame before anybody is looked for: no larger than needed, cropped, in better light."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import cv2
import numpy as np

from app.domain.cells import shrunk_into
from app.domain.compositing import as_uint8
from app.domain.exposure import Light, light_table, observe
from app.domain.frame import Alpha8, Frame
from app.domain.settings import CameraOptions, PlacementOptions

MAX_SIDE_PX: Final = 1920
"""Larger frames are reduced first: a call shows no more, and a 4K screen would cost four times the time."""

_LEAST_SIDE_PX: Final = 16


class CameraLight:
    """Lifts a dark room and holds the white balance still; remembers one stream's light."""

    def __init__(self) -> None:
        self._light: Light | None = None

    def start_over(self) -> None:
        """Forget the light: another stream begins."""
        self._light = None

    def lit(self, frame: Frame, camera: CameraOptions, alpha: Alpha8 | None) -> Frame:
        """The frame in the light the camera options ask for; alpha (h, w): the last frame's matte, if it is known."""
        if camera.low_light <= 0 and not camera.lock_white_balance:
            self._light = None
            return frame
        lock = camera.lock_white_balance
        self._light = observe(self._light, frame.pixels, alpha, time_s=frame.time_s, lock=lock)
        table = light_table(self._light, lift=camera.low_light, lock=lock)
        if table is None:
            return frame
        return replace(frame, pixels=as_uint8(cv2.LUT(frame.pixels, table.reshape(1, 256, 3))))


def limited(frame: Frame) -> Frame:
    """The frame no larger than a live picture need be."""
    pixels = shrunk_into(frame.pixels, (MAX_SIDE_PX, MAX_SIDE_PX))
    return frame if pixels is frame.pixels else replace(frame, pixels=pixels)


def cropped(frame: Frame, crop: PlacementOptions) -> Frame:
    """The part of the frame that is used, at least 16 px a side."""
    width, height = frame.size
    left, top = round(crop.crop_left * width), round(crop.crop_top * height)
    right, bottom = width - round(crop.crop_right * width), height - round(crop.crop_bottom * height)
    if (left, top, right, bottom) == (0, 0, width, height) or min(right - left, bottom - top) < _LEAST_SIDE_PX:
        return frame
    return replace(frame, pixels=np.ascontiguousarray(frame.pixels[top:bottom, left:right]))
