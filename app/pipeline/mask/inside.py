"""Files inside a project's folder: never through a symbolic link, written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.mask.checked import UnusableProject
from app.pipeline.recording.naming import numbered
from app.pipeline.video_output import PendingFile

_READING: Final = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_READABLE_BY_OWNER: Final = 0o600
"""Addresses of cameras may stand in the settings."""


def opened(path: Path) -> BinaryIO:
    """A plain file, for reading. UnusableProject for links, pipes and devices; FileNotFoundError; OSError."""
    refuse_link(path)
    handle = os.open(path, _READING)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise UnusableProject(f"“{path.name}” is no file")
    return open(handle, "rb", buffering=0)


def refuse_link(path: Path) -> None:
    """UnusableProject where a link could lead out of the project."""
    if path.is_symlink():
        raise UnusableProject(f"“{path.name}” is a link; links are not followed")


def opened_new(path: Path) -> int:
    """Handle of a new file; one that is there is thrown away first. OSError."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return os.open(path, _NEW, _READABLE_BY_OWNER)


def write_all(handle: int, data: bytes) -> None:
    """Every byte, or OSError."""
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def write_part(pending: PendingFile, chunks: Iterable[bytes]) -> None:
    """Fill a file that is not to be seen yet; UserError (OUTPUT) and no part left when that fails."""
    try:
        handle = opened_new(pending.part)
        try:
            for chunk in chunks:
                write_all(handle, chunk)
        finally:
            os.close(handle)
    except OSError as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error


def made_folder(path: Path) -> Path:
    """The folder, made if need be; UserError (OUTPUT) when it can't be, or leads elsewhere."""
    try:
        refuse_link(path)
        path.mkdir(parents=True, exist_ok=True)
    except UnusableProject as error:
        raise UserError(f"{error}.".capitalize(), "Remove it from the project.", code=ExitCode.OUTPUT) from error
    except OSError as error:
        raise UserError(
            f"The folder “{path}” can't be made ({error.strerror}).", "Choose another folder.", code=ExitCode.OUTPUT
        ) from error
    return path


def names_in(folder: Path) -> list[str]:
    """Names in a folder; none where there is no folder."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []


def removed(path: Path) -> None:
    """Take a file away if that can be done: what is left over costs room only."""
    with contextlib.suppress(OSError):
        path.unlink()


def keep_copy(path: Path, copy: Path) -> None:
    """Keep a file under another name too, as it is now; OSError when that can't be done, and then nothing is left."""
    beside = copy.with_name(f"{copy.name}.part")
    beside.unlink(missing_ok=True)
    try:
        try:
            os.link(path, beside, follow_symlinks=False)
        except (OSError, NotImplementedError):  # A file system without hard links.
            shutil.copyfile(path, beside, follow_symlinks=False)
        os.replace(beside, copy)
    finally:
        removed(beside)  # A rename between two names of one file does nothing and leaves both.


def free_name(path: Path) -> Path:
    """The first numbered name of which there is no file yet."""
    return next(name for name in numbered(path) if not name.exists())
