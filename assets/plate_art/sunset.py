"""Sunset over the sea: coloured air, lit clouds, and a water surface that reflects both."""

from __future__ import annotations

import cv2
import numpy as np

from assets.plate_art.film import Light, bloom, lens_blur, srgb_to_linear, tone, vignette
from assets.plate_art.noise import Field, Noise, smoothstep

_SUN_AZIMUTH, _SUN_ELEVATION = -0.30, 0.062
_HORIZON = 0.55
_FOCAL = 1.35
_EYE_HEIGHT_M = 2.6
_CLOUD_NOISE = Noise(11)

_NEAR_SUN = [
    (0.00, (250, 138, 66)), (0.05, (252, 152, 84)), (0.12, (246, 150, 104)), (0.22, (222, 138, 130)),
    (0.36, (164, 130, 156)), (0.60, (92, 104, 156)), (1.0, (52, 76, 132)),
]  # fmt: skip
_AWAY = [
    (0.00, (226, 140, 112)), (0.05, (222, 142, 128)), (0.12, (208, 146, 148)), (0.22, (168, 132, 156)),
    (0.36, (118, 114, 156)), (0.60, (76, 90, 142)), (1.0, (44, 64, 116)),
]  # fmt: skip


def draw(width: int, height: int) -> Light:
    """Display values at twice the given size."""
    width, height = 2 * width, 2 * height
    sky_map = _SkyMap()
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2) / height / _FOCAL
    y = (_HORIZON * height - np.arange(height, dtype=np.float32) - 0.5) / height / _FOCAL
    light = np.zeros((height, width, 3), np.float32)
    horizon = int(_HORIZON * height)
    ray_x, ray_y = np.meshgrid(x, y[:horizon])
    light[:horizon] = sky_map.look(np.arctan(ray_x), np.arctan2(ray_y, np.hypot(1, ray_x)))
    _add_sun(light, x, y)
    light[horizon:] = _sea(sky_map, x, y[horizon:], pixel=1 / height / _FOCAL)
    _headland(light, width, height)
    light = lens_blur(light, 0.0042 * height, rim=0.4)
    light = bloom(light, amount=0.16, radius_px=0.012 * height)
    return tone(vignette(light, 0.28), exposure=0.94, saturation=1.08, contrast=0.35)


