"""Where the pixels of a picture were in the picture before it, and how far that is to be believed.

Dense inverse search (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016; OpenCV's own) in both
directions, believed where the two agree and the carried picture looks like the new one. Near the rim of something
that moves dense flow is a mixture of its motion and its surroundings'; `extended` carries the inside's motion there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

Picture = npt.NDArray[np.uint8]
"""(h, w, 3) uint8 RGB."""

Flow = npt.NDArray[np.float32]
"""(h, w, 2) float32: from each pixel of the new picture to where it was in the old one, as an offset in px (x, y)."""

FREE_RETURN_PX, RETURN_SIGMA_PX = 0.7, 1.2
"""There and back again, the flow may miss by the first and still be believed; then belief falls as a Gaussian."""

FREE_LEVELS, LEVELS_SIGMA = 10.0, 8.0
"""The same for the channel that differs most: on clips that are followed well the median is 0.6 to 2.9."""

_FREE_CONTRAST: Final = 0.2
"""So much of the contrast from pixel to neighbouring pixel is free too: what a fifth of a pixel's error costs."""

_FREE_SHEAR: Final = 0.06
"""Change of the motion, in px a px, up to which it is one thing's.

Turning by a degree is 0.017; where the flow has smoothed the rim of a thing at 3 px a frame it is 0.05 to 0.3.
"""

_LOST: Final = 0.1
"""Weight under which nothing is won back for its neighbours' sake."""

_SPOT_PX: Final = 5
"""Doubt in spots that fill less than half a square of this side is a glint or blurred detail, and is passed over."""

_WINDOW_PX: Final = 5
"""Side of the window over which pictures are compared."""

_REACH_PX: Final = 25
"""Side of the box, passed over twice, by which a motion reaches beyond where it was seen."""

_RIM_PX, _WELL_WITHIN = 20, 0.95
"""The same for how far the rim reaches inward, and the mean coverage around from which a place lies behind it.

Of 9 to 33 px and 0.6 to 0.95 among the best on turning, growing and shifting objects of 90 and 300 px.
"""

_THIN: Final = 4
"""Smooth fields are made at one sample in so many px, each way."""

_LEAST_BELIEF: Final = 1e-6

_AFFINE_UNIT_PX: Final = 64.0
_STIFFNESS: Final = 0.002
"""So little of a few pixels' flow is taken for turning or growing: half where their sigma is 3 px."""

_MIN_POINTS: Final = 6
_MIN_AGREEING: Final = 0.6


class Dense(NamedTuple):
    """flow: see Flow. trust (h, w) float32 in [0, 1]: how far to believe it."""

    flow: Flow
    trust: Floats


class View(NamedTuple):
    """One frame over a grid: its colours, its luma, and how much neighbouring pixels differ in luma."""

    colours: Picture
    gray: Gray
    contrast: Floats

    @classmethod
    def of(cls, colours: Picture) -> Self:
        """The view of a picture."""
        gray = np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.uint8)
        ranges = cv2.morphologyEx(gray, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        return cls(colours, gray, np.asarray(cv2.blur(ranges, (_WINDOW_PX, _WINDOW_PX)), np.float32))

    def likeness(self, levels: Floats, *, free: float = FREE_LEVELS) -> Floats:
        """From a difference to this picture in levels, (h, w), to a trust in [0, 1]."""
        over = levels - np.float32(free) - np.float32(_FREE_CONTRAST) * self.contrast
        return _falling(over * np.float32(1 / LEVELS_SIGMA))


class FlowEstimator:
    """Estimates flow between two views of one size, at least 32 px each way; keeps OpenCV's buffers."""

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)

    def between(self, before: View, now: View) -> Flow:
        """Where each pixel of `now` was in `before`."""
        return np.asarray(self._search.calc(now.gray, before.gray, np.empty(0, np.float32)), np.float32)

    def checked(self, before: View, now: View) -> Dense:
        """The same, with what the way back, its own smoothness and the colours say about it."""
        flow = self.between(before, now)
        astray = flow + sampled(self.between(now, before), flow)
        astray_px = np.asarray(cv2.magnitude(astray[..., 0], astray[..., 1]), np.float32)
        trust = _falling((astray_px - np.float32(FREE_RETURN_PX)) * np.float32(1 / RETURN_SIGMA_PX))
        return Dense(flow, trust * _smoothness(flow) * now.likeness(difference_levels(before, now, flow)))


