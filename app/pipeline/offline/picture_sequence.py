"""A folder of numbered pictures as a clip."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt

from app.domain.compositing import BLACK, Size
from app.domain.errors import UserError
from app.domain.frame import Frame
from app.pipeline.color_tags import ColorTags
from app.pipeline.images import LoadedImage, Pixels16, load_image
from app.pipeline.mask.frame_index import FrameIndex
from app.pipeline.offline.source_frame import SourceFrame
from app.pipeline.video_geometry import resized
from app.pipeline.video_info import VideoInfo

# At most 15 digits, so that every number is a pts; of more, the first belong to the stem.
_NUMBERED: Final = re.compile(
    r"(?P<stem>.*?)(?P<number>[0-9]{1,15})(?P<suffix>\.(?:png|jpe?g|tiff?|webp))", re.I | re.S
)
_CODECS: Final = {".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff", ".png": "png", ".webp": "webp"}
_SRGB: Final = ColorTags(matrix="rgb", range="full", primaries="bt709", trc="iec61966_2_1", guessed=False)


@dataclass(frozen=True, slots=True)
class NumberedPictures:
    """Pictures of one stem and suffix, in the order of their numbers; numbers and names (N,), N >= 1.

    notices: what else lies in the folder, one sentence each.
    """

    folder: Path
    stem: str
    suffix: str
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    notices: tuple[str, ...] = ()

    @property
    def gaps(self) -> int:
        """How many numbers between the first and the last have no picture."""
        return self.numbers[-1] - self.numbers[0] + 1 - len(self.numbers)


def find_pictures(folder: Path) -> NumberedPictures:
    """Find the largest numbered run in a folder; no picture is opened (50,000 of them: 0.15 s).

    UserError (BAD_INPUT) when there is none, or the folder can't be read.
    """
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()]
    except OSError as error:
        raise UserError(f"The folder “{folder}” can't be read ({error.strerror}).", "Check its permissions.") from error
    runs: defaultdict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for name in sorted(names):
        if found := _NUMBERED.fullmatch(name):
            runs[found["stem"], found["suffix"].lower()].setdefault(int(found["number"]), name)
    if not runs:
        raise UserError(
            f"The folder “{folder}” holds no numbered pictures.",
            "Pictures of a clip are named like shot_0001.png: PNG, JPEG, TIFF or WebP.",
        )
    (stem, suffix), run = max(runs.items(), key=lambda item: len(item[1]))
    numbers = tuple(sorted(run))
    others = len(names) - len(run)
    notice = f"Of the folder's files only {stem}…{suffix} are the clip; {_count(others, 'other')} left out."
    return NumberedPictures(
        folder, stem, suffix, numbers, tuple(run[number] for number in numbers), (notice,) if others else ()
    )


class PictureSequence:
    """A `Source` of numbered pictures. A picture's pts is its number less the first one's, in ticks of 1 / rate s.

    A number without a picture is no frame: the picture before it is shown for longer (`gaps` counts them). Pictures of
    another size than the first readable one are scaled to it, unreadable ones left out; both are counted as they are
    come across. Transparent ones stand over black. deep: give 16 bits a channel too where the first one has them.
    UserError when no picture can be read; the first that can be is looked for, no other opened.
    """

    def __init__(self, folder: Path, rate: Fraction, *, index: FrameIndex | None = None, deep: bool = False) -> None:
        self._pictures = find_pictures(folder)
        numbers = self._pictures.numbers
        first = self._first_readable()
        pts = np.array(numbers, np.int64) - numbers[0]
        self.index = FrameIndex(pts, pts.copy(), 1 / rate) if index is None else index
        if not np.array_equal(self.index.pts, pts):
            raise UserError(f"The pictures in “{folder}” are not those that were planned with.", "Start over.")
        self.info = _info(self._pictures, first, rate, count=int(pts[-1]) + 1)
        self.gaps = self._pictures.gaps
        self.notices = (*self._pictures.notices, *self._remarks(first))
        self.damaged_frames = self.lost_frames = self.resized_frames = 0
        self._deep = deep and self.info.bit_depth > 8

    def frames(self, first_pts: int, stop_pts: int) -> Iterator[SourceFrame]:
        """Yield the pictures with first_pts <= pts < stop_pts; unreadable ones are left out and counted."""
        for place in range(self.index.first_from(first_pts), self.index.first_from(stop_pts)):
            try:
                picture = self._load(place)
            except UserError:
                self.lost_frames += 1
            else:
                yield self._developed(picture, place)

    def close(self) -> None:
        """Nothing stays open."""

    def _load(self, place: int) -> LoadedImage:
        return load_image(self._pictures.folder / self._pictures.names[place])

    def _first_readable(self) -> LoadedImage:
        why: UserError | None = None
        for place in range(len(self._pictures.names)):
            try:
                return self._load(place)
            except UserError as error:
                why = why or error
        raise UserError(
            f"None of the {len(self._pictures.names)} pictures in “{self._pictures.folder}” can be read: {why}",
            "Export them again.",
        ) from why

    def _remarks(self, first: LoadedImage) -> tuple[str, ...]:
        missing = f"{_count(self.gaps, 'number')} missing between the pictures: the one before is shown for longer."
        transparent = "The clip's pictures are transparent in places: black was put behind them."
        return ((missing,) if self.gaps else ()) + ((transparent,) if first.alpha is not None else ())

    def _developed(self, picture: LoadedImage, place: int) -> SourceFrame:
        self.resized_frames += picture.size != self.info.size
        pixels = resized(picture.flattened(BLACK), self.info.size)
        frame = Frame(pixels, self.index.pts_at(place), self.index.time_base, place)
        return SourceFrame(frame, _deep_pixels(picture, self.info.size) if self._deep else None)


def _deep_pixels(picture: LoadedImage, size: Size) -> Pixels16:
    """(H, W, 3) uint16 over black; a picture of 8 bits among those of 16 is widened."""
    pixels = _widened(picture.pixels) if picture.pixels16 is None else picture.pixels16
    alpha = _widened(picture.alpha) if picture.alpha16 is None and picture.alpha is not None else picture.alpha16
    if alpha is not None:
        products = pixels.astype(np.uint32) * alpha[..., None]
        pixels = ((products + 32767) // 65535).astype(np.uint16)
    return cast("Pixels16", resized(cast("npt.NDArray[np.uint8]", pixels), size))


def _widened(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    return np.multiply(levels, 257, dtype=np.uint16)


def _info(pictures: NumberedPictures, first: LoadedImage, rate: Fraction, *, count: int) -> VideoInfo:
    width, height = first.size
    return VideoInfo(
        path=pictures.folder,
        width=width,
        height=height,
        coded_size=first.size,
        rotation_deg=0,
        pixel_aspect=Fraction(1),
        time_base=1 / rate,
        average_rate=rate,
        start_pts=0,
        is_picture_duration=True,
        duration_s=float(count / rate),
        frame_count_hint=len(pictures.numbers),
        codec=_CODECS[pictures.suffix],
        pix_fmt="rgb24" if first.bit_depth == 8 else "rgb48le",
        bit_depth=first.bit_depth,
        color=_SRGB,
        audio_streams=0,
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word} is" if number == 1 else f"{number} {word}s are"
