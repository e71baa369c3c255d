"""A beech wood in the morning: trunks in haze, leaves against the light, shafts of sun."""

from __future__ import annotations

import cv2
import numpy as np

from assets.plate_art.film import Light, bloom, lens_blur, srgb_to_linear, tone, vignette
from assets.plate_art.noise import Field, Noise, smoothstep

_HORIZON = 0.60
_EYE_M = 1.6
_FOCAL = 1.15
_SUN = (0.24, -0.10)
"""Where the sun stands, in fractions of the picture: above its upper edge, left."""

_HAZE = srgb_to_linear(214, 228, 182)
_DEPTHS_M = (95.0, 62.0, 42.0, 29.0, 21.0, 15.0, 11.0)


def draw(width: int, height: int) -> Light:
    """Display values at twice the given size."""
    width, height = 2 * width, 2 * height
    y, x = np.mgrid[0.5:height, 0.5:width].astype(np.float32)
    x, y = x / height, y / height
    aspect = width / height
    light = _glow(x, y, aspect)
    light = lens_blur(_ground(light, x, y, aspect), 0.006 * height)
    for index, depth_m in enumerate(_DEPTHS_M):
        rng = np.random.default_rng([77, index])
        light = _layer(light, depth_m, rng, blur=0.0095 * (1 - 1.7 / depth_m))
        share = (0.6, 0.8, 0.9, 0.8, 0.5, 0.2, 0.0)[index]
        light = light + share * _shafts(x, y, aspect, seed=index)
    light = bloom(light, amount=0.14, radius_px=0.016 * height)
    return tone(vignette(light, 0.42), exposure=1.08, saturation=1.12, contrast=0.45)


def _from_sun(x: Field, y: Field, aspect: float) -> tuple[Field, Field]:
    across, down = x - _SUN[0] * aspect, y - _SUN[1]
    return np.hypot(across, down), np.arctan2(across, down)


def _glow(x: Field, y: Field, aspect: float) -> Light:
    distance, _ = _from_sun(x, y, aspect)
    level = 0.14 + 2.6 * np.exp(-distance / 0.24) + 0.62 * np.exp(-distance / 0.62)
    noise = Noise(31).fbm(x * 7, y * 7, octaves=5)
    return np.asarray((level * (1 + 0.10 * noise))[..., None] * _HAZE)


def _shafts(x: Field, y: Field, aspect: float, *, seed: int) -> Light:
    """Sunbeams: gaps in the crown, the same all along a ray from the sun, softer with distance."""
    distance, angle = _from_sun(x, y, aspect)
    noise = Noise(50 + seed)
    beams = noise.at(angle * 11, np.full_like(angle, 3.3)) + 0.5 * noise.at(angle * 21, np.full_like(angle, 8.1))
    beams = smoothstep(0.1, 2.3, beams) * smoothstep(0.15, 0.5, distance) * np.exp(-distance / 0.85)
    fade = smoothstep(1.02, 0.55, y)
    return np.asarray((0.55 * beams * fade)[..., None] * srgb_to_linear(255, 236, 160))


def _ground(light: Light, x: Field, y: Field, aspect: float) -> Light:
    below = y > _HORIZON
    z = _FOCAL * _EYE_M / np.maximum(y - _HORIZON, 1e-3)
    across = (x - aspect / 2) / _FOCAL * z
    noise = Noise(90)
    fine = np.exp(-((z / 9) ** 2))
    moss = noise.fbm(across * 0.7, z * 0.45, octaves=4) + fine * 0.9 * noise.fbm(across * 5, z * 3.2, octaves=4)
    sunny = smoothstep(0.3, 2.3, noise.fbm(across * 0.9 + 40, z * 0.42 + 11, octaves=4))
    shade = srgb_to_linear(40, 52, 22) * (1 + 0.55 * np.tanh(moss))[..., None]
    bright = srgb_to_linear(186, 196, 84) * (1 + 0.4 * np.tanh(moss))[..., None]
    floor = shade + sunny[..., None] * (bright - shade) * 0.9
    leafy = smoothstep(0.3, 1.2, noise.fbm(across * 1.3 + 9, z * 0.8, octaves=4))[..., None]
    floor = floor * (1 - 0.5 * leafy) + 0.5 * leafy * srgb_to_linear(120, 84, 44) * (0.6 + sunny[..., None])
    air = np.exp(-z / 26.0)[..., None] * smoothstep(_HORIZON, _HORIZON + 0.05, y)[..., None]
    return np.where(below[..., None], light * (1 - air) + floor * air, light).astype(np.float32)


