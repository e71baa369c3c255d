"""The thread that opens and saves projects: reading a long clip's table, or making sure of a file, takes a while."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
from PyQt6.QtCore import pyqtSignal

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument
from app.domain.settings import Settings
from app.pipeline.given_matte import IMAGE_SUFFIXES, GivenMatte, pictures_in
from app.pipeline.mask.linking import linked
from app.pipeline.mask.masks_in import ProjectMedia, mask_ref
from app.pipeline.mask.media_refs import Changed, Missing, relinked
from app.pipeline.mask.project_json import NAME
from app.pipeline.mask.project_store import Opened, ProjectStore
from app.pipeline.mask.recovery import discard_unsaved, unsaved_projects
from app.pipeline.mask.sessions import CACHE, MATTES, Session, new_document, session_of
from app.pipeline.recording.naming import kept_parts
from app.pipeline.video_reader import VideoReader
from app.pipeline.video_writer import VideoWriter
from app.ui.choices import Sample, Source
from app.ui.clips import SAMPLE_RATE, SAMPLE_SIZE, sample_frames
from app.ui.faults import failure_of
from app.ui.worker import Worker, guarded


@dataclass(frozen=True)
class Ready:
    """A project that can be worked on. notes: a sentence each. is_new: it has no name yet.

    is_saved: whether its document is on the disk as it is; what was brought back after a crash is not.
    """

    session: Session
    notes: tuple[str, ...] = ()
    is_new: bool = False
    is_saved: bool = True


@dataclass(frozen=True)
class Lacking:
    """A project one of whose files is missing or was replaced: "clip" or "mask"."""

    opened: Opened
    document: MaskDocument
    what: str
    path: Path
    is_changed: bool


class ProjectWorker(Worker):
    """Answers by signals: ready(Ready), lacking(Lacking), asks(Opened): whether to recover what a crash left.

    saved(str, MaskDocument): what was saved, and in which folder. mask_found(MediaRef, Path): what a project keeps of a
    mask. interrupted(list of Path): projects without a name that the program's end left open. failed(Failure): what was
    asked for did not work.
    """

    ready = pyqtSignal(object)
    lacking = pyqtSignal(object)
    asks = pyqtSignal(object)
    saved = pyqtSignal(str, object)
    mask_found = pyqtSignal(object, object)
    interrupted = pyqtSignal(list)
    failed = pyqtSignal(object)

    def __init__(self) -> None:
        self._stores: dict[ProjectStore, bool] = {}  # Those that are open, and whether to keep what isn't saved.
        super().__init__("mask-projects")

    def create(self, source: Source, settings: Settings) -> None:
        """Begin a project of a clip."""
        self._do(lambda: self._create(source, settings))

    def open(self, folder: Path) -> None:
        """Open a project."""
        self._do(lambda: self._opened(ProjectStore.open(folder, on_trouble=self._in_trouble)))

    def answer(self, opened: Opened, *, accepted: bool) -> None:
        """Go on opening after the question of `asks`."""
        self._do(lambda: self._answered(opened, accepted=accepted))

    def relink(self, lacking: Lacking, path: Path) -> None:
        """Go on opening with another file in a missing one's place."""
        self._do(lambda: self._relinked(lacking, path))

    def leave(self, store: ProjectStore, *, keep: bool) -> None:
        """Close a project. keep: what is not saved stays in its journal."""
        self._do(lambda: self._leave(store, keep=keep))

    def look_for_interrupted(self) -> None:
        """Look for projects without a name that were never closed."""
        self._do(self._look_for_interrupted)

    def save(self, store: ProjectStore, document: MaskDocument, folder: Path | None = None) -> None:
        """Save a project, under another name where a folder is given."""
        self._do(lambda: self._save(store, document, folder))

    def take_mask(self, folder: Path, path: Path) -> None:
        """Find out what a project in a folder is to keep of a mask."""
        self._do(lambda: self._take_mask(folder, path))

    def finish(self) -> None:
        """Do what is queued, then end the thread."""
        self._mailbox.finish()
        self._thread.join()

    def _close(self) -> None:
        """Projects that were opened when nobody waited for them any more."""
        for store, keep in list(self._stores.items()):
            self._leave(store, keep=keep)

    def _do(self, work: Callable[[], None]) -> None:
        self._mailbox.errand(guarded(work, self.failed.emit))

    def _look_for_interrupted(self) -> None:
        found = [one.folder for one in unsaved_projects() if not one.problem]
        if found:
            self.interrupted.emit(found)

    def _in_trouble(self, error: BaseException) -> None:
        self.failed.emit(failure_of(error))

    def _create(self, source: Source, settings: Settings) -> None:
        clip = sample_file() if isinstance(source, Sample) else source.absolute()
        parts, mask, notes = kept_parts(clip), None, tuple[str, ...]()
        if parts is not None:
            (clip, mask), notes = parts, ("The original and the matte kept with this recording are what is edited.",)
        meta = new_document(clip, clip.parent, settings).meta
        meta = meta if mask is None else replace(meta, mask=mask_ref(mask, clip.parent))
        store, document = ProjectStore.create(meta, on_trouble=self._in_trouble), MaskDocument(meta)
        self._stores[store] = False
        store.note(document, steps=0)  # So that the store can tell what comes after it.
        session = self._session(store, document, ProjectMedia(clip, mask))
        self.ready.emit(Ready(session, notes, is_new=True))

    def _session(self, store: ProjectStore, document: MaskDocument, media: ProjectMedia) -> Session:
        try:
            return session_of(store, document, media)
        except BaseException:
            self._leave(store, keep=self._stores[store])
            raise

    def _opened(self, opened: Opened) -> None:
        self._stores[opened.store] = True
        if opened.recovered is not None:
            self.asks.emit(opened)
        else:
            self._found(opened, opened.document, opened.missing)

    def _answered(self, opened: Opened, *, accepted: bool) -> None:
        document, missing = opened.document, opened.missing
        if opened.recovered is not None:
            opened.store.answer_recovery(opened.recovered, accepted=accepted)
            if accepted:
                document, missing = opened.recovered.document, _missing_after(opened, opened.recovered.document)
        self._found(opened, document, missing)

    def _found(self, opened: Opened, document: MaskDocument, missing: Mapping[str, Missing | Changed]) -> None:
        """Go on if all files are there without which nothing can be done."""
        for what in ("clip", "mask"):
            if what in missing:
                lacked = missing[what]
                self.lacking.emit(Lacking(opened, document, what, lacked.path, isinstance(lacked, Changed)))
                return
        notes = opened.notes
        if "plate" in missing:
            notes = (*notes, f"The background “{missing['plate'].path.name}” is missing: choose another one.")
        session = self._session(opened.store, document, ProjectMedia.of(document))
        is_saved = document is opened.document
        self.ready.emit(Ready(session, notes, is_new=opened.store.is_unsaved, is_saved=is_saved))

    def _relinked(self, lacking: Lacking, path: Path) -> None:
        """Where the new file will not do, the same question comes again."""
        document, folder = lacking.document, lacking.opened.store.folder
        try:
            if lacking.what == "mask":
                path = usable_mask(path)
                document = replace(document, meta=replace(document.meta, mask=mask_ref(path, folder)))
            else:
                with VideoReader(path) as reader:
                    document = relinked(document, path, reader.info, folder)
        except UserError as error:
            self.failed.emit(failure_of(error))
            self.lacking.emit(lacking)
            return
        lacking.opened.store.note(document)
        left = {what: one for what, one in lacking.opened.missing.items() if what != lacking.what}
        self._found(replace(lacking.opened, missing=left), document, left)

    def _leave(self, store: ProjectStore, *, keep: bool) -> None:
        self._stores.pop(store, None)
        store.close(discard_journal=not keep)
        if store.is_unsaved and not keep:
            discard_unsaved(store.folder)

    def _take_mask(self, folder: Path, path: Path) -> None:
        mask = usable_mask(path)
        self.mask_found.emit(mask_ref(mask, folder), mask)

    def _save(self, store: ProjectStore, document: MaskDocument, folder: Path | None) -> None:
        if folder is None:
            store.save(document)
        else:
            with _cache_carried(store):
                store.save_as(document, folder)
        self.saved.emit(str(store.folder), document)


