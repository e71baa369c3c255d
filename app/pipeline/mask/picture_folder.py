"""A folder of numbered pictures, each of which appears when it is whole."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from app.domain.errors import ExitCode, UserError
from app.pipeline.png_encoding import encode_png
from app.pipeline.video_output import PendingFile

DIGITS: Final = 6


def picture_name(stem: str, number: int, suffix: str = ".png") -> str:
    """`<stem>_000000.png`; numbers from a million on are longer."""
    return f"{stem}_{number:0{DIGITS}d}{suffix}"


def make_folder(path: Path) -> bool:
    """Have a folder there; whether it had to be made. UserError (OUTPUT) when it can't be had."""
    try:
        path.mkdir()
    except FileExistsError:
        if path.is_dir():
            return False
        raise folder_error(path, "is a file, not a folder") from None
    except OSError as error:
        raise folder_error(path, f"can't be made ({error.strerror})") from error
    return True


def numbered_pictures(path: Path, stem: str, suffix: str = ".png") -> set[str]:
    """Names of the pictures in a folder that `picture_name` gives. UserError (OUTPUT) when it can't be read."""
    ours = re.compile(rf"{re.escape(stem)}_\d{{{DIGITS},}}{re.escape(suffix)}")
    try:
        return {one.name for one in path.iterdir() if ours.fullmatch(one.name)}
    except OSError as error:
        raise folder_error(path, f"can't be read ({error.strerror})") from error


def earlier_error(path: Path, count: int) -> UserError:
    """What is said of a folder that holds pictures already."""
    return UserError(
        f"“{path}” holds {count} pictures of an earlier export.",
        "Choose another folder or allow overwriting.",
        code=ExitCode.OUTPUT,
    )


def folder_error(path: Path, why: str) -> UserError:
    """What is said of a folder that can't be used."""
    return UserError(f"The folder “{path}” {why}.", "Choose another one.", code=ExitCode.OUTPUT)


def write_picture(path: Path, data: bytes, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Write a picture's bytes beside, and rename. UserError (OUTPUT); nothing half-written is left.

    Picture and folder are synced to the disk each time: 1.0 ms of a 1.2 MB file's 1.5 on a virtual disk, against 30 to
    230 ms that encoding takes.
    """
    pending = PendingFile(path, overwrite=overwrite, inputs=inputs)
    try:
        pending.part.write_bytes(data)
    except OSError as error:
        failure = pending.error(error)
        pending.discard()
        raise failure from error
    except BaseException:
        pending.discard()
        raise
    pending.commit()


class PictureFolder:
    """Writes `<stem>_000000.png` and so on into `path`, made if it is missing; `count` of them so far.

    Nothing that was there is removed: `left_over` pictures of an earlier export were not written anew. UserError
    (OUTPUT): the folder can't be had, such pictures are there and `overwrite` is off, or a picture can't be written.
    """

    def __init__(self, path: Path, stem: str, *, overwrite: bool = False, inputs: tuple[Path, ...] = ()) -> None:
        self.path = path
        self.count = 0
        self._stem, self._overwrite, self._inputs = stem, overwrite, inputs
        self._made = make_folder(path)
        self._earlier = numbered_pictures(path, stem)
        if self._earlier and not overwrite:
            raise earlier_error(path, len(self._earlier))

    @property
    def left_over(self) -> int:
        """Pictures of an earlier export that were not written anew."""
        return len(self._earlier)

    def append(self, number: int, pixels: npt.NDArray[np.uint8]) -> None:
        """Write one picture, (H, W) grey or (H, W, 4) straight sRGB and alpha, under its number."""
        name = picture_name(self._stem, number)
        write_picture(self.path / name, encode_png(pixels), overwrite=self._overwrite, inputs=self._inputs)
        self._earlier.discard(name)
        self.count += 1

    def close(self) -> None:
        """Take the folder away again if it was made for nothing."""
        if self._made and not self.count:
            with contextlib.suppress(OSError):
                self.path.rmdir()
