"""Snow mountains on a clear day: ridged noise as terrain, sun and blue sky as light, air in between."""

from __future__ import annotations

import numpy as np

from assets.plate_art.film import Light, bloom, lens_blur, srgb_to_linear, tone, vignette
from assets.plate_art.noise import Field, Noise, smoothstep

_HORIZON = 0.60
_FOCAL = 1.45
_EYE_KM = 0.62
_SUN = np.array([-0.72, 0.46, 0.10]) / np.linalg.norm([-0.72, 0.46, 0.10])
_STEPS = 2000


def draw(width: int, height: int) -> Light:
    """Display values at twice the given size."""
    width, height = 2 * width, 2 * height
    light = _sky(width, height)
    x_km, z_km, ground = _visible_ground(width, height)
    light[ground] = _shaded(x_km[ground], z_km[ground])
    light = lens_blur(light, 0.0032 * height, rim=0.2)
    light = bloom(light, amount=0.10, radius_px=0.012 * height)
    return tone(vignette(light, 0.22), exposure=0.74, saturation=1.1, contrast=0.4)


_RIDGES = Noise(541)
_ROUGH = Noise(542)


def _terrain(x_km: Field, z_km: Field, *, octaves: int = 9) -> Field:
    """Height in km: a ridged multifractal (Musgrave 1994) standing on a valley floor."""
    u, v = x_km * 0.21 + 3.1, z_km * 0.21 + 8.337
    warp = 0.30 * _ROUGH.fbm(u * 0.8, v * 0.8, octaves=3)
    u, v = u + warp, v - 0.7 * warp
    total, weight, amplitude, scale = np.zeros_like(u), np.ones_like(u), 1.0, 1.0
    for octave in range(octaves):
        ridge = np.clip(1 - np.abs(_RIDGES.at(u * scale + 13.7 * octave, v * scale - 5.2 * octave)) * 0.85, 0, 1) ** 2
        total += amplitude * ridge * weight
        weight = np.clip(2.0 * ridge, 0.12, 1)
        amplitude *= 0.47
        scale *= 2.07
        u, v = 0.8 * u - 0.6 * v, 0.6 * u + 0.8 * v
    far = smoothstep(3.0, 9.5, z_km)
    sides = 0.55 + 0.75 * smoothstep(0.0, 5.0, np.abs(x_km + 0.15 * z_km - 0.8))
    meadow = 0.045 * _ROUGH.fbm(x_km * 0.9, z_km * 0.9, octaves=4) + 0.16 * smoothstep(2.6, 0.4, z_km)
    broken = 0.075 * _ROUGH.fbm(x_km * 1.9, z_km * 1.9, octaves=octaves - 2, gain=0.55)
    return np.asarray(meadow + far * sides * (1.7 * total - 0.5 + broken))


def _visible_ground(width: int, height: int) -> tuple[Field, Field, Field]:
    """March outwards along every column and keep the first ground that rises above what stands before it."""
    tangent = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height / _FOCAL
    z_km = (0.35 * (60 / 0.35) ** (np.arange(_STEPS) / (_STEPS - 1))).astype(np.float32)
    columns, depths = np.meshgrid(tangent, z_km)
    octaves = 9
    rise = (_terrain(columns * depths, depths, octaves=octaves) - _EYE_KM) / depths
    skyline = np.maximum.accumulate(rise, axis=0)
    rows = (_HORIZON * height - np.arange(height) - 0.5) / height / _FOCAL
    hit_z = np.zeros((height, width), np.float32)
    index = np.arange(_STEPS, dtype=np.float32)
    for column in range(width):
        line = skyline[:, column] + index * np.float32(1e-9)
        hit_z[:, column] = np.interp(rows, line, z_km, left=0.35, right=-1)
    ground = hit_z > 0
    x_km = tangent[None, :] * hit_z
    return x_km.astype(np.float32), hit_z, ground


