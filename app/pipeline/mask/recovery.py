"""What a crash leaves: journals with edits, files half written, projects that never got a name."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

import platformdirs

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.inside import free_name, made_folder, names_in, removed
from app.pipeline.mask.journal import PART as JOURNAL_PART
from app.pipeline.mask.journal import Replayed, heading_of, journal_path, journals_in, replayed
from app.pipeline.mask.packs import remove_packs
from app.pipeline.mask.project_json import NAME, ProjectFile
from app.pipeline.mask.project_lock import is_open_elsewhere
from app.pipeline.mask.project_reading import BACKUP, SUFFIX, Loaded, file_and_base, read_project
from app.pipeline.video_output import part_path

_PARTS: Final = (part_path(Path(NAME)).name, f"{BACKUP}.part")


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a crash left in the journal. steps: since the save; saved_s, edited_s: when, in s since 1970."""

    document: MaskDocument
    steps: int
    saved_s: float
    edited_s: float


@dataclass(frozen=True, slots=True)
class UnsavedProject:
    """A project without a name of its own that was left open. edited_s: when, in s since 1970; frames: edited ones.

    problem: why it can't be opened; empty when it can.
    """

    folder: Path
    clip_name: str
    edited_s: float
    frames: int
    problem: str = ""


def unsaved_folder() -> Path:
    """Where projects live until they are saved under a name; need not exist."""
    return Path(os.path.realpath(platformdirs.user_data_path("platematch", appauthor=False) / "unsaved"))


def new_unsaved_folder() -> Path:
    """An empty folder for a new project. UserError (OUTPUT)."""
    return made_folder(unsaved_folder() / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(4)}{SUFFIX}")


def is_unsaved(folder: Path) -> bool:
    """Whether a project never got a name of its own."""
    return folder.parent == unsaved_folder()


def unsaved_projects() -> list[UnsavedProject]:
    """Projects without a name that hold edits and that nobody has open, the one edited last first."""
    names = (name for name in names_in(unsaved_folder()) if name.endswith(SUFFIX))
    folders = [unsaved_folder() / name for name in names]
    left = [_described(one) for one in folders if _is_begun(one) and not is_open_elsewhere(one)]
    return sorted((one for one in left if one.frames or one.problem), key=lambda one: one.edited_s, reverse=True)


def discard_unsaved(folder: Path) -> None:
    """Remove a project that never got a name, edits and all; any other folder is left alone, and an open one too."""
    if is_unsaved(folder) and not folder.is_symlink() and not is_open_elsewhere(folder):
        shutil.rmtree(folder, ignore_errors=True)


def recovered_of(folder: Path, loaded: Loaded) -> Recovered | None:
    """What the journal holds beyond the saved project; None for nothing. Changes nothing."""
    try:
        found: Replayed | None = replayed(journal_path(folder, loaded.base), loaded.document)
    except OSError:
        return None
    if found is None or found.document == loaded.document:
        return None
    return Recovered(found.document, found.steps, loaded.file.saved_s, found.last_s)


def tidy(folder: Path, loaded: Loaded) -> tuple[str, ...]:
    """Remove what a kill left of a save; journals that belong to nothing here are kept aside and named in notes.

    Nothing is touched in a project that could not be read whole.
    """
    if loaded.is_damaged:
        return ()
    for name in names_in(folder):
        if name in _PARTS or JOURNAL_PART.fullmatch(name):
            removed(folder / name)
    before = _before(folder)
    if before is not None or not (folder / BACKUP).exists():
        known = [loaded.file] if before is None else [loaded.file, before[0]]
        remove_packs(folder, {number for file in known for number in _packs_of(file)})
    return tuple(_without_strays(folder, loaded.base, None if before is None else before[1]))


def keep_aside(path: Path) -> str | None:
    """Rename a journal so that it is never applied; its new name, None where there is none or it can't be done."""
    aside = free_name(path.with_name(f"{path.name}.kept"))
    with contextlib.suppress(OSError):
        path.rename(aside)
        return aside.name
    return None


def _before(folder: Path) -> tuple[ProjectFile, str] | None:
    try:
        return file_and_base(folder, BACKUP)
    except (UnusableProject, OSError):
        return None


def _packs_of(file: ProjectFile) -> Iterable[int]:
    return {row.place.pack for row in file.rows if row.place is not None} | file.held


def _without_strays(folder: Path, base: str, base_before: str | None) -> Iterable[str]:
    """Remove journals of saves that were cut short, before the rename or right after it; keep all others aside."""
    for path in journals_in(folder):
        if path == journal_path(folder, base):
            continue
        try:
            heading = heading_of(path)
        except OSError:
            continue
        if heading is None or heading.follows == base or heading.base == base_before:
            removed(path)
        elif (name := keep_aside(path)) is not None:
            yield f"Edits that belong to another copy of this project were kept as “{name}”."


def _is_begun(folder: Path) -> bool:
    """Whether it came as far as being a project; a kill may have come first."""
    return not folder.is_symlink() and any((folder / name).exists() for name in (NAME, BACKUP))


def _described(folder: Path) -> UnsavedProject:
    try:
        loaded = read_project(folder)
    except UserError as error:
        return UnsavedProject(folder, "", _changed_s(folder), 0, error.message)
    recovered = recovered_of(folder, loaded)
    document = loaded.document if recovered is None else recovered.document
    edited_s = loaded.file.saved_s if recovered is None else recovered.edited_s
    media = document.meta.clip.media
    name = PurePosixPath(media.relative).name or PureWindowsPath(media.absolute).name
    return UnsavedProject(folder, name, edited_s, len(document.frames))


def _changed_s(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
