"""What is kept of a segment's mattes: the result by itself, and what its neighbours need to go on from its ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from app.domain.frame import Alpha
from app.domain.steadiness import Picture
from app.domain.two_way import Filmed, Halves, Moment, Passed, Times, moment_of

Cells8 = npt.NDArray[np.uint8]
"""(T, rows, columns) uint8: alpha 0..255."""


@dataclass(frozen=True, slots=True, eq=False)
class PassedCells:
    """What one direction made of n frames: where it followed a frame wholly, that frame's own alpha is the result.

    mixed (n, rows, columns) bool: where it did not. values, follows (cells,) float16: there.
    """

    mixed: npt.NDArray[np.bool_]
    values: Halves
    follows: Halves

    @classmethod
    def of(cls, passed: Sequence[Passed]) -> Self:
        """Of one frame or more."""
        values, follows = (np.stack(arrays) for arrays in zip(*passed, strict=True))
        mixed = follows < 1
        return cls(mixed, values[mixed], follows[mixed])

    def frames(self, own: Sequence[Alpha]) -> list[Passed]:
        """The same again. own: the alphas it was made from."""
        values = np.stack(own).astype(np.float16)
        follows = np.ones_like(values)
        values[self.mixed], follows[self.mixed] = self.values, self.follows
        return list(zip(values, follows, strict=True))

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As plain arrays, for a file."""
        shape = np.array(self.mixed.shape)
        return {"mixed": np.packbits(self.mixed), "shape": shape, "values": self.values, "follows": self.follows}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Out of a file. KeyError or ValueError when it is none."""
        shape = arrays["shape"]
        bits = np.unpackbits(arrays["mixed"], count=int(shape.prod()))
        return cls(bits.astype(np.bool_).reshape(shape), arrays["values"], arrays["follows"])


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """n frames at one end of a segment. pictures (n, rows, columns, 3) uint8; alphas (n, rows, columns) float16.

    Of the alphas, the REACH_FRAMES at the segment's end are as they were found, the others are mended. areas, times_s
    (n,): areas as they were found. beyond_*: the smoothed frame inside the segment next to these, which is all they
    need to know of it: arrays of one frame, or of none where the segment has no more. passed: each frame as it comes
    out of the segment's inside: smoothed backwards at the head, forwards at the tail.
    """

    pictures: Picture
    alphas: Halves
    areas: Times
    times_s: Times
    beyond_picture: Picture
    beyond_alpha: Halves
    beyond_s: Times
    passed: PassedCells

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def beyond(self) -> Moment | None:
        """The smoothed frame next to these."""
        if not len(self.beyond_s):
            return None
        return moment_of(float(self.beyond_s[0]), self.beyond_picture[0], self.beyond_alpha[0].astype(np.float32))

    @property
    def filmed(self) -> Filmed:
        """Its pictures and times."""
        return Filmed.of(list(self.pictures), self.times_s)

    @property
    def found(self) -> list[Alpha]:
        """Its alphas, to calculate with."""
        return list(self.alphas.astype(np.float32))


_FIELDS: Final = ("pictures", "alphas", "areas", "times_s", "beyond_picture", "beyond_alpha", "beyond_s")


@dataclass(frozen=True, slots=True, eq=False)
class SegmentMattes:
    """A segment's smoothed mattes as they are without its neighbours, and what its neighbours need of it.

    result (T, rows, columns) uint8. head, tail: its first and last frames; each all of it when it is short. tau_s (1,):
    as it was given.
    """

    result: Cells8
    head: Stretch
    tail: Stretch
    tau_s: Times

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As plain arrays, for a file; what head and tail share is there once."""
        arrays: dict[str, npt.NDArray[Any]] = {"result": self.result, "tau_s": self.tau_s}
        for end, part in {"head": self.head, "tail": self.tail}.items():
            arrays |= {f"{end}_{name}": getattr(part, name) for name in _FIELDS}
            arrays |= {f"{end}_passed_{name}": array for name, array in part.passed.to_arrays().items()}
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Out of a file. KeyError or ValueError when it is none."""

        def stretch(end: str) -> Stretch:
            passed = PassedCells.from_arrays(
                {name: arrays[f"{end}_passed_{name}"] for name in ("mixed", "shape", "values", "follows")}
            )
            return Stretch(**{name: arrays[f"{end}_{name}"] for name in _FIELDS}, passed=passed)

        return cls(arrays["result"], stretch("head"), stretch("tail"), arrays["tau_s"])
