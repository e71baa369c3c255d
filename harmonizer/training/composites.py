"""Data sets to be scored on: composite, mask and truth, found on disk or made by recolouring.

Three layouts. iHarmony4 (Cong et al. 2020): folders with `composite_images/`, `masks/` and `real_images/`, and
lists `<subset>_test.txt` or `IHD_test.txt`; composite `c123_1_1.jpg` belongs to mask `c123_1.png` and to
truth `c123.jpg`. Plain: folders with `images/` and `masks/`, whose foregrounds are recoloured here. Photographs:
a folder of pictures, or one with `images/` alone; regions of theirs are drawn and recoloured.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from harmonizer.training.light import recolour, srgb_to_linear
from harmonizer.training.pictures import (
    IMAGE_SUFFIXES,
    Collection,
    NothingUsableError,
    Split,
    load_pictures,
    picture_files,
    split_pictures,
)
from harmonizer.training.views import random_regions

Pixels = npt.NDArray[np.uint8]
Inside = npt.NDArray[np.bool_]
Part = Literal["train", "val", "test", "all"]

SPLIT_SIDE_PX = 192
"""Training's own size of pictures for thumbnails of 128 px: near-duplicates are then told just as there."""

_COMPOSITES, _TRUTHS, _MASKS, _IMAGES = "composite_images", "real_images", "masks", "images"
_REGION_PX = 512
LISTED_PARTS = (_COMPOSITES, _MASKS, _TRUTHS)
_LISTED = f"{_COMPOSITES}/, {_MASKS}/ and {_TRUTHS}/"
_PLAIN = f"{_IMAGES}/ and {_MASKS}/"
_SHA256 = re.compile(r"[0-9a-f]{16}|[0-9a-f]{64}")


class DatasetError(ValueError):
    """A folder that is no data set of a known layout, or has no such list; the message names it."""


@dataclass(frozen=True)
class Triple:
    """One thing to score.

    composite: None where it is made by recolouring truth under mask. mask: None where a region is drawn.
    partner: picture and mask whose colours a recolouring may borrow.
    """

    subset: str
    name: str
    composite: Path | None
    mask: Path | None
    truth: Path
    partner: tuple[Path, Path | None] | None = None


@dataclass(frozen=True)
class Found:
    """What a data set holds: triples in order of name, and `subset/name: reason` of what is incomplete."""

    triples: tuple[Triple, ...]
    left_out: tuple[str, ...] = ()


def find_triples(folders: Sequence[Path], *, part: Part | None = None) -> Found:
    """Every triple of data sets, of single subsets of theirs, or of folders of these.

    part: None takes iHarmony4's test lists where they are and everything else whole. Plain folders given
    together are split as training splits them: by scene. DatasetError for a folder of no layout, and
    for a part that has no list.
    """
    subsets = list(dict.fromkeys(subset for folder in folders for subset in _subsets(folder)))
    labels = _labels(subsets)
    chosen, broken = _plain_part([s for s in subsets if not is_listed(s)], part)
    parts = [
        _listed(subset, labels[subset], part) if is_listed(subset) else _plain(subset, labels[subset], chosen)
        for subset in subsets
    ]
    ignored = (reason for folder in folders for reason in _unlike(folder))
    left_out = (*ignored, *broken, *(reason for p in parts for reason in p.left_out))
    return Found(tuple(t for p in parts for t in p.triples), left_out)


def select(triples: Iterable[Triple], lines: Iterable[str]) -> tuple[tuple[Triple, ...], tuple[str, ...]]:
    """The triples that a list names, and the lines that name none.

    A line is a file name, `subset/name`, or the SHA-256 of the composite or the truth, whole or its first 16
    digits; `#` begins a remark.
    """
    wanted = {line.partition("#")[0].strip() for line in lines} - {""}
    by_hash = any(_SHA256.fullmatch(word.lower()) for word in wanted)
    kept, met = [], set()
    for triple in triples:
        hit = wanted & set(_words(triple, with_hash=by_hash))
        if hit:
            kept.append(triple)
            met |= hit
    return tuple(kept), tuple(sorted(wanted - met))


