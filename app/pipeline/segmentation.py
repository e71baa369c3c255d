"""From a frame to an alpha: one protocol, and MediaPipe's selfie models behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import cv2
import numpy as np

from app.domain.alpha import SOLID
from app.domain.cells import CellGrid, grid_for, resample, shrink
from app.domain.frame import Alpha, Frame, Pixels
from app.domain.person_region import Region, cut_off, followed, people_box, whole_frame
from app.domain.steadiness import is_cut
from app.pipeline.given_matte import ChromaKeySegmenter, GivenMatte
from app.pipeline.model_files import ModelName
from app.pipeline.selfie_networks import LiteRtNetwork, MediaPipeNetwork, SelfieNetwork

__all__ = [
    "ChromaKeySegmenter",
    "GivenMatte",
    "LiteRtSelfieSegmenter",
    "MediaPipeSelfieSegmenter",
    "Scaling",
    "Segmenter",
    "SelfieSegmenter",
]

log = logging.getLogger(__name__)

Scaling = Literal["average", "mediapipe"]

SURVEY_S = 0.5
"""How often the whole frame is looked at besides the people's region: 7 % more inferences at 30 fps."""

SEEN_AT_ALL = 0.15
"""A survey that finds less than this part of the followed person disagrees ..."""

STRIKES = 3
"""... and after so many in a row nobody is there."""

AFTER_STRIKE_S = 0.2
"""When to survey again after that; the very next frame would only repeat the same mistake."""

MAX_ZOOMS = 2
"""Looks it takes from the whole frame to a settled region."""


class Segmenter(Protocol):
    """Anything that can tell people from background.

    `coarse`: the alpha is a guess at low resolution, for `MatteRefiner`; else it is the matte itself.
    """

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def coarse(self) -> bool:
        """Whether its alpha wants refining."""

    def segment(self, frame: Frame) -> Alpha:
        """Coverage of the people, float32 in [0, 1], any size: stretched over the frame."""

    def reset(self) -> None:
        """Forget earlier frames: before another clip or after a seek."""

    def close(self) -> None:
        """Release files and engines."""


@dataclass(frozen=True, slots=True)
class _Following:
    """What is remembered between frames of one clip."""

    grid: CellGrid
    region: Region
    surveyed_s: float
    strikes: int = 0
    luma: Pixels | None = None


