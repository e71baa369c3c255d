"""A hand's correction carried from the frame it was painted on to the frames around it, step by step.

Carried is the correction, never the matte: the model looks at every frame anew. Each frame's planes are sampled from
the painted ones through the composed motion, so that their edges don't blur from frame to frame.

Paint that adds and paint that removes move on their own (a cheek and the wall behind it): as two layers, whose rims
follow their own insides. Nothing is known at once of what comes out from behind something: it gets no weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from app.domain.cells import resample, shrink
from app.domain.compositing import Size
from app.domain.frame import Alpha8, Frame
from app.domain.mask.motion import (
    Dense,
    Floats,
    Flow,
    FlowEstimator,
    Picture,
    View,
    depth,
    difference_levels,
    differing_levels,
    extended,
    positions,
    sampled,
    similarity_flow,
    without_spots,
)
from app.domain.mask.planes import NOWHERE, Box, Planes, box_of

MARGIN_PX: Final = 64
"""How far around the edit motion is looked for: it may move this far from one frame to the next."""

MAX_GRID_PX: Final = 256
"""Motion is estimated on crops reduced to this long side; the planes are always full size.

Edits of 300 px shifting, turning and growing for 30 frames end at IoU 0.989, 0.996, 0.988 at 240, at 0.991, 0.996,
0.990 at 640, which takes 2.5 times as long.
"""

MIN_GRID_PX: Final = 48
"""Smaller crops are enlarged: the flow's coarsest patches need room."""

ADDS_FROM: Final = 128
"""Values from here on belong to the layer that adds, the others to the one that removes."""

_FALL_BACK_BELOW: Final = 0.7
"""Mean confidence under which the rigid motion is tried too."""

_MAX_DRIFT_PX: Final = 4.0
"""Samples that seem further off than this since the last step are something else that looks alike."""

_FREE_FROM_KEY_LEVELS: Final = 24.0
"""What light and pose may change, in levels, on the way from the painted frame, before trust falls.

At 30 something that slides over the edit keeps some of it a while; at 20 a head that turns down and aside has 0.61
of its edit left after 30 frames, at 24 0.66.
"""

_RIM_SHARE: Final = 0.001
"""What a layer's rim says about its motion, against its inside: enough for a stroke too thin to have an inside.

More costs: an object of 80 px ends at IoU 0.982 with 0.002, 0.977 with 0.01, 0.963 with 0.05.
"""

_TRACE: Final = 1 / 512
"""Coverage that can't become one level of weight."""

Matrix = npt.NDArray[np.float64]
"""(2, 3): an affine map of places (x, y)."""


@dataclass(frozen=True, slots=True)
class PlacedPlanes:
    """The part of a frame's planes in a box; elsewhere they are empty."""

    box: Box
    planes: Planes

    def on(self, size: Size) -> Planes:
        """As planes of a whole frame of (width, height)."""
        whole = Planes.empty(size)
        whole.value[self.box.rows_columns] = self.planes.value
        whole.weight[self.box.rows_columns] = self.planes.weight
        return whole


