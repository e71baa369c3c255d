"""Mattes that are given instead of guessed: a file of the user's, or a chroma key."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from app.domain.alpha import from_u8
from app.domain.chroma_key import Rgb, key_alpha, screen_colour
from app.domain.errors import UserError
from app.domain.frame import Alpha, Alpha8, Frame
from app.pipeline.images import LoadedMask, load_image, load_mask, mask_at_size
from app.pipeline.mask.alpha_video import has_alpha
from app.pipeline.matte_film import matte_frames

log = logging.getLogger(__name__)

Notice = Callable[[str], None]

IMAGE_SUFFIXES: Final = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})

SAME_TIME_S: Final = 0.002
"""Containers round times to their own ticks, Matroska to 1 ms: a matte this much late is still this
frame's."""


class _Source(Protocol):
    """Mattes in order; asked for by index and by time since the start."""

    @property
    def ran_out(self) -> bool:
        """Whether the last matte was held for a frame it wasn't made for."""

    def matte_for(self, frame: Frame, size: tuple[int, int]) -> tuple[Alpha8, tuple[str, ...]]:
        """The matte (any size) for a frame, and what should be said about it."""

    def rewind(self) -> None:
        """Start over."""

    def close(self) -> None:
        """Release files."""


class GivenMatte:
    """The user's own matte: a video, a folder of numbered pictures, or one picture for all frames.

    White is foreground. Where a video or picture has an alpha that is not opaque, that is the matte. A video is matched
    by time: the last picture not later than the frame, clip and matte both counted from their own first picture (from
    the file's own zero when the clip is joined midway). clip_start_s, the time of the clip's first picture, is for who
    may begin anywhere: mattes are the same then wherever that is, and a video is sought in. A folder is matched by
    frame index, names sorted by their numbers. When mattes run out the last one is held: `held_frames`, and one notice.
    Another size is resized, with a notice; UserError (BAD_INPUT) when the shape is more than 2 % off, or the file can't
    be read.
    """

    coarse = False

    def __init__(self, path: Path, *, on_notice: Notice = log.warning, clip_start_s: float | None = None) -> None:
        self.name = f"given matte {path.name}"
        self.held_frames = 0
        self._source = _source(path, clip_start_s)
        self._on_notice = on_notice
        self._said: set[str] = set()

    def segment(self, frame: Frame) -> Alpha:
        """The frame's own matte, (H, W) float32 at the frame's size."""
        alpha8, notes = self._source.matte_for(frame, frame.size)
        for note in notes:
            self._say(note)
        if self._source.ran_out:
            self.held_frames += 1
            self._say("The matte ends before the clip: its last picture is held.")
        return from_u8(alpha8)

    def reset(self) -> None:
        """Start the matte over."""
        self._source.rewind()

    def close(self) -> None:
        """Close the matte's file."""
        self._source.close()

    def _say(self, note: str) -> None:
        if note not in self._said:
            self._said.add(note)
            self._on_notice(note)


class ChromaKeySegmenter:
    """A green or blue screen. key: its colour, None to take it from the first frame's border.

    clear, solid: CbCr distances, in 8-bit steps, up to which all is screen and from which all is foreground.
    """

    coarse = False
    name = "chroma key"

    def __init__(self, key: Rgb | None = None, *, clear: float = 20.0, solid: float = 45.0) -> None:
        self.key = key
        self._given_key = key
        self._clear, self._solid = clear, solid

    def segment(self, frame: Frame) -> Alpha:
        """Coverage, (H, W) float32 at the frame's size."""
        if self.key is None:
            self.key = screen_colour(frame.pixels)
        return key_alpha(frame.pixels, self.key, clear=self._clear, solid=self._solid)

    def reset(self) -> None:
        """Take the key from the next frame again, unless it was given."""
        self.key = self._given_key

    def close(self) -> None:
        """Nothing to release."""


