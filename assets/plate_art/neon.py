"""A dark room lit by neon tubes: magenta ring, cyan lines, a polished floor that doubles them."""

from __future__ import annotations

import cv2
import numpy as np

from assets.plate_art.film import Light, bloom, lens_blur, tone, vignette
from assets.plate_art.lamps import Lamp, line_lamp
from assets.plate_art.noise import Field, Noise, Triple
from assets.plate_art.solids import Ball, Box, Solid, plain
from assets.plate_art.tracer import Camera, Room, trace

_CAMERA = Camera(eye=(0.0, 1.35, 0.0), focal=1.15, horizon=0.52)
_WALL_Z = 5.4

_MAGENTA = (1.0, 0.06, 0.42)
_CYAN = (0.05, 0.62, 1.0)
_VIOLET = (0.38, 0.14, 1.0)


def draw(width: int, height: int) -> Light:
    """Display values at the given size."""
    tubes = _tubes()
    lamps: list[Lamp] = [line_lamp(path, tuple(14.0 * length * c for c in colour)) for path, colour, length in tubes]
    light, _ = trace(Room([_solids()], lamps), _CAMERA, (width // 2, height // 2), samples=48, bounces=4)
    light = cv2.resize(light, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, None)
    for path, colour, _ in tubes:
        _draw_tube(light, path, colour, 1.0)
        _draw_tube(light, path * (1, -1, 1), colour, 0.16)
    light = lens_blur(light, 0.0105 * height, rim=0.3)
    light = bloom(light, amount=0.20, radius_px=0.018 * height)
    return tone(vignette(light, 0.30), exposure=1.5, saturation=1.0, contrast=0.1)


def _concrete(points: Field, normals: Field) -> Field:
    noise = Noise(71)
    u, v = points[0] * 1.3 + 0.4 * points[2], points[1] * 1.3
    stain = np.tanh(0.6 * noise.fbm(u, v, octaves=6, gain=0.6))
    seams = (np.mod(points[0] + 50, 1.25) < 0.012) | (np.mod(points[1] + 50.0, 1.25) < 0.012)
    value = (0.42 + 0.12 * stain) * np.where(seams, 0.5, 1.0)
    return np.broadcast_to(value, points.shape).astype(np.float32)


def _solids() -> list[Solid]:
    floor = plain(0.05, 0.05, 0.06)
    dark = plain(0.10, 0.10, 0.12)
    return [
        Box((-6, -0.1, -3), (6, 0, 6), floor, gloss=0.16, rough=0.10),
        Box((-6, 0, _WALL_Z), (6, 4, 5.8), _concrete),
        Box((-3.5, 0, -3), (-3.3, 4, 6), _concrete),
        Box((3.3, 0, -3), (3.5, 4, 6), _concrete),
        Box((-6, 3.2, -3), (6, 3.4, 6), dark),
        Box((-3.3, 0, 4.5), (-2.0, 0.42, 5.3), plain(0.20, 0.19, 0.22), gloss=0.05, rough=0.2),
        Box((2.0, 0, 4.5), (3.3, 0.72, 5.3), plain(0.18, 0.17, 0.2), gloss=0.06, rough=0.15),
        Box((2.2, 0.72, 4.7), (2.6, 1.25, 5.1), plain(0.10, 0.10, 0.12), gloss=0.08, rough=0.1),
        Ball((-2.75, 0.70, 4.9), 0.28, plain(0.5, 0.5, 0.52), gloss=0.10, rough=0.1),
        Ball((2.95, 0.90, 4.85), 0.18, plain(0.6, 0.58, 0.55), gloss=0.08, rough=0.1),
    ]


def _tubes() -> list[tuple[Field, Triple, float]]:
    """Polyline, colour, length in metres."""
    turn = np.linspace(0.12, 2 * np.pi - 0.12, 160)
    ring = np.stack(
        [-1.75 + 0.86 * np.sin(turn), 1.80 + 0.86 * np.cos(turn), np.full_like(turn, _WALL_Z - 0.07)], axis=1
    )
    span = np.linspace(0, 1, 90)[:, None]

    def line(start: Triple, end: Triple) -> Field:
        return np.asarray(np.array(start) + span * (np.array(end) - np.array(start)))

    z = _WALL_Z - 0.07
    return [
        (ring, _MAGENTA, 4.9),
        (line((0.75, 0.55, z), (1.55, 2.65, z)), _CYAN, 2.2),
        (line((1.15, 0.55, z), (1.95, 2.65, z)), _CYAN, 2.2),
        (line((1.55, 0.55, z), (2.35, 2.65, z)), _VIOLET, 2.2),
        (line((-3.26, 0.05, 1.5), (-3.26, 0.05, 5.3)), _VIOLET, 3.0),
        (line((3.26, 3.14, 1.5), (3.26, 3.14, 5.3)), _MAGENTA, 2.0),
    ]


def _draw_tube(light: Light, path: Field, colour: Triple, strength: float) -> None:
    """The tube itself: a bright core and its coloured sleeve; with y negated its image in the floor."""
    height, width = light.shape[:2]
    eye = np.array(_CAMERA.eye)
    unit = _CAMERA.focal * height / path[:, 2]
    x, y = width / 2 + (path[:, 0] - eye[0]) * unit, _CAMERA.horizon * height - (path[:, 1] - eye[1]) * unit
    thick = 0.017 * float(unit.mean())
    # Drawn larger and shrunk: a line is at least a pixel wide, which in a small picture is too bright.
    finer = max(1, round(8 / thick))
    points = np.round(np.stack([x, y], axis=1) * 16 * finer).astype(np.int32)
    mask = np.zeros((height * finer, width * finer), np.uint8)
    cv2.polylines(mask, [points[:, None]], False, (255,), max(1, round(thick * finer)), cv2.LINE_AA, shift=4)
    small = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    core = np.asarray(cv2.GaussianBlur(small, (0, 0), max(0.5, 0.3 * thick)))
    tint = 0.72 * np.array(colour, np.float32) + 0.28
    light += (16 * strength * core)[..., None] * tint
