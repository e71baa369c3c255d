"""A wet shopping street after dark, far out of focus: facades, lamps, cars and their reflections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assets.plate_art.film import Light, bloom, lens_blur, srgb_to_linear, tone, vignette
from assets.plate_art.noise import Field, Noise, smoothstep

_FOCAL = 1.05
_HORIZON = 0.53
_EYE_M = 1.6
_HALF_STREET_M = 10.0
_BLOCK_M = 13.0

_WINDOW_COLOURS = [(255, 190, 110), (255, 214, 150), (255, 170, 90), (214, 226, 255), (255, 232, 196)]
_SIGN_COLOURS = [(255, 60, 90), (60, 220, 255), (255, 170, 40), (90, 255, 160), (235, 80, 255), (255, 240, 210)]


@dataclass(frozen=True)
class Lamp:
    """A ball of light: place in metres (right, up, ahead), radius, linear colour times radiance."""

    x: float
    y: float
    z: float
    radius_m: float
    light: Light


def draw(width: int, height: int) -> Light:
    """Display values at twice the given size."""
    width, height = 2 * width, 2 * height
    dx = np.broadcast_to(((np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height / _FOCAL), (height, width))
    dy = ((_HORIZON * height - np.arange(height, dtype=np.float32) - 0.5) / height / _FOCAL)[:, None]
    dy = np.broadcast_to(dy, (height, width))
    street = _Street()
    light = street.above_ground(dx, np.abs(dy), np.zeros_like(dx))
    _wet_road(light, street, dx, dy)
    for lamp in _lamps():
        _add_lamp(light, lamp)
    light = lens_blur(light, 0.026 * height, rim=0.6)
    light = bloom(light, amount=0.10, radius_px=0.02 * height)
    return tone(vignette(light, 0.35), exposure=1.0, saturation=1.08)


class _Street:
    """Two rows of houses and the sky between them."""

    def __init__(self) -> None:
        rng = np.random.default_rng(41)
        blocks = 40
        self._height = rng.uniform(11, 24, (2, blocks)).astype(np.float32)
        self._wall = np.array([srgb_to_linear(*c) for c in rng.integers(50, 120, (2 * blocks, 3))]).reshape(
            2, blocks, 3
        )
        self._lit = rng.random((2, 400, 12)).astype(np.float32)
        self._tint = rng.integers(0, len(_WINDOW_COLOURS), (2, 400, 12))
        self._shop = rng.uniform(0.1, 1.0, (2, blocks)).astype(np.float32)
        self._shop_tint = rng.integers(0, len(_WINDOW_COLOURS), (2, blocks))
        self._sign = rng.integers(0, len(_SIGN_COLOURS), (2, blocks))
        self._sign_on = rng.random((2, blocks)) < 0.75
        self._windows = np.array([srgb_to_linear(*c) for c in _WINDOW_COLOURS])
        self._goods = Noise(3)
        self._signs = np.array([srgb_to_linear(*c) for c in _SIGN_COLOURS])

    def above_ground(self, dx: Field, dy: Field, start_y: Field) -> Light:
        """Light seen along (dx, dy, 1) from height `start_y` + eye, where dy is upward or the ray is short."""
        side = (dx > 0).astype(int)
        z = (_HALF_STREET_M / np.maximum(np.abs(dx), 1e-4)).astype(np.float32)
        y = start_y + _EYE_M + dy * z
        block = np.clip((z / _BLOCK_M).astype(int), 0, 39)
        wall = y < self._height[side, block]
        out = _sky(dx, dy)
        out[wall] = self._facade(side[wall], block[wall], y[wall], z[wall])
        air = (1 - np.exp(-z / 160.0))[..., None]
        return np.asarray(out * (1 - air) + air * _sky(dx, dy))

    def _facade(self, side: Field, block: Field, y: Field, z: Field) -> Light:
        along, floor = np.mod(z, 2.6) / 2.6, np.clip(((y - 4.6) / 3.1).astype(int), 0, 11)
        bay = np.clip((z / 2.6).astype(int), 0, 399)
        in_window = (np.abs(along - 0.5) < 0.27) & (np.abs(np.mod((y - 4.6) / 3.1, 1) - 0.52) < 0.29) & (y > 4.6)
        lamp_glow = 0.035 + 0.22 * np.exp(-((y - 4.5) ** 2) / 18.0) * (0.5 + 0.5 * np.cos(2 * np.pi * z / 17.0))
        light = self._wall[side, block] * (lamp_glow[:, None] * srgb_to_linear(255, 190, 120))
        on = self._lit[side, bay, floor]
        brightness = np.where(on > 0.62, 0.25 + 2.2 * (on - 0.62), 0.012)
        light = np.where(in_window[:, None], brightness[:, None] * self._windows[self._tint[side, bay, floor]], light)
        in_shop = (y > 0.45) & (y < 3.2) & (np.mod(z, _BLOCK_M) > 0.9) & (np.mod(z + 31 * block, 4.1) > 0.35)
        # What stands in a shop window: lit from above, goods and people as dark and bright shapes.
        goods = self._goods.fbm(z * 1.4 + 40.0 * side, y * 1.6 + 7.0 * block, octaves=4)
        height_light = 0.25 + 0.75 * smoothstep(0.2, 3.4, y)
        shop = self._shop[side, block] * height_light * np.exp(0.75 * goods)
        light = np.where(in_shop[:, None], 0.75 * shop[:, None] * self._windows[self._shop_tint[side, block]], light)
        in_sign = (y > 3.55) & (y < 4.1) & (np.abs(np.mod(z, _BLOCK_M) - 6.5) < 1.9) & self._sign_on[side, block]
        return np.where(in_sign[:, None], 2.6 * self._signs[self._sign[side, block]], light).astype(np.float32)


def _sky(dx: Field, dy: Field) -> Light:
    rise = np.clip(dy / 0.6, 0, 1)[..., None]
    glow = np.exp(-((dx / 0.5) ** 2) - np.abs(dy) / 0.16)[..., None]
    sky = (1 - rise) * srgb_to_linear(46, 58, 104) + rise * srgb_to_linear(13, 20, 46)
    return np.asarray(sky + 0.30 * glow * srgb_to_linear(255, 168, 96), np.float32)


def _wet_road(light: Light, street: _Street, dx: Field, dy: Field) -> None:
    """Replace what lies below the horizon on the ground plane by asphalt with a film of water."""
    z = _EYE_M / np.maximum(-dy, 1e-4)
    x = dx * z
    ground = (dy < 0) & (np.abs(x) < _HALF_STREET_M)
    noise = Noise(8)
    puddle = smoothstep(-0.4, 1.0, noise.fbm(x * 0.35, z * 0.22, octaves=5))
    rough = 0.012 + 0.03 * (1 - puddle)
    bend = np.clip(25.0 / z, 0.15, 1)
    total = np.zeros_like(light)
    for seed in range(6):
        wobble_x = rough * noise.at(x * 5 + 31.0 * seed, z * 3 + 11.0) * bend
        wobble_y = 3.5 * rough * noise.at(x * 4 + 7.0, z * 3 + 57.0 * seed) * bend
        total += street.above_ground(dx + wobble_x, np.maximum(-dy + wobble_y, 0.002), np.zeros_like(dx))
    grazing = np.clip(1 - 1.6 * np.abs(dy), 0, 1) ** 3
    mirror = (0.16 + 0.55 * grazing) * (0.45 + 0.55 * puddle)
    lamp_pool = 0.05 * (0.6 + 0.4 * np.cos(2 * np.pi * z / 17.0)) * np.exp(-z / 90)
    asphalt = lamp_pool[..., None] * srgb_to_linear(255, 190, 130) * 0.25 + 0.004
    road = asphalt + mirror[..., None] * total / 6
    light[ground] = road[ground]


def _lamps() -> list[Lamp]:
    rng = np.random.default_rng(19)
    lamps = []
    for step in range(9):
        z = 9.0 + 17.0 * step
        for side in (-1, 1):
            lamps.append(Lamp(side * 6.6, 6.4, z + 4.0 * (side > 0), 0.17, 230 * srgb_to_linear(255, 168, 84)))
    for x, z, colour, power in (
        (-2.4, 26, (255, 244, 224), 520), (-2.0, 48, (255, 240, 214), 520), (-2.6, 80, (255, 240, 220), 520),
        (2.6, 19, (255, 24, 14), 300), (2.3, 37, (255, 24, 14), 300), (2.5, 62, (255, 30, 16), 300),
        (5.2, 30, (255, 26, 16), 120), (-5.3, 60, (255, 236, 210), 200),
    ):  # fmt: skip
        for half in (-0.72, 0.72):
            lamps.append(Lamp(x + half, 0.72, z, 0.095, power * srgb_to_linear(*colour)))
    for x, y, z, colour in (
        (-5.6, 4.2, 34, (40, 255, 150)),
        (5.4, 4.3, 41, (255, 150, 20)),
        (-5.6, 4.2, 70, (40, 255, 150)),
    ):
        lamps.append(Lamp(x, y, z, 0.13, 200 * srgb_to_linear(*colour)))
    for index in range(46):  # strings of bulbs along the shop fronts
        side = -1 if index % 2 else 1
        z = 7.5 + 1.15 * index + rng.uniform(-0.2, 0.2)
        sag = 0.35 * np.cos(2 * np.pi * z / 6.0)
        colour = (255, 200 + int(rng.integers(-25, 20)), 120 + int(rng.integers(-30, 30)))
        lamps.append(Lamp(side * 8.4, 5.0 + sag, z, 0.05, 420 * srgb_to_linear(*colour)))
    return lamps


def _add_lamp(light: Light, lamp: Lamp) -> None:
    """The lamp, and below it the streak that a wet road makes of it."""
    height, width = light.shape[:2]
    unit = _FOCAL * height
    column = width / 2 + lamp.x / lamp.z * unit
    radius = lamp.radius_m / lamp.z * unit
    row = _HORIZON * height - (lamp.y - _EYE_M) / lamp.z * unit
    _stamp(light, column, row, radius, radius, lamp.light)
    mirrored = _HORIZON * height + (lamp.y + _EYE_M) / lamp.z * unit
    _stamp(light, column, mirrored, 2.2 * radius, max(9 * radius, 0.035 * height), lamp.light * 0.016)


def _stamp(light: Light, column: float, row: float, width: float, tall: float, colour: Light) -> None:
    """Add a soft ellipse that keeps its energy when it is smaller than a pixel."""
    wide, high = max(width, 0.7), max(tall, 0.7)
    colour = colour * (width * tall / (wide * high))
    left, right = (int(np.clip(column + s * (3 * wide + 1), 0, light.shape[1])) for s in (-1, 1))
    top, bottom = (int(np.clip(row + s * (3 * high + 1), 0, light.shape[0])) for s in (-1, 1))
    if right <= left or bottom <= top:
        return
    y, x = np.mgrid[top:bottom, left:right].astype(np.float32) + 0.5
    light[top:bottom, left:right] += np.exp(-(((x - column) / wide) ** 2) - ((y - row) / high) ** 2)[..., None] * colour