@dataclass(frozen=True, slots=True)
class Grid:
    """Evenly spaced samples over a box of the frame, (columns, rows) of them; one a pixel unless the box is large."""

    box: Box
    size: Size

    @classmethod
    def around(cls, edit: Box, size: Size) -> Grid:
        """The grid over an edit and its surroundings in a frame of (width, height)."""
        box = edit.grown(MARGIN_PX).within(size)
        scale = min(1.0, MAX_GRID_PX / max(box.size))
        columns, rows = (max(MIN_GRID_PX, round(side * scale)) for side in box.size)
        return cls(box, (columns, rows))

    @property
    def is_pixels(self) -> bool:
        """Whether each sample is a pixel."""
        return self.size == self.box.size

    @property
    def of_px(self) -> Matrix:
        """From frame coordinates, pixel centres whole, to places on the grid."""
        across, down = (samples / side for samples, side in zip(self.size, self.box.size, strict=True))
        x, y = across * (0.5 - self.box.x0) - 0.5, down * (0.5 - self.box.y0) - 0.5
        return np.array([[across, 0, x], [0, down, y]])

    @property
    def to_px(self) -> Matrix:
        """The way back."""
        return np.asarray(cv2.invertAffineTransform(self.of_px))

    def own_px(self) -> Flow:
        """Frame coordinates of each sample, (rows, columns, 2)."""
        return _transformed(positions(self.size[1], self.size[0]), self.to_px)

    def in_px(self, flow: Flow) -> Flow:
        """A flow between samples as one between pixels."""
        linear = self.to_px.copy()
        linear[:, 2] = 0
        return flow if self.is_pixels else _transformed(flow, linear)

    def reduced(self, crop: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array over the whole box, (H, W), on the grid; averaged, of its own type."""
        return crop if self.is_pixels else resample(crop, self.size)

    def view(self, frame: Frame) -> View:
        """What the frame shows here."""
        crop = frame.pixels[self.box.rows_columns]
        return View.of(crop if self.is_pixels else shrink(np.ascontiguousarray(crop), self.size))


@dataclass(frozen=True, slots=True)
class Painted:
    """What one layer looked like where it was painted.

    weight: (H, W) float32 in 0..255 over the grid's box. product: weight by value, so that empty pixels' values don't
    bleed in. coverage: the weight in [0, 1] on the grid.
    """

    weight: Floats
    product: Floats
    coverage: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer followed so far: for each sample of the present grid, where it was on the painted frame.

    offset (h, w, 2) float32: in px. trust (h, w) float32 in [0, 1]: falls with every doubtful step, never rises.
    coverage (h, w) float32 in [0, 1]: the layer's weight here, without the trust.
    """

    painted: Painted
    offset: Flow
    trust: Floats
    coverage: Floats


class Track(NamedTuple):
    """Everything one step hands the next."""

    key_grid: Grid
    key: View
    frame: Frame
    grid: Grid
    edit: Box
    layers: tuple[Layer, ...]


class Step(NamedTuple):
    """One frame's share.

    trust (h, w) uint8: how far the edit and its surroundings were followed, over the planes' box. confidence: mean
    over the edit, of this step alone. residual_levels: median difference of the pictures under it. left: what of the
    edit's weight doubt has left, all steps together; 0 too when nothing of it is in the frame.
    """

    placed: PlacedPlanes
    trust: Alpha8
    confidence: float
    residual_levels: float
    left: float


def begin(planes: Planes, frame: Frame) -> Track | None:
    """Get ready to carry a frame's planes, of its own size; None when they are empty. ValueError for another size."""
    if planes.size != frame.size:
        raise ValueError(f"planes of {planes.size} on a frame of {frame.size}")
    edit = box_of(planes.weight)
    if edit.is_empty:
        return None
    grid = Grid.around(edit, frame.size)
    key = planes.at(grid.box)
    adds = key.value >= ADDS_FROM
    layers = tuple(_layer(key, part, grid) for part in (adds, ~adds) if key.weight[part].any())
    return Track(grid, grid.view(frame), frame, grid, edit, layers)


def _layer(key: Planes, part: npt.NDArray[np.bool_], grid: Grid) -> Layer:
    weight = np.where(part, key.weight, 0).astype(np.float32)
    coverage = grid.reduced(weight) / np.float32(255)
    still = np.zeros((*coverage.shape, 2), np.float32)
    return Layer(Painted(weight, weight * key.value, coverage), still, np.ones_like(coverage), coverage)


def advance(track: Track, frame: Frame, estimator: FlowEstimator) -> tuple[Track, Step]:
    """Carry the edit to the next frame, before or after."""
    grid = Grid.around(track.edit, frame.size)
    pair = _Pair(grid, grid.view(track.frame), grid.view(frame))
    dense = estimator.checked(pair.before, pair.now)
    moves = [_moved(track, layer, pair, dense) for layer in track.layers]
    layers = tuple(_undrifted(track, move.layer, pair, estimator) for move in moves)
    placed, trust = _placed(track, layers, grid)
    step = Step(placed, trust, *_judged(moves, layers))
    return track._replace(frame=frame, grid=grid, edit=placed.box, layers=layers), step


class _Move(NamedTuple):
    """A layer one frame on.

    trust: of this step alone. levels: the difference it rests on. weights: what was left of the layer before it.
    """

    layer: Layer
    trust: Floats
    levels: Floats
    weights: Floats

    @property
    def confidence(self) -> float:
        """Mean trust over the layer."""
        return _mean(self.trust, self.weights)


class _Pair(NamedTuple):
    """Two neighbouring frames over one grid."""

    grid: Grid
    before: View
    now: View


def _moved(track: Track, layer: Layer, pair: _Pair, dense: Dense) -> _Move:
    """The layer one frame on, by its own motion."""
    to_last = track.grid.of_px @ _square(pair.grid.to_px)
    here = _remapped(layer.coverage * layer.trust, _transformed(positions(*pair.now.gray.shape), to_last))
    carried = sampled(here, dense.flow)
    belief = dense.trust * (depth(carried) + np.float32(_RIM_SHARE) * carried)
    move = _by_flow(track, layer, pair, extended(dense.flow, np.minimum(belief, 1)))
    if move.confidence >= _FALL_BACK_BELOW:
        return move
    rigid = similarity_flow(pair.before.gray, pair.now.gray, (here > 0.5).astype(np.uint8))
    other = move if rigid is None else _by_flow(track, layer, pair, rigid)
    return max(move, other, key=lambda each: each.confidence)


def _by_flow(track: Track, layer: Layer, pair: _Pair, flow: Flow) -> _Move:
    grid = pair.grid
    to_last = track.grid.of_px @ _square(grid.to_px)
    came_from = _transformed(flow + positions(*pair.now.gray.shape), to_last)
    offset = grid.in_px(flow) + _remapped(layer.offset, came_from)
    coverage = _coverage(track, layer, grid, offset)
    levels = difference_levels(pair.before, pair.now, flow, coverage)
    trust = _remapped(layer.trust, came_from)
    weights = coverage * trust
    step_trust = without_spots(pair.now.likeness(levels), weights)
    return _Move(Layer(layer.painted, offset, trust * step_trust, coverage), step_trust, levels, weights)


def _undrifted(track: Track, layer: Layer, pair: _Pair, estimator: FlowEstimator) -> Layer:
    """The layer laid over the painted frame's own look again, so that small errors of many steps don't add up."""
    grid, now = pair.grid, pair.now
    inside = layer.coverage * layer.trust
    seen = _key_look(track, grid, layer.offset)
    # Around the layer the new picture itself: what it moves past must not drag at its rim.
    look = View.of(_blend(now.colours, seen, inside))
    drift = estimator.between(look, now)
    small = (np.hypot(drift[..., 0], drift[..., 1]) < _MAX_DRIFT_PX).astype(np.float32)
    belief = now.likeness(difference_levels(look, now, drift)) * small * depth(inside)
    flow = extended(drift, belief)
    before = differing_levels(look.colours, now.colours, inside)
    if _mean(difference_levels(look, now, flow, inside), inside) < _mean(before, inside):
        offset = grid.in_px(flow) + sampled(layer.offset, flow)
        layer = replace(layer, offset=offset, coverage=_coverage(track, layer, grid, offset))
    return replace(layer, trust=layer.trust * _resemblance(track, layer, pair))


def _resemblance(track: Track, layer: Layer, pair: _Pair) -> Floats:
    """Trust in [0, 1] by how much the layer lies on what it was painted on; generous, for light and pose change."""
    seen = _key_look(track, pair.grid, layer.offset)
    inside = layer.coverage * layer.trust
    levels = differing_levels(seen, pair.now.colours, layer.coverage)
    return without_spots(pair.now.likeness(levels, free=_FREE_FROM_KEY_LEVELS), inside)


def _key_look(track: Track, grid: Grid, offset: Flow) -> Picture:
    places = _key_places(track, grid, offset)
    return np.asarray(_remapped(track.key.colours, places), np.uint8)


def _blend(under: Picture, over: Picture, alpha: Floats) -> Picture:
    return np.asarray(cv2.blendLinear(over, under, alpha, 1 - alpha), np.uint8)


def _coverage(track: Track, layer: Layer, grid: Grid, offset: Flow) -> Floats:
    return _remapped(layer.painted.coverage, _key_places(track, grid, offset))


def _key_places(track: Track, grid: Grid, offset: Flow) -> Flow:
    return _transformed(grid.own_px() + offset, track.key_grid.of_px)


def _placed(track: Track, layers: tuple[Layer, ...], grid: Grid) -> tuple[PlacedPlanes, Alpha8]:
    """The layers' planes at full size, the adding one above the removing one, and how far to trust them."""
    box = _support(layers, grid)
    if box.is_empty:
        return PlacedPlanes(NOWHERE, Planes.empty((0, 0))), np.zeros((0, 0), np.uint8)
    width, height = box.size
    weight, product, trusts = (np.zeros((height, width), np.float32) for _ in range(3))
    for layer in layers:
        offset, trust = _at_pixels(layer, grid, box)
        corner = (box.x0 - track.key_grid.box.x0, box.y0 - track.key_grid.box.y0)
        places = _transformed(
            offset + positions(height, width), np.array([[1, 0, corner[0]], [0, 1, corner[1]]], np.float64)
        )
        full = _remapped(layer.painted.weight, places)
        share = trust * np.minimum(1, (255 - weight) / np.maximum(full * trust, 1e-3))
        weight += full * share
        product += _remapped(layer.painted.product, places) * share
        trusts = np.maximum(trusts, trust)
    weight8 = np.rint(np.clip(weight, 0, 255)).astype(np.uint8)
    value8 = np.rint(np.clip(product / np.maximum(weight, 1e-3), 0, 255)).astype(np.uint8)
    value8[weight8 == 0] = 0
    return PlacedPlanes(box, Planes(value8, weight8)), np.rint(255 * trusts).astype(np.uint8)


def _support(layers: tuple[Layer, ...], grid: Grid) -> Box:
    """Where in the frame any layer has weight, a sample more on every side."""
    found = NOWHERE
    for layer in layers:
        found = found.united(box_of((layer.coverage * layer.trust > _TRACE).astype(np.uint8)))
    if found.is_empty:
        return NOWHERE
    corners = np.array([[[found.x0 - 2, found.y0 - 2], [found.x1 + 1, found.y1 + 1]]], np.float32)
    (x0, y0), (x1, y1) = _transformed(corners, grid.to_px)[0]
    outside = Box(math.floor(x0), math.floor(y0), math.ceil(x1) + 1, math.ceil(y1) + 1)
    limits = grid.box
    return Box(
        max(outside.x0, limits.x0), max(outside.y0, limits.y0), min(outside.x1, limits.x1), min(outside.y1, limits.y1)
    )


def _at_pixels(layer: Layer, grid: Grid, box: Box) -> tuple[Flow, Floats]:
    """Offset and trust of a box's pixels."""
    if grid.is_pixels:
        inner = Box(*(edge - corner for edge, corner in zip(_edges(box), 2 * _edges(grid.box)[:2], strict=True)))
        return layer.offset[inner.rows_columns], layer.trust[inner.rows_columns]
    shift = np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1]], np.float64)
    places = _transformed(positions(box.y1 - box.y0, box.x1 - box.x0), grid.of_px @ shift)
    return _remapped(layer.offset, places), _remapped(layer.trust, places)


