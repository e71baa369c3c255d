"""One composite with its truth from files to arrays, at the sizes that are scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.domain.errors import UserError
from app.domain.frame import Pixels
from app.pipeline.evaluation_methods import Inside, as_mask
from app.pipeline.image_decoding import decode, read_picture_file
from app.pipeline.image_saving import to_8_bits
from harmonizer.training.composites import Triple, drawn_region, recolour_foreground, seed_of

SizeName = Literal["256", "full"]

LITERATURE_PX: Final = 256
"""Side of the squares that published figures are measured on."""

_HALF_COVERAGE = 127


@dataclass(frozen=True)
class Sample:
    """One composite with its truth: (H, W, 3) uint8 each, inside (H, W) bool."""

    composite: Pixels
    truth: Pixels
    inside: Inside


def read_sample(triple: Triple, *, seed: int) -> Sample:
    """One triple's pictures, its composite made where it has none.

    As stored: no colour profile is applied, as in published evaluations. UserError for an unreadable file,
    ValueError when sizes differ or the mask is empty.
    """
    truth = _read_pixels(triple.truth)
    inside = _foreground(triple.truth, triple.mask, truth, seed=seed)
    if inside.shape != truth.shape[:2]:
        raise ValueError(f"its mask is {_size(inside)}, the picture {_size(truth)}")
    if not inside.any():
        raise ValueError("its mask is empty")
    if triple.composite is None:
        own_seed = seed_of(seed, _name_of(triple.truth))
        partner = _read_partner(triple, seed=seed)
        return Sample(recolour_foreground(truth, inside, seed=own_seed, partner=partner), truth, inside)
    composite = _read_pixels(triple.composite)
    if composite.shape != truth.shape:
        raise ValueError(f"the composite is {_size(composite)}, the real picture {_size(truth)}")
    return Sample(composite, truth, inside)


def at_size(sample: Sample, size: SizeName) -> Sample:
    """The sample as it is, or resized to 256 x 256 (bicubic, antialiased, the mask cut at half after it).

    ValueError when the mask is empty then.
    """
    if size == "full":
        return sample
    composite, truth, coverage = (
        np.asarray(Image.fromarray(array).resize((LITERATURE_PX, LITERATURE_PX), Image.Resampling.BICUBIC))
        for array in (sample.composite, sample.truth, as_mask(sample.inside))
    )
    inside: Inside = coverage > _HALF_COVERAGE
    if not inside.any():
        raise ValueError(f"its mask is empty at {LITERATURE_PX} x {LITERATURE_PX}")
    return Sample(composite, truth, inside)


def _read_pixels(path: Path) -> Pixels:
    array = decode(read_picture_file(path), str(path), managed=False).array
    colour = array[..., [0, 0, 0]] if array.shape[2] < 3 else array[..., :3]
    return np.ascontiguousarray(to_8_bits(colour))


def _foreground(picture: Path, mask: Path | None, pixels: Pixels, *, seed: int) -> Inside:
    """The mask as read, or the picture's own region where it has none."""
    if mask is not None:
        return _read_mask(mask)
    return drawn_region((pixels.shape[1], pixels.shape[0]), seed=seed_of(seed, f"region {_name_of(picture)}"))


def _name_of(picture: Path) -> str:
    """A picture's `collection/name`: its seed must not depend on where the data set lies."""
    folder = picture.absolute().parent
    return f"{folder.parent.name if folder.name == 'images' else folder.name}/{picture.name}"


def _read_mask(path: Path) -> Inside:
    """Above half of white: of alpha where that is not opaque, else of grey; in a mask of 0 and 1, 1 is white."""
    array = decode(read_picture_file(path), str(path), managed=False).array
    peak = np.iinfo(array.dtype).max
    if array.shape[2] in (2, 4) and array[..., -1].min() < peak:
        return np.asarray(array[..., -1] > peak / 2)
    grey = array[..., :1] if array.shape[2] < 3 else array[..., :3]
    return np.asarray(grey.mean(axis=2) > (1 if grey.max() == 1 else peak) / 2)


def _read_partner(triple: Triple, *, seed: int) -> tuple[Pixels, Inside] | None:
    """The picture whose colours may be borrowed; None when it is broken, which its own turn reports."""
    if triple.partner is None:
        return None
    try:
        pixels = _read_pixels(triple.partner[0])
        inside = _foreground(*triple.partner, pixels, seed=seed)
    except UserError:
        return None
    return (pixels, inside) if inside.any() and inside.shape == pixels.shape[:2] else None


def _size(array: npt.NDArray[Any]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
