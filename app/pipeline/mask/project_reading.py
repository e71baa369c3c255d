"""Reading a project: all of it, or the reason why not; never an empty one for a damaged one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.domain.errors import UserError
from app.domain.mask.correction import Correction
from app.domain.mask.document import FrameEdit, MaskDocument
from app.pipeline.bounded_json import UnusableJson, parse_json
from app.pipeline.mask.checked import NewerProject, UnusableProject
from app.pipeline.mask.inside import opened
from app.pipeline.mask.packs import MAX_BYTES, PackReader, Place, cost_bytes
from app.pipeline.mask.project_json import MAX_BYTES as MAX_JSON_BYTES
from app.pipeline.mask.project_json import NAME, ProjectFile, Row, project_from_json

BACKUP: Final = f"{NAME}.bak"
SUFFIX: Final = ".platematch"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project as it is on the disk. places: where each frame's tiles are. base: names its journal.

    is_damaged: not all of it could be read; is_backup: it is the one saved before the last.
    """

    document: MaskDocument
    file: ProjectFile
    base: str
    places: Mapping[int, Place]
    notes: tuple[str, ...]
    is_damaged: bool = False
    is_backup: bool = False


def read_project(folder: Path) -> Loaded:
    """The project as saved last, without its journal and without opening it for others; changes nothing.

    What of it is damaged is told in the notes and left out. UserError when it is none, is from a newer version, or
    not even the one saved before can be read.
    """
    if not folder.is_dir():
        raise UserError(f"There is no project “{folder}”.", f"A project is a folder whose name ends in “{SUFFIX}”.")
    try:
        return _loaded(folder, NAME)
    except NewerProject as error:
        raise UserError(
            f"“{folder.name}” can't be opened: {error}.", "Update PlateMatch to open it; nothing was changed."
        ) from error
    except (UnusableProject, OSError) as error:
        before = _before_it(folder)
        if before is None:
            raise _refused(folder, error) from error
        note = f"“{NAME}” can't be used ({_why(error)}); what was saved before it is shown."
        return Loaded(
            before.document,
            before.file,
            before.base,
            before.places,
            (note, *before.notes),
            is_damaged=True,
            is_backup=True,
        )


def base_of(contents: bytes) -> str:
    """What names the journal that goes on from these contents of `project.json`."""
    return hashlib.sha256(contents).hexdigest()[:32]


def file_and_base(folder: Path, name: str) -> tuple[ProjectFile, str]:
    """A project's list, and what names its journal. UnusableProject, OSError."""
    with opened(folder / name) as file:
        contents = file.read(MAX_JSON_BYTES + 1)
    try:
        return project_from_json(parse_json(contents, max_bytes=MAX_JSON_BYTES)), base_of(contents)
    except UnusableJson as error:
        raise UnusableProject(f"“{name}” {error}") from error


def _loaded(folder: Path, name: str) -> Loaded:
    file, base = file_and_base(folder, name)
    frames: dict[int, FrameEdit] = {}
    damages: list[str] = []
    cost = 0
    with PackReader(folder) as reader:
        for row in sorted(file.rows, key=_where):
            try:
                edit = _edit(reader, row, file)
            except UnusableProject as error:
                damages.append(str(error))
                continue
            cost += cost_bytes(edit.correction.tiles)
            if cost > MAX_BYTES:
                raise UnusableProject("its corrections are too large")
            if not edit.is_nothing:
                frames[row.pts] = edit
    if damages and not any(edit.correction.tiles for edit in frames.values()):
        raise UnusableProject(damages[0])
    return Loaded(
        document=MaskDocument(file.meta, frames),
        file=file,
        base=base,
        places={row.pts: row.place for row in file.rows if row.place is not None and row.pts in frames},
        notes=(*file.notes, *_damage_notes(damages)),
        is_damaged=bool(damages),
    )


def _edit(reader: PackReader, row: Row, file: ProjectFile) -> FrameEdit:
    size = file.meta.clip.size
    tiles = {} if row.place is None else reader.tiles(row.place, size)
    return FrameEdit(Correction(size, tiles), row.is_keyframe, row.is_locked, row.origin)


def _where(row: Row) -> tuple[int, int]:
    return (0, row.pts) if row.place is None else (row.place.pack, row.place.offset)


def _damage_notes(damages: list[str]) -> tuple[str, ...]:
    if not damages:
        return ()
    frames = "The correction of 1 frame" if len(damages) == 1 else f"The corrections of {len(damages)} frames"
    return (f"{frames} could not be read and {'is' if len(damages) == 1 else 'are'} left out: {damages[0]}.",)


def _before_it(folder: Path) -> Loaded | None:
    try:
        return _loaded(folder, BACKUP)
    except (UnusableProject, OSError):
        return None


def _refused(folder: Path, error: Exception) -> UserError:
    if isinstance(error, FileNotFoundError):
        return UserError(f"“{folder.name}” is no project: it has no “{NAME}”.", "Choose another folder.")
    return UserError(f"“{folder.name}” can't be opened: {_why(error)}.", "Nothing in it was changed.")


def _why(error: Exception) -> str:
    return error.strerror or "it can't be read" if isinstance(error, OSError) else str(error)
