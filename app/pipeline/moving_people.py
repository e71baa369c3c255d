"""Clips of moving people whose alpha is known, for measuring mattes.

Cut-out people (hard masks, whole body, about 265 x 400) are enlarged with a smooth outline, their colours
pushed outward over it so that no rim of their own background is left, and moved over photographs with the
camera's noise.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import bbox
from app.domain.compositing import fit_plate
from app.domain.errors import UserError
from app.domain.frame import Alpha, Alpha8, Frame, Pixels
from app.pipeline.images import load_image

Floats = npt.NDArray[np.float32]
Split = Literal["tuning", "held-out"]

FRAME_RATE_HZ: Final = 30
NOISE_LEVELS: Final = 2.0
"""Standard deviation of the sensor noise, in 8-bit levels."""

UPSCALE: Final = 3
"""The cut-outs are prepared at this multiple of their size; the rest is done by the moving transform."""

FRAMINGS: Final = {
    "half body": (2.0, 0.1),
    "to the knees": (1.3, 0.1),
    "whole": (0.86, 0.08),
    "far": (0.5, 0.3),
}
"""Person's height and top of the head, both as parts of the frame's height."""

_NOISE_FIELDS_PX: Final = 64
_PAD_PX: Final = 12


@dataclass(frozen=True, slots=True)
class Person:
    """Straight foreground colours (h, w, 3), valid beyond the outline, and alpha (h, w) uint8."""

    foreground: Pixels
    alpha: Alpha8


@dataclass(frozen=True, slots=True)
class Scene:
    """One clip to be: who, where, how close, and the number that its motion depends on."""

    person: Person
    plate: Pixels
    framing: str
    seed: int


def scenes(data: Path, *, split: Split, count: int, size: tuple[int, int]) -> Iterator[Scene]:
    """Scenes of (width, height) from the shared data folder, the same in every run.

    Files are ordered by a hash of their names, which also puts each person and plate into one of the two
    halves. UserError (BAD_INPUT) when the folder lacks the pictures.
    """
    people = _half(data / "train" / "people" / "images", split)
    plates = _half(data / "backgrounds", split)
    if len(people) < count or not plates:
        raise UserError(
            f"'{data}' does not hold the people and backgrounds this measurement needs.",
            "Give the shared data folder, with train/people and backgrounds in it.",
        )
    framings = list(FRAMINGS)
    for index, image in enumerate(people[:count]):
        mask = image.parent.parent / "masks" / f"{image.stem}.png"
        plate = fit_plate(load_image(plates[index % len(plates)]).pixels, size)
        yield Scene(load_person(image, mask), plate, framings[index % len(framings)], index)


def load_person(image: Path, mask: Path) -> Person:
    """Cut a person out and enlarge it UPSCALE times."""
    pixels = load_image(image).pixels.astype(np.float32)
    hard = (load_image(mask).pixels[..., 0] > 127).astype(np.uint8)
    # The masks have pinholes at JPEG specks; at five times their size those would be gaps in the person.
    hard = np.asarray(cv2.morphologyEx(hard, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)), np.uint8)
    hard, pixels = _cropped(hard, pixels)
    size = (hard.shape[1] * UPSCALE, hard.shape[0] * UPSCALE)
    colours = cv2.resize(_pushed_outward(pixels, hard), size, interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(hard.astype(np.float32), (0, 0), 1.0)
    outline = np.clip((cv2.resize(smooth, size, interpolation=cv2.INTER_CUBIC) - 0.25) * 2, 0, 1)
    alpha = outline * outline * (3 - 2 * outline)
    return Person(np.clip(colours, 0, 255).astype(np.uint8), (alpha * 255 + 0.5).astype(np.uint8))


def render_clip(scene: Scene, count: int) -> Iterator[tuple[Frame, Alpha8, Pixels]]:
    """Frames at FRAME_RATE_HZ, with their true alpha and true foreground colours, (H, W[, 3]) uint8."""
    height, width = scene.plate.shape[:2]
    size = (width, height)
    rng = np.random.default_rng(scene.seed)
    noise_shape = (height + _NOISE_FIELDS_PX, width + _NOISE_FIELDS_PX, 3)
    noise = np.round(rng.standard_normal(noise_shape, np.float32) * NOISE_LEVELS).astype(np.int16)
    for index in range(count):
        transform = motion(scene, index / FRAME_RATE_HZ)
        alpha = np.asarray(cv2.warpAffine(scene.person.alpha, transform, size), np.uint8)
        foreground = np.asarray(
            cv2.warpAffine(scene.person.foreground, transform, size, borderMode=cv2.BORDER_REPLICATE),
            np.uint8,
        )
        picture = _over(foreground, alpha, scene.plate)
        down, right = (int(v) for v in rng.integers(0, _NOISE_FIELDS_PX, 2))
        grain = noise[down : down + height, right : right + width]
        pixels = np.clip(picture.astype(np.int16) + grain, 0, 255).astype(np.uint8)
        yield Frame(pixels, index, Fraction(1, FRAME_RATE_HZ), index), alpha, foreground


def motion(scene: Scene, time_s: float) -> npt.NDArray[np.float64]:
    """(2, 3) transform of the cut-out into the frame: swaying, leaning, breathing, and a lurch every 2 s."""
    height, width = scene.plate.shape[:2]
    own_height, own_width = scene.person.alpha.shape
    tall, top = FRAMINGS[scene.framing]
    phase = 1.7 * scene.seed
    lurch = 0.06 * math.exp(-((((time_s + phase) % 2.0 - 1.0) / 0.12) ** 2))
    x = width * (0.5 + 0.08 * math.sin(1.3 * time_s + phase) + lurch)
    y = height * (top + tall / 2 + 0.012 * math.sin(2.1 * time_s + 2 * phase))
    scale = tall * height / own_height * (1 + 0.03 * math.sin(0.9 * time_s + 3 * phase))
    angle = math.radians(2.5 * math.sin(1.7 * time_s + phase))
    shear = 0.05 * math.sin(2.3 * time_s + 5 * phase)
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[cos, -sin + cos * shear], [sin, cos + sin * shear]])
    offset = np.array([x, y]) - matrix @ np.array([own_width / 2, own_height / 2])
    return np.hstack([matrix, offset[:, None]])


def _half(folder: Path, split: Split) -> list[Path]:
    """A folder's JPEGs of one half, in hash order."""
    keyed = sorted((hashlib.sha256(path.name.encode()).digest(), path) for path in folder.glob("*.jpg"))
    return [path for key, path in keyed if (key[0] % 2 == 1) == (split == "held-out")]


