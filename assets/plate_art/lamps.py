"""Lights that shadow rays aim at. They are not seen themselves: a glowing solid stands for that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from assets.plate_art.noise import Field, Triple


@dataclass(frozen=True)
class Lamp:
    """A light that shadow rays aim at: `at(r1, r2)` gives points (3, N); power (3,) spread over them.

    normal None shines all ways; else with the cosine to it. The lamp itself is not seen.
    """

    at: Callable[[Field, Field], Field]
    power: Triple
    normal: Triple | None = None


def quad_lamp(corner: Sequence[float], along: Sequence[float], across: Sequence[float], power: Triple) -> Lamp:
    """Rectangle shining towards along x across."""
    base, first, second = (np.array(v, np.float32)[:, None] for v in (corner, along, across))
    normal = np.cross(first[:, 0], second[:, 0])
    unit = tuple(float(v) for v in normal / np.linalg.norm(normal))
    return Lamp(lambda r1, r2: base + first * r1 + second * r2, power, unit)


def line_lamp(points: Field, power: Triple) -> Lamp:
    """Neon tube along a polyline (N, 3), spaced evenly."""
    path = np.asarray(points, np.float32).T

    def at(r1: Field, r2: Field) -> Field:
        position = r1 * (path.shape[1] - 1)
        left = np.minimum(position.astype(int), path.shape[1] - 2)
        return np.asarray(path[:, left] + (position - left) * (path[:, left + 1] - path[:, left]))

    return Lamp(at, power)


def ball_lamp(centre: Sequence[float], radius: float, power: Triple) -> Lamp:
    """A glowing ball, aimed at anywhere inside it."""
    middle = np.array(centre, np.float32)[:, None]
    return Lamp(lambda r1, r2: middle + radius * on_sphere(r1, r2), power)


def on_sphere(r1: Field, r2: Field) -> Field:
    """Even points on the unit sphere, (3, N), from two numbers in 0..1 each."""
    z, turn = 2 * r1 - 1, np.float32(2 * np.pi) * r2
    ring = np.sqrt(np.maximum(1 - z * z, 0))
    return np.asarray(np.stack([ring * np.cos(turn), ring * np.sin(turn), z]), np.float32)
