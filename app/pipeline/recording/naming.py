"""Names of recordings and snapshots: a date and time, never one that is taken."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from app.domain.errors import ExitCode, UserError
from app.pipeline.video_output import part_path, renamed_unless_taken, sync_to_disk

COMPANIONS: Final = ("original", "matte")

RECOVERED: Final = " recovered"
"""What a recovered file's name ends in; a copy that was cut short is no recording of its own."""

_PART: Final = re.compile(r"PlateMatch \d{4}-\d\d-\d\d \d\d-\d\d-\d\d.*\.part\.(mp4|mkv|webm)", re.DOTALL)

_NUMBERED: Final = re.compile(r"(?P<stem>.*) \((?P<number>\d{1,9})\)", re.DOTALL)


def stem_for(moment: datetime) -> str:
    """`PlateMatch 2026-11-23 12-00-00`: sorts by time and holds no character a file system forbids."""
    return f"PlateMatch {moment:%Y-%m-%d %H-%M-%S}"


def is_our_part(path: Path) -> bool:
    """Whether the name is one that a recording has while it grows."""
    return _PART.fullmatch(path.name) is not None and RECOVERED not in path.name


def final_name(part: Path) -> Path:
    """`x.part.mp4` -> `x.mp4`."""
    return part.with_name(part.name.removesuffix(f".part{part.suffix}") + part.suffix)


def numbered(path: Path) -> Iterator[Path]:
    """`x.mp4`, `x (2).mp4`, `x (3).mp4` ...; a name that has a number already goes on from it."""
    yield path
    found = _NUMBERED.fullmatch(path.stem)
    stem, first = (found["stem"], int(found["number"]) + 1) if found else (path.stem, 2)
    for number in count(first):
        yield path.with_name(f"{stem} ({number}){path.suffix}")


def free_names(path: Path, companions: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """Find the first number for which neither the file nor a companion (`x (2) matte.mp4`) exists, whole or growing.

    The file itself comes first.
    """
    for main in numbered(path):
        names = (main, *(main.with_name(f"{main.stem} {word}{main.suffix}") for word in companions))
        if not any(name.exists() or part_path(name).exists() for name in names):
            return names
    raise AssertionError("numbers do not end")


def kept_parts(path: Path) -> tuple[Path, Path] | None:
    """The original and the matte kept with a recording, by the name of any of the three; None unless both are there."""
    stem = path.stem
    for word in COMPANIONS:
        stem = stem.removesuffix(f" {word}")
    original, matte = (path.with_name(f"{stem} {word}{path.suffix}") for word in COMPANIONS)
    return (original, matte) if original.is_file() and matte.is_file() else None


def checked_folder(folder: Path) -> Path:
    """Return the absolute folder. UserError (OUTPUT) when it is missing."""
    if not folder.is_dir():
        raise UserError(f"There is no folder “{folder}” to save to.", "Choose another one.", code=ExitCode.OUTPUT)
    return folder.resolve()


def put_in_place(part: Path, wanted: Path) -> Path:
    """Rename a finished file to `wanted` or the next free number, on the disk before it is visible. OSError."""
    sync_to_disk(part)
    for name in numbered(wanted):
        if renamed_unless_taken(part, name):
            sync_to_disk(name.parent)
            return name
    raise AssertionError("numbers do not end")
