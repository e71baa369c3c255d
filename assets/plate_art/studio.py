"""A portrait studio: hand-painted canvas with a pool of light behind the sitter."""

from __future__ import annotations

import numpy as np

from assets.plate_art.film import Light, lens_blur, srgb_to_linear, tone
from assets.plate_art.noise import Noise, smoothstep

_POOL = (0.50, 0.44)


def draw(width: int, height: int) -> Light:
    """Display values at twice the given size."""
    width, height = 2 * width, 2 * height
    y, x = np.mgrid[0.5:height, 0.5:width].astype(np.float32) / height
    aspect = width / height
    noise = Noise(61)
    # Brushed in crossing strokes: two stretched fractals and a fine weave.
    cloud = noise.fbm(x * 5.0, y * 5.0, octaves=5, gain=0.6)
    stroke = noise.fbm(x * 3.2 + 1.7 * y + 0.3 * cloud, (y - 0.6 * x) * 9.0, octaves=4)
    stroke += noise.fbm((x + 0.5 * y) * 9.0 + 20, y * 3.0 - 0.9 * x, octaves=4)
    paint = 0.050 * cloud + 0.022 * stroke
    # Inverse-square light from a lamp in front, with the soft edge of its dish.
    across, down = (x - _POOL[0] * aspect) * 0.82, y - _POOL[1]
    distance = across**2 + down**2
    pool = 0.07 + 0.80 / (1 + distance / 0.30) ** 2.2
    # The canvas sweeps forward into the floor and turns away from the lamp.
    sweep = smoothstep(0.80, 1.08, y)
    pool = pool * (1 - 0.40 * sweep)
    canvas = srgb_to_linear(132, 138, 144) * (1 + paint)[..., None]
    warm, cool = srgb_to_linear(255, 240, 222) * 1.12, srgb_to_linear(196, 212, 240) * 1.1
    share = smoothstep(0.0, 1.0, pool)[..., None]
    light = canvas * pool[..., None] * (cool + share * (warm - cool)) * 1.25
    # A gelled lamp low on each side, for a little colour in the corners.
    left = 0.022 * np.exp(-((x / 0.5) ** 2) - ((y - 0.75) / 0.5) ** 2)
    right = 0.012 * np.exp(-(((x - aspect) / 0.5) ** 2) - ((y - 0.2) / 0.5) ** 2)
    light += left[..., None] * srgb_to_linear(110, 150, 220) + right[..., None] * srgb_to_linear(240, 170, 120)
    return tone(lens_blur(light.astype(np.float32), 0.003 * height), exposure=1.3, contrast=0.15)
