"""Still pictures out: encoded in memory, written beside, renamed."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.compositing import as_uint8, blend, solid_plate
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.icc import Pixels16, srgb_profile_bytes

AnyPixels = Pixels | Pixels16
AnyAlpha = Alpha8 | npt.NDArray[np.uint16]

_JPEG_QUALITY = 95
_WEBP_QUALITY = 95

_KINDS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}

SAVE_SUFFIXES = tuple(_KINDS)
"""Endings, in lower case, that `save_image` knows."""


def check_output(path: Path) -> None:
    """Raise UserError (OUTPUT) now if `path` could not be saved later: unknown ending, no folder."""
    if path.suffix.lower() not in _KINDS:
        raise UserError(
            f"“{path}” does not end in a picture format's name.",
            f"Use one of {', '.join(SAVE_SUFFIXES)}.",
            code=ExitCode.OUTPUT,
        )
    if not path.parent.is_dir():
        raise UserError(f"There is no folder “{path.parent}” to write to.", "Make it first.", code=ExitCode.OUTPUT)


def save_image(path: Path, pixels: AnyPixels, *, alpha: AnyAlpha | None = None) -> tuple[str, ...]:
    """Write a picture in the format its name ends in: PNG, JPEG, WebP or TIFF, tagged as sRGB.

    pixels (H, W, 3) and alpha (H, W), each uint8 or uint16, straight. 16 bits are kept by PNG and TIFF
    (a 16-bit TIFF carries no profile) and rounded for the others; JPEG, which has no alpha, shows white
    where the picture is transparent. Returns what was changed, one sentence each.
    The file appears under its name only when it is whole. UserError (OUTPUT) for an unknown ending, a
    size the format cannot hold, an unwritable folder, a full disk; nothing is left behind then.
    """
    check_output(path)
    notes: list[str] = []
    kind = _KINDS[path.suffix.lower()]
    if pixels.dtype == np.uint16 and kind in ("JPEG", "WebP"):
        notes.append(f"{kind} holds 8 bits a channel: the 16-bit colours were rounded.")
        pixels = to_8_bits(pixels)
    if alpha is not None:
        alpha = _at_depth_of(pixels, alpha)
    if alpha is not None and kind == "JPEG":
        notes.append("JPEG has no transparency: the picture was laid on white.")
        pixels, alpha = _on_white(to_8_bits(pixels), to_8_bits(alpha)), None
    _write_beside(path, _encode(path, kind, pixels, alpha))
    return tuple(notes)


def to_8_bits(array: AnyPixels | AnyAlpha) -> npt.NDArray[np.uint8]:
    """Round 0..65535 to 0..255, to the nearest of the values that 257 * x gives; uint8 is returned as is."""
    return as_uint8(array) if array.dtype == np.uint8 else _TO_8_BITS[array]


_TO_8_BITS = ((np.arange(65536, dtype=np.uint32) + 128) // 257).astype(np.uint8)


def _at_depth_of(pixels: AnyPixels, alpha: AnyAlpha) -> AnyAlpha:
    if pixels.dtype == np.uint8:
        return to_8_bits(alpha)
    return np.multiply(alpha, 257, dtype=np.uint16) if alpha.dtype == np.uint8 else alpha


def _on_white(pixels: Pixels, alpha: Alpha8) -> Pixels:
    height, width = alpha.shape
    return blend(pixels, solid_plate((width, height), (255, 255, 255)), alpha)


def _encode(path: Path, kind: str, pixels: AnyPixels, alpha: AnyAlpha | None) -> bytes:
    layers = np.dstack([pixels] if alpha is None else [pixels, alpha])
    try:
        if pixels.dtype == np.uint16:
            return _encode_16_bits(kind, layers.astype(np.uint16, copy=False))
        return _PILLOW_WRITERS[kind](Image.fromarray(layers))
    except (OSError, ValueError, cv2.error) as error:
        raise UserError(
            f"“{path}” cannot be made: {kind} does not take {pixels.shape[1]} x {pixels.shape[0]} pixels.",
            "Use PNG or TIFF, or a smaller picture.",
            code=ExitCode.OUTPUT,
        ) from error


def _encode_16_bits(kind: str, layers: npt.NDArray[np.uint16]) -> bytes:
    """Pillow has no 16-bit colour mode; cv2 writes PNG and (LZW) TIFF."""
    code = cv2.COLOR_RGBA2BGRA if layers.shape[2] == 4 else cv2.COLOR_RGB2BGR
    _, encoded = cv2.imencode(f".{kind.lower()}", cv2.cvtColor(layers, code))
    return _tag_png(encoded.tobytes()) if kind == "PNG" else encoded.tobytes()


def _pillow_writer(pillow_format: str, **options: object) -> Callable[[Image.Image], bytes]:
    def write(image: Image.Image) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, pillow_format, **options)
        return buffer.getvalue()

    return write


_SRGB = srgb_profile_bytes()

_PILLOW_WRITERS: dict[str, Callable[[Image.Image], bytes]] = {
    "PNG": lambda image: _tag_png(_pillow_writer("PNG", compress_level=4)(image)),
    # 4:4:4: halved colour resolution shows first on a saturated matte edge.
    "JPEG": _pillow_writer("JPEG", quality=_JPEG_QUALITY, subsampling=0, icc_profile=_SRGB),
    "WebP": _pillow_writer("WEBP", quality=_WEBP_QUALITY, exact=True, icc_profile=_SRGB),
    "TIFF": _pillow_writer("TIFF", compression="tiff_lzw", icc_profile=_SRGB),
}


def _tag_png(data: bytes) -> bytes:
    """Put an sRGB chunk (perceptual) behind the header: 13 bytes where a profile takes 400."""
    chunk = b"sRGB\x00"
    header_end = 8 + 25
    tagged = (1).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    return data[:header_end] + tagged + data[header_end:]


def _write_beside(path: Path, data: bytes) -> None:
    """Write to `name.part.ext`, flush to the disk, rename; on any failure the part file goes."""
    part = path.with_name(f"{path.stem}.part{path.suffix}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(
            f"“{path}” could not be written: {error.strerror or error}.",
            "Choose another folder or free some space.",
            code=ExitCode.OUTPUT,
        ) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
