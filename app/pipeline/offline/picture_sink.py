"""Deliveries as numbered pictures: PNG, TIFF or OpenEXR, one file each."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.errors import ExitCode, UserError
from app.pipeline.icc import srgb_profile_bytes
from app.pipeline.image_saving import to_8_bits
from app.pipeline.mask.picture_folder import (
    earlier_error,
    folder_error,
    make_folder,
    numbered_pictures,
    picture_name,
    write_picture,
)
from app.pipeline.offline.formats import Encoding
from app.pipeline.offline.sinks import Picture
from app.pipeline.png_encoding import encode_png, packed

SUFFIXES: Final = {"png": ".png", "tiff": ".tif", "exr": ".exr"}
"""Formats of pictures and the endings of their files."""

_STRIP_ROWS: Final = 64
_SRGB: Final = srgb_profile_bytes()


class PictureSink:
    """Writes `<stem>_000000.png` and so on into a folder, made if it is missing; a `Sink`.

    Pictures are independent: several of these, in one process or many, fill one folder with different numbers, and a
    number is written again after its writer was killed. Each picture appears under its name when it is whole and on the
    disk, so there is nothing to finish, and nothing to take back: those written stay when the rest fails.

    overwrite: whether names may be taken already, by this delivery's own earlier attempts or, after `check_folder` has
    allowed it, by another's. inputs: files that are read, never replaced. total: pictures of the whole delivery, where
    that is known. UserError (OUTPUT): the folder can't be had.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        *,
        encoding: Encoding,
        overwrite: bool,
        inputs: Iterable[Path] = (),
        total: int | None = None,
    ) -> None:
        self.folder = folder
        self.count = 0
        self._stem, self._suffix = stem, SUFFIXES[encoding.format]
        self._encode = encoder_of(encoding)
        self._overwrite, self._inputs, self._total = overwrite, tuple(inputs), total
        make_folder(folder)
        _refuse_own_source(folder, self._inputs)

    def append(self, picture: Picture, *, pts: int, number: int) -> None:
        """Write one picture; pts plays no part: numbers are a sequence's only clock.

        UserError (OUTPUT) when it can't be written; nothing half-written stays. ValueError for a number that is not the
        delivery's.
        """
        if number < 0 or (self._total is not None and number >= self._total):
            raise ValueError(f"picture {number} of {self._total}")
        path = self.folder / picture_name(self._stem, number, self._suffix)
        write_picture(path, self._encode(picture), overwrite=self._overwrite, inputs=self._inputs)
        self.count += 1

    def close(self) -> None:
        """Nothing is left to do."""

    def abort(self) -> None:
        """Nothing is half done; whole pictures stay, like those of segments that were finished."""


def check_folder(folder: Path, stem: str, suffix: str, *, overwrite: bool, inputs: Iterable[Path] = ()) -> None:
    """Raise UserError (OUTPUT) now if pictures could not be written into `folder` later. Nothing is made.

    It is a file or one of the inputs, there is no folder to make it in, it may not be written to, or pictures of that
    stem are there and `overwrite` is off.
    """
    if not folder.exists():
        parent = folder.absolute().parent
        if not parent.is_dir():
            raise UserError(f"The folder “{parent}” does not exist.", "Make it first.", code=ExitCode.OUTPUT)
        if not os.access(parent, os.W_OK):
            raise folder_error(parent, "may not be written to")
        return
    if not folder.is_dir():
        raise folder_error(folder, "is a file, not a folder")
    _refuse_own_source(folder, inputs)
    if not os.access(folder, os.W_OK):
        raise folder_error(folder, "may not be written to")
    count = len(numbered_pictures(folder, stem, suffix))
    if count and not overwrite:
        raise earlier_error(folder, count)


def left_over(folder: Path, stem: str, suffix: str, total: int) -> int:
    """Pictures of an earlier, longer delivery that lie behind the `total` of this one."""
    ours = {picture_name(stem, number, suffix) for number in range(total)}
    return len(numbered_pictures(folder, stem, suffix) - ours)


def encoder_of(encoding: Encoding) -> Callable[[Picture], bytes]:
    """What makes a file of a picture, (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGB and alpha, at the encoding's depth.

    For EXR the colours are to be straight, whatever is to be in the file; else as they are to be in the file. Without
    an encoding's own depth PNG and TIFF have the picture's.
    """
    is_premultiplied = encoding.alpha == "premultiplied"
    if encoding.format == "exr":
        from app.pipeline.offline.exr import encode_exr

        return lambda picture: encode_exr(picture, premultiplied=is_premultiplied)
    if encoding.format == "tiff":
        return lambda picture: encode_tiff(_at_depth(picture, encoding.depth), premultiplied=is_premultiplied)
    return lambda picture: encode_png(_at_depth(picture, encoding.depth))


def encode_tiff(picture: Picture, *, premultiplied: bool = False) -> bytes:
    """A TIFF in deflated strips of differences, 8 or 16 bits, colours tagged as sRGB by a profile.

    Alpha is marked as associated where it is `premultiplied`, else as unassociated (TIFF 6.0, section 18). 1080p, CPU
    time: RGB 56 ms and 1.7 MB, 16-bit RGB with noise 110 ms and 9.6 MB (OpenCV's LZW: 58 and 1.7, 180 and 11.9).
    """
    from tifffile import TiffWriter  # a quarter of a second, for one format in thirteen

    is_colour, has_alpha = picture.ndim == 3, picture.ndim == 3 and picture.shape[2] == 4
    buffer = io.BytesIO()
    with TiffWriter(buffer) as file:
        file.write(
            _strips(picture),
            shape=picture.shape,
            dtype=picture.dtype,
            photometric="rgb" if is_colour else "minisblack",
            planarconfig="contig" if is_colour else None,
            extrasamples=(["assocalpha" if premultiplied else "unassalpha"] if has_alpha else None),
            compression="zlib",
            predictor=True,
            rowsperstrip=_STRIP_ROWS,
            iccprofile=_SRGB if is_colour else None,
            software="PlateMatch",
            metadata=None,
        )
    return buffer.getvalue()


def _strips(picture: Picture) -> Iterator[bytes]:
    """Compressed runs of rows; every sample as its difference from the one to the left (TIFF 6.0, section 14)."""
    for row in range(0, picture.shape[0], _STRIP_ROWS):
        rows = picture[row : row + _STRIP_ROWS]
        differences = rows.copy()
        np.subtract(rows[:, 1:], rows[:, :-1], out=differences[:, 1:])
        yield packed(differences)


def _at_depth(picture: Picture, depth: int | None) -> Picture:
    if depth is None or (depth == 8) == (picture.dtype == np.uint8):
        return picture
    return to_8_bits(picture) if depth == 8 else np.multiply(picture, 257, dtype=np.uint16)


def _refuse_own_source(folder: Path, inputs: Iterable[Path]) -> None:
    for source in inputs:
        if source.is_dir() and source.resolve() == folder.resolve():
            raise UserError(
                f"“{folder}” is the folder that the pictures are read from.",
                "Choose another one.",
                code=ExitCode.OUTPUT,
            )
