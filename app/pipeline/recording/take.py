"""One part of a recording: the file, and beside it the original and the matte where they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.compositing import Size, fit_plate
from app.domain.errors import UserError
from app.domain.frame import Alpha8, Pixels
from app.pipeline.live.pictures import Finished
from app.pipeline.media_safety import MEDIA_ERRORS
from app.pipeline.recording.encoders import EncoderChoice, choose_encoder, quality_options
from app.pipeline.recording.live_file import LiveFile
from app.pipeline.recording.naming import COMPANIONS, free_names
from app.pipeline.recording.settings import TIME_BASE, RecordSettings
from app.pipeline.recording.sound import RATE_HZ, Samples

_MATTE_CRF: Final = 14


@dataclass(frozen=True)
class Plan:
    """What every part of a recording has in common. size: (width, height) of all its pictures."""

    settings: RecordSettings
    stem: Path
    size: Size
    choice: EncoderChoice
    sound: bool

    @property
    def ticks_hz(self) -> int:
        """Ticks a second of the picture's times."""
        return TIME_BASE[self.settings.container].denominator

    def names(self) -> tuple[Path, ...]:
        """Free names for a part: the file, then its companions."""
        path = self.stem.with_name(f"{self.stem.name}.{self.settings.container}")
        return free_names(path, COMPANIONS if self.settings.keep_original else ())

    def open_file(self, path: Path, *, choice: EncoderChoice, gray: bool, sound: bool) -> LiveFile:
        """Begin a file. UserError (OUTPUT) when that is impossible."""
        return LiveFile(
            path,
            container=self.settings.container,
            size=self.size,
            choice=choice,
            rate_hz=self.settings.rate_hz,
            gray=gray,
            sound=sound,
        )

    def picture_choice(self) -> EncoderChoice:
        """The encoder with the quality the user wants."""
        chosen = quality_options(self.choice.name, crf=self.settings.crf, bitrate_kbps=self.settings.bitrate_kbps)
        return replace(self.choice, options={**self.choice.options, **chosen})

    def matte_choice(self) -> EncoderChoice:
        """Software at a quality that keeps soft edges: a matte is smooth and takes little."""
        choice = choose_encoder("vp9" if self.settings.container == "webm" else "h264", self.size, False)
        return replace(choice, options={**choice.options, **quality_options(choice.name, crf=_MATTE_CRF)})


class Take:
    """The files of one part, begun together, with the same times in all of them. UserError when one can't be begun.

    start_s: where it begins in the whole recording. is_whole: `close` met no fault. found: what the
    files are called after `commit`.
    """

    def __init__(self, plan: Plan) -> None:
        self.start_s: float | None = None
        self.is_whole = False
        self.found: tuple[Path, ...] = ()
        self._ticks_hz = plan.ticks_hz
        self._last_ticks = -1
        self._files: list[LiveFile] = []
        try:
            self._begin(plan)
        except UserError:
            self.discard()
            raise

    @property
    def frames(self) -> int:
        """Pictures encoded."""
        return self._files[0].frames

    @property
    def length_s(self) -> float:
        """Up to the end of the last picture."""
        return self._files[0].end_ticks / self._ticks_hz

    @property
    def bytes_written(self) -> int:
        """On the disk by now, all files together."""
        return sum(file.bytes_written for file in self._files)

    @property
    def names(self) -> tuple[Path, ...]:
        """Final names of the files, the main one first."""
        return tuple(file.pending.final for file in self._files)

    @property
    def first_sample(self) -> int:
        """Index in the whole recording's sound at which this part begins."""
        return round((self.start_s or 0.0) * RATE_HZ)

    def append(self, picture: Finished, file_s: float, *, keyframe: bool) -> None:
        """Encode a picture at `file_s` of the whole recording, in every file; any size is made to fit."""
        if self.start_s is None:
            self.start_s = file_s
        ticks = max(round((file_s - self.start_s) * self._ticks_hz), self._last_ticks + 1)
        self._last_ticks = ticks
        for file, pixels in zip(self._files, _pictures(picture, self._files[0].size), strict=False):
            file.append(pixels(), ticks, keyframe=keyframe)

    def append_sound(self, samples: Samples) -> None:
        """Encode sound for the file and the original."""
        for file in self._files[:2]:
            file.append_sound(samples)

    def sync(self) -> None:
        """Put on the disk what has been written."""
        for file in self._files:
            file.sync()

    def close(self) -> None:
        """End the files, all of them even when one fails; raises the first failure."""
        failure: BaseException | None = None
        for file in self._files:
            try:
                file.close()
            except MEDIA_ERRORS as error:
                failure = failure or error
        if failure is not None:
            raise failure
        self.is_whole = True

    def commit(self) -> tuple[Path, ...]:
        """Give the files their names; return what they are called now. UserError when the disk refuses one."""
        failure: UserError | None = None
        found: list[Path] = []
        for file in self._files:
            try:
                found.append(file.commit())
            except UserError as error:
                failure = failure or error
                found.append(file.pending.part)
        self.found = tuple(found)
        if failure is not None:
            raise failure
        return self.found

    def discard(self) -> None:
        """Remove a part in which nothing was recorded."""
        for file in self._files:
            file.abandon()
            file.pending.discard()

    def _begin(self, plan: Plan) -> None:
        choices = (plan.picture_choice(), plan.picture_choice())
        names = plan.names()
        for path, choice in zip(names, choices, strict=False):
            self._files.append(plan.open_file(path, choice=choice, gray=False, sound=plan.sound))
        if len(names) > len(choices):
            self._files.append(plan.open_file(names[2], choice=plan.matte_choice(), gray=True, sound=False))


def _pictures(picture: Finished, size: Size) -> tuple[Callable[[], Pixels | Alpha8], ...]:
    """(composite, original, matte), each made only when asked for; a cover has a black original and matte."""
    return (
        lambda: fit_plate(picture.composite, size, "contain"),
        lambda: _black(size) if picture.frame is None else fit_plate(picture.frame.pixels, size, "contain"),
        lambda: _black(size)[..., 0] if picture.alpha is None else _fitted_matte(picture.alpha, size),
    )


def _fitted_matte(alpha: Alpha8, size: Size) -> Alpha8:
    return np.ascontiguousarray(fit_plate(np.dstack([alpha] * 3), size, "contain")[..., 0])


def _black(size: Size) -> Pixels:
    return np.zeros((size[1], size[0], 3), np.uint8)
