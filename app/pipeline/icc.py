"""Embedded colour profiles to sRGB: 8 bits by LittleCMS, 16 bits by the profile's own matrix and curves."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

Pixels16 = npt.NDArray[np.uint16]
"""(H, W, 3) uint16, sRGB-encoded RGB, 0..65535."""

_SPACE_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}
"""ICC colour space -> the Pillow mode that LittleCMS reads for it."""

_SAME_WITHIN = 1
"""A profile that moves no probe colour by more than this many levels is sRGB under some name."""

_XYZ_D50_TO_LINEAR_SRGB = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]
)
"""IEC 61966-2-1 primaries, Bradford-adapted to the profile connection space's white (Lindbloom)."""

_ROWS_AT_ONCE = 256
"""Float working memory of a 100-megapixel picture stays at some tens of megabytes."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An embedded profile that LittleCMS could parse.

    mode: the Pillow mode its numbers belong to. is_srgb: converting would change nothing.
    """

    data: bytes
    name: str
    mode: str
    is_srgb: bool


def parse_profile(data: bytes) -> Profile | None:
    """Read an embedded profile; None when it is damaged or of a colour space pictures do not have."""
    try:
        handle = ImageCms.ImageCmsProfile(io.BytesIO(data))
        mode = _SPACE_MODES.get(handle.profile.xcolor_space.strip())
        if mode is None:
            return None
        name = (handle.profile.profile_description or "unnamed").strip()
        return Profile(data, name, mode, is_srgb=_is_srgb(handle, mode))
    except (OSError, ValueError, TypeError, ImageCms.PyCMSError):
        return None


def srgb_profile_bytes() -> bytes:
    """The ICC profile that tags a file as sRGB (588 bytes)."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def to_srgb8(image: Image.Image, profile: Profile) -> Image.Image:
    """Convert an image in the profile's mode to sRGB, mode "RGB": relative, black points matched."""
    return _transform(image, ImageCms.ImageCmsProfile(io.BytesIO(profile.data)))


def lab_to_srgb8(image: Image.Image) -> Image.Image:
    """Convert an image in mode "LAB" (D50) to sRGB, mode "RGB"."""
    return _transform(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))


def to_srgb16(pixels: Pixels16, profile: Profile) -> Pixels16 | None:
    """Convert 16-bit RGB (grey as R = G = B) by matrix and tone curves; None for a profile of another build.

    Pillow hands LittleCMS 8-bit pictures only, so this evaluates the three-component matrix model of
    ICC.1:2022, annex F.3: device -> curve -> XYZ (D50) -> linear sRGB -> encoded, in float64.
    Colours outside sRGB are clipped.
    """
    model = _matrix_model(profile.data)
    if model is None:
        return None
    curves, to_xyz = model
    to_linear = (_XYZ_D50_TO_LINEAR_SRGB @ to_xyz).T
    out = np.empty_like(pixels)
    for top in range(0, len(pixels), _ROWS_AT_ONCE):
        rows = pixels[top : top + _ROWS_AT_ONCE]
        linear = np.stack([curves[channel][rows[..., channel]] for channel in range(3)], axis=-1)
        out[top : top + _ROWS_AT_ONCE] = np.rint(_encode(linear @ to_linear) * 65535)
    return out


def _transform(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # noqa: S101 - None only when asked to convert in place
    return converted


def _is_srgb(handle: ImageCms.ImageCmsProfile, mode: str) -> bool:
    if mode not in ("RGB", "L"):
        return False
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    probe = colours if mode == "RGB" else np.arange(256, dtype=np.uint8)[None]
    moved = np.asarray(_transform(Image.fromarray(probe), handle)).astype(int)
    return bool(np.abs(moved - (probe if mode == "RGB" else probe[..., None])).max() <= _SAME_WITHIN)


def _encode(linear: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Linear light to sRGB's encoding (IEC 61966-2-1), clipped to 0..1."""
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def _matrix_model(data: bytes) -> tuple[list[npt.NDArray[np.float64]], npt.NDArray[np.float64]] | None:
    """Tone curves as 65536-entry tables and the (3, 3) matrix to XYZ; None if the profile has none."""
    try:
        tags = _tags(data)
        if "A2B0" in tags:  # the lookup table outranks the matrix (ICC.1:2022, 8.2)
            return None
        if "kTRC" in tags:  # grey: R = G = B before and after
            return [_curve(tags["kTRC"])] * 3, np.linalg.inv(_XYZ_D50_TO_LINEAR_SRGB)
        matrix = np.stack([_xyz(tags[f"{channel}XYZ"]) for channel in "rgb"], axis=1)
        return [_curve(tags[f"{channel}TRC"]) for channel in "rgb"], matrix
    except (KeyError, ValueError, IndexError, struct.error):
        return None


def _tags(data: bytes) -> dict[str, bytes]:
    """Tag signature -> its bytes (ICC.1:2022, 7.3)."""
    (count,) = struct.unpack_from(">I", data, 128)
    tags = {}
    for index in range(min(count, 100)):
        signature, offset, size = struct.unpack_from(">4sII", data, 132 + 12 * index)
        tags[signature.decode("latin-1")] = data[offset : offset + size]
    return tags


def _xyz(tag: bytes) -> npt.NDArray[np.float64]:
    return np.frombuffer(tag, ">i4", 3, 8) / 65536


def _curve(tag: bytes) -> npt.NDArray[np.float64]:
    """Evaluate a tone curve at all 65536 levels (ICC.1:2022, 10.6 and 10.18)."""
    level = np.linspace(0, 1, 65536)
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        return _parametric(level, kind, [float(p) for p in np.frombuffer(tag, ">i4", -1, 12) / 65536])
    if tag[:4] != b"curv":
        raise ValueError(tag[:4])
    (count,) = struct.unpack_from(">I", tag, 8)
    table = np.frombuffer(tag, ">u2", count, 12)
    if count == 0:
        return level
    if count == 1:
        return np.asarray(level ** (float(table[0]) / 256))
    return np.interp(level, np.linspace(0, 1, count), table / 65535)


def _parametric(level: npt.NDArray[np.float64], kind: int, p: list[float]) -> npt.NDArray[np.float64]:
    """ICC.1:2022, table 68: (scale * x + offset) ** gamma + lift from `start` on, a line below it."""
    scale, offset, slope, start, lift, foot = 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    match kind, p:
        case 0, [gamma, *_]:
            pass
        case 1, [gamma, scale, offset, *_]:
            start = -offset / scale
        case 2, [gamma, scale, offset, lift, *_]:
            start, foot = -offset / scale, lift
        case 3, [gamma, scale, offset, slope, start, *_]:
            pass
        case 4, [gamma, scale, offset, slope, start, lift, foot, *_]:
            pass
        case _:
            raise ValueError(f"parametric curve of kind {kind} with {len(p)} numbers")
    power = np.maximum(scale * level + offset, 0) ** gamma + lift
    return np.where(level >= start, power, slope * level + foot)