@contextmanager
def _cache_carried(store: ProjectStore) -> Iterator[None]:
    """Take the model's mattes along to the folder a project is saved in; they can be made again, so no harm if not.

    The file that is being added to goes along. A project that stays where it was keeps a copy: two that share a file
    would write over each other's mattes.
    """
    before = store.folder / CACHE / MATTES
    beside = store.folder.parent / f"{secrets.token_hex(8)}.{MATTES}"
    with contextlib.suppress(OSError):
        os.link(before, beside)
    try:
        yield
    finally:
        after = store.folder / CACHE / MATTES
        with contextlib.suppress(OSError):
            if after != before:
                _moved(beside, after)
            if after != before and before.exists():
                _moved(shutil.copyfile(before, beside), before)
        beside.unlink(missing_ok=True)


def _moved(path: Path, target: Path) -> None:
    """Put a file in another's place, on whatever disk that is. OSError."""
    target.parent.mkdir(exist_ok=True)
    try:
        os.replace(path, target)
    except OSError:
        part = target.with_name(f"{target.name}.part")
        shutil.copyfile(path, part)
        os.replace(part, target)


def _missing_after(opened: Opened, document: MaskDocument) -> Mapping[str, Missing | Changed]:
    """What is missing of the files a recovered document needs: it may have been given others since the save."""
    missing = dict(linked(document, None, opened.store.folder).missing)
    if "plate" in opened.missing and document.meta.settings.plate == opened.document.meta.settings.plate:
        missing["plate"] = opened.missing["plate"]
    return missing


def usable_mask(path: Path) -> Path:
    """The mask somebody means by a file or folder: numbered pictures of one name alone in a folder are all meant.

    UserError when it can't be read.
    """
    mask = path.parent if path.suffix.lower() in IMAGE_SUFFIXES and _is_one_of_many(path) else path
    GivenMatte(mask).close()
    return mask


def _is_one_of_many(path: Path) -> bool:
    if not path.is_file() or not path.stem[-1:].isdigit():
        return False
    names = {re.sub(r"\d+$", "", one.stem) + one.suffix.lower() for one in pictures_in(path.parent)}
    return len(names) == 1 and len(pictures_in(path.parent)) > 1


def is_project(path: Path) -> bool:
    """Whether a dropped or named path is a project's folder, or the list in it."""
    return (path / NAME).is_file()


def sample_file() -> Path:
    """The sample as a file, made where it is not there yet; it can be thrown away."""
    path = platformdirs.user_cache_path("PlateMatch", appauthor=False) / "sample.mp4"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    width, height = SAMPLE_SIZE
    with VideoWriter(path, width=width, height=height, time_base=1 / SAMPLE_RATE, average_rate=SAMPLE_RATE) as writer:
        for frame in sample_frames():
            writer.append(frame)
    return path
