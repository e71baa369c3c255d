"""The harmonizer as others use it: a thin stateful shell around a network, whatever computes it.

Live, the whole plate is known before the person is, so its embedding is computed once per plate
(`embed_plate`) and each frame costs one encoder pass (`estimate`); the result is a curve, and rendering
it is a table look-up (`render`). `onnx_engine` and `torch_engine` bring the network; nothing here imports either,
or knows about video, windows and files.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from harmonizer.config import SemanticClass
from harmonizer.curves import (
    HIGH_DEPTH_LUT_ENTRIES,
    Knots,
    apply_lut,
    apply_lut8,
    fold,
    identity_knots,
    is_sane,
    lut8,
)
from harmonizer.statistics import Levels, Plane

Pixels = npt.NDArray[np.uint8]
Alpha8 = npt.NDArray[np.uint8]
_FOREGROUND_LEVEL = 127


class UnstableNetworkWarning(UserWarning):
    """The network gave no usable curve; the picture was left as it was. Said once per engine."""


@dataclass(frozen=True)
class PlateEmbedding:
    """What the network remembers of a background: its embedding (E,) and the thumbnail itself (3, S, S)."""

    vector: npt.NDArray[np.float32]
    thumbnail: Levels


@dataclass(frozen=True)
class Seen:
    """What the network is shown of one frame: the foreground, the plate, and the hole (S, S) it stands in there."""

    levels: Levels
    coverage: Plane
    plate: PlateEmbedding
    hole: Plane
    label: SemanticClass | None


def foreground_box(alpha: Alpha8) -> tuple[int, int, int, int] | None:
    """Bounding box (x0, y0, x1, y1), end-exclusive, of alpha > 127; None when there is no foreground."""
    inside = alpha > _FOREGROUND_LEVEL
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def thumbnail(pixels: npt.NDArray[np.uint8], side_px: int) -> npt.NDArray[np.uint8]:
    """Resized to a square, antialiased: (H, W[, 3]) uint8 -> (side, side[, 3]). Free if already that size."""
    if pixels.shape[:2] == (side_px, side_px):
        return pixels
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    return np.asarray(picture.resize((side_px, side_px), Image.Resampling.BILINEAR, reducing_gap=2.0))


@runtime_checkable
class CurveEngine(Protocol):
    """What estimates curves: a network on something that computes. Not thread-safe: one engine a thread."""

    @property
    def name(self) -> str:
        """The network's name."""

    @property
    def device(self) -> str:
        """What was asked for, in the word that asks for it: `cpu`, `cuda:0`, `onnx:directml`."""

    @property
    def runs_on(self) -> str:
        """What really computes, in words."""

    @property
    def thumbnail_px(self) -> int:
        """Side of the thumbnails the network was trained on; give thumbnails of this size to skip resizing."""

    def embed_plate(self, plate: Pixels, alpha: Alpha8 | None = None) -> PlateEmbedding:
        """Embedding of a background (H, W, 3); with alpha (H, W), its foreground is blacked out first."""

    def estimate(
        self,
        foreground: Pixels,
        alpha: Alpha8,
        plate: PlateEmbedding,
        *,
        label: SemanticClass | None = SemanticClass.PERSON,
        standing: Alpha8 | None = None,
    ) -> Knots:
        """Curves that carry the foreground into the plate's light.

        foreground (h, w, 3) and alpha (h, w): the foreground's box only, at any size. standing: alpha of the
        whole picture, at any size: where on the plate the foreground stands; its middle third when not given.
        -> (S, 3, K+1). A network that gives NaN or nonsense yields the identity and one UnstableNetworkWarning.
        """


