"""A mask project that is open: its folder, its journal and its lock."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.domain.errors import ExitCode, UserError
from app.domain.mask.document import MaskDocument, MediaRef, Meta
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.mask.inside import made_folder, removed
from app.pipeline.mask.journal import journal_path
from app.pipeline.mask.journal_writer import JournalWriter
from app.pipeline.mask.linking import linked
from app.pipeline.mask.media_refs import Changed, Missing
from app.pipeline.mask.packs import packs_in, remove_packs
from app.pipeline.mask.project_json import NAME, VERSION, ProjectFile
from app.pipeline.mask.project_lock import ProjectLock
from app.pipeline.mask.project_reading import BACKUP, SUFFIX, Loaded, base_of, file_and_base, read_project
from app.pipeline.mask.project_writing import (
    Placed,
    commit_list,
    contents_for,
    keep_list,
    plate_ref,
    take_back,
    write_corrections,
)
from app.pipeline.mask.recovery import (
    Recovered,
    discard_unsaved,
    is_unsaved,
    keep_aside,
    new_unsaved_folder,
    recovered_of,
    tidy,
)
from app.pipeline.video_output import PendingFile, sync_to_disk


@dataclass(frozen=True, slots=True)
class Opened:
    """A project just opened. document: as saved. missing: "clip", "mask" or "plate", and what was found instead.

    recovered: what a crash left, to be asked about and answered with `ProjectStore.answer_recovery`.
    """

    store: ProjectStore
    document: MaskDocument
    recovered: Recovered | None
    notes: tuple[str, ...]
    missing: Mapping[str, Missing | Changed]


@dataclass(frozen=True, slots=True)
class SaveReport:
    """What a save wrote: frames and bytes that were not on the disk before; frames: of the whole project."""

    frames: int
    written_frames: int
    written_bytes: int


def _unheard(error: UserError) -> None:
    """Nobody asked to be told."""


class ProjectStore:
    """An open project; any thread may note and save.

    on_trouble: told, on the journal's thread, when what is painted can't be kept against a crash.
    """

    folder: Path
    _lock: ProjectLock
    _journal: JournalWriter
    _base: str
    _plate: MediaRef | None
    _held: frozenset[int]
    _placed: Placed
    _list_kept_as: str | None

    def __init__(
        self, folder: Path, loaded: Loaded, lock: ProjectLock, on_trouble: Callable[[UserError], None] = _unheard
    ) -> None:
        self._on_trouble = on_trouble
        self._saving = threading.Lock()
        self._noting = threading.Lock()
        self._enter(folder, loaded, lock)

    @classmethod
    def create(
        cls, meta: Meta, folder: Path | None = None, *, on_trouble: Callable[[UserError], None] = _unheard
    ) -> Self:
        """A new project: in this folder, which must not exist, or among the unsaved ones. UserError (OUTPUT)."""
        folder = new_unsaved_folder() if folder is None else _made_new(Path(os.path.realpath(folder)))
        try:
            return cls(folder, *_first_save(folder, MaskDocument(meta), None), on_trouble)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @classmethod
    def open(cls, path: Path, *, on_trouble: Callable[[UserError], None] = _unheard) -> Opened:
        """Open a project for editing; leftovers of a crash are tidied away.

        UserError when it is none, is damaged beyond use, of a newer version, or open already; nothing is changed then.
        """
        folder = Path(os.path.realpath(path))
        loaded = read_project(folder)  # First: what is refused gets no lock.
        try:
            lock = ProjectLock(folder)
        except UnusableProject as error:
            raise UserError(f"“{folder.name}” can't be opened: {error}.", "Nothing in it was changed.") from error
        try:
            if not _is_still(folder, loaded):
                loaded = read_project(folder)
            notes = tidy(folder, loaded)
            return cls._opened(folder, replace(loaded, notes=(*loaded.notes, *notes)), lock, on_trouble)
        except BaseException:
            lock.release()
            raise

    @property
    def is_unsaved(self) -> bool:
        """Whether it never got a name of its own; `discard_unsaved` removes it once it is closed."""
        return is_unsaved(self.folder)

    def note(self, document: MaskDocument, *, steps: int = 1) -> None:
        """Have this state kept against a crash: after every step, undo and redo. Returns at once."""
        with self._noting:
            self._keep_unanswered()
            self._journal.note(document, steps=steps)

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until all that was noted is in the journal; False when it isn't by then."""
        return self._journal.flush(timeout_s)

    def answer_recovery(self, recovered: Recovered, *, accepted: bool) -> None:
        """Go on with what was recovered, which counts as noted and not as saved; or throw it away."""
        with self._noting:
            self._is_unanswered = False
            if accepted:
                self._journal.note(recovered.document, steps=max(recovered.steps, 1))
            else:
                removed(journal_path(self.folder, self._base))

    def save(self, document: MaskDocument) -> SaveReport:
        """Save; what was noted after this very document stays in the journal.

        UserError (OUTPUT): then the last save stands whole.
        """
        with self._saving:
            with self._noting:
                self._keep_unanswered()
            written = write_corrections(self.folder, document, self._placed)
            plate = plate_ref(self.folder, document.meta.settings.plate, self._plate)
            doubts: list[UserError] = []
            try:
                contents = contents_for(
                    self.folder, document, written.placed, plate=plate, held=self._held, saved_s=time.time()
                )
                self._journal.rebase(document, base_of(contents), lambda: doubts.extend(self._commit(contents)))
            except BaseException:
                take_back(self.folder, written, self._base)
                raise
            before = _packs_of(self._placed)
            self._placed, self._plate, self._base = written.placed, plate, base_of(contents)
            if doubts:
                raise doubts[0]
            remove_packs(self.folder, before | _packs_of(self._placed) | self._held)
            return SaveReport(len(document.frames), written.frames, written.bytes)

    def save_as(self, document: MaskDocument, folder: Path) -> SaveReport:
        """Save under another name, which must be free, and go on there; what was noted after it, too.

        A project that had no name moves; another stays as it was saved. UserError (OUTPUT): then nothing has changed.
        """
        with self._saving:
            target = _free_target(folder)
            written, lock = self._copied_to(target, document)
            was = self.folder
            with self._noting:
                journal, old_lock, later = self._journal, self._lock, self._journal.later_than(document)
                self._enter(target, written, lock)
                if later is not None:
                    self._journal.note(later)
            journal.stop(discard=True)
            old_lock.release()
            discard_unsaved(was)
            return SaveReport(len(document.frames), len(written.places), sum(p.length for p in written.places.values()))

    def close(self, *, discard_journal: bool = True) -> None:
        """Stop, and let others open it. What was noted and not saved is thrown away, unless the journal is to stay.

        What a crash had left stays until somebody answered for it.
        """
        with self._saving:
            self._journal.stop(discard=discard_journal and not self._is_unanswered)
            self._lock.release()

    def _enter(self, folder: Path, loaded: Loaded, lock: ProjectLock) -> None:
        self.folder = folder
        self._lock = lock
        self._base, self._plate, self._held = loaded.base, loaded.file.plate, loaded.file.held
        self._placed = {pts: (loaded.document.frames[pts].correction, place) for pts, place in loaded.places.items()}
        self._is_unanswered = False
        self._is_only_backup_good = loaded.is_backup
        self._list_kept_as = None
        if loaded.is_damaged or loaded.file.version < VERSION:
            self._held |= packs_in(folder).keys()
            self._list_kept_as = "damaged" if loaded.is_damaged else f"version-{loaded.file.version}"
        self._journal = JournalWriter(folder, loaded.document, loaded.base, on_trouble=self._on_trouble)

    @classmethod
    def _opened(
        cls, folder: Path, loaded: Loaded, lock: ProjectLock, on_trouble: Callable[[UserError], None]
    ) -> Opened:
        recovered = recovered_of(folder, loaded)
        now = linked(loaded.document, loaded.file.plate, folder)
        if recovered is None:
            removed(journal_path(folder, loaded.base))
        else:
            now_recovered = linked(recovered.document, loaded.file.plate, folder)
            recovered = replace(recovered, document=now_recovered.document)
        store = cls(folder, replace(loaded, document=now.document), lock, on_trouble)
        store._is_unanswered = recovered is not None
        return Opened(store, now.document, recovered, (*loaded.notes, *now.notes), now.missing)

    def _keep_unanswered(self) -> None:
        """What a crash left and nobody was asked about is not written over."""
        if self._is_unanswered:
            self._is_unanswered = False
            keep_aside(journal_path(self.folder, self._base))

    def _commit(self, contents: bytes) -> list[UserError]:
        """The errors that leave the new list standing; others are raised. A list that could not be used is kept."""
        if self._list_kept_as is not None:
            keep_list(self.folder, self._list_kept_as)
        doubt = commit_list(self.folder, contents, backup=not self._is_only_backup_good)
        self._list_kept_as, self._is_only_backup_good = None, False
        return [] if doubt is None else [doubt]

    def _copied_to(self, target: Path, document: MaskDocument) -> tuple[Loaded, ProjectLock]:
        part = target.with_name(f"{target.stem}.part{SUFFIX}")
        shutil.rmtree(part, ignore_errors=True)  # Left by a kill.
        made = part
        try:
            loaded, lock = _first_save(_made_new(part), document, self._plate, seen_from=target)
            lock.release()  # Windows renames no folder in which a file is open.
            os.rename(part, target)
            made = target
            sync_to_disk(target.parent)
            return loaded, ProjectLock(target)
        except BaseException as error:
            shutil.rmtree(made, ignore_errors=True)
            if isinstance(error, OSError):
                raise PendingFile(target).error(error) from error
            raise


