"""A sequence of mattes smoothed forwards and backwards, at one value a cell.

As in `steadiness`, a matte is carried along the optical flow and mixed in where the carried picture agrees with the new
one; here from both sides, which together is the kernel exp(-|t| / tau).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.cells import Window, window_where
from app.domain.dropouts import Dropout
from app.domain.frame import Alpha
from app.domain.steadiness import MAX_GAP_S, Flow, Picture, Remembered, carry, is_cut, steadied

Halves = npt.NDArray[np.float16]
Times = npt.NDArray[np.float64]

_MIN_FLOW_CELLS: Final = 32
"""The flow's coarsest patches need this much."""

_FLAT: Final = 0.02
"""Alpha this near to 0 or 1 is left as it was found."""

_MIN_FOLLOW: Final = 1e-3
"""Of its own frame at least this is followed, or there would be nothing to divide by."""

_MOTION_CELLS: Final = 8
"""How far around the edge the flow looks, so that what comes in from outside is known."""


class Moment(NamedTuple):
    """A frame, its picture (rows, columns, 3) and luma (rows, columns) uint8, and an alpha (rows, columns) float32."""

    time_s: float
    picture: Picture
    luma: Picture
    alpha: Alpha


Passed = tuple[Halves, Halves]
"""A frame's alpha smoothed in one direction, and how far each cell followed its own frame: above 0, to 1 for wholly."""


class BothWays(NamedTuple):
    """Alphas smoothed in both directions, float32, and by each direction alone."""

    results: list[Alpha]
    forward: list[Passed]
    backward: list[Passed]


@dataclass(frozen=True, slots=True, eq=False)
class Filmed:
    """A sequence's pictures (rows, columns, 3) uint8, their lumas, times (T,), and what begins anew.

    cuts (T,): a scene or, after a gap, the sequence begins with this frame; always with the first.
    """

    pictures: Sequence[Picture]
    lumas: Sequence[Picture]
    times_s: Times
    cuts: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, pictures: Sequence[Picture], times_s: Times) -> Self:
        """Look for cuts in pictures at ascending times."""
        lumas = [_luma(picture) for picture in pictures]
        cuts = np.ones(len(lumas), np.bool_)
        for i in range(1, len(lumas)):
            cuts[i] = times_s[i] - times_s[i - 1] > MAX_GAP_S or is_cut(lumas[i - 1], lumas[i])
        return cls(pictures, lumas, times_s, cuts)

    def moment(self, index: int, alpha: Alpha) -> Moment:
        """One frame, with an alpha."""
        return Moment(float(self.times_s[index]), self.pictures[index], self.lumas[index], alpha)


def moment_of(time_s: float, picture: Picture, alpha: Alpha) -> Moment:
    """A frame by itself."""
    return Moment(time_s, picture, _luma(picture), alpha)


def _luma(picture: Picture) -> Picture:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


