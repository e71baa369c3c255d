"""A document's files where they are now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from app.domain.mask.document import MaskDocument, MediaRef
from app.pipeline.mask.masks_in import find_mask
from app.pipeline.mask.media_refs import Changed, Media, Missing, Moved, find_media, placed


@dataclass(frozen=True, slots=True)
class Linked:
    """document: with the files that were found at their places now. missing: the others, by "clip", "mask", "plate"."""

    document: MaskDocument
    missing: Mapping[str, Missing | Changed]
    notes: tuple[str, ...]


def linked(document: MaskDocument, plate: MediaRef | None, folder: Path) -> Linked:
    """Look for a document's files. plate: the plate as a file, as the project had it when it was saved."""
    meta = document.meta
    media: dict[str, Media] = {"clip": find_media(meta.clip.media, folder)}
    if meta.mask is not None:
        media["mask"] = find_mask(meta.mask, folder)
    if plate is not None and plate.absolute == meta.settings.plate:
        media["plate"] = find_media(plate, folder)
    missing = {name: one for name, one in media.items() if isinstance(one, Missing | Changed)}
    found = {name: one.path for name, one in media.items() if name not in missing}
    if "clip" in found:
        meta = replace(meta, clip=replace(meta.clip, media=_at(meta.clip.media, found["clip"], folder)))
    if "mask" in found and meta.mask is not None:
        meta = replace(meta, mask=_at(meta.mask, found["mask"], folder))
    if "plate" in found:
        meta = replace(meta, settings=replace(meta.settings, plate=str(found["plate"])))
    notes = tuple(f"The {name} was found beside the project." for name, one in media.items() if isinstance(one, Moved))
    return Linked(replace(document, meta=meta), missing, notes)


def _at(ref: MediaRef, path: Path, folder: Path) -> MediaRef:
    return placed(replace(ref, absolute=str(path)), folder)