def _shaded(x_km: Field, z_km: Field) -> Light:
    height_km = _terrain(x_km, z_km)
    step = np.maximum(0.0009 * z_km, 0.002)
    slope_x = (_terrain(x_km + step, z_km) - height_km) / step
    slope_z = (_terrain(x_km, z_km + step) - height_km) / step
    length = np.sqrt(1 + slope_x**2 + slope_z**2)
    normal = np.stack([-slope_x, np.ones_like(slope_x), -slope_z], axis=-1) / length[..., None]
    facing = np.clip(normal @ _SUN.astype(np.float32), 0, 1)
    sunlit = _sunlit(x_km, z_km, height_km)
    roughness = _ROUGH.fbm(x_km * 6, z_km * 6, octaves=5)
    steep = 1 / length
    rock = 0.85 * smoothstep(0.56, 0.34, steep + 0.10 * roughness) * smoothstep(0.12, 0.5, height_km)
    snow = srgb_to_linear(243, 246, 252)
    stone = srgb_to_linear(104, 98, 98) * (1 + 0.3 * np.tanh(roughness))[..., None]
    albedo = snow + rock[..., None] * (stone - snow)
    trees = _woods(x_km, z_km, height_km, steep)
    albedo = albedo + trees[..., None] * (srgb_to_linear(70, 84, 82) - albedo)
    sun = 3.0 * srgb_to_linear(255, 236, 208)
    sky = 0.42 * srgb_to_linear(150, 188, 255) * (0.55 + 0.45 * normal[..., 1:2])
    light = albedo * (sun * (facing * sunlit)[..., None] + sky)
    air = (1 - np.exp(-((z_km / 27.0) ** 1.2)))[..., None] * np.exp(-height_km.clip(0, 4) / 3.2)[..., None]
    return np.asarray(light * (1 - air) + air * 1.05 * srgb_to_linear(168, 200, 240), np.float32)


def _woods(x_km: Field, z_km: Field, height_km: Field, steep: Field) -> Field:
    """Conifers on the lower slopes, thinning out upwards."""
    patches = _ROUGH.fbm(x_km * 1.6 + 50, z_km * 1.6, octaves=5)
    speckle = _ROUGH.at(x_km * 84, z_km * 56) + 0.6 * _ROUGH.at(x_km * 170 + 9, z_km * 120)
    line = smoothstep(1.05, 0.35, height_km + 0.16 * patches) * smoothstep(2.2, 4.2, z_km)
    return smoothstep(0.35, 0.75, line * (0.58 + 0.40 * patches + 0.17 * speckle)) * smoothstep(0.35, 0.6, steep)


def _sunlit(x_km: Field, z_km: Field, height_km: Field) -> Field:
    """1 where the way to the sun is free; soft over some tens of metres."""
    clear = np.full_like(x_km, 1.0)
    across, up, ahead = _SUN
    for distance in 0.06 * 1.42 ** np.arange(13):
        roof = _terrain(x_km + across * distance, z_km + ahead * distance, octaves=6)
        gap = height_km + up * distance - roof
        clear = np.minimum(clear, smoothstep(-0.06, 0.02, gap / np.sqrt(distance)))
    return clear


def _sky(width: int, height: int) -> Light:
    y, x = np.mgrid[0.5:height, 0.5:width].astype(np.float32) / height
    rise = np.clip((_HORIZON - y) / _HORIZON, 0, 1)
    low, high = srgb_to_linear(206, 228, 248), srgb_to_linear(86, 146, 216)
    sky = low + (rise**0.75)[..., None] * (high - low)
    noise = Noise(317)
    far = 1 / (rise + 0.35)
    u, v = (x - width / height / 2) * far * 1.1, far * 1.5
    clouds = noise.fbm(u + 0.5 * noise.fbm(u * 0.7, v * 0.7, octaves=3), v * 1.4, octaves=6, gain=0.55)
    cover = 0.75 * smoothstep(0.7, 2.6, clouds)[..., None] * smoothstep(0.02, 0.25, rise)[..., None]
    return np.asarray(sky * (1 - 0.8 * cover) + 0.8 * cover * 1.25 * srgb_to_linear(248, 248, 252), np.float32)