def recolour_foreground(
    truth: Pixels, mask: Inside, *, seed: int, partner: tuple[Pixels, Inside] | None = None
) -> Pixels:
    """A composite (H, W, 3): the truth with its foreground in another light, as training recolours.

    The same for the same seed. partner: a picture and mask whose foreground statistics may be borrowed;
    without one nothing can be. Takes about 180 bytes a pixel of the foreground's box.
    """
    box = _box(mask)
    levels, inside = _tensor(truth[box]), torch.from_numpy(mask[box]).float()[None, None]
    if partner is not None:
        other, other_inside = _partner_at(partner, levels.shape[3], levels.shape[2])
        levels, inside = torch.cat((levels, other)), torch.cat((inside, other_inside))
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        changed = recolour(srgb_to_linear(levels), inside, generator=generator, untouched_share=0.0)[0]
    pixels = (changed * 255.0).round().byte().permute(1, 2, 0).numpy()
    out = truth.copy()
    out[box] = np.where(mask[box][..., None], pixels, truth[box])
    return out


def drawn_region(size: tuple[int, int], *, seed: int) -> Inside:
    """A smooth region (H, W) of a picture of (width, height), drawn as training does where no mask is known.

    The same for the same seed, whatever the size.
    """
    region = random_regions(1, _REGION_PX, generator=torch.Generator().manual_seed(seed))[0, 0]
    coverage = Image.fromarray(region.mul(255).byte().numpy()).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(coverage) > 127


def seed_of(seed: int, name: str) -> int:
    """A picture's own seed: the same whichever other pictures are scored with it."""
    return int(hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()[:15], 16)


def _subsets(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DatasetError(f"there is no folder {folder}")
    if is_subset(folder):
        return [folder]
    inner = sorted(p for p in folder.iterdir() if p.is_dir() and is_subset(p))
    if inner:
        return inner
    if (folder.resolve().parent / _MASKS).is_dir():
        raise DatasetError(f"{folder} is no data set but a part of one: give the folder above it")
    if (folder / _COMPOSITES).is_dir() or not picture_files(folder):
        raise DatasetError(f"{folder} is no data set: it has neither {_PLAIN} nor {_LISTED}, nor pictures alone")
    return [folder]


def _unlike(folder: Path) -> Iterator[str]:
    """Folders in a data set that look like subsets but lack a part."""
    if folder in _subsets(folder):
        return
    for inner in sorted(p for p in folder.iterdir() if (p / _COMPOSITES).is_dir()):
        if not is_subset(inner):
            yield f"{inner.name}: the folder has not all of {_LISTED}"


def is_subset(folder: Path) -> bool:
    """Listed, or `images/` with or without `masks/`."""
    return is_listed(folder) or ((folder / _IMAGES).is_dir() and not (folder / _COMPOSITES).is_dir())


def is_listed(folder: Path) -> bool:
    """Whether a folder has every part of iHarmony4's layout."""
    return all((folder / name).is_dir() for name in LISTED_PARTS)


def _labels(subsets: list[Path]) -> dict[Path, str]:
    """What each subset is called: its name, or its whole path where two share one."""
    names = [subset.resolve().name for subset in subsets]
    return {s: name if names.count(name) == 1 else str(s) for s, name in zip(subsets, names, strict=True)}


def _listed(subset: Path, label: str, part: Part | None) -> Found:
    """Triples of an iHarmony4 folder, of the composites its list names or of all."""
    composites = {p.name: p for p in picture_files(subset / _COMPOSITES)}
    names = _list_of(subset, part)
    masks, truths = _by_stem(subset / _MASKS, first=".png"), _by_stem(subset / _TRUTHS, first=".jpg")
    triples, left_out = [], []
    for name in sorted(composites) if names is None else names:
        whole, one, two = _stripped(Path(name).stem)
        mask = _first_of(masks, (whole, one, two))
        truth = _first_of(truths, (whole, two, one))
        composite = composites.get(name)
        if composite is None or mask is None or truth is None:
            what = "composite" if composite is None else "mask" if mask is None else "real picture"
            left_out.append(f"{label}/{name}: its {what} is missing")
        else:
            triples.append(Triple(label, name, composite, mask, truth))
    return Found(tuple(triples), tuple(left_out))


def _list_of(subset: Path, part: Part | None) -> list[str] | None:
    """File names the subset's own list or iHarmony4's common one gives for a part; None for all."""
    wanted, name = part or "test", subset.resolve().name
    if wanted == "all":
        return None
    own, common = subset / f"{name}_{wanted}.txt", subset.resolve().parent / f"IHD_{wanted}.txt"
    if own.is_file():
        return _unique(Path(line).name for line in _lines(own))
    if common.is_file():
        return _unique(Path(line).name for line in _lines(common) if Path(line).parts[0] == name)
    if part is None:
        return None
    raise DatasetError(f"{subset} has no list of its {wanted} part ({own.name} or {common.name})")


def _lines(path: Path) -> list[str]:
    text = path.read_text("utf-8", errors="replace").replace("\\", "/")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _by_stem(folder: Path, *, first: str) -> dict[str, Path]:
    """Pictures by stem; of two with one stem, the one with the suffix that the layout has."""
    files = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES]
    return {p.stem: p for p in sorted(files, key=lambda p: (p.suffix.lower() == first, p.name))}


