"""Picture folders packed into uint8 tensors, with a scene-disjoint split.

A collection is a folder with `images/` and, for known objects, `masks/` of the same stem, `cat.png` and, for more
objects in one picture, `cat_1.png`, `cat_2.png`; without masks, regions are drawn on the fly. Everything is resized
to one square (the network's own distortion), so a whole data set is one tensor and a batch is one gather.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from harmonizer.config import SemanticClass

Split = Literal["train", "val", "test"]
Square = npt.NDArray[np.uint8]
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
_IMAGES, _MASKS = "images", "masks"
_ON = 127
_SOURCE_DIGITS = 16
SPLIT_FILE = Path(__file__).parent / "split.txt"
_TILES = (3, 2)
_MIN_TILED_PX = 3
_NEAR_DUPLICATE_BITS = 6
_MIN_MASK_SHARE = 0.004


@dataclass(frozen=True)
class Collection:
    """One folder of pictures of one semantic class."""

    folder: Path
    label: SemanticClass = SemanticClass.OTHER


@dataclass(frozen=True)
class Pictures:
    """A packed data set; more than one row may show the same photograph.

    images (N, 3, P, P) uint8 sRGB; masks (N, 1, P, P) uint8 0..255; has_mask (N,) bool; labels (N,) int64;
    names: file of each; sources: start of its bytes' SHA-256, the same for all rows of one photograph; broken:
    `name: reason` of every file left out. composites (M, 3, P, P) uint8: published recolourings of the foreground,
    that of row i at composites[pair[i]], pair (N,) int64 being -1 where there is none. published: the part that a
    data set's own lists give each row, None where none does.
    """

    images: Tensor
    masks: Tensor
    has_mask: Tensor
    labels: Tensor
    names: tuple[str, ...]
    sources: tuple[str, ...]
    broken: tuple[str, ...] = ()
    composites: Tensor | None = None
    pair: Tensor | None = None
    published: tuple[Split | None, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def side_px(self) -> int:
        """P, the side every picture was resized to."""
        return self.images.shape[-1]

    def subset(self, indices: Sequence[int]) -> Pictures:
        """The pictures at these indices, in this order."""
        pick = torch.tensor(indices, dtype=torch.long)
        composites, pair = self._paired(pick)
        return Pictures(
            images=self.images[pick],
            masks=self.masks[pick],
            has_mask=self.has_mask[pick],
            labels=self.labels[pick],
            names=tuple(self.names[i] for i in indices),
            sources=tuple(self.sources[i] for i in indices),
            composites=composites,
            pair=pair,
            published=tuple(self.published[i] for i in indices) if self.published else (),
        )

    def _paired(self, pick: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
        if self.composites is None or self.pair is None:
            return None, None
        rows = self.pair[pick]
        own = rows >= 0
        renumbered = torch.full_like(rows, -1)
        renumbered[own] = torch.arange(int(own.sum()))
        return (self.composites[rows[own]], renumbered) if bool(own.any()) else (None, None)

    def to(self, device: torch.device | str) -> Pictures:
        """The same with its tensors there: a batch is then drawn without anything crossing over."""
        return replace(
            self,
            images=self.images.to(device),
            masks=self.masks.to(device),
            has_mask=self.has_mask.to(device),
            labels=self.labels.to(device),
            composites=None if self.composites is None else self.composites.to(device),
            pair=None if self.pair is None else self.pair.to(device),
        )


class NothingUsableError(ValueError):
    """No picture of the given folders could be read; the message names the first reasons."""


def picture_files(folder: Path) -> list[Path]:
    """The pictures of `folder/images`, or of the folder itself where there is none, by name."""
    images = folder / _IMAGES
    root = images if images.is_dir() else folder
    return sorted(p for p in root.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)


def _squared(picture: Image.Image, side_px: int, box: tuple[float, float, float, float] | None = None) -> Square:
    resized = picture.resize((side_px, side_px), Image.Resampling.BOX, box=box, reducing_gap=2.0)
    return np.asarray(resized, dtype=np.uint8)


def _read(path: Path, mode: str, least_px: int) -> tuple[Image.Image, tuple[int, int]]:
    """The picture, a JPEG perhaps at a fraction of its size, and the size it has on disk."""
    with Image.open(path) as picture:
        size = picture.size
        picture.draft(mode, (least_px, least_px))
        return picture.convert(mode), size


def load_pictures(collections: Iterable[Collection], *, side_px: int) -> Pictures:
    """Read every collection; broken files are named and left out, never fatal.

    NothingUsableError when not one picture is left.
    """
    packing = Packing(side_px)
    for collection in collections:
        add_collection(packing, collection)
    return packing.done()


def add_collection(packing: Packing, collection: Collection) -> None:
    """Read one plain folder: every picture, once for each of its masks or, without masks, whole and in tiles."""
    files = picture_files(collection.folder)
    if not files:
        packing.broken.append(f"{collection.folder}: no pictures in it")
    masks = _masks_by_image(collection.folder / _MASKS, {path.stem for path in files})
    for path in files:
        name = f"{collection.folder.name}/{path.name}"
        with packing.naming(str(path)):
            source = hash_of(path.read_bytes())
            if masks is None:
                for i, view in enumerate(_whole_and_tiles(path, packing.side_px)):
                    packing.add(view, None, label=collection.label, name=f"{name}#{i}" if i else name, source=source)
                continue
            if path.stem not in masks:
                raise FileNotFoundError("no mask of that name")
            view, size = read_square(path, "RGB", packing.side_px)
            for i, mask_file in enumerate(masks[path.stem]):
                with packing.naming(str(mask_file)):
                    mask = read_mask(mask_file, packing.side_px, size)
                    packing.add(view, mask, label=collection.label, name=f"{name}@{i}" if i else name, source=source)


def _masks_by_image(folder: Path, stems: set[str]) -> dict[str, list[Path]] | None:
    """Mask files by the stem of their picture, `stem.png` before `stem_*.png`; None where no masks are known."""
    if not folder.is_dir():
        return None
    found: dict[str, list[Path]] = {}
    for path in sorted((p for p in folder.iterdir() if p.suffix.lower() == ".png"), key=lambda p: p.stem):
        stem = path.stem if path.stem in stems else path.stem.rpartition("_")[0]
        found.setdefault(stem, []).append(path)
    return found


def _whole_and_tiles(image: Path, side_px: int) -> list[Square]:
    """A picture without a mask as squares: whole and, where it is large, in tiles besides.

    3 x 2 of them show as many scenes, and variety of scenes is what training lacks.
    """
    picture = _read(image, "RGB", _MIN_TILED_PX * side_px)[0]
    boxes = tile_boxes(picture.size) if min(picture.size) >= _MIN_TILED_PX * side_px else []
    return [_squared(picture, side_px, box) for box in (None, *boxes)]


def read_square(path: Path, mode: str, side_px: int) -> tuple[Square, tuple[int, int]]:
    """A picture resized to (side, side[, 3]), and the (width, height) it has on disk. Raises as PIL does."""
    picture, size = _read(path, mode, 2 * side_px)
    return _squared(picture, side_px), size


def read_mask(path: Path, side_px: int, size: tuple[int, int]) -> Square:
    """A mask of a picture of this (width, height), resized to (side, side).

    ValueError where it has another size: which pixel would be whose is a guess. ValueError where it is (nearly)
    empty.
    """
    mask, own_size = read_square(path, "L", side_px)
    if own_size != size:
        raise ValueError(f"the mask has {own_size[0]} x {own_size[1]} px, its picture {size[0]} x {size[1]}")
    if (mask > _ON).mean() < _MIN_MASK_SHARE:
        raise ValueError("the mask is empty or tiny")
    return mask


def tile_boxes(size: tuple[int, int]) -> list[tuple[float, float, float, float]]:
    """Crop boxes (x0, y0, x1, y1) of a 3 x 2 grid over a picture of (width, height)."""
    width, height = size[0] / _TILES[0], size[1] / _TILES[1]
    return [
        (x * width, y * height, (x + 1) * width, (y + 1) * height) for y in range(_TILES[1]) for x in range(_TILES[0])
    ]


@dataclass
class Packing:
    """Rows on their way to become `Pictures` of one side."""

    side_px: int
    broken: list[str] = field(default_factory=list)
    _images: list[Tensor] = field(default_factory=list)
    _masks: list[Tensor | None] = field(default_factory=list)
    _composites: list[Tensor] = field(default_factory=list)
    _pair: list[int] = field(default_factory=list)
    _labels: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _sources: list[str] = field(default_factory=list)
    _published: list[Split | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._images)

    def add(
        self,
        image: Square,
        mask: Square | None,
        *,
        label: SemanticClass,
        name: str,
        source: str,
        composite: Square | None = None,
        published: Split | None = None,
    ) -> None:
        """One row: image and composite (P, P, 3), mask (P, P)."""
        self._images.append(_channels_first(image))
        self._masks.append(None if mask is None else torch.from_numpy(mask.copy()).unsqueeze(0))
        self._pair.append(-1 if composite is None else len(self._composites))
        if composite is not None:
            self._composites.append(_channels_first(composite))
        self._labels.append(int(label))
        self._names.append(name)
        self._sources.append(source)
        self._published.append(published)

    @contextmanager
    def naming(self, name: str) -> Iterator[None]:
        """A file that fails within is named as broken, and the run goes on."""
        try:
            yield
        except Exception as error:  # decoders fail in a dozen ways on hostile bytes; all mean the same here
            self.broken.append(f"{name}: {error or type(error).__name__}")

    def done(self) -> Pictures:
        """All rows. NothingUsableError without one."""
        if not self._images:
            raise NothingUsableError("no usable picture; " + ("; ".join(self.broken[:3]) or "no folder was given"))
        empty = torch.zeros(1, self.side_px, self.side_px, dtype=torch.uint8)
        is_published = any(part is not None for part in self._published)
        return Pictures(
            images=torch.stack(self._images),
            masks=torch.stack([empty if m is None else m for m in self._masks]),
            has_mask=torch.tensor([m is not None for m in self._masks]),
            labels=torch.tensor(self._labels),
            names=tuple(self._names),
            sources=tuple(self._sources),
            broken=tuple(self.broken),
            composites=torch.stack(self._composites) if self._composites else None,
            pair=torch.tensor(self._pair) if self._composites else None,
            published=tuple(self._published) if is_published else (),
        )


def _channels_first(pixels: Square) -> Tensor:
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)


def difference_hash(images: Tensor) -> list[int]:
    """64-bit dHash of (N, 3, P, P) uint8 pictures: which of 8 neighbours per row is brighter."""
    grey = images.float().mean(dim=1, keepdim=True)
    small = torch.nn.functional.interpolate(grey, size=(8, 9), mode="area").squeeze(1)
    bits = (small[:, :, 1:] > small[:, :, :-1]).flatten(1).numpy()
    return [int("".join("1" if b else "0" for b in row), 2) for row in bits]


def hash_of(data: bytes) -> str:
    """The first 16 digits of the SHA-256: what `split.txt` lists."""
    return hashlib.sha256(data).hexdigest()[:_SOURCE_DIGITS]


def group_near_duplicates(hashes: list[int], sources: list[str] | None = None) -> list[int]:
    """Group number per picture; those within 6 of 64 dHash bits of each other, or of one source, share one."""
    values = np.array(hashes, dtype=np.uint64)
    parent = list(range(len(hashes)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[str, int] = {}
    for i in range(len(values)):
        alike = list(_close(values, i))
        if sources is not None:
            alike.append(first.setdefault(sources[i], i))
        for j in alike:
            low, high = sorted((root(i), root(j)))
            parent[high] = low
    return [root(i) for i in range(len(values))]


def _close(values: np.ndarray, i: int) -> Iterator[int]:  # type: ignore[type-arg]
    differing = np.bitwise_xor(values[i + 1 :], values[i])
    distance = np.unpackbits(differing.view(np.uint8).reshape(-1, 8), axis=1).sum(axis=1)
    for offset in np.flatnonzero(distance <= _NEAR_DUPLICATE_BITS):
        yield int(i + 1 + offset)


def split_of(source: str) -> Split:
    """train 80 %, val 10 %, test 10 %, by a source's hash alone: the same on every machine."""
    bucket = int(hashlib.sha256(source.encode()).hexdigest(), 16) % 10
    return "val" if bucket == 8 else "test" if bucket == 9 else "train"