class ThumbnailEngine(ABC):
    """A CurveEngine but for the network itself: from pictures to what the network is shown, and its curves checked."""

    def __init__(self, *, name: str, device: str, runs_on: str, thumbnail_px: int) -> None:
        self.name, self.device, self.runs_on, self.thumbnail_px = name, device, runs_on, thumbnail_px
        self._has_warned = False

    @abstractmethod
    def _embed(self, levels: Levels, coverage: Plane) -> npt.NDArray[np.float32]:
        """Embedding (E,) of a thumbnail already times its coverage."""

    @abstractmethod
    def _read(self, seen: Seen) -> npt.NDArray[np.floating[Any]]:
        """The network's knots (S, 3, K+1), whatever they are."""

    def embed_plate(self, plate: Pixels, alpha: Alpha8 | None = None) -> PlateEmbedding:
        """As `CurveEngine.embed_plate`."""
        small = thumbnail(plate, self.thumbnail_px)
        keep = np.full(small.shape[:2], 255, np.uint8)
        if alpha is not None:
            keep = np.invert(thumbnail(alpha, self.thumbnail_px))
        levels, coverage = masked_levels(small, keep)
        return PlateEmbedding(self._embed(levels, coverage), levels)

    def estimate(
        self,
        foreground: Pixels,
        alpha: Alpha8,
        plate: PlateEmbedding,
        *,
        label: SemanticClass | None = SemanticClass.PERSON,
        standing: Alpha8 | None = None,
    ) -> Knots:
        """As `CurveEngine.estimate`."""
        side = self.thumbnail_px
        levels, coverage = masked_levels(thumbnail(foreground, side), thumbnail(alpha, side))
        place = middle_third(side) if standing is None else thumbnail(standing, side)
        knots = np.asarray(self._read(Seen(levels, coverage, plate, as_plane(place), label)), np.float64)
        return knots if is_sane(knots) else self._refuse(knots)

    def _refuse(self, knots: Knots) -> Knots:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "the network gave no usable curve; colours are left as they are",
                UnstableNetworkWarning,
                stacklevel=3,
            )
        return identity_knots(knots.shape[0], knots.shape[2] - 1)


def masked_levels(pixels: Pixels, mask: Alpha8) -> tuple[Levels, Plane]:
    """A thumbnail (S, S, 3) times its mask (S, S), and the mask: (3, S, S) and (S, S) in [0, 1]."""
    coverage = as_plane(mask)
    # In one pass and laid out as ONNX Runtime wants it: 0.07 ms instead of 0.29 step by step.
    levels = np.multiply(pixels.transpose(2, 0, 1), coverage / np.float32(255.0), dtype=np.float32, order="C")
    return levels, coverage


def as_plane(mask: Alpha8) -> Plane:
    """A mask (S, S) in [0, 1]."""
    return mask.astype(np.float32) / np.float32(255.0)


def middle_third(side_px: int) -> Alpha8:
    """Where somebody stands when nothing else is known: (side, side) uint8."""
    alpha = np.zeros((side_px, side_px), np.uint8)
    alpha[side_px // 4 :, side_px // 3 : -(side_px // 3)] = 255
    return alpha


def render(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], knots: Knots, *, strength: float = 1.0
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Foreground pixels (H, W, 3), 8 or 16 bit, through the curve; a new array of the same type."""
    if pixels.dtype == np.uint8:
        return apply_lut8(pixels.astype(np.uint8, copy=False), lut8(fold(knots, strength=strength)))
    table = fold(knots, HIGH_DEPTH_LUT_ENTRIES, strength=strength)
    out: npt.NDArray[np.uint16] = np.rint(apply_lut(pixels / 65535.0, table) * 65535.0).astype(np.uint16)
    return out


def harmonize_composite(
    engine: CurveEngine,
    composite: npt.NDArray[np.uint8] | npt.NDArray[np.uint16],
    alpha: Alpha8,
    *,
    strength: float = 1.0,
    label: SemanticClass | None = SemanticClass.PERSON,
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """A finished composite and its mask: only colours under the mask change, bit-exactly.

    composite (H, W, 3) uint8 or uint16, alpha (H, W) uint8 -> a new array of the composite's type.
    """
    box = foreground_box(alpha)
    if box is None:
        return composite.copy()
    x0, y0, x1, y1 = box
    eight = composite if composite.dtype == np.uint8 else np.rint(composite / 257.0)
    eight = eight.astype(np.uint8, copy=False)
    plate = engine.embed_plate(eight, alpha)
    knots = engine.estimate(eight[y0:y1, x0:x1], alpha[y0:y1, x0:x1], plate, label=label, standing=alpha)
    curved = render(composite, knots, strength=strength).astype(np.float64)
    weight = alpha[..., None] / 255.0
    mixed = np.rint(composite + weight * (curved - composite)).astype(composite.dtype)
    result: npt.NDArray[np.uint8] | npt.NDArray[np.uint16] = np.where(alpha[..., None] > 0, mixed, composite)
    return result
