"""The demo's camera: a public-domain portrait, filmed as if by hand under changing light."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8
from app.domain.errors import UserError
from app.domain.frame import Frame, Pixels
from app.pipeline.images import load_image

_PERIOD_S: Final = 8.0
"""All movements repeat after this long, so that the demo loops without a jump."""

_WIDEST_PX: Final = (576.0, 400.0)
"""Part of the 512 x 512 photograph that is filmed. Its sides may be mirrored (flag and backdrop), up to
where the model rocket would appear a second time; its lowest strip is left out, where an arm would."""

_TOP_PX: Final = -5.0
_PERSON_X_PX: Final = 215.0
_WIDE_CENTRE_X_PX: Final = 257.0

_SWAY_PX: Final = (7.0, 2.6)
_ROLL_DEG: Final = 0.5
_ZOOM: Final = 0.018
_BRIGHTNESS: Final = 0.16
_WARMTH: Final = 0.07
_NOISE_LEVELS: Final = 1.6
_SEED: Final = 20


def portrait_path() -> Path:
    """Find the astronaut photograph in the installed scikit-image, without importing that.

    Eileen Collins, NASA 1992, public domain; 512 x 512 PNG. UserError when it is not there.
    """
    package = find_spec("skimage")
    for folder in (package.submodule_search_locations or []) if package else []:
        path = Path(folder) / "data" / "astronaut.png"
        if path.is_file():
            return path
    raise UserError("The demo's photograph is missing: it comes with scikit-image.", "Run: pip install scikit-image")


def demo_frames(*, size: Size = (1280, 720), rate: Fraction = Fraction(25), seconds: float = 8.0) -> Iterator[Frame]:
    """Film the portrait: `rate * seconds` frames of (width, height), at least one, from pts 0 on.

    Sway, roll and zoom are sub-pixel and slow; the light gets brighter and warmer, then dimmer and
    cooler by about a fifth; each frame has its own sensor noise. Equal arguments give equal frames.
    UserError when the photograph is not installed.
    """
    portrait = load_image(portrait_path()).pixels
    noise = _noise_field(size)
    for index in range(max(1, round(rate * Fraction(seconds)))):
        time_s = float(index / rate)
        view = cv2.warpAffine(
            portrait,
            camera_matrix(size, time_s),
            size,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        lit = cv2.LUT(view, light_table(time_s))
        yield Frame(_with_noise(as_uint8(lit), noise, index), pts=index, time_base=1 / rate, index=index)


def camera_matrix(size: Size, time_s: float) -> npt.NDArray[np.float64]:
    """Output pixel to photograph pixel, (2, 3), at a moment."""
    phase = math.tau * time_s / _PERIOD_S
    aspect = size[0] / size[1]
    width_px = min(_WIDEST_PX[0], _WIDEST_PX[1] * aspect)
    share = max(0.0, width_px - 270) / (_WIDEST_PX[0] - 270)
    centre_x = _PERSON_X_PX + share * (_WIDE_CENTRE_X_PX - _PERSON_X_PX) + _SWAY_PX[0] * math.sin(phase)
    centre_y = _TOP_PX + width_px / aspect / 2 + _SWAY_PX[1] * math.sin(2 * phase + 0.7)
    # Zooming in only: the widest view is all there is.
    step = width_px / size[0] * (1 - _ZOOM * (1 + math.sin(phase + 2.1)))
    roll = math.radians(_ROLL_DEG * math.sin(phase + 1.0))
    turn = step * np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    shift = np.array([centre_x, centre_y]) - turn @ (np.array(size) / 2 - 0.5)
    return np.column_stack([turn, shift])


def light_table(time_s: float) -> npt.NDArray[np.uint8]:
    """What the light makes of each level at a moment: (1, 256, 3) for RGB, applied in linear light."""
    phase = math.tau * time_s / _PERIOD_S
    brightness = 1 - _BRIGHTNESS / 2 + _BRIGHTNESS * math.sin(phase)
    warmth = _WARMTH * math.sin(phase + 0.4)
    gains = brightness * np.array([1 + warmth, 1.0, 1 - warmth])
    # A power of 2.2 stands in for the sRGB curve: a gain in light is gain ** (1 / 2.2) of the level.
    levels = np.arange(256)[:, None] * gains ** (1 / 2.2)
    return as_uint8(np.rint(levels).clip(0, 255))[None]


def _noise_field(size: Size) -> npt.NDArray[np.int16]:
    """Sensor noise a little larger than the frame: frames take it at different places."""
    rng = np.random.default_rng(_SEED)
    shape = (size[1] + 64, size[0] + 64)
    grey, colour = rng.standard_normal((*shape, 1), np.float32), rng.standard_normal((*shape, 3), np.float32)
    levels = _NOISE_LEVELS * (0.8 * grey + 0.6 * colour)
    return np.asarray(np.rint(levels), np.int16)


def _with_noise(pixels: Pixels, noise: npt.NDArray[np.int16], index: int) -> Pixels:
    height, width = pixels.shape[:2]
    top, left = np.random.default_rng([_SEED, index]).integers(0, 64, 2)
    own = noise[top : top + height, left : left + width]
    return as_uint8(cv2.add(pixels, own, dtype=cv2.CV_8U))