@cache
def listed_split() -> dict[str, Split]:
    """The split that the shipped weights were trained with: part by source hash, from `split.txt`."""
    listed: dict[str, Split] = {}
    part: Split = "train"
    for line in SPLIT_FILE.read_text("ascii").split():
        if line in ("train", "val", "test"):
            part = cast("Split", line)
        else:
            listed[line] = part
    return listed


def split_pictures(pictures: Pictures) -> dict[Split, Pictures]:
    """Scene-disjoint parts: a data set's own test list first, then `split.txt`, then all others by hash.

    Near-duplicates stay on one side: their group goes where its first picture that one of these names belongs.
    What a list gives to training goes to train or val by hash, and nowhere where it looks like a test picture.
    """
    groups = group_near_duplicates(difference_hash(pictures.images), list(pictures.sources))
    published = pictures.published or (None,) * len(pictures)
    of_group: dict[int, Split] = {}
    for wish in (_published_test, _as_listed, _published_train, _by_hash):
        for source, part, group in zip(pictures.sources, published, groups, strict=True):
            wanted = wish(source, part)
            if wanted is not None:
                of_group.setdefault(group, wanted)
    parts: dict[Split, list[int]] = {"train": [], "val": [], "test": []}
    for i, group in enumerate(groups):
        if not (published[i] == "train" and of_group[group] == "test"):
            parts[of_group[group]].append(i)
    return {part: pictures.subset(indices) for part, indices in parts.items()}


def _published_test(_source: str, part: Split | None) -> Split | None:
    return "test" if part == "test" else None


def _as_listed(source: str, _part: Split | None) -> Split | None:
    return listed_split().get(source)


def _published_train(source: str, part: Split | None) -> Split | None:
    return None if part != "train" else "val" if split_of(source) == "val" else "train"


def _by_hash(source: str, _part: Split | None) -> Split:
    return split_of(source)
