"""From a segmenter's coarse alpha to a steady matte at full resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import feather, fill_holes, grow, remove_specks
from app.domain.cells import cell_picture, grid_for, resample, whole_cells, window_where
from app.domain.errors import ExitCode, UserError
from app.domain.frame import Alpha, Alpha8, Frame
from app.domain.steadiness import MAX_GAP_S, Remembered, is_cut, steadied
from app.domain.upsampling import upsample_guided, upsample_plain

Picture = npt.NDArray[np.uint8]

_MIN_FLOW_CELLS = 32
"""The flow's coarsest patches need this much."""

_FLAT = 0.02
"""Alpha this near to 0 or 1 is left as the segmenter gives it."""

_MOTION_CELLS = 8
"""How far around the edge the flow looks, so that what comes in from outside is known."""


@dataclass(frozen=True, slots=True)
class MatteSettings:
    """How a coarse alpha becomes the matte; the defaults are the measured best of `bench matte`.

    low, high: coverage at and under low becomes 0, at and over high 1. feather_px: softening of the finished
    edge. grow_px: moves the edge outward, inward when negative. min_blob_fraction, max_hole_fraction: pieces
    and holes smaller than this part of the frame vanish. tau_s: time constant of the smoothing where the
    picture stands still, 0 for none. refine_edges: follow the picture's own edges; else the coarse alpha is
    only enlarged. UserError (USAGE) for values out of range.
    """

    low: float = 0.2
    high: float = 0.8
    feather_px: float = 0.0
    grow_px: float = 0.0
    min_blob_fraction: float = 0.002
    max_hole_fraction: float = 0.0003
    tau_s: float = 0.15
    refine_edges: bool = True

    def __post_init__(self) -> None:
        """Refuse what would silently do something else."""
        if not 0 <= self.low < self.high <= 1:
            raise _usage(f"The matte's levels are {self.low} and {self.high}.", "Give 0 <= low < high <= 1.")
        if min(self.feather_px, self.tau_s, self.min_blob_fraction, self.max_hole_fraction) < 0:
            raise _usage("A matte setting is negative.", "Only the edge shift may be: it then moves inward.")


@dataclass(frozen=True, slots=True)
class _Last:
    """What the next frame is smoothed against, at one value a cell."""

    time_s: float
    picture: Picture
    luma: Picture
    alpha: Alpha


class MatteRefiner:
    """Makes full-size mattes of one clip, frame after frame; remembers the last frame only.

    `cuts` counts the scene cuts seen, at which nothing is carried over.
    """

    def __init__(self, settings: MatteSettings | None = None) -> None:
        self.settings = settings or MatteSettings()
        self.cuts = 0
        self._last: _Last | None = None
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def reset(self) -> None:
        """Forget the last frame: before another clip or after a seek."""
        self._last = None

    def refine(self, frame: Frame, coarse: Alpha, *, picture: Picture | None = None) -> Alpha8:
        """Matte of a frame, (H, W) uint8, from a coarse alpha of any size stretched over the frame.

        picture: `cell_picture` of the frame, if that is known.
        """
        picture = cell_picture(frame.pixels, grid_for(*frame.size)) if picture is None else picture
        cells = self.cells_of(frame, coarse, picture)
        return self.enlarged(frame, picture, self.steadied(frame.time_s, picture, cells))

    def cells_of(self, _frame: Frame, coarse: Alpha, picture: Picture) -> Alpha:
        """The first step alone, which remembers nothing: a coarse alpha of any size at one value a cell, without blobs.

        picture: `cell_picture` of the frame. -> (rows, columns) float32, what is smoothed over time.
        """
        rows, columns = picture.shape[:2]
        return self._without_blobs(resample(coarse, (columns, rows)))

    def enlarged(self, frame: Frame, picture: Picture, cells: Alpha) -> Alpha8:
        """The last step alone, which remembers nothing: matte of a frame, (H, W) uint8.

        picture: `cell_picture` of the frame. cells (rows, columns) float32: its smoothed alpha.
        """
        grid, low, high = grid_for(*frame.size), self.settings.low, self.settings.high
        if self.settings.refine_edges:
            pixels = whole_cells(frame.pixels, grid)
            matte = upsample_guided(pixels, picture, cells, grid=grid, low=low, high=high)
        else:
            matte = upsample_plain(cells, grid=grid, low=low, high=high)
        height, width = frame.pixels.shape[:2]
        return self._finished(matte[:height, :width])

    def _without_blobs(self, alpha: Alpha) -> Alpha:
        alpha = remove_specks(alpha, self.settings.min_blob_fraction * alpha.size)
        return fill_holes(alpha, self.settings.max_hole_fraction * alpha.size)

    def steadied(self, time_s: float, picture: Picture, alpha: Alpha) -> Alpha:
        """The middle step, which is the one with a memory: a frame's alpha, (rows, columns), smoothed over time."""
        if self.settings.tau_s <= 0:
            return alpha
        luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        if self._last is not None and self._follows(self._last, time_s, luma):
            alpha = self._smoothed(self._last, time_s, picture, luma, alpha)
        self._last = _Last(time_s, picture, luma, alpha)
        return alpha

    def _follows(self, last: _Last, time_s: float, luma: Picture) -> bool:
        if not 0 < time_s - last.time_s <= MAX_GAP_S:
            return False
        cut = is_cut(last.luma, luma)
        self.cuts += cut
        return not cut

    def _smoothed(self, last: _Last, time_s: float, picture: Picture, luma: Picture, alpha: Alpha) -> Alpha:
        """Smooth where either matte is anything but flat: elsewhere there is nothing to do."""
        either = cv2.max(alpha, last.alpha), cv2.min(alpha, last.alpha)
        window = window_where((either[0] > _FLAT) & (either[1] < 1 - _FLAT), _MOTION_CELLS)
        if window is None:
            return alpha
        before = Remembered(last.picture[window], last.alpha[window])
        flow = None
        if min(before.alpha.shape) >= _MIN_FLOW_CELLS:
            lumas = np.ascontiguousarray(luma[window]), np.ascontiguousarray(last.luma[window])
            flow = np.asarray(self._flow.calc(*lumas, np.empty(0, np.float32)), np.float32)
        result = alpha.copy()
        result[window] = steadied(
            before,
            flow,
            Remembered(picture[window], alpha[window]),
            dt_s=time_s - last.time_s,
            tau_s=self.settings.tau_s,
        )
        return result

    def _finished(self, matte: Alpha8) -> Alpha8:
        matte = feather(grow(matte, self.settings.grow_px), self.settings.feather_px)
        return np.ascontiguousarray(matte)


def _usage(message: str, hint: str) -> UserError:
    return UserError(message, hint, code=ExitCode.USAGE)
