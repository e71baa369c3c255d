"""Still pictures in: one safe loader for plates, composites and masks. `save_image` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.compositing import Size, as_uint8, blend, solid_plate
from app.domain.errors import UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.icc import Pixels16
from app.pipeline.image_decoding import Decoded, PictureArray, decode, read_picture_file
from app.pipeline.image_saving import SAVE_SUFFIXES, check_output, save_image, to_8_bits

__all__ = [
    "SAVE_SUFFIXES",
    "Alpha16",
    "LoadedImage",
    "LoadedMask",
    "Pixels16",
    "check_output",
    "image_from_bytes",
    "load_image",
    "load_mask",
    "save_image",
]

Alpha16 = npt.NDArray[np.uint16]
"""(H, W) uint16 coverage, 0..65535."""

_MAX_ASPECT_ERROR = 0.02
"""A mask whose aspect is further off than this belongs to another picture."""


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """A still picture, upright, in sRGB.

    pixels: (H, W, 3) uint8 sRGB RGB, read-only. alpha: (H, W) uint8, straight, None when opaque.
    pixels16, alpha16: the same at 16 bits, (H, W, 3) and (H, W) uint16, when the file has them.
    notes: what was done to it that its owner may want to know, one sentence each.
    """

    pixels: Pixels
    alpha: Alpha8 | None = None
    pixels16: Pixels16 | None = None
    alpha16: Alpha16 | None = None
    notes: tuple[str, ...] = ()

    @property
    def bit_depth(self) -> int:
        """Bits a channel that the picture really has here: 8 or 16."""
        return 8 if self.pixels16 is None else 16

    @property
    def size(self) -> Size:
        """(width, height) in px."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def flattened(self, fill: tuple[int, int, int]) -> Pixels:
        """Pixels over one sRGB colour: what a plate with transparent parts shows there."""
        if self.alpha is None:
            return self.pixels
        return blend(self.pixels, solid_plate(self.size, fill), self.alpha)


@dataclass(frozen=True, slots=True)
class LoadedMask:
    """A mask at the size asked for: alpha (H, W) uint8, and what was done to it."""

    alpha: Alpha8
    notes: tuple[str, ...] = ()


def load_image(path: Path) -> LoadedImage:
    """Read a still picture: PNG, JPEG, WebP, TIFF, BMP or GIF, whatever its name says.

    The EXIF orientation is applied; CMYK, Lab and embedded profiles become sRGB; 16-bit files are
    scaled by 65535 / 255 and kept at 16 bits beside; of an animation the first frame is taken.
    UserError (BAD_INPUT) for anything unreadable, damaged, or over 100 megapixels.
    """
    return image_from_bytes(read_picture_file(path), str(path))


def image_from_bytes(data: bytes, name: str) -> LoadedImage:
    """`load_image` for a file that was read already; `name` is what errors call it."""
    picture = decode(data, name)
    layers, alpha = _split_alpha(picture.array)
    colour: PictureArray = layers[..., [0, 0, 0]] if layers.shape[2] == 1 else layers.copy()
    loaded = LoadedImage(
        pixels=to_8_bits(colour),
        alpha=None if alpha is None else to_8_bits(alpha),
        pixels16=_if_16_bits(colour),
        alpha16=None if alpha is None else _if_16_bits(alpha),
        notes=picture.notes,
    )
    for array in (loaded.pixels, loaded.alpha, loaded.pixels16, loaded.alpha16):
        if array is not None:
            array.setflags(write=False)
    return loaded


def load_mask(path: Path, size: Size) -> LoadedMask:
    """Read any picture as a mask of (width, height): white is foreground.

    Coverage is the picture's alpha channel when that is not opaque everywhere, else its grey value
    (Rec. 601 for colours). Colour profiles are left unapplied: a mask holds coverage, not colour.
    A picture of only 0 and 1 is taken as 0 and 255. Another size is resized, with a note;
    UserError (BAD_INPUT) when the aspect is more than 2 % off, and as for `load_image`.
    """
    picture = decode(read_picture_file(path), str(path), managed=False)
    alpha, notes = _coverage(picture)
    return mask_at_size(LoadedMask(alpha, notes), size, path, kind="mask", of="picture")


def mask_at_size(mask: LoadedMask, size: Size, path: Path, *, kind: str, of: str) -> LoadedMask:
    """The mask at (width, height), with a note when it had to be resized.

    kind, of: what the sentences call it and what it belongs to ("mask" of a "picture"). UserError (BAD_INPUT)
    when its shape is more than 2 % off: it was made for something else.
    """
    height, width = mask.alpha.shape
    if (width, height) == size:
        return mask
    if abs(width * size[1] - height * size[0]) > max(_MAX_ASPECT_ERROR * height * size[0], width, size[1]):
        raise UserError(
            f"The {kind} “{path}” is {width} x {height}, the {of} {size[0]} x {size[1]}: "
            "their shapes differ by more than 2 %.",
            f"Give the {kind} that was made for this {of}.",
        )
    shrinks = width > size[0] or height > size[1]
    resized = cv2.resize(mask.alpha, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    note = f"The {kind} was resized from {width} x {height} to {size[0]} x {size[1]}."
    return LoadedMask(as_uint8(resized), (*mask.notes, note))


def _if_16_bits(array: PictureArray) -> npt.NDArray[np.uint16] | None:
    return array.astype(np.uint16, copy=False) if array.dtype == np.uint16 else None


def _split_alpha(array: PictureArray) -> tuple[PictureArray, PictureArray | None]:
    """(H, W, 1..4) -> colour (H, W, 1 or 3) and alpha (H, W), None when opaque everywhere."""
    if array.shape[2] in (1, 3):
        return array, None
    alpha = array[..., -1].copy()
    opaque = bool((alpha == np.iinfo(alpha.dtype).max).all())
    return array[..., :-1], None if opaque else alpha


def _coverage(picture: Decoded) -> tuple[Alpha8, tuple[str, ...]]:
    """Take alpha if the picture has one to speak of, else its grey value."""
    colour, alpha = _split_alpha(picture.array)
    if alpha is not None:
        return to_8_bits(alpha), picture.notes
    colour8 = to_8_bits(colour)
    grey = colour8[..., 0] if colour8.shape[2] == 1 else as_uint8(cv2.cvtColor(colour8, cv2.COLOR_RGB2GRAY))
    if colour.max() == 1:
        note = "The mask holds only 0 and 1: 1 was taken as fully covered."
        return as_uint8((colour > 0).any(axis=2) * 255), (*picture.notes, note)
    return np.ascontiguousarray(grey), picture.notes
