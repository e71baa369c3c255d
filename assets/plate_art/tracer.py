"""A small path tracer for rooms: boxes and balls, area and line lights, soft indirect light.

Next-event estimation with cosine-weighted bounces (Kajiya 1986). Vectors are (3, N) float32 arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from assets.plate_art.film import Light
from assets.plate_art.lamps import Lamp, on_sphere
from assets.plate_art.noise import Field, Triple
from assets.plate_art.solids import SKIN, Solid, free_way, nearest, surface

_CHUNK = 1 << 15
_BRIGHTEST_BOUNCE = 6.0
"""Light of later bounces is capped: single bright paths would show as sparks."""


@dataclass(frozen=True)
class Room:
    """What is there: solids in groups that lie together, lamps, and the light of what is outside."""

    groups: Sequence[Sequence[Solid]]
    lamps: Sequence[Lamp]
    outside: Callable[[Field, Field], Field] = lambda origins, directions: np.zeros_like(directions)

    @property
    def solids(self) -> list[Solid]:
        """All of them, in the order their indices count."""
        return [thing for group in self.groups for thing in group]


@dataclass(frozen=True)
class Camera:
    """Looks along +z from `eye`, which sees the horizon at `horizon` of the height; focal in heights."""

    eye: Triple = (0.0, 1.35, 0.0)
    focal: float = 1.1
    horizon: float = 0.5


def trace(room: Room, camera: Camera, size: tuple[int, int], *, samples: int, bounces: int = 4) -> tuple[Light, Field]:
    """Light (H, W, 3) and distance ahead in metres (H, W), through a pinhole.

    What falls on the first surface is kept apart from that surface's colour, and smoothed along
    surfaces only: the noise of few samples goes, pictures and book spines stay sharp.
    """
    width, height = size
    count = width * height
    sums = {name: np.zeros((3, count), np.float32) for name in ("glow", "mirror", "fallen", "albedo", "normal")}
    depth, diffuse = np.zeros(count, np.float32), np.zeros(count, np.float32)
    for start in range(0, count, _CHUNK):
        index = np.arange(start, min(start + _CHUNK, count))
        rng = np.random.default_rng([9, start])
        turn, order = rng.random(index.size, np.float32), rng.permutation(samples)
        for sample in range(samples):
            # Spread evenly over all lamps and their lengths: far less noise than independent choices.
            pick = np.mod((order[sample] + rng.random(index.size, np.float32)) / samples + turn, 1)
            origin, direction = _pixel_rays(camera, index, size, rng)
            first = _path(room, origin, direction, pick, rng=rng, bounces=bounces)
            sums["glow"][:, index] += first.glow / samples
            sums["mirror"][:, index] += first.light * first.mirrored / samples
            sums["fallen"][:, index] += first.light * ~first.mirrored
            sums["albedo"][:, index] += first.albedo * ~first.mirrored / samples
            sums["normal"][:, index] += first.normal / samples
            diffuse[index] += ~first.mirrored
            depth[index] += np.minimum(first.distance * direction[2], 50) / samples
    picture = {name: np.ascontiguousarray(value.T).reshape(height, width, 3) for name, value in sums.items()}
    depth = depth.reshape(height, width)
    fallen = picture["fallen"] / np.maximum(diffuse, 1).reshape(height, width, 1)
    fallen = _smoothed(fallen, picture["normal"], depth)
    mirror = _smoothed(picture["mirror"], picture["normal"], depth)
    return picture["glow"] + mirror + picture["albedo"] * fallen, depth


def _smoothed(fallen: Light, normal: Light, depth: Field, *, rounds: int = 4) -> Light:
    """Edge-avoiding a-trous wavelets (Dammertz et al. 2010) over what lies in the same plane."""
    for step in (2**power for power in range(rounds)):
        total, weights = np.zeros_like(fallen), np.zeros_like(depth)
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                move = np.array([[1, 0, -dx * step], [0, 1, -dy * step]], np.float32)
                other = [_shifted(field, move) for field in (fallen, normal, depth)]
                facing = ((other[1] - normal) ** 2).sum(axis=2)
                nearness = np.abs(other[2] - depth) / (0.02 * depth + 0.01 * step)
                weight = np.exp(-facing / 0.1 - nearness) * (0.25 if dx and dy else 0.5 if dx or dy else 1.0)
                total += other[0] * weight[..., None]
                weights += weight
        fallen = total / weights[..., None]
    return fallen


def _shifted(field: Field, move: Field) -> Field:
    size = field.shape[1::-1]
    return cv2.warpAffine(field, move, size, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)


def _pixel_rays(camera: Camera, index: Field, size: tuple[int, int], rng: np.random.Generator) -> tuple[Field, Field]:
    width, height = size
    jitter_x, jitter_y = rng.random((2, index.size), np.float32)
    x = (index % width + jitter_x - width / 2) / height / camera.focal
    y = (camera.horizon * height - index // width - jitter_y) / height / camera.focal
    direction = np.stack([x, y, np.ones_like(x)]).astype(np.float32)
    eye = np.broadcast_to(np.array(camera.eye, np.float32)[:, None], direction.shape)
    return eye, direction / np.sqrt((direction**2).sum(axis=0))


@dataclass
class _First:
    """What the first surface of each path is, and the light that reaches it: all (3, N) or (N,)."""

    glow: Field
    albedo: Field
    normal: Field
    distance: Field
    mirrored: Field
    light: Field


def _path(
    room: Room, origin: Field, direction: Field, pick: Field, *, rng: np.random.Generator, bounces: int
) -> _First:
    """Follow one path each; `pick` (N,) in 0..1 chooses the lamp and the place on it at the first hit."""
    solids = room.solids
    alive, weight = np.arange(direction.shape[1]), np.ones_like(direction)
    mirrored = np.ones(direction.shape[1], bool)
    for bounce in range(bounces):
        distance, solid, normal = nearest(room.groups, origin, direction)
        albedo, gloss, rough, glow = surface(solids, solid, origin + direction * distance, normal)
        gone = solid < 0
        # Lamps were aimed at already: what a diffuse bounce meets of them must not count twice.
        outside = gone & mirrored
        if outside.any():
            glow[:, outside] = room.outside(origin[:, outside], direction[:, outside])
        glow *= mirrored
        share = gloss + (1 - gloss) * (1 + (direction * normal).sum(axis=0)).clip(0, 1) ** 5 * (gloss > 0)
        mirrored = rng.random(alive.size, np.float32) < share
        if bounce == 0:
            first = _First(glow, albedo, normal, distance, mirrored & ~gone, np.zeros_like(direction))
        else:
            first.light[:, alive] += weight * np.minimum(glow, _BRIGHTEST_BOUNCE)
            weight = np.where(mirrored, weight, weight * albedo)
        keep = ~gone
        alive, weight, normal, mirrored = alive[keep], weight[:, keep], normal[:, keep], mirrored[keep]
        if not alive.size:
            break
        origin = (origin + direction * distance)[:, keep] + normal * SKIN * 5
        chosen = pick[keep] if bounce == 0 else rng.random(alive.size, np.float32)
        lit = _lamp_light(room, origin, normal, chosen, rng=rng) * ~mirrored
        first.light[:, alive] += weight * (np.minimum(lit, _BRIGHTEST_BOUNCE) if bounce else lit)
        direction = _next_direction(direction[:, keep], normal, mirrored, rough[keep], rng)
    return first


def _lamp_light(room: Room, origin: Field, normal: Field, pick: Field, *, rng: np.random.Generator) -> Field:
    """Light from one point of one lamp each, over pi: to be multiplied by the albedo."""
    count = origin.shape[1]
    total = np.zeros_like(origin)
    place = pick * len(room.lamps)
    chosen = np.minimum(place.astype(np.int32), len(room.lamps) - 1)
    r1, r2 = (place - chosen).astype(np.float32), rng.random(count, np.float32)
    target = np.empty_like(origin)
    strength = np.zeros_like(origin)
    for index, lamp in enumerate(room.lamps):
        here = np.flatnonzero(chosen == index)
        if here.size:
            target[:, here] = lamp.at(r1[here], r2[here])
            strength[:, here] = np.array(lamp.power, np.float32)[:, None] * len(room.lamps)
    way = target - origin
    distance = np.sqrt((way * way).sum(axis=0)).clip(0.06)
    way /= distance
    cosine = (way * normal).sum(axis=0).clip(0)
    for index, lamp in enumerate(room.lamps):
        here = np.flatnonzero(chosen == index)
        if lamp.normal is not None and here.size:
            cosine[here] *= 4 * np.clip(-(way[:, here] * np.array(lamp.normal, np.float32)[:, None]).sum(axis=0), 0, 1)
    seen = np.flatnonzero(cosine > 0)
    if seen.size:
        free = free_way(room.groups, origin[:, seen], way[:, seen], distance[seen])
        seen = seen[free]
        total[:, seen] = strength[:, seen] * (cosine[seen] / (4 * np.pi**2 * distance[seen] ** 2))
    return total


def _next_direction(direction: Field, normal: Field, mirrored: Field, rough: Field, rng: np.random.Generator) -> Field:
    r1, r2 = rng.random((2, direction.shape[1]), np.float32)
    ball = on_sphere(r1, r2)
    diffuse = normal + ball * np.float32(0.9999)
    mirror = direction - 2 * (direction * normal).sum(axis=0) * normal + rough * ball
    out = np.where(mirrored, mirror, diffuse)
    below = (out * normal).sum(axis=0) <= 0
    out = np.where(below, diffuse, out)
    return np.asarray(out / np.sqrt((out * out).sum(axis=0)).clip(1e-6), np.float32)