class _SkyMap:
    """The sky as a picture over azimuth -1.4..1.4 and elevation 0..1.2, so that water can look it up."""

    def __init__(self) -> None:
        azimuth, elevation = np.meshgrid(
            np.linspace(-1.4, 1.4, 2800, dtype=np.float32), np.linspace(0, 1.2, 1200, dtype=np.float32)
        )
        self._light = _clear_sky(azimuth, elevation)
        self._light = _clouds(self._light, azimuth, elevation)
        sun = np.hypot(azimuth - _SUN_AZIMUTH, elevation - _SUN_ELEVATION)
        self._glint = self._light + (60 * np.exp(-((sun / 0.019) ** 2)))[..., None] * srgb_to_linear(255, 190, 110)

    def look(self, azimuth: Field, elevation: Field, *, glint: bool = False) -> Light:
        table = self._glint if glint else self._light
        column = ((azimuth + 1.4) / 2.8 * (table.shape[1] - 1)).astype(np.float32)
        row = (np.abs(elevation) / 1.2 * (table.shape[0] - 1)).astype(np.float32)
        return cv2.remap(table, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _ramp(stops: list[tuple[float, tuple[int, int, int]]], x: Field) -> Light:
    """Colours between stops: mixed in cube-rooted light, which keeps the steps even to the eye."""
    at = [stop for stop, _ in stops]
    channels = np.array([srgb_to_linear(*colour) for _, colour in stops]) ** (1 / 3)
    return np.stack([np.interp(x, at, channels[:, c]) for c in range(3)], axis=-1).astype(np.float32) ** 3


def _clear_sky(azimuth: Field, elevation: Field) -> Light:
    toward = np.exp(-(((azimuth - _SUN_AZIMUTH) / 0.75) ** 2))[..., None]
    level = np.sqrt(elevation / 1.2)  # more of the ramp near the horizon, where the air changes fastest
    sky = toward * _ramp(_NEAR_SUN, level**1.6) + (1 - toward) * _ramp(_AWAY, level**1.6)
    sun = np.hypot((azimuth - _SUN_AZIMUTH) * 0.9, elevation - _SUN_ELEVATION)
    halo = 1.7 * np.exp(-sun / 0.04) + 0.55 * np.exp(-sun / 0.15) + 0.16 * np.exp(-sun / 0.5)
    return np.asarray(sky * 0.75 + halo[..., None] * srgb_to_linear(255, 172, 84))


def _clouds(sky: Light, azimuth: Field, elevation: Field) -> Light:
    """A layer of altocumulus and, above it, cirrus: seen from below, lit along the ground by the sun."""
    far = 1 / np.tan(np.maximum(elevation, 0.012) + 0.035)
    plane = np.stack([np.sin(azimuth) * far, np.cos(azimuth) * far])
    sun = np.hypot(azimuth - _SUN_AZIMUTH, elevation - _SUN_ELEVATION)
    for scale, cover, seed, thickness in ((0.55, 0.45, 3.0, 1.5), (1.25, 0.30, 40.0, 1.0)):
        here, toward, beyond = (_density(plane, step, scale, cover, seed) for step in (0.0, 0.12, 0.3))
        here = here * smoothstep(0.015, 0.12, elevation) * thickness
        glow = (0.30 + 1.5 * np.exp(-sun / 0.30)) * np.exp(-1.1 * (toward + beyond))
        warm = srgb_to_linear(255, 148, 96) * (1 - 0.4 * smoothstep(0.1, 0.6, elevation))[..., None]
        body = glow[..., None] * warm + 0.17 * srgb_to_linear(150, 118, 160)
        cover_share = (1 - np.exp(-1.5 * here))[..., None]
        sky = sky * (1 - 0.85 * cover_share) + body * cover_share * 0.9
    return sky.astype(np.float32)


def _density(plane: Field, step: float, scale: float, cover: float, seed: float) -> Field:
    """How thick the cloud is a `step` nearer to the sun."""
    u, v = plane
    warp = 0.35 * _CLOUD_NOISE.fbm(u * scale * 0.6 + seed, v * scale * 0.6, octaves=3)
    a = u + step * np.float32(np.sin(_SUN_AZIMUTH))
    b = v + step * np.float32(np.cos(_SUN_AZIMUTH))
    field = _CLOUD_NOISE.fbm(a * scale * 0.75 + warp + seed, b * scale * 1.5 - warp, octaves=6, gain=0.56)
    return smoothstep(cover, cover + 1.5, field)


def _add_sun(light: Light, x: Field, y: Field) -> None:
    centre = np.tan(_SUN_AZIMUTH), np.tan(_SUN_ELEVATION) / np.cos(_SUN_AZIMUTH)
    disc = np.hypot(x[None, :] - centre[0], y[:, None] - centre[1])
    light += smoothstep(0.0250, 0.0195, disc)[..., None] * 7 * srgb_to_linear(255, 206, 120)


def _sea(sky_map: _SkyMap, x: Field, y: Field, *, pixel: float) -> Light:
    """Water as a mirror of many slopes: big waves as geometry, the unresolved ones as a spread of slopes."""
    ray_x, ray_y = np.meshgrid(x, np.minimum(y, -pixel / 2))
    z = _EYE_HEIGHT_M / -ray_y
    east = ray_x * z
    footprint = z * z * pixel / _EYE_HEIGHT_M
    noise = Noise(5)
    slope_x, slope_z, lost = np.zeros_like(z), np.zeros_like(z), np.full_like(z, 0.0004)
    for length, slope in ((9.0, 0.018), (4.0, 0.026), (1.7, 0.04), (0.75, 0.055), (0.33, 0.07), (0.15, 0.07)):
        kept = np.exp(-((footprint / (0.6 * length)) ** 2))
        u, v = east / length * 0.55, z / length
        slope_x += kept * slope * 0.6 * noise.at(u + 91.7 * length, v)
        slope_z += kept * slope * noise.at(u, v + 53.9 * length)
        lost += (1 - kept**2) * slope**2
    rng = np.random.default_rng(2)
    total = np.zeros((*z.shape, 3), np.float32)
    samples = 28
    for _ in range(samples):
        # Evenly spread quantiles with a random part: far less noisy than independent normals.
        a, b = rng.standard_normal(2)
        jitter = 0.35 * rng.standard_normal(z.shape, np.float32)
        spread = np.sqrt(lost)
        total += _reflected(
            sky_map,
            ray_x,
            ray_y,
            slope_x + 0.6 * spread * (a + jitter),
            slope_z + spread * (b + jitter),
        )
    sea = total / samples
    far = smoothstep(60, 900, z)[..., None]
    return np.asarray(sea * (1 - 0.35 * far) + 0.35 * far * sky_map.look(np.arctan(ray_x), np.full_like(ray_x, 0.004)))


def _reflected(sky_map: _SkyMap, ray_x: Field, ray_y: Field, slope_x: Field, slope_z: Field) -> Light:
    length = np.sqrt(ray_x**2 + ray_y**2 + 1)
    dx, dy, dz = ray_x / length, ray_y / length, 1 / length
    scale = 1 / np.sqrt(1 + slope_x**2 + slope_z**2)
    facing = (-slope_x * dx + dy - slope_z * dz) * scale
    rx, ry, rz = dx + 2 * facing * slope_x * scale, dy - 2 * facing * scale, dz + 2 * facing * slope_z * scale
    light = sky_map.look(np.arctan2(rx, rz), np.arcsin(np.clip(ry, -1, 1)), glint=True)
    fresnel = 0.02 + 0.98 * np.clip(1 + np.minimum(facing, 0), 0, 1) ** 5
    body = np.array([0.010, 0.028, 0.042], np.float32)
    return np.asarray(fresnel[..., None] * light + (1 - fresnel)[..., None] * body)


def _headland(light: Light, width: int, height: int) -> None:
    """Two hills far off on the right, greyed by the air, standing on the horizon."""
    noise = Noise(23)
    x = np.linspace(0, 1, width, dtype=np.float32)
    horizon = _HORIZON * height
    rows = np.arange(height, dtype=np.float32)[:, None]
    for start, rise, seed, colour, veil in (
        (0.60, 0.050, 1.0, (176, 120, 124), 0.75),
        (0.78, 0.078, 7.0, (120, 84, 104), 0.55),
    ):
        shape = smoothstep(start, 1.05, x) * (1 + 0.22 * noise.fbm(x * 9 + seed, x * 0 + seed, octaves=5))
        top = horizon - rise * height * shape
        inside = np.clip(rows - top[None, :], 0, 1) * (rows < horizon) * smoothstep(start, start + 0.03, x)[None, :]
        colour_light = veil * srgb_to_linear(*colour)
        light += inside[..., None] * (colour_light - light)
