"""Files a project needs but does not hold: named twice, known by their contents, found again or asked for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO, Final

from app.domain.errors import UserError
from app.domain.mask.document import MaskDocument, MediaRef
from app.pipeline.video_info import VideoInfo

_KIND: Final = "sampled-sha256:"
_END_BYTES: Final = 2**20
_BLOCK_BYTES: Final = 64 * 2**10
_BLOCKS: Final = 16
_READ_WHOLE_BYTES: Final = 2 * _END_BYTES + _BLOCKS * _BLOCK_BYTES
_READING: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True, slots=True)
class Found:
    """It lies where it was, relative to the project or absolutely."""

    path: Path


@dataclass(frozen=True, slots=True)
class Moved:
    """The same contents lie beside the project instead."""

    path: Path


@dataclass(frozen=True, slots=True)
class Missing:
    """Nothing of that name was found; path: where it was last."""

    path: Path


@dataclass(frozen=True, slots=True)
class Changed:
    """Something of that name has other contents: not to be used unasked."""

    path: Path


Media = Found | Moved | Missing | Changed


def media_ref(path: Path, project_folder: Path) -> MediaRef:
    """What a project keeps of a file. UserError when it can't be read."""
    absolute = Path(os.path.abspath(path))
    try:
        size_bytes, found = fingerprint(absolute)
    except OSError as error:
        raise UserError(
            f"“{path.name}” can't be read ({error.strerror}).", "Check that it is there and that you may read it."
        ) from error
    return MediaRef(_relative(absolute, project_folder), str(absolute), found, size_bytes)


def fingerprint(path: Path) -> tuple[int, str]:
    """Size in bytes and a hash that takes milliseconds for a film of any length.

    SHA-256 over the size (8 bytes, little-endian), the first and the last MiB and 16 blocks of 64 KiB spread evenly
    between; files of up to 3 MiB are hashed whole. OSError when it can't be read or is no plain file.
    """
    handle = os.open(path, _READING)  # Without waiting: a pipe of that name would never open.
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise OSError(0, "no file", str(path))
    with open(handle, "rb") as file:
        digest = hashlib.sha256(status.st_size.to_bytes(8, "little"))
        for block in _samples(file, status.st_size):
            digest.update(block)
        return status.st_size, _KIND + digest.hexdigest()


def find_media(ref: MediaRef, project_folder: Path) -> Media:
    """Where a file is now: at its relative place, its absolute one, or under its name beside or in the project.

    Only the same contents count. Addresses and shares of other machines are not tried: opening a project contacts
    nobody.
    """
    others: list[Path] = []
    for path, is_its_place in _candidates(ref, project_folder):
        content = _content(path)
        if content == (ref.size_bytes, ref.fingerprint):
            return Found(path) if is_its_place else Moved(path)
        if content is not None:
            others.append(path)
    if others:
        return Changed(others[0])
    return Missing(Path(ref.absolute or _name(ref)))


def placed(ref: MediaRef, project_folder: Path) -> MediaRef:
    """The same seen from this folder; as it is while the file is missing, so that nothing known is forgotten."""
    absolute = Path(ref.absolute)
    if _is_elsewhere(ref.absolute) or not absolute.exists():
        return ref
    return replace(ref, relative=_relative(absolute, project_folder))


def relinked(document: MaskDocument, path: Path, info: VideoInfo, project_folder: Path) -> MaskDocument:
    """The document with another file as its clip; every edit stays.

    info: of that file. UserError when the edits would not fit it: another picture size or time base, or too short.
    """
    clip = document.meta.clip
    if (info.width, info.height) != clip.size:
        raise _unfit(path, f"its pictures are {info.width} x {info.height}, the clip's {clip.size[0]} x {clip.size[1]}")
    if info.time_base != clip.time_base:
        raise _unfit(path, f"it counts time in {info.time_base} s, the clip in {clip.time_base} s")
    if document.frames and not _covers(info, min(document.frames), max(document.frames)):
        raise _unfit(path, "there are corrections beyond its end or before its beginning")
    media = media_ref(path, project_folder)
    return replace(document, meta=replace(document.meta, clip=replace(clip, media=media)))


def _covers(info: VideoInfo, first_pts: int, last_pts: int) -> bool:
    if first_pts < info.start_pts:
        return False
    return info.duration_s is None or last_pts <= info.start_pts + info.duration_s / info.time_base


def _unfit(path: Path, why: str) -> UserError:
    return UserError(f"“{path.name}” can't take the clip's place: {why}.", "Choose the clip the project was made of.")


def _samples(file: BinaryIO, size: int) -> Iterator[bytes]:
    if size <= _READ_WHOLE_BYTES:
        yield file.read(_READ_WHOLE_BYTES)
        return
    yield file.read(_END_BYTES)
    between = size - 2 * _END_BYTES
    for number in range(_BLOCKS):
        file.seek(_END_BYTES + number * (between - _BLOCK_BYTES) // (_BLOCKS - 1))
        yield file.read(_BLOCK_BYTES)
    file.seek(size - _END_BYTES)
    yield file.read(_END_BYTES)


def _candidates(ref: MediaRef, folder: Path) -> Iterator[tuple[Path, bool]]:
    relative = Path(ref.relative)
    if ref.relative and not (relative.drive or relative.root):
        yield Path(os.path.abspath(folder / relative)), True
    if not _is_elsewhere(ref.absolute):
        yield Path(ref.absolute), True
    for parent in (folder.parent, folder):
        yield parent / _name(ref), False


def _name(ref: MediaRef) -> str:
    """Its name alone, whichever system wrote it."""
    return Path(PurePosixPath(ref.relative).name or PureWindowsPath(ref.absolute).name).name


def _content(path: Path) -> tuple[int, str] | None:
    try:
        return fingerprint(path)
    except (OSError, ValueError):
        return None


def _is_elsewhere(absolute: str) -> bool:
    """Whether a path is none of this machine's own."""
    return not os.path.isabs(absolute) or absolute.startswith(("//", "\\\\"))


def _relative(absolute: Path, folder: Path) -> str:
    """With forward slashes; empty where there is no way, as between drives of Windows."""
    try:
        return Path(os.path.relpath(absolute, folder)).as_posix()
    except ValueError:
        return ""
