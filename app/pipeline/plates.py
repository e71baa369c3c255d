"""What the person is put in front of: a picture, a looping video, a colour, or their own room blurred."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Final

from app.domain.compositing import BLACK, FitMode, Rgb, rgb_from_hex
from app.domain.errors import UserError
from app.pipeline.image_decoding import is_picture, read_picture_file
from app.pipeline.images import image_from_bytes
from app.pipeline.plate_kinds import BlurPlate, ColourPlate, ImagePlate, OpenPlate, Plate, VideoPlate
from app.pipeline.plate_sync import PLAIN_LOOP, PlateSync

__all__ = [
    "COLOURS",
    "DEFAULT_PLATES",
    "BlurPlate",
    "ColourPlate",
    "ImagePlate",
    "OpenPlate",
    "Plate",
    "PlateSync",
    "VideoPlate",
    "open_plate",
]

DEFAULT_PLATES: Final[Mapping[str, str]] = MappingProxyType(
    {
        name: f"{name}.jpg"
        for name in (
            "sunset",
            "night-street",
            "studio",
            "forest",
            "mountains",
            "neon",
            "library",
            "loft",
        )
    }
)
"""The plates that come with the program: name -> file in the package `assets`, folder `plates`."""

COLOURS: Final[Mapping[str, Rgb]] = MappingProxyType(
    {
        "black": (0, 0, 0),
        "white": (255, 255, 255),
        "grey": (128, 128, 128),
        "gray": (128, 128, 128),
        "navy": (0, 0, 128),
        "teal": (0, 128, 128),
        "beige": (245, 245, 220),
        "green": (0, 177, 64),
        "blue": (0, 71, 187),
    }
)
"""Colours with a name; green and blue are those of key screens."""


def open_plate(
    spec: str,
    *,
    fit: FitMode = "cover",
    fill: Rgb = BLACK,
    sync: PlateSync = PLAIN_LOOP,
    seekable: bool = False,
) -> OpenPlate:
    """Open a plate by what the user calls it.

    spec: a default's name, "blur" or "blur:RADIUS" (px of the output), "#rgb" or "#rrggbb",
    "color:NAME", else the path of a picture or a video, known by their content. A file whose name is
    one of those words is meant by "./NAME". fill (sRGB) shows where the plate does not reach: beside
    it with fit "contain", and through transparent parts of a picture. sync, seekable: of a video, see
    `VideoPlate`; other plates don't move. UserError (BAD_INPUT) for anything else, naming what there is.
    """
    file_plate = partial(_file_plate, video=partial(VideoPlate, sync=sync, seekable=seekable))
    for maker in (_default_plate, _blur_plate, _colour_plate, file_plate):
        plate = maker(spec, fit, fill)
        if plate is not None:
            return plate
    raise UserError(
        f"There is no plate “{spec}”.",
        f"Give a picture or video file, one of {', '.join(DEFAULT_PLATES)}, blur, or a colour like #204060.",
    )


def _default_plate(spec: str, fit: FitMode, fill: Rgb) -> OpenPlate | None:
    if spec not in DEFAULT_PLATES:
        return None
    data = resources.files("assets").joinpath("plates", DEFAULT_PLATES[spec]).read_bytes()
    return ImagePlate(image_from_bytes(data, spec).pixels, fit=fit, fill=fill)


def _blur_plate(spec: str, fit: FitMode, fill: Rgb) -> OpenPlate | None:
    match = re.fullmatch(r"blur(?::(\d+(?:\.\d+)?))?", spec)
    if match is None:
        if spec.startswith("blur:"):
            raise UserError(f"“{spec}” is not a blur.", "Give a radius in pixels, such as blur:30.")
        return None
    return BlurPlate(float(match[1]) if match[1] else None, fit=fit, fill=fill)


def _colour_plate(spec: str, fit: FitMode, fill: Rgb) -> OpenPlate | None:
    name = re.sub(r"^colou?r:", "", spec)
    if name == spec and not spec.startswith("#"):
        return None
    if name.lower() in COLOURS:
        return ColourPlate(COLOURS[name.lower()])
    rgb = rgb_from_hex(name)
    if rgb is None:
        hint = f"Give #rrggbb or color: and one of {', '.join(COLOURS)}."
        raise UserError(f"“{spec}” is not a colour.", hint)
    return ColourPlate(rgb)


def _file_plate(spec: str, fit: FitMode, fill: Rgb, *, video: Callable[..., OpenPlate]) -> OpenPlate | None:
    if not spec:
        return None
    path = Path(spec)
    try:
        if not path.exists():
            return None
        with path.open("rb") as file:
            opened = _image_file if is_picture(file.read(12)) else video
    except (OSError, ValueError):
        opened = _image_file  # a folder or a forbidden file: read again there, which says why
    return opened(path, fit=fit, fill=fill)


def _image_file(path: Path, *, fit: FitMode, fill: Rgb) -> OpenPlate:
    image = image_from_bytes(read_picture_file(path), str(path))
    notes = image.notes
    if image.alpha is not None:
        notes = (*notes, "The plate is transparent in places: the fill colour shows there.")
    return ImagePlate(image.flattened(fill), fit=fit, fill=fill, notes=notes)
