"""Boxes and ellipsoids, and where rays meet them. Vectors are (3, N) float32 arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from assets.plate_art.noise import Field, Triple

Paint = Callable[[Field, Field], Field]
"""(points (3, N), normals (3, N)) -> albedo (3, N) in 0..1."""

_FAR = np.float32(1e6)
SKIN = np.float32(2e-4)


def plain(*albedo: float) -> Paint:
    """One colour all over."""
    colour = np.array(albedo, np.float32)[:, None]
    return lambda points, normals: np.broadcast_to(colour, points.shape)


@dataclass(frozen=True)
class Box:
    """Axis-aligned box in metres: x right, y up, z ahead. gloss: share of light mirrored at normal sight."""

    low: Triple
    high: Triple
    paint: Paint = field(default_factory=lambda: plain(0.6, 0.6, 0.6))
    emission: Triple = (0.0, 0.0, 0.0)
    gloss: float = 0.0
    rough: float = 0.05


@dataclass(frozen=True)
class Ball:
    """Ellipsoid in metres; `radius` for all axes or one for each."""

    centre: Triple
    radius: float | Triple
    paint: Paint = field(default_factory=lambda: plain(0.6, 0.6, 0.6))
    emission: Triple = (0.0, 0.0, 0.0)
    gloss: float = 0.0
    rough: float = 0.05

    @property
    def radii(self) -> Field:
        """Per axis, (3, 1)."""
        return np.broadcast_to(np.array(self.radius, np.float32).reshape(-1, 1), (3, 1))


Solid: TypeAlias = Box | Ball


def nearest(groups: Sequence[Sequence[Solid]], origin: Field, direction: Field) -> tuple[Field, Field, Field]:
    """Distance, index of the solid (-1: none) and normal of the first hit."""
    best, solid = np.full(direction.shape[1], _FAR), np.full(direction.shape[1], -1, np.int32)
    inverse = _inverse(direction)
    index = 0
    for group in groups:
        rays = _near_group(group, origin, inverse, best)
        some = (origin[:, rays], direction[:, rays], inverse[:, rays])
        nearest, which = best[rays], solid[rays]
        for thing in group:
            distance = _distance(thing, *some)
            nearer = distance < nearest
            nearest = np.where(nearer, distance, nearest)
            which[nearer] = index
            index += 1
        best[rays], solid[rays] = nearest, which
    point, normal = origin + direction * best, np.zeros_like(direction)
    for index, thing in enumerate(thing for group in groups for thing in group):
        here = np.flatnonzero(solid == index)
        if here.size:
            normal[:, here] = _normal(thing, point[:, here], direction[:, here])
    return best, solid, normal


def _near_group(group: Sequence[Solid], origin: Field, inverse: Field, limit: Field) -> Field | slice:
    """Rays that pass the group's bounds before `limit`: all of them (a slice) where sorting does not pay."""
    if len(group) < 4:
        return slice(None)
    enter, leave = _slab(*_bounds(group), origin, inverse)
    rays = np.flatnonzero((leave >= enter) & (leave > 0) & (enter < limit))
    return rays if rays.size < 0.75 * limit.size else slice(None)


def _bounds(group: Sequence[Solid]) -> tuple[Sequence[float], Sequence[float]]:
    lows = [t.low if isinstance(t, Box) else tuple(t.centre - t.radii[:, 0]) for t in group]
    highs = [t.high if isinstance(t, Box) else tuple(t.centre + t.radii[:, 0]) for t in group]
    return tuple(map(min, zip(*lows, strict=True))), tuple(map(max, zip(*highs, strict=True)))


def _inverse(direction: Field) -> Field:
    return (1 / np.where(np.abs(direction) < 1e-7, np.float32(1e-7), direction)).astype(np.float32)


def _distance(thing: Solid, origin: Field, direction: Field, inverse: Field) -> Field:
    if isinstance(thing, Box):
        enter, leave = _slab(thing.low, thing.high, origin, inverse)
        hit = np.where(enter > SKIN, enter, leave)
        return np.where((leave >= enter) & (hit > SKIN), hit, _FAR)
    return _ball_distance(thing, origin, direction)


def _slab(low: Sequence[float], high: Sequence[float], origin: Field, inverse: Field) -> tuple[Field, Field]:
    """Where a ray enters and leaves an axis-aligned box."""
    enter = np.full(origin.shape[1], -_FAR)
    leave = np.full(origin.shape[1], _FAR)
    for axis in range(3):
        one = (np.float32(low[axis]) - origin[axis]) * inverse[axis]
        two = (np.float32(high[axis]) - origin[axis]) * inverse[axis]
        enter = np.maximum(enter, np.minimum(one, two))
        leave = np.minimum(leave, np.maximum(one, two))
    return enter, leave


def _ball_distance(ball: Ball, origin: Field, direction: Field) -> Field:
    offset = (origin - np.array(ball.centre, np.float32)[:, None]) / ball.radii
    way = direction / ball.radii
    square, half = (way * way).sum(axis=0), (offset * way).sum(axis=0)
    inside = half * half - square * ((offset * offset).sum(axis=0) - 1)
    root = np.sqrt(np.maximum(inside, 0))
    hit = np.where(-half - root > SKIN * square, -half - root, -half + root) / square
    return np.where((inside > 0) & (hit > SKIN), hit, _FAR)


def _normal(thing: Solid, point: Field, direction: Field) -> Field:
    if isinstance(thing, Ball):
        normal = (point - np.array(thing.centre, np.float32)[:, None]) / thing.radii**2
        normal = normal / np.sqrt((normal * normal).sum(axis=0))
    else:
        low, high = np.array(thing.low, np.float32)[:, None], np.array(thing.high, np.float32)[:, None]
        gaps = np.stack([np.abs(point - low), np.abs(point - high)])
        face = gaps.reshape(6, -1).argmin(axis=0)
        normal = np.zeros_like(point)
        normal[face % 3, np.arange(face.size)] = np.where(face < 3, -1, 1)
    return np.asarray(normal * np.where((normal * direction).sum(axis=0) > 0, -1, 1), np.float32)


def free_way(groups: Sequence[Sequence[Solid]], origin: Field, way: Field, distance: Field) -> Field:
    """Whether nothing stands between; what glows lets light through, being the lamp's own body."""
    inverse = _inverse(way)
    free = np.ones(distance.size, bool)
    for group in groups:
        rays = _near_group(group, origin, inverse, distance)
        some = (origin[:, rays], way[:, rays], inverse[:, rays])
        reach, clear = distance[rays] - 10 * SKIN, free[rays]
        for thing in group:
            if not any(thing.emission):
                clear = clear & (_distance(thing, *some) > reach)
        free[rays] = clear
    return free


def surface(solids: Sequence[Solid], solid: Field, point: Field, normal: Field) -> tuple[Field, Field, Field, Field]:
    """Albedo (3, N), gloss (N,), roughness (N,) and glow (3, N) of what was hit; zeros for index -1."""
    albedo, glow = np.zeros_like(point), np.zeros_like(point)
    gloss, rough = np.zeros(solid.size, np.float32), np.zeros(solid.size, np.float32)
    for index, thing in enumerate(solids):
        here = np.flatnonzero(solid == index)
        if here.size:
            albedo[:, here] = thing.paint(point[:, here], normal[:, here])
            glow[:, here] = np.array(thing.emission, np.float32)[:, None]
            gloss[here], rough[here] = thing.gloss, thing.rough
    return albedo, gloss, rough, glow
