"""A project's files, and what finds the person in its frames: the model, or a mask from outside."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument, MediaRef
from app.pipeline.given_matte import pictures_in
from app.pipeline.look_settings import segmenter_choice_of
from app.pipeline.mask.media_refs import Changed, Found, Media, Missing, Moved, find_media, media_ref
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.video_info import VideoInfo
from app.pipeline.video_reader import VideoReader

_FOLDER_KIND: Final = "folder-sha256:"


@dataclass(frozen=True, slots=True)
class ProjectMedia:
    """Where a project's files are now. mask: the file or folder of `Meta.mask`, None when the project has none."""

    clip: Path
    mask: Path | None = None

    @classmethod
    def of(cls, document: MaskDocument) -> Self:
        """Where a document says they are, once `linking.linked` has found them."""
        meta = document.meta
        return cls(Path(meta.clip.media.absolute), None if meta.mask is None else Path(meta.mask.absolute))

    def inputs(self, document: MaskDocument) -> tuple[Path, ...]:
        """Every file that is read, which no output may replace."""
        candidates = (self.clip, self.mask, Path(document.meta.settings.plate or "."))
        return tuple(path for path in candidates if path is not None and path.is_file())


def segmenter_for(document: MaskDocument, mask: Path | None, *, on_notice: Callable[[str], None]) -> Segmenter:
    """What gives the frames' first mattes; close it when done.

    A project with a mask takes that in place of any model. mask: where it is now. UserError as `open_segmenter` raises
    it, and when the project's mask was not found.
    """
    choice = segmenter_choice_of(document.meta.settings.person)
    if document.meta.mask is not None:
        if mask is None:
            raise UserError("The mask of this project is missing.", "Put it back, or take it out of the project.")
        choice = SegmenterChoice(mask=mask)
    return open_segmenter(choice, document.meta.clip.size, on_notice=on_notice)


@contextmanager
def opened_clip(
    document: MaskDocument, media: ProjectMedia, *, on_notice: Callable[[str], None]
) -> Iterator[tuple[VideoReader, Segmenter]]:
    """The project's clip from its first frame, and what finds the person in it.

    UserError as both raise it, and when the clip is another one than the corrections were made for.
    """
    with VideoReader(media.clip) as reader:
        check_clip(document, reader.info)
        segmenter = segmenter_for(document, media.mask, on_notice=on_notice)
        try:
            yield reader, segmenter
        finally:
            segmenter.close()


def check_clip(document: MaskDocument, info: VideoInfo) -> None:
    """UserError when frames are of another size or on another clock: corrections would fall on the wrong pixels."""
    clip = document.meta.clip
    if (info.size, info.time_base) == (clip.size, clip.time_base):
        return
    (width, height), name = clip.size, Path(clip.media.relative).name
    raise UserError(
        f"“{info.path.name}” is not the clip of this project: that was “{name}”, {width} x {height} px, with times in "
        f"{clip.time_base} s.",
        "Find the clip the corrections were made for.",
    )


def mask_ref(path: Path, project_folder: Path) -> MediaRef:
    """What a project keeps of a mask: a video, a picture, or a folder of them. UserError when it can't be used."""
    if not path.is_dir():
        return media_ref(path, project_folder)
    absolute = Path(os.path.abspath(path))
    size_bytes, found = _folder_fingerprint(absolute)
    try:
        relative = Path(os.path.relpath(absolute, project_folder)).as_posix()
    except ValueError:  # Between drives of Windows there is no way.
        relative = ""
    return MediaRef(relative, str(absolute), found, size_bytes)


def find_mask(ref: MediaRef, project_folder: Path) -> Media:
    """Where a mask is now, as `find_media` finds files; a folder is known by its pictures' names and sizes."""
    if not ref.fingerprint.startswith(_FOLDER_KIND):
        return find_media(ref, project_folder)
    known = _places(ref, project_folder)
    name = Path(ref.relative or ref.absolute).name
    folders = [path for path in (*known, project_folder.parent / name, project_folder / name) if path.is_dir()]
    for path in folders:
        if _is_same(path, ref):
            return Found(path) if path in known else Moved(path)
    return Changed(folders[0]) if folders else Missing(Path(ref.absolute))


def _places(ref: MediaRef, project_folder: Path) -> list[Path]:
    """Where a project says a folder is, on this machine alone: opening a project contacts no other."""
    relative = Path(ref.relative)
    places = [Path(os.path.abspath(project_folder / relative))] if ref.relative and not relative.anchor else []
    if os.path.isabs(ref.absolute) and not ref.absolute.startswith(("//", "\\\\")):
        places.append(Path(ref.absolute))
    return places


def _is_same(folder: Path, ref: MediaRef) -> bool:
    try:
        return _folder_fingerprint(folder) == (ref.size_bytes, ref.fingerprint)
    except (OSError, UserError):
        return False


def _folder_fingerprint(folder: Path) -> tuple[int, str]:
    sizes = [(path.name, path.stat().st_size) for path in pictures_in(folder)]
    return sum(size for _, size in sizes), _FOLDER_KIND + hashlib.sha256(repr(sizes).encode()).hexdigest()
