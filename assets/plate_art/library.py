"""A reading room in the evening: lit shelves, a lamp, and the blue hour behind the window."""

from __future__ import annotations

import cv2
import numpy as np

from assets.plate_art.film import Light, bloom, depth_blur, srgb_to_linear, tone, vignette
from assets.plate_art.lamps import Lamp, ball_lamp, line_lamp
from assets.plate_art.noise import Field, Noise
from assets.plate_art.solids import Ball, Box, Paint, Solid, plain
from assets.plate_art.tracer import Camera, Room, trace

_CAMERA = Camera(eye=(0.0, 1.4, 0.0), focal=1.2, horizon=0.50)
_WALL_Z = 4.9
_SHELF_TOPS_M = (0.42, 0.86, 1.30, 1.74, 2.18, 2.62)
_SHELF_LEFT, _SHELF_RIGHT = -3.2, 0.95
_WINDOW = (1.35, 0.95, 2.95, 2.55)

_WARM = (1.0, 0.68, 0.37)
_LEATHER = [(96, 38, 30), (120, 72, 40), (44, 62, 58), (38, 48, 78), (150, 112, 66), (70, 42, 40), (168, 140, 100),
            (88, 92, 70), (60, 34, 44), (128, 58, 36)]  # fmt: skip


def draw(width: int, height: int) -> Light:
    """Display values at the given size."""
    room = Room([_walls(), _shelves(), _furniture()], _lamps(), _dusk)
    light, depth = trace(room, _CAMERA, (width // 2, height // 2), samples=40, bounces=4)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, None)
    depth = cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR)
    light = depth_blur(light, 0.0125 * height * (1 - 1.5 / depth.clip(1.8, 12)), levels=4)
    light = bloom(light, amount=0.12, radius_px=0.015 * height)
    return tone(vignette(light, 0.38), exposure=1.25, saturation=1.05, contrast=0.2)


def _wood(*rgb: int) -> Paint:
    base = srgb_to_linear(*rgb)[:, None]
    noise = Noise(81)

    def paint(points: Field, normals: Field) -> Field:
        grain = noise.fbm(points[0] * 2.2 + points[2] * 9, points[1] * 9 + points[2] * 2.2, octaves=4)
        return (base * (1 + 0.22 * np.tanh(grain))).astype(np.float32)

    return paint


_WALNUT = _wood(74, 46, 30)


def _parquet(points: Field, normals: Field) -> Field:
    board = np.floor(points[0] / 0.14)
    tint = 0.85 + 0.3 * np.mod(np.sin(board * 12.9898) * 43758.5453, 1)
    return np.asarray(srgb_to_linear(128, 84, 50)[:, None] * tint, np.float32)


def _books(seed: int) -> Paint:
    """Spines of their own width, height and colour; above them the shadow of the shelf."""
    rng = np.random.default_rng(seed)
    widths = rng.uniform(0.022, 0.058, 160)
    edges = np.cumsum(widths) + _SHELF_LEFT - 0.1
    heights = 0.30 * rng.uniform(0.62, 1.0, 161) ** 0.7
    gaps = rng.random(161) < 0.05
    colours = np.array([srgb_to_linear(*_LEATHER[i]) for i in rng.integers(0, len(_LEATHER), 161)])
    colours *= rng.uniform(0.6, 1.35, (161, 1))

    def paint(points: Field, normals: Field) -> Field:
        book = np.searchsorted(edges, points[0])
        above = np.mod(points[1] - _SHELF_TOPS_M[0] - 0.02, 0.44)
        band = 1 + 0.8 * ((np.abs(above - 0.2 * heights[book]) < 0.008) | (np.abs(above - 0.8 * heights[book]) < 0.008))
        spine = colours[book].T * band
        empty = (above > heights[book]) | gaps[book] | (normals[2] > -0.5)
        return np.where(empty, np.float32(0.015), spine).astype(np.float32)

    return paint


def _walls() -> list[Solid]:
    wall = plain(0.34, 0.27, 0.20)
    oak, walnut = _wood(120, 82, 50), _WALNUT
    left, low, right, high = _WINDOW
    return [
        Box((-5, -0.1, -3), (5, 0, 6), _parquet, gloss=0.05, rough=0.12),
        Box((-5, 2.95, -3), (5, 3.1, 6), plain(0.55, 0.48, 0.40)),
        Box((-3.5, 0, -3), (-3.3, 3, 6), wall),
        Box((3.4, 0, -3), (3.6, 3, 6), wall),
        Box((-5, 0, _WALL_Z), (left, 3, 5.1), wall),
        Box((right, 0, _WALL_Z), (5, 3, 5.1), wall),
        Box((left, 0, _WALL_Z), (right, low, 5.1), wall),
        Box((left, high, _WALL_Z), (right, 3, 5.1), wall),
        Box((left - 0.08, low - 0.06, 4.78), (right + 0.08, low, 5.0), oak),
        Box(((left + right) / 2 - 0.02, low, 4.95), ((left + right) / 2 + 0.02, high, 5.0), walnut),
        Box((left, 1.98, 4.95), (right, 2.02, 5.0), walnut),
    ]


def _shelves() -> list[Solid]:
    solids: list[Solid] = []
    for top in _SHELF_TOPS_M:
        solids.append(Box((_SHELF_LEFT, top, 4.5), (_SHELF_RIGHT, top + 0.03, _WALL_Z), _WALNUT, gloss=0.03))
    for x in (-3.2, -2.16, -1.12, -0.08, 0.92):
        solids.append(Box((x, 0, 4.48), (x + 0.035, 2.65, _WALL_Z), _WALNUT, gloss=0.03))
    for index, top in enumerate(_SHELF_TOPS_M[:-1]):
        solids.append(Box((_SHELF_LEFT, top + 0.02, 4.62), (_SHELF_RIGHT, top + 0.40, _WALL_Z), _books(100 + index)))
    solids.append(Box((_SHELF_LEFT, 0, 4.5), (_SHELF_RIGHT, 0.42, _WALL_Z), _WALNUT, gloss=0.03))
    return solids


def _furniture() -> list[Solid]:
    walnut = _WALNUT
    leather = plain(*(float(c) for c in srgb_to_linear(112, 60, 38)))
    brass = plain(0.42, 0.30, 0.14)
    glow = tuple(6.5 * c for c in _WARM)
    return [
        Box((1.58, 0.14, 3.62), (2.62, 0.44, 4.40), leather, gloss=0.04, rough=0.25),
        Ball((2.10, 0.45, 3.98), (0.53, 0.10, 0.42), leather, gloss=0.04, rough=0.25),
        Box((1.58, 0.14, 4.28), (2.62, 0.94, 4.48), leather, gloss=0.04, rough=0.25),
        Ball((2.10, 0.93, 4.36), (0.57, 0.13, 0.15), leather, gloss=0.04, rough=0.25),
        Box((1.36, 0.14, 3.62), (1.58, 0.60, 4.48), leather, gloss=0.04, rough=0.25),
        Ball((1.46, 0.60, 4.03), (0.15, 0.11, 0.47), leather, gloss=0.04, rough=0.25),
        Box((2.62, 0.14, 3.62), (2.84, 0.60, 4.48), leather, gloss=0.04, rough=0.25),
        Ball((2.74, 0.60, 4.03), (0.15, 0.11, 0.47), leather, gloss=0.04, rough=0.25),
        Box((1.42, 0, 3.68), (1.48, 0.14, 3.74), walnut),
        Box((2.72, 0, 3.68), (2.78, 0.14, 3.74), walnut),
        Box((3.0, 0.52, 4.1), (3.38, 0.56, 4.6), walnut, gloss=0.05),
        Box((3.17, 0, 4.32), (3.21, 0.52, 4.36), brass),
        Box((3.17, 0.56, 4.32), (3.21, 0.86, 4.36), brass),
        Ball((3.19, 1.02, 4.34), 0.16, plain(0.7, 0.6, 0.5), emission=glow),
        Box((-2.86, 0, 3.94), (-2.83, 1.5, 3.97), brass),
        Box((-3.02, 1.48, 3.78), (-2.67, 1.80, 4.13), plain(0.8, 0.7, 0.5), emission=glow),
        Box((-3.1, 0, 3.2), (-2.2, 0.38, 3.7), walnut, gloss=0.05),
        Ball((-2.55, 0.52, 3.45), 0.14, plain(0.16, 0.22, 0.24), gloss=0.08),
    ]


def _lamps() -> list[Lamp]:
    lamps = [
        ball_lamp((-2.845, 1.64, 3.955), 0.16, tuple(95 * c for c in _WARM)),
        ball_lamp((3.19, 1.02, 4.34), 0.15, tuple(42 * c for c in _WARM)),
        ball_lamp((0.6, 2.6, 1.5), 0.20, tuple(34 * c for c in _WARM)),
    ]
    span = np.linspace(_SHELF_LEFT + 0.05, _SHELF_RIGHT - 0.05, 60)
    for top in _SHELF_TOPS_M[1:]:
        strip = np.stack([span, np.full_like(span, top - 0.03), np.full_like(span, 4.44)], axis=1)
        lamps.append(line_lamp(strip, tuple(11 * c for c in _WARM)))
    return lamps


def _dusk(origins: Field, directions: Field) -> Field:
    """The blue hour over a town, with its lights."""
    rise = directions[1] / directions[2].clip(0.05)
    across = directions[0] / directions[2].clip(0.05)
    level = np.clip(rise / 0.35, 0, 1)
    sky = (1 - level) * srgb_to_linear(150, 140, 168)[:, None] + level * srgb_to_linear(54, 84, 150)[:, None]
    block = np.floor(across * 26)
    roofs = rise < -0.035 + 0.05 * np.mod(np.sin(block * 78.233) * 43758.5453, 1)
    light = np.where(roofs, srgb_to_linear(30, 36, 62)[:, None], sky) * 0.9
    rng = np.random.default_rng(55)
    for _ in range(46):
        x, y = rng.uniform(0.22, 0.66), -0.005 - 0.1 * rng.random() ** 1.4
        tint = srgb_to_linear(255, rng.integers(150, 225), rng.integers(70, 170))
        near = np.exp(-(((across - x) / 0.0035) ** 2) - ((rise - y) / 0.0035) ** 2)
        light += (14 * rng.random() * near) * tint[:, None]
    return light.astype(np.float32)
