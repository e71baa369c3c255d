"""Thumbnails packed into files that are easily moved: what a machine with a GPU trains on.

A folder of safetensors files, each below a size that mail and artefact stores take, and `shards.json`, which
names them with their SHA-256. The index is written last, so a folder with one is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from torch import Tensor

from harmonizer.training.pictures import Pictures, Split
from harmonizer.weights import write_beside

INDEX_FILE: Final = "shards.json"
MAX_SHARD_BYTES: Final = 60e6
_FORMAT: Final = "platematch-shards-1"
_HEADER_BYTES = 4096
_PARTS: Final[tuple[Split | None, ...]] = (None, "train", "val", "test")


class ShardError(ValueError):
    """A packed data set that is incomplete, altered or of another kind; the message names the file."""


@dataclass(frozen=True)
class Packed:
    """What was written: files and their bytes."""

    files: int
    total_bytes: int


def is_packed(folder: Path) -> bool:
    """Whether the folder holds a packed data set."""
    return (folder / INDEX_FILE).is_file()


def save_shards(pictures: Pictures, folder: Path, *, max_bytes: float = MAX_SHARD_BYTES) -> Packed:
    """Write the pictures into a folder, which is made; on a failure (OSError) nothing of it stays.

    ShardError where a data set lies there already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if is_packed(folder):
        raise ShardError(f"{folder} holds a packed data set already")
    written: list[Path] = []
    entries: list[dict[str, Any]] = []
    try:
        for number, rows in enumerate(_cuts(pictures, max_bytes)):
            data = _encoded(pictures.subset(rows))
            path = folder / f"shard-{number:04}.safetensors"
            written.append(path)
            write_beside(path, data)
            entries.append({"file": path.name, "sha256": _sha256(data), "bytes": len(data), "pictures": len(rows)})
        index = {"format": _FORMAT, "side_px": pictures.side_px, "pictures": len(pictures), "shards": entries}
        write_beside(folder / INDEX_FILE, json.dumps(index, indent=1).encode())
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return Packed(len(entries), sum(int(entry["bytes"]) for entry in entries))


def load_shards(folder: Path) -> Pictures:
    """The pictures of a packed folder. ShardError names the file that is missing, altered or no shard."""
    index = _read_index(folder / INDEX_FILE)
    try:
        parts = [_read_shard(folder / str(entry["file"]), str(entry["sha256"])) for entry in index["shards"]]
        joined = join(parts)
        if len(joined) != index["pictures"]:
            raise ShardError(f"{folder / INDEX_FILE} promises {index['pictures']} pictures, found {len(joined)}")
    except (KeyError, TypeError) as error:
        raise ShardError(f"{folder / INDEX_FILE} is no index of shards ({error})") from error
    return joined


def join(parts: Sequence[Pictures]) -> Pictures:
    """All rows of data sets one after the other. ValueError for none, or for pictures of several sides."""
    sides = sorted({part.side_px for part in parts})
    if len(sides) != 1:
        raise ShardError(f"packed pictures of one side are needed, found {' and '.join(map(str, sides)) or 'none'} px")
    if len(parts) == 1:
        return parts[0]
    composites = [part.composites for part in parts if part.composites is not None]
    return Pictures(
        images=torch.cat([part.images for part in parts]),
        masks=torch.cat([part.masks for part in parts]),
        has_mask=torch.cat([part.has_mask for part in parts]),
        labels=torch.cat([part.labels for part in parts]),
        names=tuple(name for part in parts for name in part.names),
        sources=tuple(source for part in parts for source in part.sources),
        broken=tuple(reason for part in parts for reason in part.broken),
        composites=torch.cat(composites) if composites else None,
        pair=torch.cat(list(_pairs_renumbered(parts))) if composites else None,
        published=tuple(p for part in parts for p in part.published or (None,) * len(part))
        if any(part.published for part in parts)
        else (),
    )


def _pairs_renumbered(parts: Sequence[Pictures]) -> Iterator[Tensor]:
    start = 0
    for part in parts:
        if part.composites is None or part.pair is None:
            yield torch.full((len(part),), -1)
            continue
        yield torch.where(part.pair >= 0, part.pair + start, part.pair)
        start += len(part.composites)


def _cuts(pictures: Pictures, max_bytes: float) -> Iterator[list[int]]:
    """Row numbers, as many in a row as fit into a shard; one at least."""
    side = pictures.side_px**2
    rows: list[int] = []
    used = float(_HEADER_BYTES)
    for i, name in enumerate(pictures.names):
        has_pair = pictures.pair is not None and int(pictures.pair[i]) >= 0
        needed = side * (3 + int(pictures.has_mask[i]) + 3 * has_pair) + 2 * len(json.dumps(name)) + 64
        if rows and used + needed > max_bytes:
            yield rows
            rows, used = [], float(_HEADER_BYTES)
        rows.append(i)
        used += needed
    yield rows


def _encoded(pictures: Pictures) -> bytes:
    """One shard: masks and composites only of the rows that have one."""
    tensors = {
        "images": pictures.images.contiguous(),
        "masks": pictures.masks[pictures.has_mask].contiguous(),
        "has_mask": pictures.has_mask,
        "labels": pictures.labels,
    }
    if pictures.composites is not None and pictures.pair is not None:
        tensors |= {"composites": pictures.composites.contiguous(), "pair": pictures.pair}
    rows = {"names": pictures.names, "sources": pictures.sources, "published": pictures.published}
    return bytes(save_safetensors(tensors, {"format": _FORMAT, "rows": json.dumps(rows)}))


def _read_index(path: Path) -> dict[str, Any]:
    try:
        index = json.loads(path.read_text("utf-8"))
        kind = index["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{path} is no index of shards ({error})") from error
    if kind != _FORMAT:
        raise ShardError(f"{path} is of the format {str(kind)[:40]!r}; this version reads {_FORMAT!r}")
    return dict(index)


def _read_shard(path: Path, sha256: str) -> Pictures:
    """One shard; its name comes from the index, so it must not lead out of the folder."""
    if Path(path.name) != path.relative_to(path.parent) or ".." in path.parts:
        raise ShardError(f"{path} lies outside of its data set")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ShardError(f"the shard {path} cannot be read ({error.strerror})") from error
    if _sha256(data) != sha256:
        raise ShardError(f"the shard {path} was altered or cut short: its SHA-256 is not the one in {INDEX_FILE}")
    try:
        size = int.from_bytes(data[:8], "little")
        rows = json.loads(json.loads(data[8 : 8 + size])["__metadata__"]["rows"])
        return _decoded(load_safetensors(data), rows)
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ShardError(f"{path} is no shard of a data set ({str(error)[:120]})") from error


def _decoded(tensors: dict[str, Tensor], rows: dict[str, list[Any]]) -> Pictures:
    images, has_mask = tensors["images"], tensors["has_mask"].bool()
    masks = torch.zeros(len(images), 1, *images.shape[2:], dtype=torch.uint8)
    masks[has_mask] = tensors["masks"]
    pictures = Pictures(
        images=images,
        masks=masks,
        has_mask=has_mask,
        labels=tensors["labels"],
        names=tuple(map(str, rows["names"])),
        sources=tuple(map(str, rows["sources"])),
        composites=tensors.get("composites"),
        pair=tensors.get("pair"),
        published=tuple(_PARTS[_PARTS.index(part)] for part in rows["published"]),
    )
    counts = {len(images), len(pictures.labels), len(pictures.names), len(pictures.sources)}
    if counts != {len(has_mask)} or len(pictures.published) not in (0, len(images)):
        raise ValueError("its parts are of different lengths")
    return pictures


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
