"""Picture folders packed into uint8 tensors, with a scene-disjoint split.

A collection is a folder with `images/` and, for known objects, `masks/` of the same stem; without masks,
regions are drawn on the fly. Everything is resized to one square (the network's own distortion), so a
whole data set is one tensor and a batch is one gather.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from harmonizer.network import SemanticClass

Split = Literal["train", "val", "test"]
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
_NEAR_DUPLICATE_BITS = 6
_MIN_MASK_SHARE = 0.004


@dataclass(frozen=True)
class Collection:
    """One folder of pictures of one semantic class."""

    folder: Path
    label: SemanticClass = SemanticClass.OTHER


@dataclass(frozen=True)
class Pictures:
    """A packed data set.

    images (N, 3, P, P) uint8 sRGB; masks (N, 1, P, P) uint8 0..255; has_mask (N,) bool; labels (N,) int64;
    names: file of each; broken: `name: reason` of every file left out.
    """

    images: Tensor
    masks: Tensor
    has_mask: Tensor
    labels: Tensor
    names: tuple[str, ...]
    broken: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, indices: list[int]) -> Pictures:
        """The pictures at these indices, in this order."""
        pick = torch.tensor(indices, dtype=torch.long)
        return Pictures(
            images=self.images[pick],
            masks=self.masks[pick],
            has_mask=self.has_mask[pick],
            labels=self.labels[pick],
            names=tuple(self.names[i] for i in indices),
        )


class NothingUsableError(ValueError):
    """No picture of the given folders could be read; the message names the first reasons."""


def _files(folder: Path) -> list[Path]:
    images = folder / "images"
    root = images if images.is_dir() else folder
    return sorted(p for p in root.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def _read_square(path: Path, mode: str, side_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as picture:
        picture.draft(mode, (2 * side_px, 2 * side_px))
        resized = picture.convert(mode).resize((side_px, side_px), Image.Resampling.BOX, reducing_gap=2.0)
        return np.asarray(resized, dtype=np.uint8)


def _mask_for(image: Path, folder: Path) -> Path | None:
    masks = folder / "masks"
    if not masks.is_dir():
        return None
    found = masks / f"{image.stem}.png"
    if not found.is_file():
        raise FileNotFoundError("no mask of that name")
    return found


def _read_pair(image: Path, folder: Path, side_px: int) -> tuple[np.ndarray, np.ndarray | None]:  # type: ignore[type-arg]
    mask_file = _mask_for(image, folder)
    pixels = _read_square(image, "RGB", side_px)
    if mask_file is None:
        return pixels, None
    mask = _read_square(mask_file, "L", side_px)
    if (mask > 127).mean() < _MIN_MASK_SHARE:
        raise ValueError("the mask is empty or tiny")
    return pixels, mask


def load_pictures(collections: Iterable[Collection], *, side_px: int) -> Pictures:
    """Read every collection; broken files are named and left out, never fatal.

    NothingUsableError when not one picture is left.
    """
    images, masks, labels, names, broken = [], [], [], [], []
    for collection in collections:
        for path in _files(collection.folder):
            try:
                pixels, mask = _read_pair(path, collection.folder, side_px)
            except (OSError, ValueError, SyntaxError) as error:
                broken.append(f"{path}: {error}")
                continue
            images.append(torch.from_numpy(pixels.copy()).permute(2, 0, 1))
            masks.append(None if mask is None else torch.from_numpy(mask.copy()).unsqueeze(0))
            labels.append(int(collection.label))
            names.append(f"{collection.folder.name}/{path.name}")
    if not images:
        raise NothingUsableError("no usable picture; " + ("; ".join(broken[:3]) or "the folders are empty"))
    empty = torch.zeros(1, side_px, side_px, dtype=torch.uint8)
    return Pictures(
        images=torch.stack(images),
        masks=torch.stack([empty if m is None else m for m in masks]),
        has_mask=torch.tensor([m is not None for m in masks]),
        labels=torch.tensor(labels),
        names=tuple(names),
        broken=tuple(broken),
    )


def difference_hash(images: Tensor) -> list[int]:
    """64-bit dHash of (N, 3, P, P) uint8 pictures: which of 8 neighbours per row is brighter."""
    grey = images.float().mean(dim=1, keepdim=True)
    small = torch.nn.functional.interpolate(grey, size=(8, 9), mode="area").squeeze(1)
    bits = (small[:, :, 1:] > small[:, :, :-1]).flatten(1).numpy()
    return [int("".join("1" if b else "0" for b in row), 2) for row in bits]


def group_near_duplicates(hashes: list[int]) -> list[int]:
    """Group number per picture; pictures within 6 of 64 dHash bits of each other share one."""
    values = np.array(hashes, dtype=np.uint64)
    group = list(range(len(hashes)))
    for i in range(len(values)):
        for j in _close(values, i):
            old, new = group[j], group[i]
            if old != new:
                group = [new if g == old else g for g in group]
    return group


def _close(values: np.ndarray, i: int) -> Iterator[int]:  # type: ignore[type-arg]
    differing = np.bitwise_xor(values[i + 1 :], values[i])
    distance = np.unpackbits(differing.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
    for offset in np.flatnonzero(distance <= _NEAR_DUPLICATE_BITS):
        yield int(i + 1 + offset)


def split_of(key: str) -> Split:
    """train 80 %, val 10 %, test 10 %, by hash of the key alone: the same on every machine."""
    bucket = int(hashlib.sha256(key.encode()).hexdigest(), 16) % 10
    return "val" if bucket == 8 else "test" if bucket == 9 else "train"


def split_pictures(pictures: Pictures) -> dict[Split, Pictures]:
    """Scene-disjoint parts; near-duplicates stay on one side (the group's first name decides)."""
    groups = group_near_duplicates(difference_hash(pictures.images))
    leader: dict[int, str] = {}
    for name, group in zip(pictures.names, groups, strict=True):
        leader.setdefault(group, name)
    parts: dict[Split, list[int]] = {"train": [], "val": [], "test": []}
    for i, group in enumerate(groups):
        parts[split_of(leader[group])].append(i)
    return {part: pictures.subset(indices) for part, indices in parts.items()}
