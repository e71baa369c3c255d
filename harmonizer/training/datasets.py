"""Training data of every layout: plain folders, published pairs as in iHarmony4, packed shards.

A pair's composite is trained on as it was published part of the time and recoloured anew otherwise; its data
set's own lists say what may be trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from harmonizer.training.composites import (
    LISTED_PARTS,
    DatasetError,
    Triple,
    find_triples,
    is_listed,
    is_subset,
)
from harmonizer.training.pictures import (
    Collection,
    Packing,
    Pictures,
    Split,
    add_collection,
    hash_of,
    picture_files,
    read_mask,
    read_square,
)
from harmonizer.training.shards import is_packed, join, load_shards

PICTURE_PER_THUMBNAIL: Final = 1.5
"""Pictures are packed this much larger than thumbnails: crops of them are then seldom enlarged."""

_LISTS: Final[tuple[Split, ...]] = ("train", "test")


def load_data(collections: Sequence[Collection], *, side_px: int) -> Pictures:
    """Everything the folders hold, in their order, at `side_px` or, where one is packed, at its own side.

    Broken and incomplete files are named and left out. NothingUsableError when nothing is left, ShardError for a
    damaged or unlike shard, OSError for a folder that can't be listed.
    """
    packed = {c.folder: load_shards(c.folder) for c in collections if is_packed(c.folder)}
    side_px = next((pictures.side_px for pictures in packed.values()), side_px)
    packing = Packing(side_px)
    for collection in collections:
        if collection.folder not in packed:
            _add(packing, collection)
    loaded = [*packed.values(), *([packing.done()] if len(packing) or not packed else [])]
    return replace(join(loaded), broken=tuple(packing.broken))


def _add(packing: Packing, collection: Collection) -> None:
    """One folder: published pairs, pictures, or a folder of such folders."""
    folder = collection.folder
    if is_listed(folder):
        _add_pairs(packing, collection)
        return
    inner = [Collection(p, collection.label) for p in sorted(folder.iterdir()) if p.is_dir()]
    known = [c for c in inner if is_subset(c.folder)]
    if picture_files(folder) or not known:
        add_collection(packing, collection)
        return
    packing.broken += [f"{c.folder}: the folder has not all of {', '.join(LISTED_PARTS)}" for c in inner if _is_half(c)]
    for part in known:
        _add(packing, part)


def _is_half(collection: Collection) -> bool:
    return (collection.folder / LISTED_PARTS[0]).is_dir() and not is_listed(collection.folder)


def _add_pairs(packing: Packing, collection: Collection) -> None:
    """The published pairs of one folder: composite, mask and real picture of one size each."""
    found = find_triples([collection.folder], part="all")
    parts, missing = _published_parts(collection.folder)
    packing.broken += list(dict.fromkeys((*found.left_out, *missing)))
    for triple in found.triples:
        with packing.naming(f"{triple.subset}/{triple.name}"):
            _add_pair(packing, triple, collection, part=_part_of(triple.name, parts))


def _add_pair(packing: Packing, triple: Triple, collection: Collection, *, part: Split | None) -> None:
    if triple.composite is None or triple.mask is None:
        raise FileNotFoundError("no composite or mask of that name")
    image, size = read_square(triple.truth, "RGB", packing.side_px)
    composite, composite_size = read_square(triple.composite, "RGB", packing.side_px)
    if composite_size != size:
        raise ValueError(
            f"the composite has {composite_size[0]} x {composite_size[1]} px, the real picture {size[0]} x {size[1]}"
        )
    packing.add(
        image,
        read_mask(triple.mask, packing.side_px, size),
        label=collection.label,
        name=f"{triple.subset}/{triple.name}",
        source=hash_of(triple.truth.read_bytes()),
        composite=composite,
        published=part,
    )


def _published_parts(folder: Path) -> tuple[dict[Split, frozenset[str]], tuple[str, ...]]:
    """File names by part, of the lists that there are, and what these name in vain."""
    parts: dict[Split, frozenset[str]] = {}
    missing: tuple[str, ...] = ()
    for part in _LISTS:
        try:
            found = find_triples([folder], part=part)
        except DatasetError:
            continue
        parts[part] = frozenset(triple.name for triple in found.triples)
        missing += found.left_out
    return parts, missing


def _part_of(name: str, parts: dict[Split, frozenset[str]]) -> Split | None:
    """The part whose list names a file; with one list alone, all others are the other part."""
    for part, names in parts.items():
        if name in names:
            return part
    others = [part for part in _LISTS if part not in parts]
    return others[0] if len(others) == 1 else None
