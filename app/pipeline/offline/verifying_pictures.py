"""A finished folder of numbered pictures read back."""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import OpenEXR
from PIL import Image

from app.domain.compositing import Size
from app.domain.errors import UserError
from app.pipeline.image_decoding import decode, read_picture_file
from app.pipeline.mask.picture_folder import picture_name
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.offline.checks import Check

_DECODED: Final = 16
"""Pictures decoded in full, spread evenly, first and last among them; all of them would take as long as rendering."""

_PNG_BEGIN: Final = b"\x89PNG\r\n\x1a\n"
_EXR_BEGIN: Final = b"v/1\x01"
_PNG_END: Final = b"IEND\xaeB`\x82"
_HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class ExpectedPictures:
    """What a folder has to hold: so many pictures of that size and ending, numbered from `first` without gaps.

    stem: what they are called; other pictures in the folder are no matter then. None looks at all.
    """

    count: int
    size: Size
    suffix: str
    first: int | None = None
    has_alpha: bool | None = None
    stem: str | None = None


def verify_pictures(folder: Path, expected: ExpectedPictures) -> tuple[Check, ...]:
    """Look at every picture's header and decode some in full. Never raises for what is wrong with them."""
    numbered = _numbered(folder, expected.suffix)
    if expected.stem is not None:  # Others may lie there too, and more of an earlier, longer delivery.
        ours = {picture_name(expected.stem, number, expected.suffix) for number in range(expected.count)}
        numbered = {number: path for number, path in numbered.items() if path.name in ours}
    paths = [numbered[number] for number in sorted(numbered)]
    headless = [path.name for path in paths if _size(path) != expected.size]
    decoded = [_alpha_of(paths[round(i)]) for i in _spread(len(paths))]
    damaged = sum(alpha is None for alpha in decoded)
    checks = [
        Check.equal("pictures", expected.count, len(paths)),
        Check("numbers", *_gaps(sorted(numbered), expected)),
        Check("headers", not headless, "whole, of the size asked for", _some(headless)),
        Check("decoding", not damaged, "no errors", f"{damaged} of {len(decoded)} looked at are damaged"),
    ]
    if expected.has_alpha is not None:
        same = all(alpha in (None, expected.has_alpha) for alpha in decoded)
        checks.append(Check("alpha", same, str(expected.has_alpha), str(expected.has_alpha == same)))
    return tuple(checks)


def _numbered(folder: Path, suffix: str) -> dict[int, Path]:
    """Files by the number that their name ends in."""
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() == suffix.lower()]
    except OSError:
        return {}
    ends = ((re.search(r"(\d+)$", path.stem), path) for path in files)
    return {int(end[1]): path for end, path in ends if end is not None}


def _gaps(numbers: list[int], expected: ExpectedPictures) -> tuple[bool, str, str]:
    first = expected.first if expected.first is not None else (numbers[0] if numbers else 0)
    wanted = range(first, first + expected.count)
    missing = sorted(set(wanted) - set(numbers))
    found = f"{len(missing)} missing, the first {missing[0]}" if missing else "none missing"
    return numbers == list(wanted), f"{first} to {wanted[-1] if wanted else first}", found


def _some(names: list[str]) -> str:
    return f"{len(names)} are not, the first “{names[0]}”" if names else "whole, of the size asked for"


def _spread(count: int) -> Iterator[float]:
    places = min(count, _DECODED)
    return (i * (count - 1) / max(1, places - 1) for i in range(places))


def _size(path: Path) -> Size | None:
    """(width, height) by the header alone; None when it is damaged, or the file visibly cut off."""
    try:
        if path.suffix.lower() == ".png":
            return _png_size(path)
        if path.suffix.lower() == ".exr":
            return _exr_size(path)
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=["TIFF"]) as image:
            return image.size
    except (OSError, ValueError, SyntaxError, struct.error):
        return None


def _png_size(path: Path) -> Size:
    """Read the first chunk; the last has to be there too (PNG specification, 5.6)."""
    with path.open("rb") as file:
        head = file.read(24)
        file.seek(-len(_PNG_END), 2)
        if head[:8] != _PNG_BEGIN or file.read() != _PNG_END:
            raise ValueError("no PNG, or cut off")
    width, height = struct.unpack(">II", head[16:24])
    return width, height


def _exr_size(path: Path) -> Size:
    """Find the header's dataWindow: attributes are name, type (both ended by 0), length and data (OpenEXR layout)."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:4] != _EXR_BEGIN:
        raise ValueError("no EXR")
    place = 8
    while head[place]:
        name, kind = head[place:].split(b"\0", 2)[:2]
        start = place + len(name) + len(kind) + 2
        (length,) = struct.unpack_from("<i", head, start)
        if name == b"dataWindow":
            left, top, right, bottom = struct.unpack_from("<4i", head, start + 4)
            return right - left + 1, bottom - top + 1
        place = start + 4 + max(0, length)
        if place >= len(head):
            break
    raise ValueError("no dataWindow")


def _alpha_of(path: Path) -> bool | None:
    """Decode a picture in full: whether it has alpha; None when it can't be decoded, or only in part."""
    try:
        if path.suffix.lower() == ".exr":
            return _alpha_of_exr(path)
        return decode(read_picture_file(path), path.name, managed=False).array.shape[2] in (2, 4)
    except (UserError, *MEDIA_ERRORS):
        return None


def _alpha_of_exr(path: Path) -> bool:
    try:
        with OpenEXR.File(str(path), separate_channels=True) as picture:
            return "A" in picture.channels()
    except (RuntimeError, TypeError) as error:
        raise ValueError("not one whole picture") from error
