"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError

_NAME_LIMIT_BYTES: Final = 255
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EROFS})


class PendingFile:
    """A file written beside its final name and renamed into place: `clip.part.mp4` -> `clip.mp4`.

    Until `commit`, whatever stands under the final name stays as it is. A symbolic link is written through,
    not replaced. UserError (OUTPUT) when the folder is missing, the name is a folder's, the file exists and
    `overwrite` is off, or output or part file is one of the `inputs`, however they are spelt or linked.
    """

    def __init__(self, path: Path, *, overwrite: bool = True, inputs: Iterable[Path] = ()) -> None:
        self.final = Path(os.path.realpath(path))
        self.part = part_path(self.final)
        self._overwrite = overwrite
        if self.final.is_dir():
            raise _output_error(f"“{path}” is a folder.", "Add a file name to it.")
        if not self.final.parent.is_dir():
            raise _output_error(f"The folder “{self.final.parent}” does not exist.", "Make it first.")
        if self.final.exists() and not overwrite:
            raise self._exists()
        for source in inputs:
            if _same_file(source, self.final) or _same_file(source, self.part):
                raise _output_error(
                    f"“{path}” would overwrite “{source.name}”, which is in use.", "Choose another name."
                )

    def commit(self) -> None:
        """Put the finished part file under the final name, on the disk before it is visible."""
        try:
            sync_to_disk(self.part)
            if self._overwrite:
                os.replace(self.part, self.final)
            elif not renamed_unless_taken(self.part, self.final):
                self.discard()
                raise self._exists()
            sync_to_disk(self.final.parent)
        except OSError as error:
            failure = self.error(error)
            self.discard()
            raise failure from error

    def discard(self) -> None:
        """Remove the part file; nothing else is touched."""
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)

    def error(self, cause: BaseException) -> UserError:
        """Make the sentence for a failed write; the caller discards the part file after it."""
        code = getattr(cause, "errno", None)
        name = self.final.name
        kept = f"An earlier “{name}” is unchanged." if self.final.exists() else "No partial file was left."
        if code in _FULL:
            return _output_error(f"The disk is full: “{name}” could not be finished.", f"Free some space. {kept}")
        # FFmpeg says -1, the number of EPERM, for some faults of its own: believe it only before writing.
        if code in _FORBIDDEN or (code == errno.EPERM and not self.part.exists()):
            return _output_error(
                f"“{name}” may not be written in “{self.final.parent}”.", f"Choose another folder. {kept}"
            )
        detail = os.strerror(code) if isinstance(code, int) and 0 < code < 1000 else type(cause).__name__
        return _output_error(f"Writing “{name}” failed ({detail}).", f"Choose another folder or format. {kept}")

    def _exists(self) -> UserError:
        return _output_error(f"“{self.final.name}” exists already.", "Choose another name or allow overwriting.")


def is_disk_error(error: BaseException) -> bool:
    """Tell a fault of the disk or folder from a refusal by the muxer or encoder."""
    return isinstance(error, OSError) and error.errno != errno.EINVAL


def part_path(final: Path) -> Path:
    """Name `clip.mp4`'s part file, `clip.part.mp4`, shortened where the system allows 255 bytes only."""
    name = f"{final.stem}.part{final.suffix}"
    if len(os.fsencode(name)) > _NAME_LIMIT_BYTES:
        name = f"{hashlib.sha256(os.fsencode(final.name)).hexdigest()[:32]}.part{final.suffix}"
    return final.with_name(name)


def _output_error(message: str, hint: str) -> UserError:
    return UserError(message, hint, code=ExitCode.OUTPUT)


def _same_file(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True  # Neither may exist yet: two outputs of one run given the same name.
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


def renamed_unless_taken(part: Path, name: Path) -> bool:
    """Like a rename that fails where one exists, so a file made meanwhile is not lost; False for a name taken."""
    try:
        os.link(part, name)
    except FileExistsError:
        return False
    except OSError:  # A file system without hard links (FAT, some shares).
        if name.exists():
            return False
        part.rename(name)
    else:
        part.unlink()
    return True


def sync_to_disk(path: Path) -> None:
    """Force a file, or a folder's list of names, onto the disk; Windows can't open folders."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
