"""Random pictures with something in them: texture with edges, and soft-edged shapes as alpha."""

import cv2
import numpy as np


def textured(size, rng):
    """A picture (H, W, 3) uint8 of smooth colour patches and a little noise, as a camera gives them."""
    height, width = size
    coarse = rng.integers(0, 256, (max(1, height // 12), max(1, width // 12), 3), np.uint8)
    patches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(patches.astype(int) + rng.integers(-6, 7, (height, width, 3)), 0, 255).astype(np.uint8)


def soft_alpha(size, rng):
    """Alpha (H, W) float32 in [0, 1]: a few discs with soft edges, some cut off by the frame."""
    height, width = size
    y, x = np.mgrid[:height, :width].astype(np.float32)
    alpha = np.zeros(size, np.float32)
    for _ in range(rng.integers(1, 4)):
        centre_y, centre_x = rng.uniform(0, height), rng.uniform(0, width)
        radius, softness = rng.uniform(0.5, 1 + 0.5 * max(size)), rng.uniform(0.5, 8)
        distance = np.hypot(y - centre_y, x - centre_x)
        alpha = np.maximum(alpha, np.clip((radius - distance) / softness, 0, 1).astype(np.float32))
    return alpha