def _layer(light: Light, depth_m: float, rng: np.random.Generator, *, blur: float) -> Light:
    """Trunks, saplings and leaves at one distance, out of focus by `blur` of the height."""
    height, width = light.shape[:2]
    unit = _FOCAL * height / depth_m
    colour, cover = np.zeros_like(light), np.zeros((height, width), np.float32)
    seen = np.exp(-depth_m / 44.0)
    base = _HORIZON * height + _EYE_M * unit
    count = max(2, round(0.33 * width / unit))
    for slot in range(count):
        centre = (slot + rng.uniform(0.08, 0.92)) / count * width
        if depth_m < 24 and abs(centre / width - 0.5) < 0.16:
            continue  # the middle is the speaker's
        _trunk(colour, cover, centre, base, rng.uniform(0.14, 0.30) * unit, seen, rng)
    _leaves(colour, cover, depth_m, seen, rng)
    both = np.dstack([colour * cover[..., None], cover])
    soft = lens_blur(both, blur * height, rim=0.5)
    return np.asarray(light * (1 - soft[..., 3:].clip(0, 1)) + soft[..., :3])


def _veiled(colour: Light, seen: float, glow: Light) -> Light:
    """Haze in front of a thing: the further, the more of the light that hangs in the air."""
    return colour * seen + (1 - seen) * glow


def _trunk(
    colour: Light, cover: Field, centre: float, base: float, radius: float, seen: float, rng: np.random.Generator
) -> None:
    height, width = cover.shape
    bottom = int(min(base, height))
    rows = np.arange(bottom, dtype=np.float32)
    rise = (base - rows) / height
    sway = rng.normal(0, 0.012) * rise + 0.006 * np.sin(rise * rng.uniform(3, 7) + rng.uniform(0, 6))
    middle = centre + sway * height
    half = radius * (1 - 0.18 * rise + 0.9 * np.exp(-rise * height / (1.3 * radius + 1)) * 0.35)
    columns = np.arange(width, dtype=np.float32)
    left, right = int(max(centre - 3 * radius - 0.05 * height, 0)), int(min(centre + 3 * radius + 0.05 * height, width))
    if right <= left:
        return
    across = (columns[None, left:right] - middle[:, None]) / half[:, None]
    inside = np.clip((1 - np.abs(across)) * half[:, None], 0, 1)
    bark = Noise(int(rng.integers(1 << 20))).fbm(
        np.broadcast_to(across * 3.0, across.shape),
        np.broadcast_to(rows[:, None] / radius * 0.25, across.shape),
        octaves=4,
    )
    to_sun = -1.0 if centre > _SUN[0] * width else 1.0
    rim = np.clip(across * to_sun, 0, 1) ** 3
    body = (0.75 + 0.25 * np.tanh(bark) + 0.25 * across * to_sun)[..., None] * srgb_to_linear(58, 46, 34)
    moss = smoothstep(0.25, 0.0, rise)[:, None, None] * srgb_to_linear(40, 56, 18)
    lit = body + moss + (0.5 * rim)[..., None] * srgb_to_linear(255, 226, 150)
    distance = abs(centre / height - _SUN[0] * width / height) + 0.5 * rows / height
    air = (0.13 + 0.95 * np.exp(-distance / 0.42))[:, None, None] * _HAZE
    part = inside[..., None]
    area = np.s_[:bottom, left:right]
    colour[area] = colour[area] * (1 - part) + part * _veiled(lit, seen, air)
    cover[area] = np.maximum(cover[area], inside)


def _leaves(colour: Light, cover: Field, depth_m: float, seen: float, rng: np.random.Generator) -> None:
    """Sprays of leaves under the crown, and undergrowth: yellow where the sun shines through."""
    height, width = cover.shape
    unit = _FOCAL * height / depth_m
    size = max(0.055 * unit, 1.2)
    noise = Noise(int(rng.integers(1 << 20)))
    count = int(min(40000, 0.5 * width * height / (size * size) * 0.3))
    x = rng.random(count, np.float32) * width
    y = rng.random(count, np.float32) * height
    level = _HORIZON * height - y
    clumps = noise.fbm(x / unit * 0.55, y / unit * 0.75, octaves=4)
    crown = smoothstep(0.16, 0.52, level / height)
    low = smoothstep(-1.3, -0.2, level / unit) * smoothstep(0.9, -0.4, level / unit)
    wanted = clumps > 1.5 - 2.3 * crown - 1.2 * low
    distance = np.hypot(x / height - _SUN[0] * width / height, y / height - _SUN[1])
    through = np.exp(-distance / 0.55)
    for index in np.flatnonzero(wanted):
        shine = through[index] * rng.random() ** 2
        tint = srgb_to_linear(*((76, 122, 34) if level[index] > 0 else (56, 100, 34)))
        leaf = tint * (0.35 + 0.9 * rng.random()) + 2.6 * shine * srgb_to_linear(214, 236, 92)
        air = (0.13 + 0.95 * through[index]) * _HAZE
        axes = (max(1, round(size * rng.uniform(0.6, 1.3))), max(1, round(size * rng.uniform(0.35, 0.8))))
        centre = (int(x[index]), int(y[index]))
        angle = float(rng.uniform(0, 180))
        cv2.ellipse(colour, centre, axes, angle, 0, 360, _veiled(leaf, seen, air).tolist(), -1)
        cv2.ellipse(cover, centre, axes, angle, 0, 360, (1.0,), -1)
