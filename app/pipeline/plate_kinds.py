"""The kinds of plates: a picture, a colour, the frame itself blurred, a looping video."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from app.domain.compositing import BLACK, FitMode, Rgb, Size, blur_plate, fit_plate, solid_plate
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.plate_sync import PLAIN_LOOP, PlateSync
from app.pipeline.video_loop import LoopingReader, SeekingLoop

BLUR_SHARE: Final = 0.03
"""Radius of plain "blur" as a share of the picture's height: faces in the room can't be known again."""


class Plate(Protocol):
    """Gives the plate's picture for each frame.

    is_static: the picture is the same for every frame. key: identifies the picture that `pixels` gave
    last; equal keys mean equal pictures, so that whatever was computed from one can be kept.
    """

    @property
    def is_static(self) -> bool:
        """Whether every frame gets the same picture."""

    @property
    def key(self) -> Hashable:
        """Changes when the picture changes."""

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """Picture for this frame, fitted to (width, height): (H, W, 3) uint8; not to be written to."""


class OpenPlate(Plate, Protocol):
    """A plate that `open_plate` opened: a context manager, with what its owner should be told of it."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to the file, one sentence each."""

    def close(self) -> None:
        """Close files."""

    def __enter__(self) -> Self:
        """Return the plate itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close files."""


class PlateBase:
    """What all plates have in common: nothing to say, nothing to close."""

    notes: tuple[str, ...] = ()

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ImagePlate(PlateBase):
    """A still picture, fitted once a size."""

    is_static = True

    def __init__(
        self, picture: Pixels, *, fit: FitMode = "cover", fill: Rgb = BLACK, notes: tuple[str, ...] = ()
    ) -> None:
        self.notes = notes
        self._picture, self._fit, self._fill = picture, fit, fill
        self._digest = hashlib.blake2b(picture.tobytes(), digest_size=16).hexdigest()
        self._fitted = picture
        self._size: Size | None = None

    @property
    def key(self) -> Hashable:
        """Content, and how it was fitted."""
        return self._digest, self._fit, self._fill, self._size

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """The picture, fitted to (width, height); made anew only when the size changes."""
        if size != self._size:
            self._fitted = fit_plate(self._picture, size, self._fit, fill=self._fill)
            self._fitted.setflags(write=False)
            self._size = size
        return self._fitted


class ColourPlate(PlateBase):
    """One sRGB colour."""

    is_static = True

    def __init__(self, rgb: Rgb) -> None:
        self._rgb = rgb
        self._filled = solid_plate((1, 1), rgb)

    @property
    def key(self) -> Hashable:
        """The colour: its size makes no difference to a match."""
        return "colour", self._rgb

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """The colour at (width, height)."""
        if self._filled.shape[:2] != size[::-1]:
            self._filled = solid_plate(size, self._rgb)
            self._filled.setflags(write=False)
        return self._filled


class BlurPlate(PlateBase):
    """The frame itself, out of focus; radius_px counts at the output's size, None is BLUR_SHARE of it."""

    is_static = False

    def __init__(self, radius_px: float | None = None, *, fit: FitMode = "cover", fill: Rgb = BLACK) -> None:
        self._radius_px, self._fit, self._fill = radius_px, fit, fill
        self._index = -1

    @property
    def key(self) -> Hashable:
        """New with every frame."""
        return "blur", self._radius_px, self._index

    def pixels(self, frame: Frame, size: Size, *, hide: Alpha8 | None = None) -> Pixels:
        """The frame blurred and fitted; `hide` (the person's alpha at the frame's size) leaves no halo."""
        self._index = frame.index
        share = BLUR_SHARE if self._radius_px is None else self._radius_px / size[1]
        blurred = blur_plate(frame.pixels, share * frame.size[1], hide=hide)
        return fit_plate(blurred, size, self._fit, fill=self._fill)


class VideoPlate(PlateBase):
    """A video that is played again and again, at the frames' own times.

    seekable: for who doesn't begin at the clip's start; the file is indexed then, and the first frame asked for decoded
    from the key frame before. The pictures are the same.
    """

    is_static = False

    def __init__(
        self,
        path: Path,
        *,
        fit: FitMode = "cover",
        fill: Rgb = BLACK,
        sync: PlateSync = PLAIN_LOOP,
        seekable: bool = False,
    ) -> None:
        self._path, self._fit, self._fill, self._sync = path, fit, fill, sync
        self._is_sought = seekable or sync.mode != "loop"
        self._reader = SeekingLoop(path, sync.mode) if self._is_sought else LoopingReader(path)
        self._elapsed_s = Fraction(0)
        self._shown: tuple[int, Size] | None = None
        self._fitted: Pixels | None = None

    @property
    def key(self) -> Hashable:
        """Which frame of the video is shown, and its size."""
        return "video", str(self._path), self._shown

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """The video's frame at this frame's time; going back in time opens the video again where it isn't seekable."""
        elapsed_s = self._sync.elapsed_s(frame.pts * frame.time_base)
        if elapsed_s < self._elapsed_s and not self._is_sought:
            self._reader.close()
            self._reader = LoopingReader(self._path)
        self._elapsed_s = elapsed_s
        plate = self._reader.frame_at(elapsed_s)
        if self._fitted is None or self._shown != (plate.index, size):
            self._fitted = fit_plate(plate.pixels, size, self._fit, fill=self._fill)
            self._fitted.setflags(write=False)
            self._shown = plate.index, size
        return self._fitted

    def close(self) -> None:
        """Close the video."""
        self._reader.close()
