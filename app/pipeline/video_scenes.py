"""Scenes with a known truth: real clips in known lights, frames held still, plates with a cut in them.

A real clip is the truth; recoloured as a whole by a known curve it is the same person filmed in another light,
to be matched to the clip's own background. A frame repeated with fresh sensor noise is the same at rest.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
import torch

from app.domain.alpha import grow
from app.domain.compositing import Size, Table, as_uint8, blend, blur_plate
from app.domain.errors import UserError
from app.domain.frame import Alpha8, Frame, Pixels
from app.pipeline.matte import MatteRefiner
from app.pipeline.plate_kinds import ImagePlate
from app.pipeline.segmenter_choice import SegmenterChoice, open_segmenter
from app.pipeline.video_reader import VideoReader
from harmonizer.training.light import linear_to_srgb, srgb_to_linear

MAX_SIDE_PX: Final = 512
"""Clips are judged at most this large: every frame is rendered with each of 10 smoothings in 5 recolourings."""

MIN_FRAMES: Final = 8
MIN_PERSON_SHARE: Final = 0.005
"""Part of a frame that somebody must cover for the clip to count as one with a person."""

_READ_NOISE_LEVELS: Final = 2.0
_SHOT_NOISE_LEVELS: Final = 3.5
"""Sigma of the sensor noise: 2 levels of 255 at black, 4 at white, as a webcam in a dim room."""

_FILL_RADIUS_SHARE: Final = 0.15
_FILL_RIM_PX: Final = 8.0
_PIVOT: Final = 0.18

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Light:
    """How a recolouring differs from the truth, in linear light: exposure, white balance, contrast, haze."""

    stops: float = 0.0
    gains: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    veil: float = 0.0


LIGHTS: Final[Mapping[str, Light]] = MappingProxyType(
    {
        "dark": Light(stops=-1.3),
        "warm": Light(gains=(1.15, 0.95, 0.6)),
        "cool": Light(gains=(0.7, 0.97, 1.2)),
        "veil": Light(contrast=0.85, veil=0.07),
    }
)


def known_curve(light: Light) -> Table:
    """The recolouring as a table (256, 3), to whole levels as a camera would store it."""
    linear = srgb_to_linear(torch.linspace(0, 1, 256, dtype=torch.float64)).unsqueeze(1)
    gained = linear * 2.0**light.stops * torch.tensor(light.gains, dtype=torch.float64)
    shaped = _PIVOT * (gained / _PIVOT) ** light.contrast
    return as_uint8((linear_to_srgb(shaped * (1 - light.veil) + light.veil) * 255.0).round().numpy())


@dataclass(frozen=True)
class FilmedClip:
    """A clip's first frames at working size, with mattes of the real frames and their own backgrounds.

    plates: the frames with the person filled in by what surrounds them. cuts: whether a scene cut came before.
    """

    name: str
    frames: tuple[Frame, ...]
    mattes: tuple[Alpha8, ...]
    plates: tuple[Pixels, ...]
    cuts: tuple[bool, ...]

    @property
    def fullest(self) -> int:
        """Index of the frame that shows most of the person."""
        return int(np.argmax([int(m.sum(dtype=np.int64)) for m in self.mattes]))


def film(path: Path, *, max_frames: int, notice: Notice) -> FilmedClip:
    """Read and segment a clip. UserError (BAD_INPUT) when it can't be read, is too short, or shows nobody."""
    with VideoReader(path, max_frames=max_frames) as reader:
        frames = tuple(_at_working_size(frame) for frame in reader)
    if len(frames) < MIN_FRAMES:
        raise UserError(f"“{path.name}” has only {len(frames)} frames.", f"Give a clip with at least {MIN_FRAMES}.")
    mattes, cuts = _mattes(frames, notice)
    if max((m > 127).mean() for m in mattes) < MIN_PERSON_SHARE:
        raise UserError(f"Nobody was found in “{path.name}”.", "Give a clip that shows a person.")
    plates = tuple(own_background(f.pixels, m) for f, m in zip(frames, mattes, strict=True))
    return FilmedClip(path.name, frames, mattes, plates, cuts)


def _at_working_size(frame: Frame) -> Frame:
    width, height = frame.size
    scale = min(1.0, MAX_SIDE_PX / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.pixels.copy() if scale == 1.0 else cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA)
    return Frame(as_uint8(small), frame.pts, frame.time_base, frame.index)


def _mattes(frames: Sequence[Frame], notice: Notice) -> tuple[tuple[Alpha8, ...], tuple[bool, ...]]:
    refiner, mattes, cuts = MatteRefiner(), [], []
    with closing(open_segmenter(SegmenterChoice(), frames[0].size, on_notice=notice)) as segmenter:
        for frame in frames:
            seen = refiner.cuts
            mattes.append(refiner.refine(frame, segmenter.segment(frame)))
            cuts.append(refiner.cuts > seen)
    return tuple(mattes), tuple(cuts)


def own_background(pixels: Pixels, alpha: Alpha8) -> Pixels:
    """The frame without its person: filled with a wide blur of what surrounds them, as a plate would be."""
    hide = grow(alpha, _FILL_RIM_PX)
    around = blur_plate(pixels, _FILL_RADIUS_SHARE * pixels.shape[0], hide=hide)
    return blend(around, pixels, hide)


def sensor_noise(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    """Shot and read noise on encoded levels: variance 2^2 + 3.5^2 * level / 255, independent pixels."""
    clean = pixels.astype(np.float32)
    sigma = np.sqrt(_READ_NOISE_LEVELS**2 + _SHOT_NOISE_LEVELS**2 / 255.0 * clean)
    noisy = clean + sigma * rng.standard_normal(pixels.shape, dtype=np.float32)
    return as_uint8(np.clip(np.rint(noisy), 0, 255))


class PlayedPlate:
    """A video plate with a cut in it: two shots, each still, that the matcher has to take for moving."""

    is_static = False

    def __init__(self, before: ImagePlate, after: ImagePlate, *, cut_index: int) -> None:
        self._shots, self._cut_index, self._index = (before, after), cut_index, 0

    @property
    def key(self) -> Hashable:
        """New with every frame, as a video's is."""
        return "played", self._index

    def pixels(self, frame: Frame, size: Size) -> Pixels:
        """The shot that is on at this frame."""
        self._index = frame.index
        return self._shots[frame.index >= self._cut_index].pixels(frame, size)
