"""Pictures of 16 bits a channel, which Pillow reads at 8 bits only: by cv2, checked against Pillow."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from app.pipeline.icc import Profile, to_srgb16


def has_16_bits(image: Image.Image, data: bytes) -> bool:
    """Whether the file holds 16 bits a channel in a way that `read_16_bits` knows."""
    if image.format == "PNG":
        return data[24:25] == b"\x10"
    tags = getattr(image, "tag_v2", {})
    # Grey (either way up) and RGB; what else a TIFF can hold is left to Pillow, at 8 bits.
    return set(tags.get(258, ())) == {16} and tags.get(262) in (0, 1, 2)


def read_16_bits(
    image: Image.Image, data: bytes, profile: Profile | None, *, notes: list[str]
) -> npt.NDArray[np.uint16] | None:
    """Decode at full depth, in sRGB; None when that cannot be done and 8 bits must do."""
    array = _grey_16_bits(image) if image.mode.startswith("I;16") else _colour_16_bits(image, data)
    if array is None or profile is None or profile.is_srgb:
        return array
    return _managed_16_bits(array, profile, notes)


def _grey_16_bits(image: Image.Image) -> npt.NDArray[np.uint16]:
    grey = np.asarray(image).astype(np.uint16, copy=False)[..., None]
    white_is_zero = getattr(image, "tag_v2", {}).get(262) == 0
    return np.invert(grey) if white_is_zero else grey


def _colour_16_bits(image: Image.Image, data: bytes) -> npt.NDArray[np.uint16] | None:
    """By cv2, since Pillow has no mode for it; None when cv2 does not make the same picture of the file."""
    # cv2 would print libpng's remarks about profiles and texts: it gets the picture data alone.
    body = _bare_png(data) if image.format == "PNG" else data
    array = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16 or array.shape[:2] != image.size[::-1]:
        return None
    codes = {1: cv2.COLOR_GRAY2RGB, 3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
    channels = 1 if array.ndim == 2 else array.shape[2]
    return np.asarray(cv2.cvtColor(array, codes[channels])).astype(np.uint16, copy=False)


def _bare_png(data: bytes) -> bytes:
    """Keep the chunks that make the picture."""
    kept, position = [data[:8]], 8
    while position + 8 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        if data[position + 4 : position + 8] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[position : position + 12 + length])
        position += 12 + length
    return b"".join(kept)


def _managed_16_bits(
    array: npt.NDArray[np.uint16], profile: Profile, notes: list[str]
) -> npt.NDArray[np.uint16] | None:
    colour = array[..., : 3 if array.shape[2] >= 3 else 1]
    if profile.mode != ("RGB" if colour.shape[2] == 3 else "L"):
        notes.append(f"Its colour profile “{profile.name}” is for another kind of picture and was ignored.")
        return array
    converted = to_srgb16(np.broadcast_to(colour, (*colour.shape[:2], 3)), profile)
    if converted is None:
        notes.append("Its colour profile is a lookup table: the picture was converted at 8 bits.")
        return None
    notes.append(f"Colours were converted from “{profile.name}” to sRGB.")
    has_alpha = array.shape[2] in (2, 4)
    return np.dstack([converted, array[..., -1]]) if has_alpha else converted