def _is_still(folder: Path, loaded: Loaded) -> bool:
    """Whether nobody saved between reading and locking."""
    try:
        return file_and_base(folder, BACKUP if loaded.is_backup else NAME)[1] == loaded.base
    except (UnusableProject, OSError):
        return False


def _packs_of(placed: Placed) -> set[int]:
    return {place.pack for _, place in placed.values()}


def _first_save(
    folder: Path, document: MaskDocument, plate: MediaRef | None, *, seen_from: Path | None = None
) -> tuple[Loaded, ProjectLock]:
    """Everything into an empty folder. seen_from: where the folder will be."""
    lock = ProjectLock(folder)
    try:
        written = write_corrections(folder, document, {})
        plate = plate_ref(seen_from or folder, document.meta.settings.plate, plate)
        contents = contents_for(
            seen_from or folder, document, written.placed, plate=plate, held=frozenset(), saved_s=time.time()
        )
        doubt = commit_list(folder, contents, backup=False)
        if doubt is not None:
            raise doubt
    except BaseException:
        lock.release()
        raise
    places = {pts: place for pts, (_, place) in written.placed.items()}
    return Loaded(document, ProjectFile(document.meta, plate=plate), base_of(contents), places, ()), lock


def _free_target(folder: Path) -> Path:
    named = folder if folder.suffix == SUFFIX else folder.with_name(f"{folder.name}{SUFFIX}")
    target = Path(os.path.realpath(named))
    if target.exists():
        raise UserError(f"“{target.name}” exists already.", "Choose another name.", code=ExitCode.OUTPUT)
    return target


def _made_new(folder: Path) -> Path:
    if os.path.lexists(folder):
        raise UserError(f"“{folder.name}” exists already.", "Choose another name.", code=ExitCode.OUTPUT)
    return made_folder(folder)