def _cropped(hard: Alpha8, pixels: Floats) -> tuple[Alpha8, Floats]:
    """Both cut to the person's box with _PAD_PX around, the picture's border repeated."""
    x0, y0, x1, y1 = bbox(hard.astype(np.float32)) or (0, 0, hard.shape[1], hard.shape[0])
    pad = _PAD_PX
    mask = cv2.copyMakeBorder(hard[y0:y1, x0:x1], pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=[0])
    colours = cv2.copyMakeBorder(pixels[y0:y1, x0:x1], pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    return np.asarray(mask, np.uint8), np.asarray(colours, np.float32)


def _pushed_outward(pixels: Floats, hard: Alpha8) -> Floats:
    """Replace all but the sure foreground (one pixel inside the mask) by averages of the nearest of it."""
    core = cv2.erode(hard, np.ones((3, 3), np.uint8)).astype(np.float32)
    result, filled = pixels * core[..., None], core
    for sigma_px in (1.0, 3.0, 9.0):
        weight = cv2.GaussianBlur(core, (0, 0), sigma_px)
        average = cv2.GaussianBlur(pixels * core[..., None], (0, 0), sigma_px)
        new = ((weight > 0.01) & (filled == 0)).astype(np.float32)
        result = result + new[..., None] * average / np.maximum(weight, 1e-6)[..., None]
        filled = filled + new
    return np.asarray(result, np.float32)


def _over(foreground: Pixels, alpha8: Alpha8, plate: Pixels) -> Pixels:
    """The composite; blended only in the person's box."""
    result = plate.copy()
    x0, y0, width, height = cv2.boundingRect(alpha8)
    x1, y1 = x0 + width, y0 + height
    alpha: Alpha = alpha8[y0:y1, x0:x1, None] * np.float32(1 / 255)
    part = plate[y0:y1, x0:x1].astype(np.float32)
    part += alpha * (foreground[y0:y1, x0:x1] - part)
    result[y0:y1, x0:x1] = (part + 0.5).astype(np.uint8)
    return result
