"""Hostile or odd picture files to plain arrays, upright and in sRGB."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from app.domain.errors import UserError
from app.pipeline.icc import Profile, lab_to_srgb8, parse_profile, to_srgb8
from app.pipeline.image_depth import has_16_bits, read_16_bits

PIXEL_LIMIT = 100_000_000
"""Of one picture: at 16 bits with alpha that is 800 MB decoded."""

FILE_LIMIT_BYTES = 1 << 30

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""Known by content. Formats whose readers start other programs or follow references stay out."""

_FORMATS_HINT = "PNG, JPEG, WebP, TIFF, BMP and GIF pictures are read, whatever the file's name ends in."

_SIGNATURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"BM")

_ORIENTATION_TAG = 274

# Pillow's own guard stands behind the check below; its warning is made an error too.
Image.MAX_IMAGE_PIXELS = PIXEL_LIMIT
warnings.simplefilter("error", Image.DecompressionBombWarning)

PictureArray: TypeAlias = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""(H, W, C), C = 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha; straight, uint8 or uint16."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An upright picture and what was done to it, one sentence each."""

    array: PictureArray
    notes: tuple[str, ...]


def read_picture_file(path: Path) -> bytes:
    """Read a whole file. UserError when missing, not a regular file, empty, over 1 GiB or forbidden."""
    try:
        if not path.exists():
            raise UserError(f"There is no picture “{path}”.", "Check the name and the folder.")
        if not path.is_file():
            raise UserError(f"“{path}” is not a file.", "Give one picture file.")
        size_bytes = path.stat().st_size
        if size_bytes == 0:
            raise UserError(f"The picture “{path}” is empty (0 bytes).", "Copy or export it again.")
        if size_bytes > FILE_LIMIT_BYTES:
            raise UserError(f"“{path}” is larger than 1 GiB.", "Save the picture compressed, or smaller.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"The picture “{path}” cannot be read: {reason}.", "Check its permissions.") from error


def is_picture(first_bytes: bytes) -> bool:
    """Whether a file that begins like this (12 bytes are enough) is of a picture format read here."""
    if first_bytes[:4] == b"RIFF":
        return first_bytes[8:12] == b"WEBP"
    return first_bytes.startswith(_SIGNATURES)


def decode(data: bytes, name: str, *, managed: bool = True) -> Decoded:
    """Decode a picture file; `managed` converts CMYK, Lab and embedded profiles to sRGB.

    UserError (BAD_INPUT), with `name` in it, for anything that is not a whole picture of a known format
    within the pixel limit.
    """
    with _reported(name), Image.open(io.BytesIO(data), formats=_FORMATS) as image:
        width, height = image.size
        if width * height > PIXEL_LIMIT:
            raise _too_large(name, f"{width} x {height} ({width * height / 1e6:.0f} megapixels)")
        notes: list[str] = []
        if getattr(image, "is_animated", False) and image.format != "MPO":
            notes.append("The file holds several pictures; the first one is used.")
        deep = has_16_bits(image, data)
        if not deep and image.mode.startswith(("I", "F")):
            message = f"The values of the picture “{name}” are neither 8 nor 16 bits wide."
            raise UserError(message, "Save it with 8 or 16 bits a channel.")
        image.load()  # raises for a damaged or cut-off file, which cv2 decodes in part and in silence
        profile = _profile(image, notes) if managed else None
        array: PictureArray | None = read_16_bits(image, data, profile, notes=notes) if deep else None
        if array is None:
            array = _read_8_bits(image, profile, notes, managed=managed)
        return Decoded(_upright(array, _orientation(image)), tuple(notes))


@contextmanager
def _reported(name: str) -> Iterator[None]:
    """Turn whatever a decoder throws at a hostile file into one sentence."""
    try:
        yield
    except UserError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        count = re.search(r"\d{6,}", str(error))
        size = f"{int(count[0]) / 1e6:.0f} megapixels" if count else "larger"
        raise _too_large(name, size) from error
    except UnidentifiedImageError as error:
        raise UserError(f"“{name}” is not a picture this program can read.", _FORMATS_HINT) from error
    except MemoryError as error:
        raise UserError(f"There is not enough memory to read “{name}”.", "Make it smaller first.") from error
    except Exception as error:  # Pillow lets ValueError, SyntaxError and struct.error escape its documented ones
        message = f"The picture “{name}” is damaged or cut off: {str(error).rstrip('.')}."
        raise UserError(message, "Copy or export it again.") from error


def _too_large(name: str, size: str) -> UserError:
    return UserError(
        f"The picture “{name}” is too large: {size}; the limit is {PIXEL_LIMIT // 1_000_000} megapixels.",
        "Make it smaller first.",
    )


def _profile(image: Image.Image, notes: list[str]) -> Profile | None:
    data = image.info.get("icc_profile")
    if not data:
        return None
    profile = parse_profile(data)
    if profile is None:
        notes.append("Its embedded colour profile is damaged and was ignored.")
    return profile


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1..8. Read after `load`: Pillow turns TIFF pictures itself and drops the tag."""
    try:
        value = image.getexif().get(_ORIENTATION_TAG, 1)
        return int(value) if int(value) in range(1, 9) else 1
    except Exception:  # broken EXIF data never stands between the user and a whole picture
        return 1


def _upright(array: PictureArray, orientation: int) -> PictureArray:
    """Apply the orientation (EXIF 3.0, 4.6.5.1.6): from 5 on rows and columns are exchanged."""
    if orientation >= 5:
        array = array.transpose(1, 0, 2)
        orientation = {5: 1, 6: 2, 7: 3, 8: 4}[orientation]
    rows = slice(None, None, -1) if orientation in (3, 4) else slice(None)
    columns = slice(None, None, -1) if orientation in (2, 3) else slice(None)
    return np.ascontiguousarray(array[rows, columns])


def _read_8_bits(
    image: Image.Image, profile: Profile | None, notes: list[str], *, managed: bool
) -> npt.NDArray[np.uint8]:
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    colour = image.convert("RGB") if image.mode not in ("L", "RGB", "CMYK", "LAB") else image
    if image.mode == "1":
        colour = image.convert("L")
    array = np.asarray(_to_srgb(colour, profile, notes) if managed else _plain(colour))
    layers = [array] if alpha is None else [array, alpha]
    return np.dstack(layers)


def _to_srgb(colour: Image.Image, profile: Profile | None, notes: list[str]) -> Image.Image:
    if profile is not None and profile.mode != colour.mode and colour.mode != "L":
        notes.append(f"Its colour profile “{profile.name}” is for another kind of picture and was ignored.")
        profile = None
    if colour.mode == "LAB":
        return lab_to_srgb8(colour)
    if profile is None or profile.is_srgb:
        if colour.mode == "CMYK":
            notes.append("The CMYK picture names no colour profile: its colours are a guess.")
        return _plain(colour)
    notes.append(f"Colours were converted from “{profile.name}” to sRGB.")
    return to_srgb8(colour if colour.mode == profile.mode else colour.convert(profile.mode), profile)


def _plain(colour: Image.Image) -> Image.Image:
    """To grey or RGB without a profile."""
    return colour if colour.mode in ("L", "RGB") else colour.convert("RGB")