class _Pictures:
    """One picture for all frames, or one for each index."""

    def __init__(self, paths: list[Path], *, for_all: bool) -> None:
        self._paths = paths
        self._for_all = for_all
        self._loaded: tuple[int, tuple[int, int], Alpha8] | None = None
        self._has_alpha: bool | None = None
        self.ran_out = False

    def matte_for(self, frame: Frame, size: tuple[int, int]) -> tuple[Alpha8, tuple[str, ...]]:
        """See `_Source.matte_for`; the last picture read is kept."""
        index = min(frame.index, len(self._paths) - 1)
        self.ran_out = frame.index > index and not self._for_all
        if self._loaded is not None and self._loaded[:2] == (index, size):
            return self._loaded[2], ()
        mask = self._mask(self._paths[index], size)
        self._loaded = index, size, mask.alpha
        return mask.alpha, mask.notes

    def _mask(self, path: Path, size: tuple[int, int]) -> LoadedMask:
        """Cut-outs are known by their neighbours: a person who fills a whole picture leaves its alpha opaque."""
        if self._has_alpha is None:
            places = {0, len(self._paths) // 2, len(self._paths) - 1}
            self._has_alpha = not self._for_all and any(
                load_image(self._paths[place]).alpha is not None for place in places
            )
        if not self._has_alpha:
            return load_mask(path, size)
        picture = load_image(path)
        alpha = np.full(picture.size[::-1], 255, np.uint8) if picture.alpha is None else picture.alpha
        return mask_at_size(LoadedMask(alpha), size, path, kind="mask", of="picture")

    def rewind(self) -> None:
        """Indices come with the frames."""

    def close(self) -> None:
        """Nothing stays open."""


class _Film:
    """A matte video, matched by time: its alpha if that says anything, else its brightness."""

    def __init__(self, path: Path, clip_start_s: float | None) -> None:
        self._path, self._clip_start_s = path, clip_start_s
        alpha = has_alpha(path)
        self._notes = ("The matte's alpha is opaque: its brightness was taken.",) if alpha is None else ()
        self._frames = matte_frames(path, is_alpha=bool(alpha), seekable=clip_start_s is not None)
        self.ran_out = False
        self.rewind()

    def matte_for(self, frame: Frame, size: tuple[int, int]) -> tuple[Alpha8, tuple[str, ...]]:
        """See `_Source.matte_for`."""
        wanted_s = frame.time_s + self._ahead_of(frame) + SAME_TIME_S
        matte = self._frames.shown_at(wanted_s)
        self.ran_out = wanted_s > matte.time_s + self._frames.spacing_s and self._frames.is_last(matte)
        return self._alpha(matte, size)

    def rewind(self) -> None:
        """Forget where the clip began, if nobody said so."""
        self._last_s = float("-inf")
        self._ahead_s: float | None = None

    def close(self) -> None:
        """Close the file."""
        self._frames.close()

    def _ahead_of(self, frame: Frame) -> float:
        """How much later than the clip's time the matte's is, in s."""
        if self._clip_start_s is not None:
            return self._frames.first_s - self._clip_start_s
        begins_anew = frame.time_s < self._last_s and frame.index == 0
        self._last_s = frame.time_s
        if self._ahead_s is None or begins_anew:
            self._ahead_s = self._frames.first_s - frame.time_s if frame.index == 0 else 0.0
        return self._ahead_s

    def _alpha(self, matte: Frame, size: tuple[int, int]) -> tuple[Alpha8, tuple[str, ...]]:
        alpha = np.asarray(cv2.cvtColor(matte.pixels, cv2.COLOR_RGB2GRAY), np.uint8)
        mask = mask_at_size(LoadedMask(alpha, self._notes), size, self._path, kind="matte", of="clip")
        return mask.alpha, mask.notes


def _source(path: Path, clip_start_s: float | None) -> _Source:
    if path.is_dir():
        return _Pictures(pictures_in(path), for_all=False)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return _Pictures([path], for_all=True)
    return _Film(path, clip_start_s)


def pictures_in(folder: Path) -> list[Path]:
    """A folder's pictures in the order of their numbers; UserError (BAD_INPUT) when there are none."""
    pictures = (p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith("."))
    if found := sorted(pictures, key=_by_number):
        return found
    raise UserError(f"The matte folder '{folder}' holds no pictures.", "Put one PNG per frame into it.")


def _by_number(path: Path) -> list[tuple[int, int | str]]:
    """Sort key that puts frame_9 before frame_10."""
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]
