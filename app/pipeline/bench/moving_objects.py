"""Synthetic clips of a textured object that moves over another texture, whose masks are known."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size
from app.domain.frame import Alpha8, Frame, Pixels

Transform = npt.NDArray[np.float64]
"""(2, 3): where a point of the object, from its own centre, lies in the frame."""

_NOISE_LEVELS: Final = 2.0
_TEXTURE_PX: Final = 640


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame of a synthetic clip and the object's true mask, (H, W) uint8."""

    frame: Frame
    mask: Alpha8


@dataclass(frozen=True, slots=True)
class MovingObject:
    """A textured, wavy disc of `object_px` across that moves over a textured ground which stands still.

    motion: number of the frame -> Transform. seed: the same clip again for the same number.
    """

    size: Size
    object_px: float
    motion: Callable[[int], Transform]
    seed: int = 0

    def frames(self, numbers: Iterable[int]) -> Iterator[Shown]:
        """The frames of these numbers, which are their pts too at 30 frames/s, with a little sensor noise."""
        rng = np.random.default_rng(self.seed)
        ground = texture(self.size, rng)
        skin = texture((_TEXTURE_PX, _TEXTURE_PX), rng)
        for number in numbers:
            yield self._shown(number, ground, skin)

    def _shown(self, number: int, ground: Pixels, skin: Pixels) -> Shown:
        inverse = cv2.invertAffineTransform(self.motion(number))
        y, x = np.mgrid[: self.size[1], : self.size[0]].astype(np.float32)
        u = (inverse[0, 0] * x + inverse[0, 1] * y + inverse[0, 2]).astype(np.float32)
        v = (inverse[1, 0] * x + inverse[1, 1] * y + inverse[1, 2]).astype(np.float32)
        alpha = _wavy_disc(u, v, self.object_px / 2)[..., None]
        half = np.float32(_TEXTURE_PX / 2)
        coat = cv2.remap(skin, u + half, v + half, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        noise = np.random.default_rng((self.seed, number)).normal(0, _NOISE_LEVELS, (*alpha.shape[:2], 3))
        pixels = np.clip(ground + alpha * (coat.astype(np.float32) - ground) + noise + 0.5, 0, 255).astype(np.uint8)
        return Shown(Frame(pixels, number, Fraction(1, 30), number), (alpha[..., 0] * 255 + 0.5).astype(np.uint8))


def texture(size: Size, rng: np.random.Generator) -> Pixels:
    """(H, W, 3) uint8: blotches from 60 px down to 3 px across, weaker the smaller, about one random colour."""
    width, height = size
    out = np.zeros((height, width, 3), np.float32) + rng.uniform(80, 176, 3).astype(np.float32)
    for blotch_px, strength in ((60, 40.0), (20, 28.0), (7, 20.0), (3, 10.0)):
        small = rng.uniform(-1, 1, (height // blotch_px + 2, width // blotch_px + 2, 3)).astype(np.float32)
        out += strength * cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)
    return np.clip(out, 0, 255).astype(np.uint8)


def _wavy_disc(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], radius_px: float) -> npt.NDArray[np.float32]:
    angle = np.arctan2(y, x)
    rim = radius_px * (0.88 + 0.08 * np.sin(3 * angle) + 0.04 * np.sin(5 * angle + 1))
    return np.asarray(np.clip(rim - np.hypot(x, y) + 0.5, 0, 1), np.float32)


def placed(centre: tuple[float, float], linear: npt.ArrayLike = ((1, 0), (0, 1))) -> Transform:
    """The transform that turns the object by a 2 x 2 matrix and puts its centre here."""
    return np.hstack([np.asarray(linear, np.float64), np.asarray(centre, np.float64)[:, None]])


def translating(start: tuple[float, float], step: tuple[float, float]) -> Callable[[int], Transform]:
    """By so many px a frame."""
    return lambda number: placed((start[0] + number * step[0], start[1] + number * step[1]))


def turning(centre: tuple[float, float], step: float = 1.0) -> Callable[[int], Transform]:
    """Rotation by so many degrees a frame while it shears by 0.004 times that."""

    def at(number: int) -> Transform:
        angle = np.radians(step * number)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return placed(centre, rotation @ np.array([[1, 0.004 * step * number], [0, 1]]))

    return at


def growing(centre: tuple[float, float], factor: float = 1.01) -> Callable[[int], Transform]:
    """Larger by this factor every frame."""
    return lambda number: placed(centre, np.eye(2) * factor**number)
