"""Masks for a folder of people that has none: our own segmenter, so that the pictures can be trained on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

from PIL import Image

from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.image_decoding import read_picture_file
from app.pipeline.images import image_from_bytes
from app.pipeline.matte import MatteRefiner
from app.pipeline.segmentation import Segmenter
from app.pipeline.segmenter_choice import SegmenterChoice, model_for, open_segmenter
from harmonizer.training.pictures import picture_files
from harmonizer.weights import write_beside

PLAUSIBLE_SHARE: Final = (0.02, 0.9)
"""Part of the picture a person may cover: outside of it the model most likely saw something else."""

MAX_UNDECIDED: Final = 0.2
"""Part of the mask that may be neither 0 nor 1: a model in doubt paints grey, an edge alone stays far below.

Measured: at most 0.13 in 92 street portraits, above 0.2 in 11 of the 23 masks it gave for 42 landscapes.
"""

_ORIENTATION_TAG: Final = 274
_QUALITY: Final = 95
_ON_COVERAGE, _LOW_COVERAGE, _HIGH_COVERAGE = 127, 25, 230

Segment = Callable[[Pixels], Alpha8]
"""A picture (H, W, 3) to the matte of its people (H, W)."""


@dataclass(frozen=True)
class MaskedFolder:
    """What came of it: pictures written now and before, and `name: reason` of every one left out."""

    written: int
    kept: int
    left_out: tuple[str, ...]


def pictures_to_mask(source: Path, target: Path) -> list[Path]:
    """The pictures of source, checked against where they go.

    UserError (BAD_INPUT) when there is no such folder or no picture in it, (OUTPUT) when target lies in it
    or would write into it.
    """
    if not source.is_dir():
        raise UserError(f"There is no folder “{source}”.", "Give a folder with pictures of people.")
    try:
        pictures = picture_files(source)
    except OSError as error:
        raise UserError(f"“{source}” can't be read: {error.strerror}.", "Check its permissions.") from error
    if not pictures:
        raise UserError(f"There is no picture in “{source}”.", "Give a folder with pictures of people.")
    inner = (target.resolve() / "images", target.resolve() / "masks")
    if target.resolve().is_relative_to(source.resolve()) or pictures[0].resolve().parent in inner:
        raise UserError(f"“{target}” belongs to the pictures.", "Choose another folder.", code=ExitCode.OUTPUT)
    return pictures


def mask_people(source: Path, target: Path, *, notice: Callable[[str], None], tick: Callable[[], None]) -> MaskedFolder:
    """Copy every picture in which a person is found to target/images, its mask to target/masks.

    What was done before is kept, so an interrupted run goes on. UserError as `pictures_to_mask`; (OUTPUT)
    when target can't be written; (MODEL) without a segmentation model; (BAD_INPUT) when nobody was found at all.
    """
    pictures = pictures_to_mask(source, target)
    counts, left_out = {True: 0, False: 0}, []
    with _writing(target), _segmenters(notice) as segment:
        for name in ("images", "masks"):
            (target / name).mkdir(parents=True, exist_ok=True)
        for path in pictures:
            try:
                counts[_mask_one(path, target, segment)] += 1
            except UserError as error:
                if error.code is not ExitCode.BAD_INPUT:
                    raise
                left_out.append(f"{path.name}: {error.message.rstrip('.')}")
            tick()
    if not any(counts.values()):
        raise UserError(f"None of {len(pictures)} pictures shows a person to cut out: {left_out[0]}.")
    return MaskedFolder(counts[True], counts[False], tuple(left_out))


def doubt(mask: Alpha8) -> str | None:
    """Why a mask (H, W) should not be trained on; None for a good one."""
    share = float((mask > _ON_COVERAGE).mean())
    if not share:
        return "nobody was found"
    if not PLAUSIBLE_SHARE[0] <= share <= PLAUSIBLE_SHARE[1]:
        return f"what was found covers {100 * share:.1f} % of the picture"
    undecided = float(((mask > _LOW_COVERAGE) & (mask < _HIGH_COVERAGE)).sum() / (mask > _LOW_COVERAGE).sum())
    if undecided > MAX_UNDECIDED:
        return f"{100 * undecided:.0f} % of the mask is undecided"
    return None


def _mask_one(path: Path, target: Path, segment: Segment) -> bool:
    """Whether the pair was made now; False when it was there. UserError (BAD_INPUT) when it can't be made.

    The mask is written last: a pair that has one is whole.
    """
    stored = _upright(read_picture_file(path), str(path))
    image_file, mask_file = target / "images" / path.name, target / "masks" / f"{path.stem}.png"
    is_there = image_file.exists()
    if (is_there and image_file.read_bytes() != stored) or (mask_file.exists() and not is_there):
        raise UserError("another picture of this name is there already")
    if mask_file.exists():
        return False
    mask = segment(image_from_bytes(stored, str(path)).pixels)
    reason = doubt(mask)
    if reason is not None:
        raise UserError(reason)
    write_beside(image_file, stored)
    write_beside(mask_file, _encoded(mask, "PNG"))
    return True


def _upright(data: bytes, name: str) -> bytes:
    """The file, encoded anew where EXIF turns it: training and most data sets' readers take pixels as stored."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            # Pillow turns TIFF pictures by itself, so training sees them upright.
            is_turned = image.format != "TIFF" and image.getexif().get(_ORIENTATION_TAG, 1) in range(2, 9)
            kind = image.format if image.format in ("PNG", "WEBP") else "JPEG"
    except Exception:  # a broken file is told about by the reader that decodes it
        return data
    return _encoded(image_from_bytes(data, name).pixels, kind) if is_turned else data


def _encoded(array: Pixels | Alpha8, kind: str) -> bytes:
    buffer = io.BytesIO()
    options = {} if kind == "PNG" else {"quality": _QUALITY}
    Image.fromarray(array).save(buffer, kind, **options)
    return buffer.getvalue()


@contextmanager
def _segmenters(notice: Callable[[str], None]) -> Iterator[Segment]:
    """Our segmenter and refinement for single pictures; each model is loaded once."""
    opened: dict[str, Segmenter] = {}
    with ExitStack() as stack:

        def segment(pixels: Pixels) -> Alpha8:
            frame = Frame(pixels, pts=0, time_base=Fraction(1, 25), index=0)
            model = model_for("auto", frame.size)
            if model not in opened:
                choice = SegmenterChoice(model=model)
                opened[model] = stack.enter_context(closing(open_segmenter(choice, frame.size, on_notice=notice)))
            opened[model].reset()
            return MatteRefiner().refine(frame, opened[model].segment(frame))

        yield segment


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        message = f"“{error.filename or target}” can't be written: {reason}."
        raise UserError(message, "Choose another folder or free some space.", code=ExitCode.OUTPUT) from error
