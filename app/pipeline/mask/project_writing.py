"""Writing a project: one new pack, then its list beside and renamed; the rename is the save."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.domain.mask.correction import Correction
from app.domain.mask.document import MaskDocument, MediaRef
from app.pipeline.bounded_json import UnusableJson, parse_json
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.inside import free_name, keep_copy, removed, write_part
from app.pipeline.mask.media_refs import media_ref, placed
from app.pipeline.mask.packs import MAX_BYTES, Place, block_of, cost_bytes, pack_path, packs_in, write_pack
from app.pipeline.mask.project_json import MAX_BYTES as MAX_JSON_BYTES
from app.pipeline.mask.project_json import NAME, ProjectFile, project_bytes, project_from_json, row_of
from app.pipeline.mask.project_reading import BACKUP, file_and_base
from app.pipeline.video_output import PendingFile

MAX_PACKS: Final = 16
"""With more, or with more dead bytes than live ones, everything goes into one new pack."""

Placed = Mapping[int, tuple[Correction, Place]]
"""What lies where, by pts."""


@dataclass(frozen=True, slots=True)
class Written:
    """The packs' part of a save. new_pack: its number, None where nothing had to be written."""

    placed: Placed
    new_pack: int | None
    frames: int
    bytes: int


def write_corrections(folder: Path, document: MaskDocument, before: Placed) -> Written:
    """Put the corrections that are not on the disk yet into a new pack. UserError (OUTPUT)."""
    wanted = {pts: edit.correction for pts, edit in document.frames.items() if not edit.correction.is_empty}
    if sum(cost_bytes(one.tiles) for one in wanted.values()) > MAX_BYTES:
        raise UserError("The corrections take more than 2 GiB.", "Split the clip into two.", code=ExitCode.OUTPUT)
    sizes = packs_in(folder)
    kept = {pts: old for pts, one in wanted.items() if (old := _still_there(pts, one, before, sizes)) is not None}
    if _is_wasteful(kept, sizes, new_bytes=sum(one.cost_bytes for pts, one in wanted.items() if pts not in kept)):
        kept = {}
    new = [pts for pts in wanted if pts not in kept]
    if not new:
        return Written(kept, None, 0, 0)
    number = max(sizes, default=0) + 1
    places = write_pack(folder, number, [block_of(wanted[pts].tiles) for pts in new])
    written = {pts: (wanted[pts], place) for pts, place in zip(new, places, strict=True)}
    return Written({**kept, **written}, number, len(new), sum(place.length for place in places))


def contents_for(
    folder: Path, document: MaskDocument, where: Placed, *, plate: MediaRef | None, held: frozenset[int], saved_s: float
) -> bytes:
    """`project.json` for the document, its media seen from this folder. UserError for one that could not be read."""
    meta = document.meta
    clip = replace(meta.clip, media=placed(meta.clip.media, folder))
    mask = None if meta.mask is None else placed(meta.mask, folder)
    rows = tuple(
        row_of(pts, edit, where[pts][1] if pts in where else None) for pts, edit in sorted(document.frames.items())
    )
    project = ProjectFile(replace(meta, clip=clip, mask=mask), rows, plate, held, saved_s)
    contents = project_bytes(project)
    try:
        project_from_json(parse_json(contents, max_bytes=MAX_JSON_BYTES))
    except (UnusableJson, UnusableProject) as error:
        raise UserError(
            f"The project can't be saved: {error}.",
            "What was saved before is unchanged.",
            code=ExitCode.OUTPUT,
        ) from error
    return contents


def plate_ref(folder: Path, spec: str, before: MediaRef | None) -> MediaRef | None:
    """The plate as a file of the project's; None for plates that are none, `before` while it is missing."""
    if before is not None and before.absolute == spec and not os.path.isfile(spec):
        return before
    if os.path.isabs(spec) and not spec.startswith(("//", "\\\\")) and os.path.isfile(spec):
        with contextlib.suppress(UserError):
            return media_ref(Path(spec), folder)
    return None


def commit_list(folder: Path, contents: bytes, *, backup: bool) -> UserError | None:
    """Put `project.json` in place; the one before becomes `.bak` where `backup` is on.

    UserError (OUTPUT) when the one before still stands. Where the new one stands, but may not have reached the disk,
    that error is returned.
    """
    pending = PendingFile(folder / NAME)
    write_part(pending, [contents])
    if backup:
        with contextlib.suppress(OSError):  # A missing copy must not keep the newer file from being saved.
            keep_copy(folder / NAME, folder / BACKUP)
    try:
        pending.commit()
    except UserError as error:
        if _stands(folder, contents):
            return error
        raise
    return None


def keep_list(folder: Path, reason: str) -> None:
    """Keep `project.json` as `project.<reason>.json`, for good. UserError (OUTPUT)."""
    copy = free_name(folder / f"project.{reason}.json")
    try:
        keep_copy(folder / NAME, copy)
    except FileNotFoundError:
        pass  # It is the list itself that is missing.
    except OSError as error:
        raise PendingFile(copy).error(error) from error


def take_back(folder: Path, written: Written, base: str) -> None:
    """Remove the pack of a save that did not come to pass: only where the list before it is seen to stand still."""
    if written.new_pack is None:
        return
    with contextlib.suppress(UnusableProject, OSError):
        if file_and_base(folder, NAME)[1] == base:
            removed(pack_path(folder, written.new_pack))


def _still_there(
    pts: int, correction: Correction, before: Placed, sizes: Mapping[int, int]
) -> tuple[Correction, Place] | None:
    old = before.get(pts)
    if old is None or old[0] != correction:
        return None
    place = old[1]
    return (correction, place) if sizes.get(place.pack, 0) >= place.offset + place.length else None


def _is_wasteful(kept: Placed, sizes: Mapping[int, int], *, new_bytes: int) -> bool:
    used = {place.pack for _, place in kept.values()}
    live = sum(place.length for _, place in kept.values())
    dead = sum(sizes[number] for number in used) - live
    return len(used) + (new_bytes > 0) > MAX_PACKS or dead > live + new_bytes


def _stands(folder: Path, contents: bytes) -> bool:
    """Whether a failed commit came through all the same. Unknown counts as yes: nothing is taken back then."""
    try:
        return (folder / NAME).read_bytes() == contents
    except FileNotFoundError:
        return False
    except OSError:
        return True
