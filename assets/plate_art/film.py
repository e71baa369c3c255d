"""From scene light to a picture: lens, bloom, tone, grain."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from assets.plate_art.noise import Field

Light: TypeAlias = npt.NDArray[Any]
"""(H, W, 3) float32, linear sRGB primaries, 0 up to any brightness."""


def srgb_to_linear(*rgb: float) -> npt.NDArray[np.float32]:
    """Display values 0..255 to linear 0..1."""
    value = np.array(rgb, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def lens_blur(light: Light, radius_px: float, *, rim: float = 0.25) -> Light:
    """Out of focus: every point becomes a disc, a little brighter at its rim as real lenses draw it.

    Works on scene light, so that small lamps become clean discs rather than grey smudges.
    """
    if radius_px < 0.6:
        return light
    kernel = _disc(radius_px, rim)
    return cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT)


def depth_blur(light: Light, radius_px: Field, *, levels: int = 6) -> Light:
    """Blur by a radius that changes over the picture: the two nearest of `levels` blurs, mixed."""
    steps = np.linspace(float(radius_px.min()), float(radius_px.max()) + 1e-3, levels)
    position = (radius_px - steps[0]) / (steps[1] - steps[0])
    out = np.zeros_like(light)
    for index, radius in enumerate(steps):
        weight = np.clip(1 - np.abs(position - index), 0, 1)[..., None]
        if weight.any():
            out += weight * lens_blur(light, float(radius))
    return out


def bloom(light: Light, *, amount: float, radius_px: float) -> Light:
    """Light scattered in the lens: part of it spread over wide Gaussians."""
    glow = np.zeros_like(light)
    for spread, share in ((1.0, 0.5), (3.0, 0.3), (9.0, 0.2)):
        glow += share * _wide_gaussian(light, spread * radius_px)
    return (1 - amount) * light + amount * glow


def tone(light: Light, *, exposure: float = 1.0, saturation: float = 1.0, contrast: float = 0.0) -> Light:
    """Film-like curve to display values 0..1, sRGB-encoded (Hable's toe and shoulder, 2010).

    Bright colours bleach towards white as they do on film: part of what a channel loses in the
    shoulder is given to the others. contrast 0..1 mixes in an S-curve.
    """
    x = light * exposure
    peak = x.max(axis=2, keepdims=True)
    x = x + 0.06 * np.maximum(peak - 1, 0)
    x = _hable(2.2 * x) / _hable(np.array(2.2 * 8.0, np.float32))
    grey = x @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    x = grey[..., None] + saturation * (x - grey[..., None])
    x = x.clip(0, 1)
    display = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)
    return display + contrast * (display * display * (3 - 2 * display) - display)


def vignette(light: Light, strength: float) -> Light:
    """Darker corners: cos^4-like fall of light, `strength` of it lost in the corner."""
    height, width = light.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    return np.asarray(light * (1 - strength * ((x * x + y * y) / 2) ** 1.3)[..., None], np.float32)


def finish(display: Light, size: tuple[int, int], *, grain: float = 1.0, seed: int = 1) -> npt.NDArray[np.uint8]:
    """Bring display values to `size`, with film grain of `grain` levels that also dithers: uint8 RGB.

    The grain is soft (0.8 px): a JPEG keeps low frequencies, so the dither survives it and
    smooth skies do not band.
    """
    display = cv2.resize(display, size, interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(seed)
    height, width = display.shape[:2]
    soft = np.asarray(cv2.GaussianBlur(rng.standard_normal((height, width, 3), np.float32), (0, 0), 0.8))
    noise = 0.75 * soft[..., :1] + 0.35 * soft
    noise *= grain / noise.std()
    middle = 0.55 + 0.45 * np.sin(np.pi * display.clip(0, 1))
    dither = rng.random((height, width, 1), np.float32) - 0.5
    return np.asarray(np.rint(display * 255 + noise * middle + dither).clip(0, 255), np.uint8)


def _hable(x: Light) -> Light:
    return np.asarray((x * (0.22 * x + 0.03) + 0.002) / (x * (0.22 * x + 0.3) + 0.06) - 0.002 / 0.06)


def _disc(radius_px: float, rim: float) -> Field:
    """Kernel of sum 1: an antialiased disc."""
    reach = int(np.ceil(radius_px + 1))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)
    distance = np.hypot(x, y)
    disc = np.clip(radius_px + 0.5 - distance, 0, 1) * (1 + rim * (distance / radius_px) ** 4)
    return np.asarray(disc / disc.sum(), np.float32)


def _wide_gaussian(light: Light, sigma_px: float) -> Light:
    height, width = light.shape[:2]
    shrink = max(1, int(sigma_px / 3))
    small = cv2.resize(light, (max(1, width // shrink), max(1, height // shrink)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / shrink, borderType=cv2.BORDER_REPLICATE)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, None)
