"""The harmonizer as others use it: a thin stateful shell around the network.

Live, the whole plate is known before the person is, so its embedding is computed once per plate
(`embed_plate`) and each frame costs one encoder pass (`estimate`); the result is a curve, and rendering
it is a table look-up (`render`). Nothing here knows about video, windows or files other than weights.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from harmonizer.config import SemanticClass, one_hot
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
from harmonizer.network import CurveNet
from harmonizer.weights import WeightsError, load_network, load_shipped, read_manifest

Pixels = npt.NDArray[np.uint8]
Alpha8 = npt.NDArray[np.uint8]
_FOREGROUND_LEVEL = 127


class UnstableNetworkWarning(UserWarning):
    """The network gave no usable curve; the picture was left as it was. Said once per engine."""


@dataclass(frozen=True)
class PlateEmbedding:
    """What the network remembers of a background: its embedding (1, E) and the thumbnail itself (1, 3, S, S)."""

    vector: Tensor
    thumbnail: Tensor


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


class Harmonizer:
    """One loaded network on one device.

    Give thumbnails of `thumbnail_px` to skip resizing. Not thread-safe: one engine a thread.
    """

    def __init__(self, network: CurveNet, *, device: str = "cpu", name: str = "custom") -> None:
        self.name = name
        self.device = torch.device(device)
        self.network = network.eval().to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._has_warned = False

    @classmethod
    def load(cls, which: str | Path | None = None, *, device: str = "cpu") -> Harmonizer:
        """By shipped name, by safetensors file, or the default. WeightsError when it can't be had."""
        path = Path(which) if which is not None else None
        if path is not None and (path.suffix == ".safetensors" or isinstance(which, Path)):
            return cls(load_network(path), device=device, name=path.stem)
        name = str(which) if which is not None else read_manifest()[1]
        return cls(load_shipped(name), device=device, name=name)

    @property
    def thumbnail_px(self) -> int:
        """Side of the thumbnails the network was trained on."""
        side_px: int = self.network.config.thumbnail_px
        return side_px

    @torch.inference_mode()
    def embed_plate(self, plate: Pixels, alpha: Alpha8 | None = None) -> PlateEmbedding:
        """Embedding of a background (H, W, 3); with alpha (H, W), its foreground is blacked out first."""
        small = thumbnail(plate, self.thumbnail_px)
        keep = np.full(small.shape[:2], 255, np.uint8)
        if alpha is not None:
            keep = np.invert(thumbnail(alpha, self.thumbnail_px))
        background, coverage = self._masked(small, keep)
        return PlateEmbedding(self.network.embed(background, coverage), background)

    @torch.inference_mode()
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
        side = self.thumbnail_px
        embedded = self.network.embed(*self._masked(thumbnail(foreground, side), thumbnail(alpha, side)))
        place = middle_third(side) if standing is None else thumbnail(standing, side)
        around = self.network.around(plate.thumbnail, self._coverage(place))
        hot = None if label is None else one_hot(label).to(self.device)
        knots = self.network.knots(embedded, plate.vector, hot, around)[0].double().cpu().numpy()
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

    def _masked(self, pixels: Pixels, mask: Alpha8) -> tuple[Tensor, Tensor]:
        coverage = self._coverage(mask)
        levels = torch.from_numpy(np.array(pixels)).to(self.device, torch.float32) / 255.0
        levels = levels.permute(2, 0, 1).unsqueeze(0) * coverage
        return levels.contiguous(memory_format=torch.channels_last), coverage

    def _coverage(self, mask: Alpha8) -> Tensor:
        return torch.from_numpy(np.array(mask)).to(self.device, torch.float32)[None, None] / 255.0


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
    engine: Harmonizer,
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


__all__ = [
    "Harmonizer",
    "PlateEmbedding",
    "UnstableNetworkWarning",
    "WeightsError",
    "foreground_box",
    "harmonize_composite",
    "render",
    "thumbnail",
]