def _stripped(stem: str) -> tuple[str, str, str]:
    """The stem, and without its last one and two `_x` parts."""
    one = stem.rpartition("_")[0]
    return stem, one, one.rpartition("_")[0]


def _first_of(files: dict[str, Path], stems: tuple[str, ...]) -> Path | None:
    return next((files[stem] for stem in stems if stem in files), None)


def _plain(folder: Path, label: str, chosen: frozenset[tuple[Path, str]] | None) -> Found:
    """Triples of a folder that training takes too; each one's partner is the next complete picture."""
    has_masks = (folder / _MASKS).is_dir()
    masks = _by_stem(folder / _MASKS, first=".png") if has_masks else {}
    pictures = picture_files(folder)
    pairs = [(p, masks.get(p.stem)) for p in pictures if p.stem in masks or not has_masks]
    partners = [*pairs[1:], *pairs[:1]] if len(pairs) > 1 else [None] * len(pairs)
    triples = tuple(
        Triple(label, truth.name, None, mask, truth, partner)
        for (truth, mask), partner in zip(pairs, partners, strict=True)
        if chosen is None or (folder, truth.name) in chosen
    )
    lacking = tuple(f"{label}/{p.name}: its mask is missing" for p in pictures if has_masks and p.stem not in masks)
    return Found(triples, lacking if chosen is None else ())


def _plain_part(folders: list[Path], part: Part | None) -> tuple[frozenset[tuple[Path, str]] | None, tuple[str, ...]]:
    """(folder, file name) of the pictures that training's rule puts into a part, and what it can't read.

    None for all of them.
    """
    if part is None or part == "all" or not folders:
        return None, ()
    try:
        pictures = load_pictures([Collection(folder) for folder in folders], side_px=SPLIT_SIDE_PX)
    except NothingUsableError as error:
        raise DatasetError(str(error)) from error
    split: Split = part
    names = set(split_pictures(pictures)[split].names)
    files = ((folder, path.name) for folder in folders for path in picture_files(folder))
    return frozenset(f for f in files if f"{f[0].name}/{f[1]}" in names), pictures.broken


def _words(triple: Triple, *, with_hash: bool) -> Iterator[str]:
    yield triple.name
    yield f"{triple.subset}/{triple.name}"
    for path in (triple.composite, triple.truth) if with_hash else ():
        if path is not None:
            try:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
            except OSError:
                continue
            yield from (digest, digest[:16])


def _box(mask: Inside) -> tuple[slice, slice]:
    """Bounding box of the mask; an empty one where there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise ValueError("the mask is empty")
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1)[None].float() / 255.0


def _partner_at(partner: tuple[Pixels, Inside], width: int, height: int) -> tuple[Tensor, Tensor]:
    """The partner's foreground box, resized to this box's (width, height)."""
    pixels, mask = partner
    box = _box(mask)
    size = (width, height)
    picture = Image.fromarray(np.ascontiguousarray(pixels[box])).resize(size, Image.Resampling.BILINEAR)
    inside = Image.fromarray(mask[box]).resize(size, Image.Resampling.NEAREST)
    return _tensor(np.asarray(picture)), torch.from_numpy(np.array(inside, np.float32))[None, None]