def _smoothness(flow: Flow) -> Floats:
    """1 where neighbours move alike, falling where motion changes from one to another: (h, w) in [0, 1]."""
    thin = _thinned(flow)
    steepest = np.zeros(thin.shape[:2], np.float32)
    for axis in (0, 1):
        change = np.abs(np.diff(thin, axis=axis, append=np.take(thin, [-1], axis))).max(axis=2) / np.float32(_THIN)
        steepest = np.maximum(steepest, change)
    return _grown(_falling((steepest - np.float32(_FREE_SHEAR)) * np.float32(1 / _FREE_SHEAR)), flow)


def difference_levels(before: View, now: View, flow: Flow, inside: Floats | None = None) -> Floats:
    """How much the new picture differs from the old one carried along the flow, (h, w) float32 levels of 255.

    Of the channel that differs most, the mean over a small window; of that only what lies `inside`, (h, w) in [0, 1],
    if that is given: so that the rim of a thing is not judged by what it moves past.
    """
    return differing_levels(np.asarray(sampled(before.colours, flow), np.uint8), now.colours, inside)


def differing_levels(one: Picture, other: Picture, inside: Floats | None = None) -> Floats:
    """The same for two pictures as they are."""
    window = (_WINDOW_PX, _WINDOW_PX)
    red, green, blue = cv2.split(cv2.absdiff(one, other))
    levels = cv2.max(cv2.max(red, green), blue)
    if inside is None:
        return np.asarray(cv2.blur(levels, window), np.float32)
    shares = cv2.blur(inside, window)
    return np.asarray(cv2.blur(levels * inside, window) / np.maximum(shares, np.float32(1e-3)))


def without_spots(trust: Floats, weights: Floats) -> Floats:
    """The trust with small spots of doubt filled, such as lie among what still has weight, (h, w) each.

    By a median: at the rim, where an occluder comes in by a few px a frame, it wins nothing back.
    """
    among = np.where(weights > _LOST, trust * np.float32(255), np.float32(0)).astype(np.uint8)
    return np.maximum(trust, cv2.medianBlur(among, _SPOT_PX) * np.float32(1 / 255))


def depth(inside: Floats) -> Floats:
    """0 at the rim of a coverage in [0, 1] and outside, 1 some 16 px within, where dense flow is not mixed: (h, w)."""
    spread = _spread(_thinned(inside), _RIM_PX)
    return _grown(np.clip((spread - np.float32(_WELL_WITHIN)) * np.float32(1 / (1 - _WELL_WITHIN)), 0, 1), inside)


def extended(flow: Flow, belief: Floats) -> Flow:
    """The flow where it is believed, (h, w) in [0, 1], and its continuation where not.

    An affine motion fits all that is believed; what differs from it locally is carried on a little further.
    """
    across, down = flow[..., 0], flow[..., 1]
    thin = _thinned(np.asarray(cv2.merge((across * belief, down * belief, belief)), np.float32))
    linear = _affine_fit(thin)
    affine = np.asarray(cv2.transform(positions(*thin.shape[:2]), linear.T), np.float32)
    rest = thin[..., :2] - affine * thin[..., 2:]
    spread = _spread(np.asarray(np.dstack((rest, thin[..., 2])), np.float32), _REACH_PX)
    near = affine + spread[..., :2] / (spread[..., 2:] + np.float32(1e-6))
    near_across, near_down = cv2.split(_grown(near, belief))
    near_across += (across - near_across) * belief
    near_down += (down - near_down) * belief
    return np.asarray(cv2.merge((near_across, near_down)), np.float32)