class SelfieSegmenter:
    """A selfie model that follows the people in the frame; one inference a frame, 1.07 on average.

    The region looked at moves with the people, is left alone while it fits (`app.domain.person_region`), and
    is checked against the whole frame every SURVEY_S: who walks in is found, and a table leg looked at too
    closely is dropped. `follow=False` looks at the whole frame always, as MediaPipe does.

    scaling "average" reduces the picture by area, centred. "mediapipe" does what MediaPipe's graph does: one
    bilinear sample at each cell's top left corner (its ImageToTensorCalculator, aspect ignored), which shifts
    the matte by 3 px at 1080p and aliases; for comparison only.

    NaN or infinite output counts as nobody there: `broken_outputs`, and one notice.
    """

    coarse = True

    def __init__(
        self,
        network: SelfieNetwork,
        *,
        name: str,
        follow: bool = True,
        scaling: Scaling = "average",
        on_notice: Callable[[str], None] = log.warning,
    ) -> None:
        self.name = name
        self.broken_outputs = 0
        self.inferences = 0
        self._network = network
        self._follow = follow
        self._thumbnail = _averaged if scaling == "average" else _as_mediapipe
        self._on_notice = on_notice
        self._state: _Following | None = None

    def segment(self, frame: Frame) -> Alpha:
        """Alpha of a frame: one value a cell of its grid when following, else at the model's own size."""
        if not self._follow:
            return self._infer(self._thumbnail(frame.pixels, self._network.size))
        grid = grid_for(*frame.size)
        state = self._state
        if state is None or state.grid != grid or state.region == whole_frame(grid):
            return self._acquire(frame, grid)
        return self._follow_on(frame, state)

    def reset(self) -> None:
        """Look at the whole frame again."""
        self._state = None

    def close(self) -> None:
        """Release the engine."""
        self._network.close()

    def _acquire(self, frame: Frame, grid: CellGrid) -> Alpha:
        """Look at the whole frame, then closer and closer."""
        state = _Following(grid, whole_frame(grid), frame.time_s)
        alpha, people, state = self._look(frame, state)
        for _ in range(MAX_ZOOMS):
            region = state.region if people is None else followed(state.region, people, grid)
            if region == state.region:
                break
            alpha, people, state = self._look(frame, replace(state, region=region))
            if people is None:
                state = replace(state, region=whole_frame(grid))
        self._state = state
        return alpha

    def _follow_on(self, frame: Frame, state: _Following) -> Alpha:
        alpha, people, seen = self._look(frame, state)
        if people is None or _cut_between(state, seen):
            return self._acquire(frame, state.grid)
        if cut_off(state.region, people, state.grid):
            seen = replace(seen, region=followed(state.region, people, state.grid))
            alpha, people, seen = self._look(frame, seen)
        wait_s = AFTER_STRIKE_S if seen.strikes else SURVEY_S
        if not 0 <= frame.time_s - seen.surveyed_s < wait_s:
            return self._survey(frame, seen, alpha)
        self._state = seen if people is None else replace(seen, region=followed(seen.region, people, seen.grid))
        return alpha

    def _survey(self, frame: Frame, state: _Following, alpha: Alpha) -> Alpha:
        """Compare with a look at the whole frame, and take in who is outside the region."""
        surveyed = replace(state, surveyed_s=frame.time_s, strikes=0)
        wide, everybody, whole = self._look(frame, replace(surveyed, region=whole_frame(state.grid)))
        followed_px = np.count_nonzero(alpha >= SOLID)
        agreed_px = np.count_nonzero((alpha >= SOLID) & (wide >= SOLID))
        if agreed_px < SEEN_AT_ALL * followed_px:
            strikes = state.strikes + 1
            self._state = whole if strikes >= STRIKES else replace(surveyed, strikes=strikes)
            return wide if strikes >= STRIKES else alpha
        people = people_box(alpha)
        if people is None or everybody is None or state.region.contains(everybody):
            self._state = surveyed
            return alpha
        region = followed(state.region, people.united(everybody), state.grid)
        alpha, _, self._state = self._look(frame, replace(surveyed, region=region))
        return alpha

    def _look(self, frame: Frame, state: _Following) -> tuple[Alpha, Region | None, _Following]:
        """Segment one region: alpha of the whole grid, the people's box, and the state with what was seen."""
        region, cell = state.region, state.grid.cell_px
        part = frame.pixels[region.top * cell : region.bottom * cell, region.left * cell : region.right * cell]
        thumbnail = self._thumbnail(part, self._network.size)
        alpha = np.zeros((state.grid.rows, state.grid.columns), np.float32)
        alpha[region.top : region.bottom, region.left : region.right] = resample(self._infer(thumbnail), region.size)
        luma = np.asarray(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), np.uint8)
        return alpha, people_box(alpha), replace(state, luma=luma)

    def _infer(self, thumbnail: Pixels) -> Alpha:
        self.inferences += 1
        alpha = self._network.infer(thumbnail)
        # NaN and infinity survive a sum, which is ten times cheaper than looking at each value.
        if np.isfinite(alpha.sum()):
            return alpha
        if self.broken_outputs == 0:
            self._on_notice(f"{self.name} gave values that are no numbers: taken as nobody in the picture.")
        self.broken_outputs += 1
        return np.zeros_like(alpha)


class LiteRtSelfieSegmenter(SelfieSegmenter):
    """The default segmenter: a selfie model on LiteRT. UserError (MODEL) when model or engine is missing."""

    def __init__(
        self,
        model: ModelName = "landscape",
        *,
        threads: int | None = None,
        follow: bool = True,
        scaling: Scaling = "average",
        on_notice: Callable[[str], None] = log.warning,
    ) -> None:
        super().__init__(
            LiteRtNetwork(model, threads=threads),
            name=f"MediaPipe selfie {model} (LiteRT)",
            follow=follow,
            scaling=scaling,
            on_notice=on_notice,
        )


class MediaPipeSelfieSegmenter(SelfieSegmenter):
    """The same model by the mediapipe package. UserError (MODEL) when that is missing."""

    def __init__(
        self,
        model: ModelName = "landscape",
        *,
        follow: bool = True,
        scaling: Scaling = "average",
        on_notice: Callable[[str], None] = log.warning,
    ) -> None:
        super().__init__(
            MediaPipeNetwork(model),
            name=f"MediaPipe selfie {model} (mediapipe)",
            follow=follow,
            scaling=scaling,
            on_notice=on_notice,
        )


def _averaged(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    return shrink(pixels, size)


def _as_mediapipe(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Sample as MediaPipe 0.10.21's OpenCV converter: a perspective warp of the corners, no half pixels."""
    height, width = pixels.shape[:2]
    to_thumbnail = np.diag([size[0] / width, size[1] / height, 1.0])
    return np.asarray(
        cv2.warpPerspective(pixels, to_thumbnail, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        np.uint8,
    )


def _cut_between(before: _Following, now: _Following) -> bool:
    """Whether the same region shows another scene than a frame ago."""
    return (
        before.luma is not None
        and now.luma is not None
        and before.region == now.region
        and is_cut(before.luma, now.luma)
    )
