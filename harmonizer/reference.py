"""The published rendering, literally: the clamped sum over 64 pieces for every pixel.

Kept as the yardstick: golden tests hold the tables to it and `bench curves` times them against it. It is
never used to make a picture.
"""

from __future__ import annotations

import torch
from torch import Tensor


def clamped_sum(image: Tensor, slopes: Tensor) -> Tensor:
    """y = (K / sum p) * sum_i p_i * clamp(x - i / K, 0, 1 / K), per channel (S2CRNet, eq. 3).

    image (B, 3, H, W) in [0, 1], slopes (B, 3, K) -> (B, 3, H, W).
    """
    pieces = slopes.shape[-1]
    total = slopes.sum(dim=-1).view(*slopes.shape[:2], 1, 1)
    out = torch.zeros_like(image)
    for i in range(pieces):
        out = out + slopes[..., i].view(*slopes.shape[:2], 1, 1) * (image - i / pieces).clamp(0, 1 / pieces)
    return out * (pieces / total)


def cascade(image: Tensor, slopes: Tensor) -> Tensor:
    """All stages in turn: image (B, 3, H, W), slopes (B, S, 3, K) -> (B, 3, H, W)."""
    for stage in range(slopes.shape[1]):
        image = clamped_sum(image, slopes[:, stage])
    return image
