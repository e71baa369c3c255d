"""The smart brush: each dab covers only what is joined to its middle, of the stroke's colours, up to the next edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.alpha import Bools
from app.domain.compositing import as_uint8
from app.domain.frame import Alpha8, Pixels
from app.domain.mask.brush import Dab
from app.domain.mask.planes import Box
from app.domain.setting_kinds import Number

TOLERANCE: Final = Number("Tolerance", "How different colours may be", low=0.0, high=1.0, step=0.05, unit="%")

MAX_SIDE_PX: Final = 256
"""A larger dab is looked at smaller: 3 to 5 ms for one of 200 px, 13 for one of 2000."""

_LEAST_SIGMA: Final = 4.0
_MOST_SIGMA: Final = 14.0
"""Levels of Lab that count as one standard deviation of an even colour, at tolerance 0 and 1."""

_ALIKE: Final = 2.0
_DIFFERENT: Final = 3.5
"""Standard deviations from the colour, up to which all and from which on nothing is covered."""

_EDGE: Final = 3.0
"""Standard deviations that the colour may change by within two pixels."""

_LEARNT: Final = 0.25
"""How much of each dab's own colours is taken on: enough to follow shading, too little to cross an edge unnoticed."""

_CORE_OF_RADIUS: Final = 0.12
_LEAST_CORE_PX: Final = 2.0
"""The middle of a dab, whose colours are learnt and from where paint spreads."""

_AROUND: Final = np.ones((3, 3), np.uint8)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Colours:
    """Mean (3,) and covariance (3, 3) of colours in levels of 8-bit Lab."""

    mean: npt.NDArray[np.float64]
    covariance: npt.NDArray[np.float64]

    def distances(self, lab: Floats, sigma: float) -> Floats:
        """Mahalanobis distance of every colour, (h, w); an even colour spreads by sigma."""
        whiten = np.linalg.inv(np.linalg.cholesky(self.covariance + sigma**2 * np.eye(3)))
        shifted = cv2.transform(lab, np.column_stack([whiten, -whiten @ self.mean]))
        return np.asarray(np.sqrt(np.square(np.asarray(shifted, np.float32)).sum(axis=2)), np.float32)

    def mixed(self, other: _Colours, share: float) -> _Colours:
        """Moved towards other colours."""
        return _Colours(
            self.mean + share * (other.mean - self.mean),
            self.covariance + share * (other.covariance - self.covariance),
        )


class ColourLimit:
    """What the dabs of one stroke may cover in a picture: `Stroke(..., limit=ColourLimit(pixels, tolerance=0.5))`.

    pixels: (H, W, 3) uint8. The colours are those under the first dab and follow slowly; where the hand strays onto
    others nothing is painted. ValueError for a tolerance outside 0..1.
    """

    def __init__(self, pixels: Pixels, *, tolerance: float = 0.5) -> None:
        if not TOLERANCE.accepts(tolerance):
            raise ValueError(f"tolerance out of range: {tolerance}")
        self._pixels = pixels
        self._sigma = _LEAST_SIGMA + tolerance * (_MOST_SIGMA - _LEAST_SIGMA)
        self._colours: _Colours | None = None

    def __call__(self, dab: Dab) -> Alpha8:
        """The dab's coverage (h, w) uint8, less where it must not paint."""
        lab, scale = _small_lab(self._pixels[dab.box.rows_columns])
        core = _core(dab, (lab.shape[1], lab.shape[0]), scale)
        if not core.any():
            return np.zeros_like(dab.coverage)
        self._learn(lab[core])
        assert self._colours is not None  # noqa: S101 - just learnt
        allowed = _spread(self._colours.distances(lab, self._sigma), _steepness(lab) / self._sigma, core)
        return as_uint8(np.minimum(dab.coverage, _enlarged(allowed, dab.box)))

    def _learn(self, lab: Floats) -> None:
        if self._colours is None:
            self._colours = _colours(lab)
            return
        known = self._colours.distances(lab[None], self._sigma)[0] < _ALIKE
        if known.mean() > 0.5:
            self._colours = self._colours.mixed(_colours(lab[known]), _LEARNT)


def _colours(lab: Floats) -> _Colours:
    """Of (n, 3) colours, those far from the middle one left out: a core that touches an edge is one colour, not two."""
    away = np.abs(lab - np.median(lab, axis=0)).max(axis=1)
    near = lab[away <= np.median(away) * 2 + 2].astype(np.float64)
    mean = near.mean(axis=0)
    return _Colours(mean, (near - mean).T @ (near - mean) / len(near))


def _small_lab(pixels: Pixels) -> tuple[Floats, float]:
    """The picture in 8-bit Lab as float32, no side over MAX_SIDE_PX, and the scale it was made smaller by."""
    height, width = pixels.shape[:2]
    scale = min(1.0, MAX_SIDE_PX / max(height, width))
    if scale < 1:
        size = max(1, round(width * scale)), max(1, round(height * scale))
        pixels = as_uint8(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))
    lab = as_uint8(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2LAB))
    return np.asarray(cv2.GaussianBlur(lab, (3, 3), 0), np.float32), scale


def _core(dab: Dab, size: tuple[int, int], scale: float) -> Bools:
    """The dab's middle in its small picture, (h, w); empty where it lies outside."""
    radius = max(_LEAST_CORE_PX, _CORE_OF_RADIUS * max(dab.box.size) / 2 * scale)
    x, y = (dab.x - dab.box.x0) * scale - 0.5, (dab.y - dab.box.y0) * scale - 0.5
    columns, rows = (np.arange(side, dtype=np.float32) for side in size)
    return np.asarray(np.square(rows - y)[:, None] + np.square(columns - x)[None, :] <= radius**2)


def _steepness(lab: Floats) -> Floats:
    """How much the colour changes across each pixel, between its two neighbours, (h, w) in levels."""
    across = cv2.Sobel(lab, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 4)
    down = cv2.Sobel(lab, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 4)
    squares = np.square(np.asarray(across)) + np.square(np.asarray(down))
    return np.asarray(np.sqrt(squares.sum(axis=2)), np.float32)


def _spread(distances: Floats, steepness: Floats, core: Bools) -> Alpha8:
    """255 where paint gets to from the core through alike colours without crossing an edge; soft at its border."""
    passable = (distances < _DIFFERENT) & (steepness < _EDGE)
    _, labels = cv2.connectedComponents(passable.view(np.uint8), connectivity=4)
    labels = np.asarray(labels)
    reached = np.isin(labels, np.unique(labels[core & passable & (distances < _ALIKE)]))
    reached &= passable
    # The edge itself is too steep to pass, two pixels wide; its near half belongs to this side by its colour.
    wider = as_uint8(cv2.dilate(reached.view(np.uint8), _AROUND, iterations=2)).astype(np.float32)
    soft = np.clip((_DIFFERENT - distances) / (_DIFFERENT - _ALIKE), 0, 1) * wider
    return as_uint8(np.rint(255 * soft))


def _enlarged(allowed: Alpha8, box: Box) -> Alpha8:
    if allowed.shape == box.size[::-1]:
        return allowed
    return as_uint8(cv2.resize(allowed, box.size, interpolation=cv2.INTER_LINEAR))
