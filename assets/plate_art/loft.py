"""A bright room in the morning: white walls, oak, a plant, and window light falling across."""

from __future__ import annotations

import cv2
import numpy as np

from assets.plate_art.film import Light, bloom, depth_blur, srgb_to_linear, tone, vignette
from assets.plate_art.lamps import Lamp, ball_lamp, quad_lamp
from assets.plate_art.noise import Field, Noise
from assets.plate_art.solids import Ball, Box, Paint, Solid, plain
from assets.plate_art.tracer import Camera, Room, trace

_CAMERA = Camera(eye=(0.0, 1.4, 0.0), focal=1.15, horizon=0.51)
_WALL_Z = 4.6
_SUN_FROM = np.array([-0.80, 0.36, -0.46])


def draw(width: int, height: int) -> Light:
    """Display values at the given size."""
    room = Room([_walls(), _furniture(), _plant()], _lamps(), _day)
    light, depth = trace(room, _CAMERA, (width // 2, height // 2), samples=40, bounces=5)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, None)
    depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
    light = depth_blur(light, 0.012 * height * (1 - 1.5 / depth.clip(1.8, 12)), levels=4)
    light = bloom(light, amount=0.12, radius_px=0.015 * height)
    return tone(vignette(light, 0.20), exposure=1.2, saturation=1.05, contrast=0.2)


def _oak(points: Field, normals: Field) -> Field:
    noise = Noise(83)
    board = np.floor(points[0] / 0.19)
    grain = noise.fbm(points[0] * 14, points[2] * 1.1 + points[1] * 1.4 + 3.7 * board, octaves=4)
    tint = 0.92 + 0.16 * np.mod(np.sin(board * 12.9898) * 43758.5453, 1)
    return np.asarray(srgb_to_linear(196, 158, 116)[:, None] * tint * (1 + 0.10 * np.tanh(grain)), np.float32)


def _picture(seed: int, left: float, low: float, wide: float, tall: float) -> Paint:
    """An abstract print: a few soft fields of colour on paper."""
    noise = Noise(seed)
    inks = [(206, 120, 84), (60, 92, 104), (226, 188, 132), (92, 122, 100)]

    def paint(points: Field, normals: Field) -> Field:
        u, v = (points[0] - left) / wide, (points[1] - low) / tall
        colour = np.broadcast_to(srgb_to_linear(240, 234, 222)[:, None], points.shape).copy()
        for index, ink in enumerate(inks):
            field = noise.fbm(u * 1.5 + 9 * index, v * 1.5 + 5 * index, octaves=2)
            inside = (field > 0.35) & (np.abs(u - 0.5) < 0.38) & (np.abs(v - 0.5) < 0.38)
            colour[:, inside] = srgb_to_linear(*ink)[:, None]
        return colour

    return paint


def _walls() -> list[Solid]:
    wall = plain(0.80, 0.785, 0.755)
    white = plain(0.84, 0.83, 0.81)
    return [
        Box((-5, -0.1, -3), (5, 0, 6), _oak, gloss=0.04, rough=0.15),
        Box((-3.3, 2.9, -3), (5, 3.0, 6), white),
        Box((-5, 0, _WALL_Z), (5, 3, 4.8), wall),
        Box((3.3, 0, -3), (3.5, 3, 6), wall),
        # The left wall with its window: four pieces round the hole, and the bars.
        Box((-3.3, 0, -3), (-3.1, 3, 1.2), wall),
        Box((-3.3, 0, 4.1), (-3.1, 3, 6), wall),
        Box((-3.3, 0, 1.2), (-3.1, 0.55, 4.1), wall),
        Box((-3.3, 2.6, 1.2), (-3.1, 3, 4.1), wall),
        Box((-3.25, 0.55, 2.13), (-3.18, 2.6, 2.20), white),
        Box((-3.25, 0.55, 3.10), (-3.18, 2.6, 3.17), white),
        Box((-3.25, 1.90, 1.2), (-3.18, 1.96, 4.1), white),
        # Skirting.
        Box((-3.1, 0, 4.57), (3.3, 0.10, _WALL_Z), white),
    ]


def _furniture() -> list[Solid]:
    oak = _oak
    dark = plain(0.07, 0.065, 0.06)
    cloth = plain(*(float(c) for c in srgb_to_linear(150, 158, 156)))
    rust = plain(*(float(c) for c in srgb_to_linear(190, 104, 66)))
    frames: list[Solid] = []
    for left, low, wide, tall, seed in ((-1.95, 1.45, 0.62, 0.82, 3), (-1.15, 1.45, 0.62, 0.82, 8)):
        frames.append(Box((left - 0.03, low - 0.03, 4.55), (left + wide + 0.03, low + tall + 0.03, _WALL_Z), oak))
        frames.append(Box((left, low, 4.54), (left + wide, low + tall, 4.57), _picture(seed, left, low, wide, tall)))
    return [
        *frames,
        # Sofa.
        Box((-2.5, 0.12, 3.55), (-0.2, 0.44, 4.45), cloth),
        Box((-2.5, 0.40, 4.15), (-0.2, 0.86, 4.50), cloth),
        Box((-2.72, 0.12, 3.55), (-2.48, 0.64, 4.50), cloth),
        Box((-0.22, 0.12, 3.55), (0.02, 0.64, 4.50), cloth),
        Ball((-2.10, 0.66, 4.05), (0.25, 0.22, 0.10), rust),
        Ball((-0.62, 0.64, 4.06), (0.24, 0.21, 0.10), plain(0.75, 0.70, 0.60)),
        # Shelf boards with books and jars.
        Box((1.0, 1.32, 4.30), (2.9, 1.36, _WALL_Z), oak),
        Box((1.0, 1.86, 4.30), (2.9, 1.90, _WALL_Z), oak),
        Box((1.10, 1.36, 4.36), (1.62, 1.62, 4.55), _spines(21, 1.1)),
        Box((2.20, 1.90, 4.36), (2.72, 2.15, 4.55), _spines(22, 2.2)),
        Ball((2.25, 1.50, 4.44), 0.14, plain(0.72, 0.68, 0.62)),
        Ball((2.60, 1.45, 4.44), 0.09, plain(0.20, 0.28, 0.30), gloss=0.08),
        Ball((1.35, 2.03, 4.44), 0.13, rust),
        Ball((1.68, 1.99, 4.44), 0.09, plain(0.8, 0.78, 0.74)),
        # Sideboard under it, and a lamp.
        Box((0.9, 0.18, 4.05), (3.0, 0.74, 4.55), oak),
        Box((1.94, 0.20, 4.04), (1.955, 0.72, 4.06), dark),
        Ball((2.72, 0.92, 4.30), 0.17, plain(0.85, 0.83, 0.8)),
        Box((1.2, 0.74, 4.15), (1.62, 0.80, 4.45), plain(0.7, 0.67, 0.6)),
        Box((1.24, 0.80, 4.17), (1.58, 0.85, 4.43), rust),
    ]


def _spines(seed: int, left: float) -> Paint:
    rng = np.random.default_rng(seed)
    edges = left + np.cumsum(rng.uniform(0.025, 0.055, 40))
    inks = [(214, 206, 190), (70, 96, 108), (190, 120, 80), (120, 130, 104), (236, 226, 206), (52, 58, 66)]
    colours = np.array([srgb_to_linear(*inks[i]) for i in rng.integers(0, len(inks), 41)])
    return lambda points, normals: colours[np.searchsorted(edges, points[0])].T.astype(np.float32)


def _plant() -> list[Solid]:
    """A tree in a basket by the window: leaves as flat ellipsoids round a stem."""
    rng = np.random.default_rng(12)
    parts: list[Solid] = [
        Box((-3.02, 0, 4.0), (-2.72, 0.42, 4.4), plain(*(float(c) for c in srgb_to_linear(176, 140, 100)))),
        Box((-2.88, 0.4, 4.19), (-2.85, 1.25, 4.22), plain(0.12, 0.08, 0.05)),
    ]
    for _ in range(95):
        way = rng.normal(0, 1, 3)
        way /= np.linalg.norm(way)
        centre = np.array([-2.74, 1.48, 4.12]) + way * np.array([0.36, 0.50, 0.32]) * rng.uniform(0.3, 1.0) ** 0.7
        radii = rng.permutation([0.075, 0.038, 0.010]) * rng.uniform(0.8, 1.3)
        centre[0] = max(centre[0], -3.08 + radii[0])
        green = srgb_to_linear(*(int(c) for c in np.array([70, 108, 62]) * rng.uniform(0.7, 1.3)))
        parts.append(Ball(tuple(map(float, centre)), tuple(map(float, radii)), plain(*map(float, green))))
    return parts


def _lamps() -> list[Lamp]:
    sky = (26.0, 30.0, 36.0)
    sun_at = np.array([-3.2, 1.6, 2.6]) + 30 * _SUN_FROM / np.linalg.norm(_SUN_FROM)
    return [
        quad_lamp((-3.24, 0.55, 1.2), (0, 2.05, 0), (0, 0, 2.9), sky),
        # A second window behind the camera, so that no corner falls into black.
        quad_lamp((-2.0, 0.8, -2.8), (3.5, 0, 0), (0, 1.8, 0), (20.0, 20.0, 20.5)),
        ball_lamp(sun_at.tolist(), 0.45, tuple(v * 30.0**2 * 190 for v in (1.0, 0.86, 0.66))),
    ]


def _day(origins: Field, directions: Field) -> Field:
    return np.broadcast_to(np.array([[3.4], [3.7], [4.0]], np.float32), directions.shape).copy()