def _edges(box: Box) -> tuple[int, int, int, int]:
    return box.x0, box.y0, box.x1, box.y1


def _judged(moves: list[_Move], layers: tuple[Layer, ...]) -> tuple[float, float, float]:
    """(confidence, residual_levels, left) over all layers."""
    weights = _joined(move.weights for move in moves)
    if weights.sum() < _TRACE:
        return 0.0, 255.0, 0.0
    levels = _joined(move.levels for move in moves)[weights > 0.5 * weights.max()]
    left = _mean(_joined(layer.trust for layer in layers), _joined(layer.coverage for layer in layers))
    return _mean(_joined(move.trust for move in moves), weights), float(np.median(levels)), left


def _joined(planes: Iterable[Floats]) -> Floats:
    return np.concatenate([plane.ravel() for plane in planes])


def _mean(values: Floats, weights: Floats) -> float:
    return float(np.vdot(values, weights) / max(float(weights.sum()), 1e-6))


def _square(matrix: Matrix) -> Matrix:
    return np.vstack([matrix, [0, 0, 1]])


def _transformed(places: Flow, matrix: Matrix) -> Flow:
    return np.asarray(cv2.transform(places, matrix), np.float32)


def _remapped(values: Floats | Picture, places: Flow) -> Floats:
    """(h, w[, c]) values, of their own type, at places, bilinear.

    The border is repeated: an edit has no weight at its grid's, but where that is the frame's, and there it is taken to
    go on outside; else a tenth of a pixel's doubt, every frame, would eat it away from there.
    """
    nothing = np.empty(0, np.float32)
    return np.asarray(cv2.remap(values, places, nothing, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