class _Motion:
    """Where pixels come from, by DIS (Kroeger et al., ECCV 2016)."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)

    def between(self, luma: Picture, other: Picture) -> Flow:
        """Where in the other, (h, w) uint8, each pixel is found; where it is, in what is too small to tell."""
        if min(luma.shape) < _MIN_FLOW_CELLS:
            return np.zeros((*luma.shape, 2), np.float32)
        lumas = np.ascontiguousarray(luma), np.ascontiguousarray(other)
        return np.asarray(self._dis.calc(*lumas, np.empty(0, np.float32)), np.float32)


def mend(filmed: Filmed, alphas: list[Alpha], broken: Iterable[Dropout]) -> None:
    """Replace broken frames by what is carried there from the good ones around them, mixed by time; in place."""
    motion, times_s = _Motion(), filmed.times_s
    for one in broken:
        carried = [
            carry(alphas[good], motion.between(filmed.lumas[one.number], filmed.lumas[good]))
            for good in (one.before, one.after)
        ]
        share = (times_s[one.number] - times_s[one.before]) / (times_s[one.after] - times_s[one.before])
        alphas[one.number] = np.asarray(cv2.addWeighted(carried[0], 1 - share, carried[1], share, 0), np.float32)


def both_ways(
    filmed: Filmed,
    alphas: Sequence[Alpha],
    *,
    tau_s: float,
    before: Moment | None = None,
    after: Moment | None = None,
) -> BothWays:
    """Smooth (rows, columns) float32 alphas in [0, 1].

    tau_s: 0 smooths nothing. before, after: smoothed frames next to the first and the last, None where there is nothing
    or nothing is known.
    """
    if tau_s <= 0:
        unchanged = [(half, np.ones_like(half)) for half in (alpha.astype(np.float16) for alpha in alphas)]
        return BothWays(list(alphas), unchanged, unchanged)
    forward = one_way(filmed, alphas, tau_s=tau_s, start=before)
    backward, results = [], []
    order = range(len(alphas))[::-1]
    for i, future in zip(order, _one_way(filmed, alphas, order, tau_s, after), strict=True):
        results.append(mixed(alphas[i], forward[i], future))
        backward.append(_halved(future))
    return BothWays(results[::-1], forward, backward[::-1])


def one_way(
    filmed: Filmed, alphas: Sequence[Alpha], *, tau_s: float, start: Moment | None, is_back: bool = False
) -> list[Passed]:
    """Each frame smoothed in one direction alone, tau_s above 0, from a smoothed frame on that lies before the first.

    is_back: from the last frame to the first, from one after the last. The results are in the order of the frames.
    """
    order = range(len(alphas))[::-1] if is_back else range(len(alphas))
    passed = [_halved(one) for one in _one_way(filmed, alphas, order, tau_s, start)]
    return passed[::-1] if is_back else passed


def _halved(one: tuple[Alpha, Alpha]) -> Passed:
    return one[0].astype(np.float16), one[1].astype(np.float16)


def _one_way(
    filmed: Filmed, alphas: Sequence[Alpha], order: Iterable[int], tau_s: float, last: Moment | None
) -> Iterator[tuple[Alpha, Alpha]]:
    """Alphas smoothed in one direction, and how far each pixel followed its own frame: above 0, to 1 for wholly."""
    motion = _Motion()
    for i in order:
        now = filmed.moment(i, alphas[i])
        value, follow = now.alpha, np.ones_like(now.alpha)
        if last is not None and _belong_together(last, now):
            value, follow = _step(motion, last, now, tau_s)
        last = now._replace(alpha=value)
        yield value, np.maximum(follow, _MIN_FOLLOW)


def _belong_together(last: Moment, now: Moment) -> bool:
    return abs(now.time_s - last.time_s) <= MAX_GAP_S and not is_cut(last.luma, now.luma)


def _step(motion: _Motion, last: Moment, now: Moment, tau_s: float) -> tuple[Alpha, Alpha]:
    """The smoothed alpha and how far it followed; as `steadied`, and only where either alpha is anything but flat."""
    value, follow = now.alpha.copy(), np.ones_like(now.alpha)
    window = _unsettled(last.alpha, now.alpha)
    if window is None:
        return value, follow
    own = now.alpha[window]
    # From 0 towards 1 a step shows how far it goes; in no time at all, how different the pictures are.
    start = Remembered(last.picture[window], np.zeros_like(own))
    end = Remembered(now.picture[window], np.ones_like(own))
    flow = motion.between(now.luma[window], last.luma[window])
    # Where the picture stands still the flow is noise: it would shake the edge it carries. With people held still
    # before a noisy camera this halves what is left of the matte's flicker.
    flow *= steadied(start, None, end, dt_s=0.0, tau_s=tau_s)[..., None]
    follow[window] = steadied(start, flow, end, dt_s=abs(now.time_s - last.time_s), tau_s=tau_s)
    carried = carry(np.ascontiguousarray(last.alpha[window]), flow)
    value[window] = carried + follow[window] * (own - carried)
    return value, follow


def _unsettled(one: Alpha, other: Alpha) -> Window | None:
    edge = (cv2.max(one, other) > _FLAT) & (cv2.min(one, other) < 1 - _FLAT)
    return window_where(edge, _MOTION_CELLS)


def mixed(own: Alpha, past: Passed, future: tuple[Alpha, Alpha] | Passed) -> Alpha:
    """Both directions and the frame's own alpha, which is in both of them, counted once.

    past, future: smoothed in one direction, and how far that followed its own frame. What followed by f has f of the
    frame in it: divided by f, both have it with weight 1.
    """
    of_past, of_future = (1 / one[1].astype(np.float32) for one in (past, future))
    both = (past[0] * of_past + future[0] * of_future - own) / (of_past + of_future - 1)
    return np.asarray(np.clip(both, 0, 1), np.float32)