def _affine_fit(thin: Floats) -> npt.NDArray[np.float64]:
    """(3, 2): from x, y (thinned samples) and 1 to the affine flow that fits best.

    thin (h, w, 3): the flow's x and y, each times the belief, and the belief.
    In two rounds, the second with less say for what differs.
    """
    weights = thin[..., 2].ravel().astype(np.float64)
    if weights.sum() < _LEAST_BELIEF:
        return np.zeros((3, 2))
    points = positions(*thin.shape[:2]).reshape(-1, 2).astype(np.float64)
    targets = thin[..., :2].reshape(-1, 2) / np.maximum(weights, 1e-9)[:, None]
    centre = weights @ points / weights.sum()
    basis = np.hstack([(points - centre) * (_THIN / _AFFINE_UNIT_PX), np.ones((len(points), 1))])
    stiff = np.diag([_STIFFNESS, _STIFFNESS, 1e-9])
    agreed = weights
    for _ in range(2):
        weighted = basis * agreed[:, None]
        fit = np.linalg.solve(weighted.T @ basis + stiff * agreed.sum(), weighted.T @ targets)
        agreed = weights / (1 + np.sum((targets - basis @ fit) ** 2, axis=1))
    linear = fit[:2] * (_THIN / _AFFINE_UNIT_PX)
    return np.vstack([linear, fit[2] - centre @ linear])


def _thinned(values: Floats) -> Floats:
    rows, columns = values.shape[:2]
    size = (-(-columns // _THIN), -(-rows // _THIN))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _grown(thin: Floats, like: Floats) -> Floats:
    rows, columns = like.shape[:2]
    return np.asarray(cv2.resize(thin, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _spread(thin: Floats, reach_px: int) -> Floats:
    side = 2 * (reach_px // (2 * _THIN)) + 1
    return np.asarray(cv2.blur(cv2.blur(thin, (side, side)), (side, side)), np.float32)


def similarity_flow(before: Gray, now: Gray, inside: Gray) -> Flow | None:
    """The flow of the one shift, turn and scaling that points inside (uint8, of the old picture) agree on; else None.

    Corners (Shi and Tomasi) followed by pyramidal Lucas-Kanade, checked on the way back; RANSAC over the rest.
    """
    corners = cv2.goodFeaturesToTrack(before, 200, 0.01, 5, mask=inside)
    if corners is None or len(corners) < _MIN_POINTS:
        return None
    moved, found = _followed(before, now, np.asarray(corners))
    back, found_back = _followed(now, before, moved)
    kept = (found & found_back).ravel().astype(bool) & (np.linalg.norm(back - corners, axis=2).ravel() < 1.0)
    if np.count_nonzero(kept) < _MIN_POINTS:
        return None
    matrix, agreeing = cv2.estimateAffinePartial2D(moved[kept], corners[kept], ransacReprojThreshold=2.0)
    if matrix is None or np.count_nonzero(agreeing) < max(_MIN_POINTS, _MIN_AGREEING * len(agreeing)):
        return None
    places = positions(*now.shape)
    return np.asarray(cv2.transform(places, matrix) - places, np.float32)


def _followed(one: Gray, other: Gray, points: Floats) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Where points (n, 1, 2) of one picture are in the other, and which were found (n, 1)."""
    guess = np.empty(0, np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(one, other, points, guess, winSize=(21, 21), maxLevel=4)
    return np.asarray(moved, np.float32), np.asarray(found, np.uint8)


def sampled(values: Floats | Picture, flow: Flow) -> Floats:
    """(h, w[, c]) values, of their own type, where the flow points to: bilinear, border repeated."""
    places = flow + positions(*flow.shape[:2])
    return np.asarray(
        cv2.remap(values, places, np.empty(0, np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    )


@lru_cache(maxsize=8)
def positions(rows: int, columns: int) -> Flow:
    """(rows, columns, 2) float32: each pixel's own x and y; read-only."""
    x, y = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)
    places: Flow = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=2)
    places.setflags(write=False)
    return places


def _falling(over: Floats) -> Floats:
    """1 up to 0, then half a Gaussian of sigma 1."""
    over = np.maximum(over, 0)
    return np.asarray(np.exp(over * over * np.float32(-0.5)), np.float32)
